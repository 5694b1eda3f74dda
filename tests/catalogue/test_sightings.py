"""Files seen and not hashed yet: listed at once, joined to the artifact of their bytes later."""

from __future__ import annotations

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.listing import Filter
from sdkeep.catalogue.sightings import Hashed, Sighting
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.record import Artifact, Location, Method
from tests.makers.records import artifact, sha


def seen(path: str, name: str = "ink", size: int = 5) -> Sighting:
    place = Location(path, "", Method.IN_PLACE, False, "", 7, 8, size)
    return Sighting(Artifact(None, name, f"{name}.safetensors", size), place)


def hashed(one: Sighting, sha256: str) -> Hashed:
    return Hashed(one.location, sha256, (Digest(DigestKind.SHA256, sha256), Digest(DigestKind.CRC32, "0" * 8)))


def test_what_was_seen_is_listed_under_a_name_of_its_own(book: Book) -> None:
    assert book.put_sightings([seen("/a"), seen("/b"), seen("/c")]) == ("ink", "ink-2", "ink-3")
    assert book.list().items == ()
    assert len(book.list(Filter(unhashed=True, present=True)).items) == 3
    assert book.count_waiting() == (3, 15)
    assert book.locations() == ()
    assert [one.name for one in book.locations(unhashed=True)] == ["ink", "ink-2", "ink-3"]


def test_a_parent_known_by_name_is_no_file(book: Book) -> None:
    book.put_artifact(Artifact(None, "some-base", ""))
    assert book.list(Filter(unhashed=True)).items == ()


def test_a_hash_makes_an_artifact_of_it(book: Book) -> None:
    one = seen("/a")
    book.put_sightings([one])
    (settled,) = book.settle([hashed(one, sha(1))])
    assert (settled.name, settled.known) == ("ink", False)
    found = book.artifact(sha(1))
    assert found
    assert (found.name, len(found.digests)) == ("ink", 2)
    assert book.count_waiting() == (0, 0)


def test_bytes_that_are_known_get_another_path_and_keep_their_name(book: Book) -> None:
    book.put_artifact(artifact(1))
    one = seen("/a")
    book.put_sightings([one])
    (settled,) = book.settle([hashed(one, sha(1))])
    assert (settled.name, settled.known) == ("model-1", True)
    assert [place.path for place in book.locations_of(sha(1))] == ["/a"]
    assert book.by_name("ink") is None
    assert book.check() == ()


def test_two_sightings_of_the_same_bytes_become_one(book: Book) -> None:
    pair = [seen("/a"), seen("/b")]
    book.put_sightings(pair)
    book.settle([hashed(one, sha(1)) for one in pair])
    assert len(book.locations_of(sha(1))) == 2
    assert book.count() == 1
    assert book.search("ink") == book.list().items


def test_a_hash_of_what_the_path_showed_before_is_not_believed(book: Book) -> None:
    one = seen("/a")
    book.put_sightings([one])
    book.put_sightings([seen("/a", size=6)])
    assert book.settle([hashed(one, sha(1))]) == ()
    assert book.count_waiting() == (1, 6)
    assert book.by_name("ink") is None or book.sighting("ink")


def test_waiting_is_paged_small_files_first(book: Book) -> None:
    book.put_sightings([seen(f"/{size}", size=size) for size in (3, 1, 2)])
    first = book.waiting(limit=2)
    assert [one.size for one in first] == [1, 2]
    assert [one.size for one in book.waiting((first[-1].size, first[-1].path))] == [3]


def test_search_follows_a_change_of_words_and_ignores_other_changes(book: Book) -> None:
    book.put_artifact(artifact(1, title="first words"))
    book.put_artifact(artifact(1, title="second words", size=9))
    assert book.search("second")
    assert book.search("first") == ()
    book.rebuild_search()
    assert book.search("second")


def test_of_two_names_for_the_same_bytes_the_one_listed_first_stays(book: Book) -> None:
    first, second = seen("/a"), seen("/b")
    assert book.put_sightings([first, second]) == ("ink", "ink-2")
    for one in (second, first):
        book.settle([hashed(one, sha(1))])
    assert book.artifact(sha(1)).name == "ink"  # type: ignore[union-attr]
    assert book.search("ink") and book.check() == ()


def test_names_stay_different_across_batches_and_within_them(book: Book) -> None:
    assert book.put_sightings([seen("/a"), seen("/b", "ink-2")]) == ("ink", "ink-2")
    assert book.put_sightings([seen("/c"), seen("/d"), seen("/e", "ink-3")]) == ("ink-3", "ink-4", "ink-3-2")
