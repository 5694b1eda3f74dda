"""Newer releases: found within a base model, held back by pins and early access, fetched beside or instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdkeep.demo.civitai_records import SampleFile, SampleVersion, sample_model
from tests.makers import library, models
from tests.world import World, sha256

NEW, LATER = models.safetensors(models.small_lora(), 71), models.safetensors(models.small_lora(), 72)


def publish(world: World, *, early: bool = False) -> None:
    """The ink brush again, with versions that came out since."""
    old = library.versions()[library.INK]
    newer = (
        _version(10025, "1.5 again", library.SD1, SampleFile(15, "ink_again.safetensors", NEW), "2026-07-01"),
        _version(10026, "XL again", library.SDXL, SampleFile(16, "ink_xl2.safetensors", LATER), "2026-07-02"),
    )
    if early:
        gate = {"paidAccess": {"permanent": False, "endsAt": "2099-09-01T00:00:00.000Z"}}
        newer = (
            *newer[1:],
            _version(10027, "soon", library.SD1, SampleFile(17, "s.safetensors", NEW), "2026-08-01", gate),
        )
    model = sample_model(library.INK, "Ink Brush", "LORA", (*newer, *old))
    world.civitai.add(model)
    world.civitai.files = {**world.civitai.files, 15: NEW, 16: LATER, 17: NEW}


def _version(
    id_: int, name: str, base: str, file: SampleFile, day: str, extra: dict[str, object] | None = None
) -> SampleVersion:
    return SampleVersion(id_, name, base, (file,), published=f"{day}T12:00:00.000Z", extra=extra or {})


@pytest.fixture
def ink(world: World, a1111: Path) -> Path:
    """The old release for SD 1.5, placed."""
    assert a1111
    (got,) = world.good("get", "civitai:1002@10021").data
    return Path(got["files"][0]["placed"][0]["path"])


def newer(world: World, *more: str) -> list[tuple[str, str]]:
    return [(one["here"], one["newer"]) for one in world.json("outdated", *more).data["newer"]]


def test_nothing_newer_is_said_so(world: World, ink: Path) -> None:
    assert ink
    assert world.good("outdated").data["newer"] == []


def test_only_releases_for_the_same_base_model_count(world: World, ink: Path) -> None:
    assert ink
    publish(world)
    result = world.json("outdated")
    assert result.status == 1
    assert [(one["newer"], one["base"]) for one in result.data["newer"]] == [("1.5 again", library.SD1)]


def test_early_access_waits_until_it_is_asked_for(world: World, ink: Path) -> None:
    assert ink
    publish(world, early=True)
    result = world.good("outdated")
    assert (result.data["newer"], result.data["early"]) == ([], 1)
    assert newer(world, "--early-access") == [("for 1.5", "soon")]
    assert world.good("update", "--dry-run").data == []


def test_a_pin_holds_a_model_until_it_is_taken_off(world: World, ink: Path) -> None:
    assert ink
    publish(world)
    world.good("pin", "ink", "--note", "the good one")
    result = world.good("outdated")
    assert (result.data["newer"], result.data["pinned"]) == ([], 1)
    assert world.good("update", "--yes").data == []
    assert [one["note"] for one in world.good("pin").data] == ["the good one"]
    assert [one["pinned"] for one in world.json("outdated", "--pinned").data["newer"]] == [True]
    world.good("unpin", "ink")
    assert newer(world) == [("for 1.5", "1.5 again")]
    assert world.json("unpin", "ink").codes == ["not-found-here"]


def test_update_fetches_beside_the_old_file(world: World, ink: Path) -> None:
    publish(world)
    before = ink.read_bytes()
    (done,) = world.good("update", "--yes").data
    assert [Path(path).read_bytes() for path in done["placed"]] == [NEW]
    assert ink.read_bytes() == before
    assert newer(world) == []


def test_update_instead_keeps_the_name_that_the_person_gave(world: World, ink: Path) -> None:
    publish(world)
    renamed = ink.with_name("my brush.safetensors")
    ink.rename(renamed)
    world.good("sync", "--yes")
    (done,) = world.good("update", "--replace", "--yes").data
    assert done["placed"] == [str(renamed)]
    assert renamed.read_bytes() == NEW
    assert done["trash"]
    assert newer(world) == []
    assert world.good("sync", "--check").data["differences"] == []
    world.good("restore", done["trash"][0])
    assert sha256(library.civitai_files()[13]) in world.blobs()


def test_update_instead_writes_what_lies_beside_the_new_file(world: World, ink: Path) -> None:
    beside = {path.name for path in ink.parent.iterdir()} - {ink.name}
    assert "ink.json" in beside
    publish(world)
    world.good("update", "--replace", "--yes")
    assert {path.name for path in ink.parent.iterdir()} - {ink.name} == beside
    world.good("rm", "ink-again", "--yes")
    assert list(ink.parent.iterdir()) == []


def test_update_never_replaces_a_file_that_is_not_ours(world: World, a1111: Path) -> None:
    theirs = a1111 / "models/Lora/theirs.safetensors"
    theirs.write_bytes(library.civitai_files()[13])
    world.good("add", "--in-place", "--look-up", str(theirs))
    publish(world)
    (done,) = world.good("update", "--replace", "--yes").data
    assert done["kept"] == [str(theirs)]
    assert theirs.read_bytes() == library.civitai_files()[13]


def test_a_dry_run_fetches_nothing(world: World, ink: Path) -> None:
    assert ink
    publish(world)
    before = len(world.downloads())
    assert [one["done"] for one in world.good("update", "--dry-run").data] == [False]
    assert len(world.downloads()) == before


def test_a_404_is_not_deleted_and_the_record_stays(world: World, ink: Path) -> None:
    world.civitai.hidden.add(library.INK)
    world.civitai._versions.pop(10021)
    result = world.good("outdated")
    assert list(result.data["gone"]) == ["ink"]
    (shown,) = world.good("show", "ink").data
    assert shown["gone"]
    assert shown["artifact"]["title"] == "Ink Brush for 1.5"
    assert ink.is_file()
    world.civitai.hidden.discard(library.INK)
    world.good("outdated")
    assert world.good("show", "ink").data[0]["gone"] == ""


def test_what_no_hub_published_cannot_be_pinned(world: World) -> None:
    path = world.root / "own.safetensors"
    path.write_bytes(NEW)
    world.good("add", str(path))
    assert world.json("pin", "own").codes == ["not-found-here"]


def test_an_archive_is_not_fetched_twice(world: World) -> None:
    first = world.good("get", "civitai:1006").data[0]["files"]
    before = len(world.downloads())
    second = world.good("get", "civitai:1006").data[0]["files"]
    assert [one["sha256"] for one in second] == [one["sha256"] for one in first]
    assert all(one["already_here"] for one in second)
    assert len(world.downloads()) == before


def test_a_hub_that_does_not_answer_is_not_called_up_to_date(
    world: World, ink: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ink
    monkeypatch.setenv("SDKEEP_CIVITAI_URL", "http://127.0.0.1:9")
    for verb in ("outdated", "update"):
        told = world.run(verb)
        assert told.status == 3
        assert "0 models asked" in told.stdout or "as far as the hubs answered" in told.stdout
