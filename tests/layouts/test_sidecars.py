from __future__ import annotations

import json
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdkeep.ground.digest import sha256 as sha256_digest
from sdkeep.ground.errors import NotWritable, WouldOverwrite
from sdkeep.ground.kinds import Family, Kind, NsfwLevel
from sdkeep.layouts.dialects import Dialect
from sdkeep.layouts.jsonfile import read_object
from sdkeep.layouts.layout import find
from sdkeep.layouts.sidecar_reading import NOTHING, read_sidecars
from sdkeep.layouts.sidecars import Card, Published, sidecar_path, write_sidecar
from tests.makers.people import as_nobody, public_folder
from tests.makers.trees import picture_of

A1111 = find("a1111")
write_a1111 = partial(write_sidecar, "a1111-json")
CARD = Card(Kind.LORA, Family.SDXL, "<p>A style.</p>", "ohwx, ink", 0.8, "blurry", "from civitai:1@2")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "name.v1.safetensors"
    path.write_bytes(b"weights")
    return path


def test_a_new_sidecar_holds_what_a1111_reads(model: Path) -> None:
    written = write_a1111(A1111, model, CARD)
    assert written is not None
    assert written.path == model.with_name("name.v1.json")
    assert written.created
    assert written.sha256 == sha256(written.path.read_bytes()).hexdigest()
    assert json.loads(written.path.read_text()) == {
        "description": "A style.",
        "notes": "from civitai:1@2",
        "sd version": "SDXL",
        "activation text": "ohwx, ink",
        "preferred weight": 0.8,
        "negative text": "blurry",
    }
    assert sorted(path.name for path in model.parent.iterdir()) == ["name.v1.json", "name.v1.safetensors"]


@pytest.mark.parametrize(
    "id, family, word",
    [
        ("a1111", Family.SD1, "SD1"),
        ("a1111", Family.FLUX1, "Unknown"),
        ("forge", Family.FLUX1, "Flux"),
        ("a1111", Family.UNKNOWN, "Unknown"),
    ],
)
def test_the_version_is_one_that_the_webui_offers(model: Path, id: str, family: Family, word: str) -> None:
    written = write_a1111(find(id), model, Card(Kind.LORA, family))
    assert written is not None
    assert json.loads(written.path.read_text())["sd version"] == word


def test_only_adapters_get_an_activation_text(model: Path) -> None:
    written = write_a1111(A1111, model, Card(Kind.CHECKPOINT, Family.SD1, "x", "word"))
    assert written is not None
    assert json.loads(written.path.read_text()) == {"description": "x", "notes": ""}


def test_what_a_person_or_another_tool_wrote_is_kept(model: Path) -> None:
    path = model.with_suffix(".json")
    path.write_text('\ufeff{"activation text": "mine", "preferred weight": 0, "modelId": 5, "x": [1, {"y": null}]}')
    written = write_a1111(A1111, model, CARD)
    assert written is not None
    assert not written.created
    said = json.loads(path.read_text())
    assert (said["activation text"], said["modelId"], said["x"]) == ("mine", 5, [1, {"y": None}])
    assert (said["preferred weight"], said["negative text"]) == (0.8, "blurry")


def test_our_own_sidecar_follows_an_update_and_a_persons_edit_of_it_is_kept(model: Path) -> None:
    first = write_a1111(A1111, model, CARD)
    assert first is not None
    newer = Card(Kind.LORA, Family.SDXL, "Better.", "ohwx2")
    second = write_a1111(A1111, model, newer, ours=first.sha256)
    assert second is not None
    assert second.created
    assert json.loads(second.path.read_text())["activation text"] == "ohwx2"
    second.path.write_text(json.dumps({"activation text": "edited"}))
    third = write_a1111(A1111, model, CARD, ours=second.sha256)
    assert third is not None
    assert not third.created
    assert json.loads(third.path.read_text())["activation text"] == "edited"


def test_writing_the_same_again_changes_nothing(model: Path) -> None:
    write_a1111(A1111, model, CARD)
    before = picture_of(model.parent)
    assert write_a1111(A1111, model, CARD) is None
    assert picture_of(model.parent) == before


