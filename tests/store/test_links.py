from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdkeep.ground.errors import DigestMismatch, NotWritable, StoreError, WouldOverwrite
from sdkeep.ground.record import Location, Method
from sdkeep.store import platform
from sdkeep.store.blobs import Store
from sdkeep.store.links import Outcome, leftovers, locate, make_plain, methods, place, points_at, unplace
from sdkeep.store.trash import Trash
from tests.makers.people import as_nobody
from tests.makers.trees import picture_of
from tests.store.conftest import NOW, Put, digest

WORKING = [Method.HARDLINK, Method.SYMLINK, Method.COPY]
DATA = b"weights" * 500


def same(path: Path) -> bool:
    return sha256(path.read_bytes()).hexdigest() == digest(DATA)


def has_reflinks(folder: Path) -> bool:
    (folder / "a").write_bytes(b"x")
    try:
        platform.reflink(folder / "a", folder / "b")
    except OSError:
        return False
    return True


@pytest.mark.parametrize("method", WORKING)
def test_a_placed_file_shows_the_blob_and_names_its_method(put: Put, tmp_path: Path, method: Method) -> None:
    blob, target = put(DATA), tmp_path / "ui" / "models" / "Lora" / "name.safetensors"
    assert place(blob, target, [method]) is method
    assert target.read_bytes() == DATA
    assert [path.name for path in target.parent.iterdir()] == ["name.safetensors"]
    assert stat.S_IMODE(blob.stat().st_mode) == 0o444


def test_a_hard_link_is_the_blob_and_a_copy_is_not(put: Put, tmp_path: Path) -> None:
    blob = put(DATA)
    place(blob, tmp_path / "hard", [Method.HARDLINK])
    place(blob, tmp_path / "soft", [Method.SYMLINK])
    place(blob, tmp_path / "copy", [Method.COPY])
    assert points_at(tmp_path / "hard", blob) is Method.HARDLINK
    assert points_at(tmp_path / "soft", blob) is Method.SYMLINK
    assert points_at(tmp_path / "copy", blob) is None
    assert (tmp_path / "copy").stat().st_mode & stat.S_IWUSR


