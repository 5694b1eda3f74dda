"""Files that are here already: copied in, or catalogued where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.makers import models
from tests.makers.trees import picture_of
from tests.world import World, sha256

LORA = models.safetensors(models.small_lora(), 50)


@pytest.fixture
def folder(world: World) -> Path:
    """Models as a person keeps them."""
    made = world.root / "mine"
    (made / "deep/er").mkdir(parents=True)
    (made / "lora.safetensors").write_bytes(LORA)
    (made / "deep/er/old.ckpt").write_bytes(models.checkpoint_pickle(3.0))
    (made / "notes.txt").write_text("shopping")
    return made


def test_a_file_is_copied_in_and_the_original_stays_untouched(world: World, folder: Path) -> None:
    before = picture_of(folder)
    (added,) = world.good("add", str(folder / "lora.safetensors")).data
    assert (added["name"], added["kind"], added["already"]) == ("lora", "lora", False)
    assert world.blobs() == {sha256(LORA)}
    assert picture_of(folder) == before
    assert world.staged() == []


def test_a_copy_is_read_once_and_not_again_when_it_is_kept(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*_: object) -> None:
        raise AssertionError("the copy was examined a second time")

    monkeypatch.setattr("sdkeep.actions.intake.examine_fully", again)
    world.good("add", str(folder / "lora.safetensors"), str(folder / "deep/er/old.ckpt"))
    assert len(world.good("ls").data["rows"]) == 2


def test_a_pickle_is_converted_on_its_way_in(world: World, folder: Path) -> None:
    (added,) = world.good("add", str(folder / "deep/er/old.ckpt")).data
    assert added["converted_from"] == sha256(models.checkpoint_pickle(3.0))
    assert world.blobs() == {added["sha256"]}
    assert (folder / "deep/er/old.ckpt").read_bytes() == models.checkpoint_pickle(3.0)


def test_a_folder_means_every_model_below_it(world: World, folder: Path) -> None:
    added = world.good("add", str(folder)).data
    assert {one["name"] for one in added} == {"lora", "old"}


def test_in_place_touches_no_byte_and_no_time(world: World, folder: Path) -> None:
    before = picture_of(folder)
    world.good("add", "--in-place", str(folder))
    assert picture_of(folder) == before
    assert world.blobs() == set()
    (shown,) = world.good("show", "lora").data
    assert shown["path"] == str(folder / "lora.safetensors")
    assert [(place["method"], place["ours"]) for place in shown["locations"]] == [("in-place", False)]
    rows = world.good("ls").data["rows"]
    assert {row["name"] for row in rows} == {"lora", "old"}


def test_what_is_known_already_is_said_to_be(world: World, folder: Path) -> None:
    path = str(folder / "lora.safetensors")
    world.good("add", path)
    assert [one["already"] for one in world.good("add", path).data] == [True]
    assert len(world.good("ls").data["rows"]) == 1


def test_a_hash_is_looked_up_only_when_asked(world: World, folder: Path) -> None:
    (folder / "renamed.safetensors").write_bytes(world.file(13))
    world.good("add", str(folder / "renamed.safetensors"))
    assert world.civitai_server.hits == []
    world.good("add", "--look-up", str(folder / "renamed.safetensors"))
    (shown,) = world.good("show", f"sha256:{sha256(world.file(13))}").data
    assert shown["artifact"]["title"] == "Ink Brush for 1.5"
    assert shown["trigger_words"]


def test_a_look_up_that_fails_is_a_warning(world: World, folder: Path) -> None:
    world.civitai_server.close()
    result = world.good("add", "--look-up", str(folder / "lora.safetensors"))
    assert any("not looked up" in warning for warning in result.document["warnings"])


def test_place_also_places(world: World, a1111: Path, folder: Path) -> None:
    (added,) = world.good("add", "--place", str(folder / "lora.safetensors")).data
    assert [Path(placed["path"]) for placed in added["placed"]] == [a1111 / "models/Lora/lora.safetensors"]


def test_a_trojan_is_refused_and_leaves_nothing(world: World) -> None:
    path = world.root / "gift.ckpt"
    path.write_bytes(models.trojan())
    result = world.json("add", str(path))
    assert (result.status, result.codes) == (1, ["unsafe-file"])
    assert world.blobs() == set()
    assert world.staged() == []
    assert (
        f"sdkeep add {path}" in result.document["errors"][0]["next"]
        or str(path) in result.document["errors"][0]["next"]
    )


def test_a_trojan_in_place_is_catalogued_with_a_warning_and_never_placed(world: World, a1111: Path) -> None:
    path = world.root / "gift.ckpt"
    path.write_bytes(models.trojan())
    result = world.good("add", "--in-place", str(path))
    assert result.document["warnings"]
    assert world.json("place", "gift").codes == ["unsafe-file"]


def test_dry_run_catalogues_nothing(world: World, folder: Path) -> None:
    added = world.good("add", "--dry-run", str(folder)).data
    assert len(added) == 2
    assert world.good("ls", "--all").data["rows"] == []


def test_what_is_not_there_is_an_error_and_the_rest_goes_on(world: World, folder: Path) -> None:
    result = world.json("add", str(folder / "nothing.ckpt"), str(folder / "lora.safetensors"))
    assert (result.status, result.codes) == (1, ["not-found-here"])
    assert len(result.data) == 1


def test_a_catalogued_file_that_was_added_in_place_can_be_copied_in_later(world: World, folder: Path) -> None:
    path = str(folder / "lora.safetensors")
    world.good("add", "--in-place", path)
    world.good("add", path)
    assert world.blobs() == {sha256(LORA)}
    assert len(world.good("ls").data["rows"]) == 1


HOSTILE = "model:\n  target: os.system\n  params:\n    command: id\n"
ORDINARY = "model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n"


@pytest.mark.parametrize("flags", [(), ("--in-place",), ("--in-place", "--no-hash"), ("--dry-run",)])
def test_a_hostile_configuration_beside_a_model_is_told(world: World, folder: Path, flags: tuple[str, ...]) -> None:
    (folder / "lora.yaml").write_text(HOSTILE)
    warnings = world.good("add", *flags, str(folder / "lora.safetensors")).document["warnings"]
    assert [text for text in warnings if "lora.yaml` is suspicious" in text and "os.system" in text]


def test_an_ordinary_configuration_beside_a_model_is_no_matter(world: World, folder: Path) -> None:
    (folder / "lora.yaml").write_text(ORDINARY)
    assert world.good("add", "--in-place", str(folder / "lora.safetensors")).document["warnings"] == []


def test_a_hostile_configuration_where_a_model_is_placed_is_told(world: World, a1111: Path) -> None:
    (a1111 / "models/Lora/ink_brush.yaml").write_text(HOSTILE)
    (got,) = (answer := world.good("get", "civitai:1002@10021")).data
    config = Path(got["files"][0]["placed"][0]["path"]).with_suffix(".yaml")
    if not config.exists():
        config.write_text(HOSTILE)
        world.good("unplace", "ink")
        answer = world.good("place", "ink")
    assert [text for text in answer.document["warnings"] if f"`{config}` is suspicious" in text]
    assert config.read_text() == HOSTILE


def test_the_licence_that_a_file_in_place_claims_is_recorded(world: World, folder: Path) -> None:
    claim = {"modelspec.license": "CreativeML Open RAIL-M"}
    (folder / "lora.safetensors").write_bytes(models.safetensors(models.small_lora(), 51, claim))
    world.good("add", "--in-place", str(folder))
    (shown,) = world.good("show", "lora").data
    assert (shown["licence"]["name"], shown["licence"]["source"]) == (
        "CreativeML Open RAIL-M",
        "metadata:modelspec.license",
    )


@pytest.mark.parametrize("more", [("--in-place", "--place"), ("--in-place", "--in", "a1111"), ("--no-hash",)])
def test_options_that_contradict_each_other_are_an_error(world: World, a1111: Path, more: tuple[str, ...]) -> None:
    assert world.json("add", str(a1111), *more).codes == ["usage"]
