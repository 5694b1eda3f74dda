from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.layouts.dialects import Beside, Dialect, claims_of, dialect_of
from sdkeep.layouts.sidecar_reading import JSON_ENDINGS, read_sidecars, sidecar_paths
from tests.makers.people import as_nobody, public_folder

SHA = "ab" * 32
VERSION = {
    "id": 128713,
    "modelId": 4201,
    "name": "V5.1",
    "baseModel": "SD 1.5",
    "trainedWords": ["ohwx, ink", 5, "b\x1b[0m"],
    "model": {"name": "Realistic", "type": "LORA", "nsfw": False},
    "files": [
        {"name": "other.safetensors", "sizeKB": 9, "hashes": {"SHA256": "CD" * 32}},
        {"name": "x.safetensors", "sizeKB": 2, "hashes": {"SHA256": SHA.upper(), "AutoV3": "0123456789AB"}},
    ],
}
PAGE = {"id": 4201, "name": "Realistic", "type": "LORA", "nsfw": True, "modelVersions": [{"id": 1}, VERSION]}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"w" * 2048)
    return path


def put(model: Path, ending: str, said: object) -> None:
    model.with_name(model.stem + ending).write_text(said if isinstance(said, str) else json.dumps(said))


def test_a_model_without_sidecars_has_nothing_said_of_it(model: Path) -> None:
    found = read_sidecars(model)
    assert (found.reference, found.digests, found.preview, found.files, found.doubts) == ("", (), None, (), ())


@pytest.mark.parametrize(
    "ending, said, dialect",
    [
        (".civitai.info", VERSION, Dialect.CIVITAI_INFO),
        (".json", PAGE, Dialect.SDNEXT),
        (".api_info.json", PAGE, Dialect.API_INFO),
        (
            ".cm-info.json",
            {"ModelId": 4201, "VersionId": 128713, "ModelName": "Realistic", "Hashes": {"SHA256": SHA}, "Nsfw": True},
            Dialect.CM_INFO,
        ),
        (
            ".metadata.json",
            {"file_name": "x", "model_name": "Realistic", "sha256": SHA, "civitai": VERSION, "preview_nsfw_level": 4},
            Dialect.LORA_MANAGER,
        ),
    ],
)
def test_every_dialect_names_the_version_and_the_hash(model: Path, ending: str, said: object, dialect: Dialect) -> None:
    put(model, ending, said)
    found = read_sidecars(model)
    assert found.dialects() == (dialect,)
    assert found.reference == "civitai:4201@128713"
    assert found.said.name == "Realistic"
    assert Digest(DigestKind.SHA256, SHA) in found.digests
    assert Digest(DigestKind.SHA256, "cd" * 32) not in found.digests
    assert found.sources["model_id"] is dialect


def test_a1111_says_how_a_file_is_used_and_the_browser_where_it_is_from(model: Path) -> None:
    put(model, ".json", {"activation text": "a, (b, c:1.2)", "preferred weight": 0.7, "modelId": 7, "sha256": SHA})
    said = read_sidecars(model).said
    assert (said.trigger_words, said.weight, said.model_id) == (("a", "(b, c:1.2)"), 0.7, "7")


def test_swarmui_says_it_in_the_words_of_modelspec(model: Path) -> None:
    put(model, ".swarm.json", {"modelspec.title": "Ink", "modelspec.hash_sha256": "0x" + SHA, "trigger_phrase": "ohwx"})
    found = read_sidecars(model)
    assert (found.said.name, found.said.trigger_words) == ("Ink", ("ohwx",))
    assert found.digests == (Digest(DigestKind.AUTOV3, SHA[:12]),)


def test_each_fact_comes_from_the_first_who_states_it_and_says_from_whom(model: Path) -> None:
    put(model, ".civitai.info", VERSION)
    put(model, ".json", {"description": "typed", "preferred weight": 0.5, "activation text": "typed"})
    found = read_sidecars(model)
    assert found.said.trigger_words == ("ohwx", "ink", "b")
    assert (found.said.description, found.said.weight) == ("typed", 0.5)
    assert (found.sources["trigger_words"], found.sources["weight"]) == (Dialect.CIVITAI_INFO, Dialect.A1111)


def test_sidecars_that_disagree_are_a_doubt_and_ids_are_never_mixed(model: Path) -> None:
    put(model, ".cm-info.json", {"ModelId": 1, "ModelName": "One"})
    put(model, ".civitai.info", VERSION)
    found = read_sidecars(model)
    assert found.reference == "civitai:1"
    assert any("different models" in doubt for doubt in found.doubts)