def test_a_method_that_the_disk_refuses_gives_way_to_the_next(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = put(DATA)
    order = [Method.REFLINK, Method.HARDLINK]
    expected = Method.REFLINK if has_reflinks(tmp_path) else Method.HARDLINK
    assert place(blob, tmp_path / "x", order) is expected


def test_across_volumes_a_copy_is_made(put: Put, other_volume: Path) -> None:
    blob = put(DATA)
    order = methods(blob, other_volume, symlinks=False)
    assert order == (Method.COPY,)
    assert place(blob, other_volume / "x", [Method.HARDLINK, *order]) is Method.COPY
    assert (other_volume / "x").read_bytes() == DATA


def test_the_order_is_hard_link_reflink_symlink_copy_on_one_volume(store: Store, tmp_path: Path) -> None:
    assert methods(store.root, tmp_path, symlinks=True) == (
        *[Method.HARDLINK, Method.REFLINK],
        Method.SYMLINK,
        Method.COPY,
    )
    assert Method.SYMLINK not in methods(store.root, tmp_path, symlinks=False)


def test_a_volume_without_links_gets_copies(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "has_hard_links", lambda path: False)
    assert methods(store.root, tmp_path, symlinks=True) == (Method.REFLINK, Method.COPY)


@pytest.mark.parametrize("method", WORKING)
@pytest.mark.parametrize("obstacle", ["file", "folder", "link", "broken link"])
def test_nothing_in_the_way_is_ever_written_over(put: Put, tmp_path: Path, method: Method, obstacle: str) -> None:
    ui = tmp_path / "ui"
    ui.mkdir()
    target = ui / "name.safetensors"
    if obstacle == "file":
        target.write_bytes(b"somebody's own")
    elif obstacle == "folder":
        target.mkdir()
    else:
        (ui / "elsewhere").write_bytes(b"own") if obstacle == "link" else None
        target.symlink_to(ui / "elsewhere")
    before, blob = picture_of(ui), put(DATA)
    with pytest.raises(WouldOverwrite):
        place(blob, target, [method])
    assert picture_of(ui) == before


@pytest.mark.parametrize("method", WORKING)
def test_a_file_that_appears_at_the_last_moment_is_not_written_over(
    put: Put, tmp_path: Path, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob, target = put(DATA), tmp_path / "name"
    target.write_bytes(b"just arrived")
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(WouldOverwrite):
        place(blob, target, [method])
    assert target.read_bytes() == b"just arrived"


def test_placing_without_the_blob_says_so(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot place"):
        place(store.path_of("0" * 64), tmp_path / "x", WORKING)


def test_no_folder_is_made_through_a_link_that_leads_out(put: Put, tmp_path: Path) -> None:
    shelf, outside = tmp_path / "ui" / "Lora", tmp_path / "outside"
    shelf.mkdir(parents=True)
    outside.mkdir()
    (shelf / "Pony").symlink_to(outside)
    with pytest.raises(StoreError, match="cannot place"):
        place(put(DATA), shelf / "Pony" / "new" / "x.safetensors", WORKING, within=shelf)
    assert list(outside.iterdir()) == []


def test_a_shelf_that_is_itself_a_link_can_be_placed_in(put: Put, tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "Lora").symlink_to(tmp_path / "big-disk")
    place(put(DATA), tmp_path / "ui" / "Lora" / "Pony" / "x.safetensors", WORKING, within=tmp_path / "ui" / "Lora")
    assert (tmp_path / "big-disk" / "Pony" / "x.safetensors").read_bytes() == DATA


@pytest.mark.parametrize("obstacle", ["file", "broken link"])
def test_what_stands_where_a_folder_should_be_is_left(put: Put, tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "Lora").write_text("x") if obstacle == "file" else (tmp_path / "Lora").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="cannot place"):
        place(put(DATA), tmp_path / "Lora" / "x.safetensors", WORKING)


def test_a_full_disk_during_a_copy_leaves_nothing_behind(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = put(DATA)
    (tmp_path / "ui").mkdir()

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sdkeep.store.copying.os.write", full)
    with pytest.raises(StoreError) as caught:
        place(blob, tmp_path / "ui" / "x", [Method.COPY])
    assert caught.value.code == "disk-full"
    assert list((tmp_path / "ui").iterdir()) == []


def test_a_damaged_blob_is_not_copied_into_a_webui(put: Put, tmp_path: Path) -> None:
    blob = put(DATA)
    blob.chmod(0o644)
    blob.write_bytes(b"rotten")
    with pytest.raises(DigestMismatch):
        place(blob, tmp_path / "x", [Method.COPY])
    assert not (tmp_path / "x").exists()


def test_a_folder_that_may_not_be_written_says_so(public: Path) -> None:
    blob, ui = public / "blob", public / "ui"
    blob.write_bytes(DATA)
    ui.mkdir(mode=0o555)

    def work() -> None:
        with pytest.raises(NotWritable, match="cannot place"):
            place(blob, ui / "x", WORKING)

    as_nobody(work)


# taking away


def placed(put: Put, target: Path, method: Method) -> tuple[Path, Location]:
    blob = put(DATA)
    place(blob, target, [method])
    return blob, locate(target, digest(DATA), method, "a1111")


@pytest.mark.parametrize("method", WORKING)
def test_what_we_placed_is_taken_away_and_the_blob_stays(
    put: Put, trash: Trash, tmp_path: Path, method: Method
) -> None:
    blob, location = placed(put, tmp_path / "x", method)
    assert unplace(location, blob, trash, same).outcome is Outcome.REMOVED
    assert not os.path.lexists(tmp_path / "x")
    assert blob.read_bytes() == DATA
    assert trash.list() == ()


@pytest.mark.parametrize("method", WORKING)
def test_taking_away_what_is_gone_is_no_error(put: Put, trash: Trash, tmp_path: Path, method: Method) -> None:
    blob, location = placed(put, tmp_path / "x", method)
    (tmp_path / "x").unlink()
    assert unplace(location, blob, trash, same).outcome is Outcome.GONE


CHANGES = ["own file", "own link", "folder"]
REPLACED = [(method, change) for method in (*WORKING, Method.REFLINK) for change in CHANGES]
# an edit in place changes a linked blob itself, and an equal copy cannot be told from ours (the store has the bytes)
REPLACED += [(method, "edited") for method in (Method.COPY, Method.REFLINK)]
REPLACED += [(method, "same bytes, own file") for method in (Method.HARDLINK, Method.SYMLINK)]


@pytest.mark.parametrize("method, change", REPLACED)
def test_what_a_person_put_in_its_place_is_left_bit_for_bit(
    put: Put, trash: Trash, tmp_path: Path, method: Method, change: str
) -> None:
    ui = tmp_path / "ui"
    blob, location = placed(put, ui / "x", method if method in WORKING else Method.COPY)
    location = Location(**{f: getattr(location, f) for f in Location.__slots__} | {"method": method})
    (ui / "x").unlink()
    (ui / "own").write_bytes(b"own")
    if change == "folder":
        (ui / "x").mkdir()
    elif change == "own link":
        (ui / "x").symlink_to(ui / "own")
    else:
        (ui / "x").write_bytes(DATA if change.startswith("same") else b"edited" + DATA[6:])
    before = picture_of(ui)
    removal = unplace(location, blob, trash, same)
    assert removal.outcome is Outcome.LEFT
    assert removal.why
    assert picture_of(ui) == before


@pytest.mark.parametrize("ours, method", [(False, Method.HARDLINK), (True, Method.IN_PLACE), (False, Method.IN_PLACE)])
def test_what_we_did_not_place_is_never_taken_away(
    put: Put, trash: Trash, tmp_path: Path, ours: bool, method: Method
) -> None:
    blob = put(DATA)
    os.link(blob, tmp_path / "x")
    location = Location(str(tmp_path / "x"), digest(DATA), method, ours)
    assert unplace(location, blob, trash, same).outcome is Outcome.LEFT
    assert (tmp_path / "x").exists()


@pytest.mark.parametrize("method", [Method.HARDLINK, Method.COPY])
def test_the_last_copy_goes_to_the_trash_and_comes_back(put: Put, trash: Trash, tmp_path: Path, method: Method) -> None:
    blob, location = placed(put, tmp_path / "x", method)
    blob.unlink()
    removal = unplace(location, blob, trash, same)
    assert removal.trashed is not None
    assert removal.trashed.sha256 == digest(DATA)
    assert not (tmp_path / "x").exists()
    trash.restore(removal.trashed)
    assert (tmp_path / "x").read_bytes() == DATA


def test_a_dangling_link_of_ours_is_taken_away(put: Put, trash: Trash, tmp_path: Path) -> None:
    blob, location = placed(put, tmp_path / "x", Method.SYMLINK)
    blob.unlink()
    assert unplace(location, blob, trash, same).removed
    assert not os.path.lexists(tmp_path / "x")


@pytest.mark.parametrize("method", WORKING)
def test_a_placement_made_plain_needs_the_store_no_more(put: Put, tmp_path: Path, method: Method) -> None:
    blob, location = placed(put, tmp_path / "x", method)
    make_plain(location, blob, same)
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "x").stat().st_nlink == 1
    assert (tmp_path / "x").stat().st_ino != blob.stat().st_ino
    assert (tmp_path / "x").read_bytes() == DATA


def test_a_foreign_file_is_not_made_plain(put: Put, tmp_path: Path) -> None:
    blob, location = placed(put, tmp_path / "x", Method.HARDLINK)
    (tmp_path / "x").unlink()
    (tmp_path / "x").write_bytes(b"own")
    with pytest.raises(WouldOverwrite):
        make_plain(location, blob, same)
    assert (tmp_path / "x").read_bytes() == b"own"


def test_what_a_killed_command_left_is_found_once_it_is_old(tmp_path: Path) -> None:
    for name in (".sdkeep-place-12-0.tmp", ".sdkeep-12-3.tmp", ".sdkeep-notes.tmp", "x.tmp"):
        (tmp_path / name).touch()
    now = datetime.now(UTC)
    assert leftovers(tmp_path, now - timedelta(hours=1)) == ()
    found = leftovers(tmp_path, now + timedelta(hours=1))
    assert [path.name for path in found] == [".sdkeep-12-3.tmp", ".sdkeep-place-12-0.tmp"]


names = st.sampled_from(["a.safetensors", "b.safetensors", "Pony/a.safetensors"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(st.sampled_from(["place", "unplace"]), names, st.sampled_from(WORKING)), max_size=8))
def test_no_sequence_of_commands_touches_a_foreign_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, Method]]
) -> None:
    top = tmp_path_factory.mktemp("run")
    store = Store(top / "store").prepare()
    trash = Trash(store.trash, lambda: NOW)
    staged = store.staging / "x"
    staged.write_bytes(DATA)
    blob = store.commit(staged, digest(DATA), len(DATA))
    ui = top / "ui"
    (ui / "Pony").mkdir(parents=True)
    (ui / "b.safetensors").write_bytes(b"own")
    (ui / "Pony" / "own.txt").write_bytes(b"own")
    before = picture_of(ui)
    done: dict[str, Location] = {}
    for step, name, method in steps:
        target = ui / name
        if step == "place":
            try:
                place(blob, target, [method], within=ui)
            except WouldOverwrite:
                continue
            done[name] = locate(target, digest(DATA), method)
        else:
            known = done.pop(name, Location(str(target), digest(DATA), method, ours=False))
            unplace(known, blob, trash, same)
    after = picture_of(ui)
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + len(done)
