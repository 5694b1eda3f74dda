"""Merges whose models lie at a hub: fetched when they are missing, found again by hash, and asked for their licence."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdkeep.demo.civitai_records import SampleFile, SampleVersion, sample_model
from tests.makers import checkpoints
from tests.world import World, sha256

PHOTO, ANIME = 7001, 7002


@pytest.fixture
def published(world: World) -> dict[int, bytes]:
    """Two SD1 checkpoints at Civitai; nobody may merge the second."""
    found = {}
    files = dict(world.civitai.files)
    for id_, name in ((PHOTO, "photo"), (ANIME, "anime")):
        path = checkpoints.write(world.root / f"{name}.safetensors", checkpoints.tensors(seed=id_))
        found[id_] = files[id_] = path.read_bytes()
        path.unlink()
        version = SampleVersion(id_ * 10, "v1", "SD 1.5", [SampleFile(id_, path.name, found[id_])])
        free = id_ == PHOTO
        model = sample_model(id_, name, "Checkpoint", [version], allowDerivatives=free, tags=["base model"])
        world.civitai.add(model)
    world.civitai.files = files
    return found


def test_models_that_are_missing_are_fetched_and_merged(world: World, published: dict[int, bytes]) -> None:
    done = world.good("merge", f"civitai:{PHOTO}", f"civitai:{ANIME}", "--alpha", "0.3", "-o", "mix.safetensors").data
    assert [one["sha256"] for one in done["parents"]] == [sha256(published[id_]) for id_ in (PHOTO, ANIME)]
    assert world.blobs() >= {sha256(data) for data in published.values()}
    before = len(world.downloads())
    world.good("merge", f"civitai:{PHOTO}", f"civitai:{ANIME}", "-o", "half.safetensors")
    assert len(world.downloads()) == before


def test_a_dry_run_fetches_nothing(world: World, published: dict[int, bytes]) -> None:
    failed = world.json("merge", f"civitai:{PHOTO}", f"civitai:{ANIME}", "--dry-run")
    assert failed.status == 2
    assert not world.downloads()
    assert published


def test_a_merge_done_again_fetches_its_parents_by_their_hash(world: World, published: dict[int, bytes]) -> None:
    paths = []
    for id_, data in published.items():
        Path(f"{id_}.safetensors").write_bytes(data)
        paths.append(f"{id_}.safetensors")
    world.good("merge", *paths, "--alpha", "0.3", "-o", "mix.safetensors")
    for path in paths:
        Path(path).unlink()
    again = world.good("merge", "--again", "mix.safetensors").data
    assert again["agrees"] is True
    assert world.blobs() >= {sha256(data) for data in published.values()}


def test_a_parent_that_may_not_be_merged_is_warned_of(world: World, published: dict[int, bytes]) -> None:
    assert published
    done = world.good("merge", f"civitai:{PHOTO}", f"civitai:{ANIME}", "--name", "mix", "--no-place")
    told = " ".join(done.document["warnings"])
    assert "the lineage of `anime` does not allow" in told
    assert "advice" in told
    alone = world.good("merge", f"civitai:{PHOTO}", "--precision", "fp32", "-o", "wide.safetensors")
    assert not any("does not allow" in text for text in alone.document["warnings"])