def test_a_version_page_without_our_file_tells_the_page_only(model: Path) -> None:
    put(model, ".json", {**PAGE, "modelVersions": [{"id": 1, "files": [{"name": "a"}]}, {"id": 2}]})
    assert read_sidecars(model).reference == "civitai:4201"


def test_a_model_of_another_source_gets_no_civitai_id(model: Path) -> None:
    put(model, ".cm-info.json", {"ModelId": 5, "ModelName": "x", "Source": "OpenModelDb"})
    assert read_sidecars(model).reference == ""


@pytest.mark.parametrize(
    "said, level",
    [
        ({"nsfwLevel": 1}, NsfwLevel.PG),
        ({"nsfwLevel": 28}, NsfwLevel.R),
        ({"nsfwLevel": 64}, NsfwLevel.XXX),
        ({"model": {"nsfw": True}}, NsfwLevel.R),
        ({"model": {"nsfw": False}}, NsfwLevel.PG),
        ({"nsfwLevel": True}, None),
        ({"nsfwLevel": -1}, None),
    ],
)
def test_the_rating_is_civitais(said: dict[str, object], level: NsfwLevel | None) -> None:
    assert claims_of(Dialect.CIVITAI_INFO, {"id": 1, **said}, Beside("x")).level is level


def test_pictures_configuration_and_autoencoder_are_found_the_best_first(model: Path) -> None:
    for ending in (".png", ".preview.png", ".yaml", ".vae.pt", ".txt"):
        put(model, ending, "words")
    found = read_sidecars(model)
    assert found.preview == model.with_name("x.preview.png")
    assert (found.config, found.vae) == (model.with_name("x.yaml"), model.with_name("x.vae.pt"))
    assert found.said.description == "words"
    assert len(sidecar_paths(model)) == 5


def test_a_picture_that_is_the_embedding_itself_is_no_preview(tmp_path: Path) -> None:
    (tmp_path / "style.png").write_bytes(b"x")
    assert read_sidecars(tmp_path / "style.png").preview is None


def test_a_listing_at_hand_is_believed_and_nothing_else_is_looked_for(model: Path) -> None:
    put(model, ".civitai.info", VERSION)
    assert read_sidecars(model, ()).files == ()
    assert read_sidecars(model, {"x.civitai.info", "x.safetensors"}).reference == "civitai:4201@128713"


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 5000, b"1" * 5000])
@pytest.mark.parametrize("ending", JSON_ENDINGS)
def test_a_broken_sidecar_is_a_doubt_and_no_error(model: Path, ending: str, data: bytes) -> None:
    model.with_name(model.stem + ending).write_bytes(data)
    found = read_sidecars(model)
    assert found.said.model_id == ""
    assert len(found.doubts) == 1


def test_a_sidecar_of_many_megabytes_is_not_read(model: Path) -> None:
    model.with_name("x.json").write_bytes(b" " * (9 << 20))
    assert len(read_sidecars(model).doubts) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_a_folder_under_the_name_does_not_hang(model: Path) -> None:
    os.mkfifo(model.with_name("x.json"))
    model.with_name("x.civitai.info").mkdir()
    model.with_name("x.txt").symlink_to("x.txt")
    assert read_sidecars(model, {"x.json", "x.civitai.info", "x.txt"}).said.name == ""


def test_an_unreadable_sidecar_is_a_doubt() -> None:
    with public_folder() as folder:
        path = folder / "x.civitai.info"
        path.write_text(json.dumps(VERSION))
        path.chmod(0)

        def work() -> None:
            assert "cannot read" in read_sidecars(folder / "x.safetensors").doubts[0]

        as_nobody(work)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["id", "modelId", "files", "model", "modelVersions", "trainedWords", "Hashes", "civitai", "usage_tips", "nsfwLevel",
     "ModelId", "sha256", "preferred weight", "hash_sha256", "name", "description", "preview_nsfw_level", "Source"]
)  # fmt: skip


@given(said=st.dictionaries(KEYS, anything, max_size=8), ending=st.sampled_from(JSON_ENDINGS))
def test_no_values_of_whatever_type_stop_the_reading(said: dict[str, object], ending: str) -> None:
    dialect = dialect_of(ending, said)
    if dialect:
        claims = claims_of(dialect, said, Beside("x.safetensors", 2048))
        assert all("\x1b" not in word for word in claims.trigger_words)
