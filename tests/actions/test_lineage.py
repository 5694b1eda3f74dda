"""Family trees: parents resolved as far as their labels can be trusted, and the base model with its proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdkeep.actions.house import House
from sdkeep.actions.kinship import Kinship, Presence
from sdkeep.actions.lineage import Lineage, lineage
from sdkeep.formats.ancestry import CARRIED
from sdkeep.formats.known import by_name
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import Ambiguous, NotFoundHere
from sdkeep.ground.licence import ADVICE, Allowed, Licence, Use
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.record import Artifact
from tests.makers import families, models
from tests.makers.families import GRANDPARENT, LOST, SD15, sha256
from tests.makers.records import artifact, release, sha
from tests.world import World

SD15_TITLE = "Stable Diffusion 1.5 (pruned, EMA only, safetensors)"


TOLD = "by SHA-256 all the way, says metadata:ss_sd_model"


@pytest.fixture
def family(world: World) -> families.Family:
    """The usual family, catalogued where it lies."""
    made = families.family()
    folder = world.root / "work"
    made.write(folder)
    world.good("add", "--in-place", *(str(folder / f"{name}.safetensors") for name in ("first", "mix", "adapter")))
    return made


@pytest.fixture
def house(world: World) -> Iterator[House]:
    with world.house() as opened:
        yield opened


def titles(shown: Lineage, up: bool = True) -> list[tuple[str, str, str]]:
    links = shown.up if up else shown.down
    return [(shown.node(one.child).title, str(one.edge.relation), shown.node(one.parent).title) for one in links]


def claim(trust: Trust, value: str, relation: Relation = Relation.TRAINED_ON, source: str = "metadata:x") -> Edge:
    return Edge(Parent(trust, value), relation, source, value)


def record(house: House, number: int, *edges: Edge, **more: object) -> Artifact:
    made = house.book.put_artifact(artifact(number, **more))
    house.book.put_edges(sha(number), edges)
    return made


@pytest.mark.usefixtures("family")
def test_a_merge_tells_its_whole_tree_even_of_parents_that_are_not_here(house: House) -> None:
    shown = lineage(house, "mix")
    lost = "lost-mix.safetensors"
    assert titles(shown)[:5] == [
        ("mix", "merge-of", "first"),
        ("mix", "merge-of", lost),
        ("first", "trained-on", SD15_TITLE),
        (lost, "merge-of", "grandparent.ckpt"),
        (lost, "merge-of", SD15_TITLE),
    ]
    assert [one.edge.weight for one in shown.up[:2]] == [0.7, 0.3]
    assert titles(shown, up=False) == [("adapter", "trained-on", "mix")]
    assert shown.node(LOST).presence is Presence.NAMED
    assert shown.node(SD15).presence is Presence.KNOWN
    assert "laion" in shown.node(SD15).data
    assert set(shown.missing) == {f"sha256:{LOST}", f"sha256:{GRANDPARENT}"}


@pytest.mark.usefixtures("family")
def test_the_base_model_comes_with_the_path_that_proves_it(house: House) -> None:
    base = lineage(house, "adapter").base
    assert (base.name, base.weakest, base.proof) == (SD15_TITLE, Trust.SHA256, TOLD)
    assert [one.edge.relation for one in base.path] == [Relation.TRAINED_ON, Relation.MERGE_OF, Relation.TRAINED_ON]
    assert "trained on mix (sha256, says metadata:ss_sd_model)" in base.sentence
    assert base.others == ()


@pytest.mark.usefixtures("family")
def test_the_depth_bounds_what_is_shown_and_not_what_is_known(house: House) -> None:
    shown = lineage(house, "adapter", depth=1)
    assert titles(shown) == [("adapter", "trained-on", "mix")]
    assert shown.cut == (sha256(families.family().mix),)
    assert shown.base.name == SD15_TITLE
    assert lineage(house, "adapter", depth=0).up == ()


def test_a_known_model_has_children_here_without_being_here(family: families.Family, house: House) -> None:
    shown = lineage(house, "sd15")
    assert titles(shown, up=False)[0] == ("first", "trained-on", SD15_TITLE)
    assert [node for _, _, node in titles(shown)] == ["Stable Diffusion 1.2", "Stable Diffusion 1.1"]
    lost = lineage(house, f"sha256:{LOST}")
    assert titles(lost, up=False)[0][0] == "mix"


def test_a_file_that_is_not_catalogued_is_known_by_its_metadata_and_its_hash(
    family: families.Family, house: House, world: World
) -> None:
    path = world.root / "work" / "stranger.safetensors"
    path.write_bytes(families.trained(9, ss_new_sd_model_hash=sha256(family.mix), ss_sd_model_name="mix.safetensors"))
    shown = lineage(house, str(path))
    assert shown.node(shown.focus).presence is Presence.HERE
    assert titles(shown)[0] == ("stranger.safetensors", "trained-on", "mix")
    assert house.book.artifact(shown.focus) is None, "looking changes nothing"


def test_nothing_is_found_for_words_that_mean_nothing(house: House) -> None:
    for word in ("nothing-like-it", "0" * 64, "sha256:" + "0" * 64, "autov2:" + "0" * 10):
        with pytest.raises(NotFoundHere):
            lineage(house, word)


def test_a_short_hash_that_fits_two_files_gives_both_and_chooses_neither(house: House) -> None:
    twin = Digest(DigestKind.AUTOV1, "8a4aa583")
    record(house, 1, digests=(twin,))
    record(house, 2, digests=(twin,))
    record(house, 3, claim(Trust.SHORT_HASH, "autov1:8a4aa583"))
    shown = lineage(house, "model-3")
    assert {one.parent for one in shown.up} == {sha(1), sha(2)}
    assert {one.candidates for one in shown.up} == {2}
    assert lineage(house, "model-1").down[0].candidates == 2
    with pytest.raises(Ambiguous):
        lineage(house, "autov1:8a4aa583")


def test_ten_digits_find_a_known_model_by_its_sha256(house: House) -> None:
    record(house, 1, claim(Trust.SHORT_HASH, f"autov2:{SD15[:10]}"))
    base = lineage(house, "model-1").base
    assert (base.name, base.weakest) == (SD15_TITLE, Trust.SHORT_HASH)
    assert base.proof == "the weakest link is a short-hash, says metadata:x"


def test_a_repository_is_its_known_model_and_says_so_by_card(house: House) -> None:
    record(house, 1, claim(Trust.CARD, "hf:stabilityai/stable-diffusion-xl-base-1.0", Relation.ADAPTER_FOR, "card"))
    shown = lineage(house, "model-1")
    assert (shown.base.name, shown.base.weakest) == ("SDXL 1.0", Trust.CARD)
    assert [one.child for one in lineage(house, "sdxl").down] == [sha(1)]


def test_a_base_named_on_a_hub_is_an_answer_and_a_weak_one(house: House) -> None:
    record(house, 1, claim(Trust.NAME, "Pony", Relation.ADAPTER_FOR, "civitai"))
    base = lineage(house, "model-1").base
    assert (base.name, base.weakest) == ("Pony", Trust.NAME)
    assert base.proof == "the weakest link is a name, says civitai"


def test_a_file_name_is_a_guess_that_stands_below_every_claim(house: House) -> None:
    known = by_name("sdxl")
    assert known is not None
    record(house, 1, claim(Trust.NAME, "sd_xl_base_1.0.safetensors"), claim(Trust.SHA256, SD15))
    base = lineage(house, "model-1").base
    assert (base.name, base.others) == (SD15_TITLE, (known.title,))


def test_a_name_can_be_a_catalogued_file(house: House) -> None:
    record(house, 1, title="My Model v3")
    record(house, 2, claim(Trust.NAME, "model_1.safetensors"), claim(Trust.NAME, "My Model v3"))
    assert {one.parent for one in lineage(house, "model-2").up} == {sha(1)}


def test_a_claimed_base_is_asked_only_where_no_parent_leads_anywhere(house: House) -> None:
    record(house, 1, claim(Trust.NAME, "who-knows.ckpt"), base="SDXL 1.0")
    record(house, 2, claim(Trust.SHA256, SD15), base="SDXL 1.0")
    assert lineage(house, "model-1").base.name == "SDXL 1.0"
    assert lineage(house, "model-2").base.name == SD15_TITLE


def test_a_baked_vae_is_a_parent_and_no_base_model(house: House) -> None:
    record(house, 1, claim(Trust.NAME, "vae-ft-mse-840000-ema-pruned.safetensors", Relation.VAE_BAKED_FROM))
    shown = lineage(house, "model-1")
    assert len(shown.up) >= 1
    assert shown.base.name == ""


def test_files_that_claim_each_other_end(house: House) -> None:
    record(house, 1, claim(Trust.SHA256, sha(2)))
    record(house, 2, claim(Trust.SHA256, sha(1)), claim(Trust.SHA256, sha(2)))
    shown = lineage(house, "model-1")
    assert {node.id for node in shown.nodes} == {sha(1), sha(2)}
    assert len(shown.up) == len(set(shown.up)) == 2
    assert shown.base.sentence.startswith("not known: no parent of it leads to a known base model")


def test_a_release_at_a_hub_has_a_tree_before_it_is_fetched(house: House) -> None:
    shown = lineage(house, "civitai:1002@10022")
    assert shown.node(shown.focus).presence is Presence.PUBLISHED
    assert shown.base.name == "SDXL 1.0"


def test_a_broken_file_of_the_catalogue_costs_its_own_words_only(
    family: families.Family, house: House, world: World
) -> None:
    path = world.root / "work" / "mix.safetensors"
    path.write_bytes(b"\xff" * path.stat().st_size)
    recorded = house.book.parents_of(sha256(family.mix))
    assert [edge.relation for edge in recorded if edge.source != CARRIED] == [Relation.MERGE_OF] * 2
    assert ("mix", "merge-of", "first") in titles(lineage(house, "mix"))


def test_ancestors_that_a_merge_carries_are_recorded_and_stay_in_their_place(
    family: families.Family, house: House, world: World
) -> None:
    before = titles(lineage(house, "mix"))
    assert CARRIED in {edge.source for edge in house.book.parents_of(sha256(family.mix))}
    (world.root / "work" / "mix.safetensors").unlink()
    assert titles(lineage(house, "mix")) == before, "the tree needs the record, not the file"


def test_every_answer_carries_the_advice_and_the_permissions(family: families.Family, house: House) -> None:
    shown = lineage(house, "mix")
    assert shown.advice == ADVICE
    assert "copyrighted works" in shown.advice
    assert [one.use for one in shown.permissions] == list(Use)
    assert Allowed.YES not in {one.allowed for one in shown.permissions}, "the lost parent leaves everything open"


def test_a_release_that_says_who_made_it_of_what_is_resolved_by_its_id(house: House) -> None:
    record(house, 1, origin="civitai:4384@128713")
    house.book.put_release(release())
    house.book.link_file(sha(1), "civitai", "128713", "9001")
    record(house, 2, claim(Trust.HUB_ID, "civitai:4384@128713"))
    assert [one.parent for one in lineage(house, "model-2").up] == [sha(1)]
    assert [one.child for one in lineage(house, "model-1").down] == [sha(2)]


def test_without_a_catalogue_only_known_models_are_found() -> None:
    kin = Kinship()
    (found,) = kin.resolve(Parent(Trust.SHA256, SD15))
    assert found.title == SD15_TITLE
    assert kin.children(found.id) == ()
    assert kin.resolve(Parent(Trust.SHORT_HASH, "autov1:12345678"))[0].title == "autov1:12345678"
    assert kin.resolve(Parent(Trust.SHA256, "nonsense"))[0].id == "name:nonsense"
    assert kin.resolve(Parent(Trust.CARD, "hf:no such thing"))[0].id == "hf:no such thing"


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "parent", "trust"),
    [
        ("lycoris_lokr_dim4_smart_falcon.safetensors", "animefull-final-pruned.safetensors", Trust.SHA256),
        ("ti_a1111_bad-hands-5.pt", "7th7-any3", Trust.SHORT_HASH),
        ("ti_a1111_bad_prompt_version2.pt", "Novel50WD50", Trust.SHORT_HASH),
        ("ti_a1111_sd2_flora.pt", "SD2.1-768", Trust.SHORT_HASH),
    ],
)
def test_real_files_name_a_parent_and_no_wrong_base(
    corpus: Path, house: House, file: str, parent: str, trust: Trust
) -> None:
    shown = lineage(house, str(corpus / "models" / file))
    (link,) = shown.up
    assert (shown.node(link.parent).title, link.edge.parent.trust) == (parent, trust)
    assert shown.base.name == "", "a hash that no known model has proves none"


def test_a_tree_of_merges_is_read_however_large_it_claims_to_be(house: House, world: World) -> None:
    names = [sha(n) for n in range(400)]
    took_part: dict[str, dict[str, object]] = {
        one: {"name": one[:6], "sd_merge_recipe": {"primary_model_hash": other, "interp_method": "Weighted sum"}}
        for one, other in zip(names, [*names[1:], names[0]], strict=True)
    }
    path = world.root / "work" / "tall.safetensors"
    path.write_bytes(families.merged(1, {"primary_model_hash": names[0], "interp_method": "Weighted sum"}, took_part))
    assert len(lineage(house, str(path)).nodes) <= 14
    nonsense = models.safetensors({"x": (1,)}, 1, {"sd_merge_models": json.dumps([1]), "sd_merge_recipe": "{"})
    path.write_bytes(nonsense)
    assert lineage(house, str(path)).up == ()


def test_licences_of_what_is_only_at_the_hub_count(house: House) -> None:
    record(house, 1, claim(Trust.SHA256, SD15))
    house.book.put_licence(sha(1), Licence(id="cc-by-nc-4.0", source="card"))
    record(house, 2, claim(Trust.SHA256, sha(1), Relation.CONVERTED_FROM, "sdkeep"))
    answers = {one.use: one for one in lineage(house, "model-2").permissions}
    assert answers[Use.SELL_PICTURES].allowed is Allowed.NO
    assert "`model-1`" in answers[Use.SELL_PICTURES].why[0]
