"""Blobs, locations, interfaces."""

from __future__ import annotations

import pytest

from sdkeep.catalogue.book import Book
from sdkeep.ground.errors import UnknownUi
from sdkeep.ground.record import Blob, Location, Method, Sidecar, Ui
from tests.makers.records import artifact, sha

MAIN = Ui("main", "a1111", "/a", "{base}/{creator}", "2026-01-01T00:00:00Z")
AT = "2026-07-13T12:00:00Z"


@pytest.fixture
def stocked(book: Book) -> Book:
    book.put_ui(MAIN)
    for number in (1, 2):
        book.put_artifact(artifact(number))
    return book


def location(path: str, **more: object) -> Location:
    facts: dict[str, object] = {"method": Method.HARDLINK, "ours": True, "ui": "main"} | more
    return Location(path, sha(1), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "place", ["/a/x.pt", "/a/é.pt", "/a/\udcff\udcfe.pt", "/a/␛.pt", "/a/line\nfeed", "C:\\models\\x.pt", "/a/%_'\""]
)
def test_any_path_is_remembered_exactly(stocked: Book, place: str) -> None:
    put = location(place, inode=2**64 - 1, mtime_ns=1_789_000_000_123_456_789, size=5, blob_root="/root")
    stocked.put_location(put)
    assert stocked.location_at(place) == put
    assert stocked.locations_of(sha(1)) == stocked.locations_in("main") == stocked.locations() == (put,)


def test_a_path_holds_one_thing_at_a_time(stocked: Book) -> None:
    stocked.put_location(location("/a/x.pt"))
    stocked.put_location(Location("/a/x.pt", sha(2), Method.IN_PLACE, False))
    assert stocked.locations_of(sha(1)) == ()
    assert stocked.location_at("/a/x.pt") == Location("/a/x.pt", sha(2), Method.IN_PLACE, False)


def test_a_path_can_be_forgotten_once(stocked: Book) -> None:
    stocked.put_location(location("/a/x.pt"))
    assert stocked.drop_location("/a/x.pt")
    assert not stocked.drop_location("/a/x.pt")
    assert stocked.location_at("/a/x.pt") is None


def test_an_interface_that_is_not_registered_is_named(stocked: Book) -> None:
    with pytest.raises(UnknownUi, match="forge"):
        stocked.put_location(location("/a/x.pt", ui="forge"))


def test_an_interface_comes_back_as_it_was_registered(stocked: Book) -> None:
    stocked.put_ui(Ui("second", "comfyui", "/c"))
    assert stocked.ui("main") == MAIN
    assert stocked.ui("nope") is None
    assert stocked.uis() == (MAIN, Ui("second", "comfyui", "/c", added=AT))


def test_registering_again_changes_the_interface_and_keeps_its_time(stocked: Book) -> None:
    stocked.put_ui(Ui("main", "forge", "/b"))
    assert stocked.uis() == (Ui("main", "forge", "/b", added=MAIN.added),)


def test_a_forgotten_interface_leaves_its_paths_known(stocked: Book) -> None:
    stocked.put_location(location("/a/x.pt"))
    assert stocked.drop_ui("main")
    assert not stocked.drop_ui("main")
    assert stocked.location_at("/a/x.pt") == location("/a/x.pt", ui="")


def test_an_artifact_is_stored_while_a_root_holds_it(stocked: Book) -> None:
    assert not stocked.artifact(sha(1)).stored  # type: ignore[union-attr]
    stocked.put_blob(sha(1), "/root", 5)
    stocked.put_blob(sha(1), "/other", 5)
    assert stocked.artifact(sha(1)).stored  # type: ignore[union-attr]
    assert stocked.blobs_of(sha(1)) == (Blob(sha(1), "/root", 5, AT), Blob(sha(1), "/other", 5, AT))
    assert stocked.drop_blob(sha(1), "/root")
    assert not stocked.drop_blob(sha(1), "/root")
    assert stocked.drop_blob(sha(1), "/other")
    assert not stocked.artifact(sha(1)).stored  # type: ignore[union-attr]


def test_a_verified_blob_keeps_when_it_came_in_and_a_stored_one_when_it_was_verified(stocked: Book) -> None:
    stocked.put_blob(sha(1), "/root", 5)
    stocked.verified_blob(sha(1), "/root", 5)
    stocked.put_blob(sha(1), "/root", 5)
    assert stocked.blobs_in("/root") == (Blob(sha(1), "/root", 5, AT, AT),)


def test_a_blob_is_unreferenced_when_no_path_uses_it(stocked: Book) -> None:
    for number in (1, 2):
        stocked.put_blob(sha(number), "/root", number)
    stocked.put_location(location("/a/x.pt"))
    assert [blob.sha256 for blob in stocked.unreferenced_blobs("/root")] == [sha(2)]
    assert stocked.unreferenced_blobs("/other") == ()
    assert len(stocked.blobs_in("/root")) == 2


def test_a_path_remembers_when_it_was_read_back_until_another_file_takes_it(stocked: Book) -> None:
    stocked.put_location(location("/a/x.pt"))
    stocked.put_location(location("/a/y.pt"))
    stocked.mark_verified(["/a/x.pt", "/a/none.pt"])
    assert [one.verified for one in stocked.locations()] == [AT, ""]
    stocked.move_location("/a/x.pt", location("/a/z.pt"))
    assert [(one.path, one.verified) for one in stocked.locations()] == [("/a/y.pt", ""), ("/a/z.pt", AT)]
    stocked.put_location(location("/a/z.pt"))
    assert [one.verified for one in stocked.locations()] == ["", ""]


def test_a_sidecar_is_remembered_until_it_is_dropped_or_its_artifact_forgotten(stocked: Book) -> None:
    beside = Sidecar("/a/\udcff.civitai.info", sha(1), sha(7), "main")
    other = Sidecar("/a/x.json", sha(2), sha(8))
    for sidecar in (beside, other):
        stocked.put_sidecar(sidecar)
    assert stocked.sidecars_of(sha(1)) == (beside,)
    assert stocked.sidecar_at(beside.path) == beside
    assert stocked.sidecar_at("/a/none") is None
    assert stocked.drop_sidecar(beside.path)
    assert not stocked.drop_sidecar(beside.path)
    stocked.forget(sha(2))
    assert stocked.sidecar_at(other.path) is None


def test_a_sidecar_written_again_has_its_new_digest(stocked: Book) -> None:
    stocked.put_sidecar(Sidecar("/a/x.json", sha(1), sha(7)))
    stocked.put_sidecar(Sidecar("/a/x.json", sha(1), sha(8)))
    assert stocked.sidecars_of(sha(1)) == (Sidecar("/a/x.json", sha(1), sha(8)),)


def test_the_roots_that_hold_something_are_known(stocked: Book) -> None:
    assert stocked.blob_roots() == ()
    for root in ("/root", "/other"):
        stocked.put_blob(sha(1), root, 1)
    stocked.put_blob(sha(2), "/root", 1)
    assert sorted(stocked.blob_roots()) == ["/other", "/root"]
