"""Each dialect is told by its keys, and whatever a sidecar holds, reading it ends with plain claims."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.kinds import NsfwLevel
from sdkeep.layouts.dialects import Beside, Claims, Dialect, claims_of, dialect_of
from sdkeep.layouts.sidecar_reading import JSON_ENDINGS

SHA256 = "ab" * 32
FILE = Beside("ink.safetensors", 2048)


@pytest.mark.parametrize(
    ("ending", "said", "dialect"),
    [
        (".civitai.info", {"id": 1}, Dialect.CIVITAI_INFO),
        (".civitai.info", {"name": "x"}, None),
        (".cm-info.json", {"VersionId": 2}, Dialect.CM_INFO),
        (".cm-info.json", {"id": 2}, None),
        (".metadata.json", {"civitai": {}}, Dialect.LORA_MANAGER),
        (".metadata.json", {"tags": []}, None),
        (".swarm.json", {}, Dialect.SWARM),
        (".json", {"modelVersions": []}, Dialect.SDNEXT),
        (".api_info.json", {"modelVersions": []}, Dialect.API_INFO),
        (".api_info.json", {"id": "7"}, Dialect.API_INFO),
        (".api_info.json", {}, None),
        (".json", {}, Dialect.A1111),
        (".json", {"notes": "mine"}, Dialect.A1111),
        (".json", {"last_node_id": 3, "links": []}, None),
        (".json", {"_class_name": "UNet2DConditionModel"}, None),
    ],
)
def test_a_dialect_is_told_by_its_keys(ending: str, said: dict[str, object], dialect: Dialect | None) -> None:
    assert dialect_of(ending, said) is dialect


@pytest.mark.parametrize(
    ("files", "meant"),
    [
        ([{"name": "ink.safetensors", "hashes": {"SHA256": SHA256}}, {"name": "other", "hashes": {}}], True),
        ([{"name": "INK.SAFETENSORS", "hashes": {"SHA256": SHA256}}, {"name": "other"}], True),
        ([{"name": "a", "sizeKB": 2, "hashes": {"SHA256": SHA256}}, {"name": "b", "sizeKB": 3}], True),
        ([{"name": "renamed", "hashes": {"SHA256": SHA256}}], True),
        ([{"name": "a", "hashes": {"SHA256": SHA256}}, {"name": "b"}], False),
        ([{"name": "a", "sizeKB": 2, "hashes": {"SHA256": SHA256}}, {"name": "b", "sizeKB": 2}], False),
    ],
    ids=["name", "name in capitals", "size", "the only one", "two strangers", "two of one size"],
)
def test_the_file_meant_is_told_by_name_then_by_size(files: list[dict[str, object]], meant: bool) -> None:
    found = claims_of(Dialect.CIVITAI_INFO, {"id": 1, "modelId": 2, "files": files}, FILE)
    assert ([digest.value for digest in found.digests] == [SHA256]) is meant


def test_a_page_with_several_versions_says_only_what_holds_for_all() -> None:
    page = {"id": 5, "name": "Ink", "modelVersions": [{"id": 1, "baseModel": "SD 1.5"}, {"id": 2, "baseModel": "Pony"}]}
    found = claims_of(Dialect.SDNEXT, page, FILE)
    assert (found.model_id, found.name, found.version_id, found.base) == ("5", "Ink", "", "")


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"nsfwLevel": 1}, NsfwLevel.PG),
        ({"nsfwLevel": 12}, NsfwLevel.R),
        ({"nsfwLevel": 1 << 40}, NsfwLevel.XXX),
        ({"nsfwLevel": 0}, None),
        ({"nsfwLevel": True}, None),
        ({"nsfwLevel": -4}, None),
        ({"model": {"nsfw": True}}, NsfwLevel.R),
        ({"nsfwLevel": 1, "model": {"nsfw": True}}, NsfwLevel.R),
        ({"model": {"nsfw": False}}, NsfwLevel.PG),
        ({}, None),
    ],
)
def test_a_level_is_never_milder_than_what_is_stated(said: dict[str, object], level: NsfwLevel | None) -> None:
    assert claims_of(Dialect.CIVITAI_INFO, {"id": 1} | said, FILE).level is level


KEYS = st.sampled_from([
    "id", "modelId", "model", "name", "files", "hashes", "SHA256", "nsfwLevel", "nsfw", "creator", "username",
    "ModelId", "ModelName", "VersionId", "Hashes", "TrainedWords", "trainedWords", "description", "usage_tips",
    "civitai", "sha256", "modelVersions", "sd version", "activation text", "preferred weight", "notes",
    "modelspec.title", "sizeKB", "Nsfw",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(SHA256),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(JSON_ENDINGS), st.dictionaries(KEYS, VALUES, max_size=8))
def test_whatever_a_sidecar_holds_it_becomes_plain_claims(ending: str, said: dict[str, object]) -> None:
    dialect = dialect_of(ending, said)
    found = claims_of(dialect, said, FILE) if dialect else Claims()
    for text in (found.name, found.base, found.creator, found.version_name, found.kind_text, found.file_name):
        assert "\n" not in text
        assert len(text) <= 400
    assert all(text == "" or text.isdecimal() for text in (found.model_id, found.version_id))
    assert 0 <= found.weight <= 10
    assert all(isinstance(word, str) and word.strip() for word in found.trigger_words)
