"""Claims, trigger words and ancestry out of metadata that may say anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.metadata import ancestor_names, ancestors, claims, edges, trigger_words
from sdkeep.ground.kinds import Family
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust

SHA = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
OTHER = "a" * 64
THIRD = "b" * 64
PONY = "67ab2fd8ec439a89b3fedb15cc65f54336af163c7eb5e4f2acc98f090a29b0b3"


def recipe(**changes: object) -> dict[str, object]:
    return {
        "type": "webui",
        "primary_model_hash": SHA,
        "secondary_model_hash": OTHER,
        "tertiary_model_hash": None,
        "interp_method": "Weighted sum",
        "multiplier": 0.3,
        "bake_in_vae": "None",
    } | changes


@pytest.mark.parametrize(
    ("metadata", "base", "family"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "SDXL 1.0", Family.SDXL),
        ({"ss_base_model_version": "sd_v1"}, "SD 1.5", Family.SD1),
        ({"ss_base_model_version": "sdxl_"}, "SDXL 1.0", Family.SDXL),
        ({"ss_base_model_version": "flux1"}, "Flux.1 D", Family.FLUX1),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "SDXL 1.0", Family.SDXL),
        ({"modelspec.architecture": "Flux.1-dev/lora"}, "Flux.1 D", Family.FLUX1),
        ({"ss_base_model_version": "something_new"}, "something_new", Family.UNKNOWN),
        ({"ss_v2": "True"}, "SD 2.1", Family.SD2),
        (
            {"ss_sd_model_name": "ponyDiffusionV6XL.safetensors", "ss_base_model_version": "sdxl_base_v1-0"},
            "Pony",
            Family.SDXL,
        ),
        ({"ss_sd_model_name": "ponyville.ckpt", "ss_base_model_version": "sd_v1"}, "SD 1.5", Family.SD1),
        ({"ss_sd_model_name": "stabilityai/stable-diffusion-2-1"}, "SD 2.1 768", Family.SD2),
        ({}, "", Family.UNKNOWN),
    ],
)
def test_the_claimed_base_is_read_from_every_trainer(metadata: dict[str, str], base: str, family: Family) -> None:
    claim = claims(metadata)
    assert (claim.base, claim.family) == (base, family)


def test_a_known_hash_outweighs_what_the_trainer_calls_its_base() -> None:
    claim = claims({"ss_new_sd_model_hash": SHA, "ss_base_model_version": "sdxl_base_v1-0"})
    assert claim.family is Family.SD1


@pytest.mark.parametrize(
    ("metadata", "prediction"),
    [
        ({"modelspec.prediction_type": "v"}, "v-prediction"),
        ({"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ({"ss_v_parameterization": "True"}, "v-prediction"),
        ({"ss_base_model_version": "sd_v2_v"}, "v-prediction"),
        ({"ss_base_model_version": "sd_v2"}, ""),
    ],
)
def test_the_claimed_prediction_is_one_of_two_words(metadata: dict[str, str], prediction: str) -> None:
    assert claims(metadata).prediction == prediction


def test_title_author_and_licence_are_claims() -> None:
    claim = claims({"modelspec.title": " Nice ", "modelspec.author": "me", "modelspec.license": "MIT", "title": "no"})
    assert (claim.title, claim.author, claim.licence) == ("Nice", "me", "MIT")
    assert claims({"modelspec.title": "None", "ss_output_name": "out"}).title == "out"


def test_trigger_words_are_the_phrase_and_then_the_commonest_tags() -> None:
    tags = {"10_cat": {"mycat": 40, "sitting": 30, "blue": 3}, "5_more": {"mycat": 10}}
    words = trigger_words({"modelspec.trigger_phrase": "mycat style, ", "ss_tag_frequency": json.dumps(tags)})
    assert words == ("mycat style", "mycat", "sitting")


def test_a_full_hash_makes_one_edge_that_keeps_every_label() -> None:
    found = edges({"ss_new_sd_model_hash": SHA, "ss_sd_model_hash": "d7049739", "ss_sd_model_name": "base.safetensors"})
    assert [edge.parent for edge in found] == [Parent(Trust.SHA256, SHA)]
    assert found[0].relation is Relation.TRAINED_ON
    assert "base.safetensors" in found[0].verbatim


@pytest.mark.parametrize(
    ("metadata", "parent"),
    [
        ({"ss_sd_model_hash": "D7049739"}, Parent(Trust.SHORT_HASH, "autov1:d7049739")),
        ({"ss_sd_model_name": "C:\\models\\base.ckpt"}, Parent(Trust.NAME, "base.ckpt")),
        (
            {"ss_sd_model_name": "runwayml/stable-diffusion-v1-5"},
            Parent(Trust.HUB_ID, "hf:runwayml/stable-diffusion-v1-5"),
        ),
        ({"ss_sd_model_hash": "e3b0c442", "ss_sd_model_name": "x.ckpt"}, Parent(Trust.NAME, "x.ckpt")),
    ],
    ids=["short hash", "path", "repository", "hash of nothing"],
)
def test_the_strongest_label_identifies_the_parent(metadata: dict[str, str], parent: Parent) -> None:
    assert [edge.parent for edge in edges(metadata)] == [parent]


def test_a_weighted_sum_gives_both_parents_their_weights() -> None:
    models = {SHA: {"name": "one.safetensors"}, OTHER: {"name": "two.safetensors"}}
    first, second = edges({"sd_merge_recipe": json.dumps(recipe()), "sd_merge_models": json.dumps(models)})
    assert (first.parent.value, first.weight, first.method) == (SHA, 0.7, "Weighted sum")
    assert (second.parent.value, second.weight) == (OTHER, 0.3)
    assert "two.safetensors" in second.verbatim


def test_an_added_difference_takes_the_third_parent_away() -> None:
    text = json.dumps(recipe(interp_method="Add difference", tertiary_model_hash=THIRD, multiplier=1.0))
    assert [edge.weight for edge in edges({"sd_merge_recipe": text})] == [1.0, 1.0, -1.0]


def test_a_copy_made_by_the_merger_is_a_conversion_and_names_its_autoencoder() -> None:
    text = json.dumps(
        recipe(interp_method="No interpolation", secondary_model_hash=None, bake_in_vae="kl-f8-anime2.vae.pt")
    )
    assert [(edge.relation, edge.parent.value) for edge in edges({"sd_merge_recipe": text})] == [
        (Relation.CONVERTED_FROM, SHA),
        (Relation.VAE_BAKED_FROM, "kl-f8-anime2.vae.pt"),
    ]


def test_a_merge_names_its_ancestors_as_far_as_they_are_hashes() -> None:
    models = {"AB" * 32: {"name": "one.ckpt"}, "cd" * 32: {"name": 7}, "short": {"name": "two.ckpt"}, "ef" * 32: None}
    assert ancestor_names({"sd_merge_models": json.dumps(models)}) == {"ab" * 32: "one.ckpt"}
    assert ancestor_names({"sd_merge_models": "[]"}) == ancestor_names({}) == {}


def test_ancestors_travel_with_a_merge() -> None:
    inner = recipe(primary_model_hash=OTHER, secondary_model_hash=THIRD)
    models = {SHA: {"name": "m", "sd_merge_recipe": inner}, OTHER: {"name": "o"}, "no hash": {"sd_merge_recipe": inner}}
    found = ancestors({"sd_merge_models": json.dumps(models)})
    assert [(child, edge.parent.value) for child, edge in found] == [(SHA, OTHER), (SHA, THIRD)]


def test_merged_from_lists_titles() -> None:
    assert [edge.parent.value for edge in edges({"modelspec.merged_from": "One, Two"})] == ["One", "Two"]


def test_a_saved_graph_names_its_loaders_and_its_merge() -> None:
    graph = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
        "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sub/b.safetensors"}},
        "3": {"class_type": "ModelMergeSimple", "inputs": {"ratio": 0.5}},
    }
    found = edges({"prompt": json.dumps(graph)})
    assert [(e.parent.value, e.relation, e.method) for e in found] == [
        ("a.safetensors", Relation.MERGE_OF, "ModelMergeSimple"),
        ("b.safetensors", Relation.MERGE_OF, "ModelMergeSimple"),
    ]


@pytest.mark.parametrize(
    ("extras", "parent"),
    [
        ({"sd_checkpoint": "5d2f8777af", "sd_checkpoint_name": "x"}, Parent(Trust.SHORT_HASH, "autov2:5d2f8777af")),
        ({"sd_checkpoint": "74906b9a"}, Parent(Trust.SHORT_HASH, "autov1:74906b9a")),
        ({"sd_checkpoint": None, "sd_checkpoint_name": "SD2.1-768"}, Parent(Trust.NAME, "SD2.1-768")),
    ],
)
def test_an_embedding_says_what_it_was_trained_on(extras: dict[str, str | int | None], parent: Parent) -> None:
    assert [edge.parent for edge in edges({}, extras)] == [parent]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN, "multiplier": Infinity}',
        "not json",
        "[" * 100_000,
        '{"x": {"t": 1e999}}',
        "1" * 10_000,
        '"\\ud800"',
        "null",
    ],
    ids=["nan", "text", "nested", "huge", "digits", "surrogate", "null"],
)
def test_values_that_cannot_be_read_say_nothing(text: str) -> None:
    metadata = dict.fromkeys(("ss_tag_frequency", "sd_merge_recipe", "sd_merge_models", "prompt"), text)
    assert edges(metadata) == ()
    assert ancestors(metadata) == ()
    assert trigger_words(metadata) == ()


def test_thousands_of_parents_are_cut() -> None:
    assert len(edges({"modelspec.merged_from": ",".join(f"m{n}" for n in range(5000))})) == 64


KEYS = st.sampled_from(
    [
        "ss_sd_model_hash",
        "ss_new_sd_model_hash",
        "ss_sd_model_name",
        "ss_tag_frequency",
        "sd_merge_recipe",
        "prompt",
        "sd_merge_models",
        "modelspec.merged_from",
        "modelspec.trigger_phrase",
        "ss_base_model_version",
        "ss_v2",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, st.text(max_size=80) | JSON.map(json.dumps)))
def test_no_metadata_breaks_it(metadata: dict[str, str]) -> None:
    claims(metadata)
    ancestors(metadata)
    assert all(isinstance(edge, Edge) and edge.parent.value for edge in edges(metadata))
