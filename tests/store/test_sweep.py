from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sdkeep.store.blobs import Store
from sdkeep.store.sweep import Marks, apply, plan
from sdkeep.store.trash import Trash
from tests.makers.trees import picture_of
from tests.store.conftest import Put, digest


def later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=2)


def test_what_nothing_refers_to_goes_to_the_trash_and_the_rest_stays(store: Store, trash: Trash, put: Put) -> None:
    used, unused = put(b"used"), put(b"unused")
    found = plan(store, Marks(frozenset({digest(b"used")})), later())
    assert [blob.path for blob in found.unused] == [unused]
    assert found.size == len(b"unused")
    (thrown,) = apply(found, trash)
    assert thrown.sha256 == digest(b"unused")
    assert used.exists()
    assert not unused.exists()
    trash.restore(thrown)
    assert unused.read_bytes() == b"unused"


def test_a_plan_touches_nothing(store: Store, put: Put) -> None:
    put(b"unused")
    before = picture_of(store.root)
    plan(store, Marks(frozenset()), later())
    assert picture_of(store.root) == before


def test_a_blob_with_a_hard_link_that_nobody_recorded_stays_and_says_why(
    store: Store, put: Put, tmp_path: Path
) -> None:
    os.link(put(b"unused"), tmp_path / "by-hand.safetensors")
    found = plan(store, Marks(frozenset()), later())
    assert found.unused == ()
    assert "1 hard link to it that the catalogue does not know" in found.kept[0].why


def test_recorded_hard_links_are_no_reason_to_stay(store: Store, put: Put, tmp_path: Path) -> None:
    os.link(put(b"unused"), tmp_path / "placed.safetensors")
    found = plan(store, Marks(frozenset(), {digest(b"unused"): 1}), later())
    assert len(found.unused) == 1


def test_a_blob_that_was_just_written_is_spared(store: Store, put: Put) -> None:
    put(b"young")
    found = plan(store, Marks(frozenset()), datetime.now(UTC))
    assert found.unused == ()
    assert "young" in found.kept[0].why


def test_a_blob_that_somebody_began_to_use_after_the_plan_stays(
    store: Store, trash: Trash, put: Put, tmp_path: Path
) -> None:
    blob = put(b"unused")
    found = plan(store, Marks(frozenset()), later())
    os.link(blob, tmp_path / "x")
    assert apply(found, trash) == ()
    assert blob.exists()


def test_a_blob_that_is_gone_after_the_plan_is_no_error(store: Store, trash: Trash, put: Put) -> None:
    blob = put(b"unused")
    found = plan(store, Marks(frozenset()), later())
    blob.unlink()
    assert apply(found, trash) == ()


def test_old_partial_downloads_are_given_up_and_young_ones_and_locks_stay(store: Store, trash: Trash) -> None:
    old = (datetime.now(UTC) - timedelta(days=20)).timestamp()
    for name in ("old.part", "young.part", "old.lock"):
        (store.staging / name).write_bytes(b"half")
    for name in ("old.part", "old.lock"):
        os.utime(store.staging / name, (old, old))
    found = plan(store, Marks(frozenset()), datetime.now(UTC))
    assert [partial.path.name for partial in found.partials] == ["old.part"]
    apply(found, trash)
    assert sorted(path.name for path in store.staging.iterdir()) == ["old.lock", "young.part"]


def test_a_store_that_was_never_made_has_nothing_to_sweep(tmp_path: Path) -> None:
    assert plan(Store(tmp_path / "none"), Marks(frozenset()), later()).size == 0