@pytest.mark.parametrize("data", [b'{"modelVersions": []}', b"[]", b"not json", b"", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_file_of_another_dialect_is_left_bit_for_bit(model: Path, data: bytes) -> None:
    model.with_suffix(".json").write_bytes(data)
    before = picture_of(model.parent)
    with pytest.raises(WouldOverwrite):
        write_a1111(A1111, model, CARD)
    assert picture_of(model.parent) == before


def test_a_linked_sidecar_is_left(model: Path) -> None:
    model.with_name("real.json").write_text("{}")
    model.with_suffix(".json").symlink_to(model.with_name("real.json"))
    with pytest.raises(WouldOverwrite):
        write_a1111(A1111, model, CARD)
    assert model.with_name("real.json").read_text() == "{}"


def test_a_folder_that_may_not_be_written_says_so() -> None:
    with public_folder() as folder:
        folder.chmod(0o555)

        def work() -> None:
            with pytest.raises(NotWritable):
                write_a1111(A1111, folder / "name.safetensors", CARD)

        as_nobody(work)


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
ours = ["description", "notes", "sd version", "activation text", "preferred weight", "negative text", "modelVersions"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(foreign=st.dictionaries(st.text(max_size=8).filter(lambda key: key not in ours), values, max_size=4))
def test_no_key_of_another_tool_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory, foreign: dict[str, object]
) -> None:
    model = tmp_path_factory.mktemp("x") / "m.safetensors"
    model.with_suffix(".json").write_text(json.dumps(foreign))
    write_a1111(A1111, model, CARD)
    said = json.loads(model.with_suffix(".json").read_text())
    assert {key: said[key] for key in foreign} == foreign


def test_a_sidecar_can_be_read_back(model: Path) -> None:
    assert write_a1111(A1111, model, CARD) is not None
    found = read_sidecars(model)
    assert found.dialects() == (Dialect.A1111,)
    said = found.said
    assert (said.description, said.trigger_words, said.weight) == ("A style.", ("ohwx", "ink"), 0.8)
    assert (said.base, said.negative, said.notes) == ("SDXL", "blurry", "from civitai:1@2")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"nodes": []}',
        b'{"weight_map": {}}',
        b'{"modelspec.title": "x"}',
        b'{"ModelId": 1}',
    ],
)
def test_what_is_no_sidecar_is_a_doubt_and_is_never_written_to(model: Path, data: bytes) -> None:
    path = model.with_suffix(".json")
    path.write_bytes(data)
    found = read_sidecars(model)
    assert (found.dialects(), len(found.doubts)) == ((), 1)
    with pytest.raises(WouldOverwrite):
        write_a1111(A1111, model, CARD)
    assert path.read_bytes() == data


def test_a_sidecar_full_of_wrong_types_is_read_leniently(model: Path) -> None:
    model.with_suffix(".json").write_text(
        '{"description": 5, "preferred weight": "heavy", "notes": ["a"], "sd version": null}'
    )
    assert read_sidecars(model).said == NOTHING


PUBLISHED = Published(
    model_id="4201",
    version_id="128713",
    model_name="Realistic",
    version_name="V5.1",
    base="SD 1.5",
    kind_text="LORA",
    creator="ada",
    file_name="real.safetensors",
    words=("ohwx",),
    level=NsfwLevel.R,
    digests=(sha256_digest("f4" * 32),),
    size=2048,
    imported="2026-01-01T00:00:00Z",
)
FROM_CIVITAI = Card(Kind.LORA, Family.SD1, "A style.", published=PUBLISHED)
OTHERS = ("civitai-info", "cm-info", "lora-manager")


@pytest.mark.parametrize("dialect", OTHERS)
def test_each_dialect_that_we_write_is_read_back(model: Path, dialect: str) -> None:
    written = write_sidecar(dialect, A1111, model, FROM_CIVITAI)
    assert written is not None
    said = read_sidecars(model)
    assert said.dialects() == (Dialect(dialect),)
    assert said.reference == "civitai:4201@128713"
    assert (said.said.name, said.said.base, said.said.trigger_words) == ("Realistic", "SD 1.5", ("ohwx",))
    assert sha256_digest("f4" * 32) in said.digests


@pytest.mark.parametrize("dialect", OTHERS)
def test_a_sidecar_of_another_tool_keeps_its_words_and_gets_what_it_lacks(model: Path, dialect: str) -> None:
    first = write_sidecar(dialect, A1111, model, FROM_CIVITAI)
    assert first is not None
    said = read_object(first.path)
    assert said is not None
    kept = {key: value for number, (key, value) in enumerate(said.items()) if number % 2 == 0} | {"theirs": [1]}
    first.path.write_text(json.dumps(kept))
    second = write_sidecar(dialect, A1111, model, FROM_CIVITAI)
    assert second is not None
    assert not second.created
    assert read_object(second.path) == {**said, "theirs": [1]}


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize("data", [b'{"x": 1}', b"[]", b"no", b""])
def test_a_stranger_under_the_name_of_a_dialect_is_left(model: Path, dialect: str, data: bytes) -> None:
    sidecar_path(dialect, model).write_bytes(data)
    with pytest.raises(WouldOverwrite):
        write_sidecar(dialect, A1111, model, FROM_CIVITAI)
    assert sidecar_path(dialect, model).read_bytes() == data


@pytest.mark.parametrize("said", [{"nodes": [], "links": []}, {"_class_name": "UNet"}, {"modelspec.title": "x"}])
def test_a_workflow_or_a_diffusers_part_is_no_a1111_sidecar(model: Path, said: dict[str, object]) -> None:
    model.with_suffix(".json").write_text(json.dumps(said))
    with pytest.raises(WouldOverwrite):
        write_a1111(A1111, model, CARD)


def test_a_file_from_elsewhere_gets_no_sidecar_that_names_civitai(model: Path) -> None:
    assert write_sidecar("civitai-info", A1111, model, CARD) is None
    assert write_sidecar("cm-info", A1111, model, CARD) is None
    written = write_sidecar("lora-manager", A1111, model, CARD)
    assert written is not None
    assert json.loads(written.path.read_text())["from_civitai"] is False
