"""Two real processes on one home: whatever they do at once, nothing is lost and the catalogue is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actions.test_crashes import in_step, intact
from tests.makers import models
from tests.world import World


@pytest.fixture
def shelf(world: World) -> dict[Path, bytes]:
    """A folder of foreign files, each twice, under names that programs stumble over."""
    folder = world.root / "shelf"
    names = ("plain", "line\nfeed", "\u202egnp", "n" * 240, "ü" * 100, "Case", "case", " space ", "-rf", "'quote\"")
    kept: dict[Path, bytes] = {}
    for number, name in enumerate(names):
        data = models.safetensors(models.small_lora(), 200 + number)
        for below in ("one", "two"):
            path = folder / below / f"{name}.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            kept[path] = data
    return kept


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("add", "--in-place", "SHELF"), ("add", "--in-place", "SHELF")),
        (("add", "SHELF"), ("add", "SHELF")),
        (("add", "--in-place", "SHELF"), ("dedupe", "SHELF", "--yes")),
        (("add", "--in-place", "--no-hash", "SHELF"), ("sync", "--yes")),
    ],
    ids=["adopt twice", "copy twice", "adopt and dedupe", "list and sync"],
)
def test_two_at_once_lose_nothing(
    world: World, shelf: dict[Path, bytes], first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    folder = str(world.root / "shelf")
    running = [world.start(*(folder if word == "SHELF" else word for word in words)) for words in (first, second)]
    for one in running:
        _, errors = one.communicate(timeout=90)
        assert "sdkeep itself broke" not in errors
        assert "Traceback" not in errors
    assert intact(shelf)
    world.blobs()
    world.good("add", "--in-place", folder)
    in_step(world)
    with world.house() as house:
        recorded = {one.path: one.sha256 for one in house.book.locations(unhashed=True)}
    assert recorded.keys() >= {str(path) for path in shelf}
    assert all(recorded.values())
