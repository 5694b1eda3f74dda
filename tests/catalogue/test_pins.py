"""Pins, look-ups, models that are gone, archives taken apart, adopted folders, running WebUIs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sdkeep.catalogue.book import Book
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.record import Location, Lookup, Method, Pin, Ui
from tests.makers.records import artifact, release, sha


def test_a_pin_holds_a_recorded_model_once(book: Book) -> None:
    book.put_release(release())
    book.put_pin(Pin("civitai", "4384"))
    book.put_pin(Pin("civitai", "4384", "128713", "good hands"))
    (pin,) = book.pins()
    assert (pin.release, pin.note, pin.model_name) == ("128713", "good hands", "DreamShaper")
    assert (book.drop_pin("civitai", "4384"), book.drop_pin("civitai", "4384")) == (True, False)


@pytest.mark.parametrize("pin", [Pin("civitai", "1"), Pin("civitai", "4384", "1")])
def test_what_is_not_recorded_cannot_be_pinned(book: Book, pin: Pin) -> None:
    book.put_release(release())
    with pytest.raises(NotFoundHere):
        book.put_pin(pin)


def test_a_place_is_asked_again_only_for_what_it_did_not_know_long_ago(book: Book) -> None:
    book.note_lookups([Lookup(sha(1), "civitai", True, "2026-01-01"), Lookup(sha(2), "civitai", False, "2026-01-01")])
    assert book.unasked("civitai", [sha(1), sha(2), sha(3)]) == (sha(3),)
    assert book.unasked("civitai", [sha(1), sha(2)], since="2026-02-01") == (sha(2),)
    assert book.unasked("archive", [sha(1)]) == (sha(1),)
    assert [one.found for one in book.lookups_of(sha(2))] == [False]


def test_a_model_that_its_hub_does_not_show_is_noted_until_it_does(book: Book) -> None:
    book.put_release(release())
    book.mark_model("civitai", "4384", gone=True)
    assert book.gone_since("civitai", "4384")
    book.put_release(release())
    assert book.gone_since("civitai", "4384") == ""


def test_an_archive_remembers_what_came_out_of_it(book: Book) -> None:
    book.put_release(release())
    for number in (1, 2):
        book.put_artifact(artifact(number))
    book.put_unpacked("civitai", "128713", "9001", {"a.txt": sha(1), "b.txt": sha(2)})
    book.put_release(release(name="again"))
    assert [one.sha256 for one in book.unpacked("civitai", "128713", "9001").values()] == [sha(1), sha(2)]
    assert {one.sha256 for one in book.by_origin("civitai", "128713")} == {sha(1), sha(2)}
    assert book.release_of(sha(2)) is not None
    assert book.unpacked("civitai", "128713", "1") == {}


def test_only_what_is_here_counts_as_held(book: Book) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1))
    book.link_file(sha(1), "civitai", "128713", "9001")
    assert book.held() == ()
    book.put_location(Location("/x", sha(1), Method.IN_PLACE, False))
    assert [one.name for one in book.held()] == ["model-1"]
    book.mark_missing(["/x"])
    assert book.held() == ()


def test_a_moved_path_keeps_its_record_and_is_there_again(book: Book) -> None:
    book.put_artifact(artifact(1))
    place = Location("/x", sha(1), Method.IN_PLACE, False, "", 1, 2, 3)
    book.put_location(place)
    book.mark_missing(["/x"])
    assert book.location_at("/x").missing  # type: ignore[union-attr]
    assert book.move_location("/x", replace(place, path="/y", inode=9))
    assert (book.location_at("/x"), book.location_at("/y")) == (None, replace(place, path="/y", inode=9))


def test_adopted_folders_are_kept_in_order(book: Book) -> None:
    for path in ("/b", "/a", "/b"):
        book.put_adopted(path)
    assert book.adopted() == ("/b", "/a")
    assert (book.drop_adopted("/b"), book.drop_adopted("/b")) == (True, False)


def test_a_ui_keeps_its_address_and_how_it_is_shared(book: Book) -> None:
    book.put_ui(Ui("main", "a1111", "/webui", url="http://127.0.0.1:7860", share="paths"))
    assert [(ui.url, ui.share) for ui in book.uis()] == [("http://127.0.0.1:7860", "paths")]
