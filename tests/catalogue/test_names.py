"""Names: slugs, unique, stable."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdkeep.catalogue.book import Book
from sdkeep.ground.errors import UsageError
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import slug
from tests.makers.records import artifact, sha, texts


def test_a_new_artifact_is_named_after_its_file_when_it_asks_for_nothing(book: Book) -> None:
    assert book.put_artifact(Artifact(sha(1), "", "Detail Tweaker_XL.v2.safetensors")).name == "detail-tweaker-xl-v2"


def test_a_taken_name_gets_a_number(book: Book) -> None:
    names = [book.put_artifact(artifact(n, name="Dream Shaper")).name for n in range(1, 5)]
    assert names == ["dream-shaper", "dream-shaper-2", "dream-shaper-3", "dream-shaper-4"]


def test_a_free_number_in_between_is_used_but_never_a_taken_one(book: Book) -> None:
    for number, name in enumerate(["a", "a-2", "a-4", "a-b"]):
        book.put_artifact(artifact(number, name=name))
    assert book.put_artifact(artifact(9, name="a")).name == "a-3"
    assert book.put_artifact(artifact(10, name="a")).name == "a-5"


def test_a_name_is_never_changed_by_putting_again(book: Book) -> None:
    book.put_artifact(artifact(1, name="mine"))
    assert book.put_artifact(artifact(1, name="other")).name == "mine"


def test_a_person_may_rename(book: Book) -> None:
    book.put_artifact(artifact(1, name="old"))
    assert book.rename(sha(1), "My New Name").name == "my-new-name"
    assert book.by_name("old") is None
    assert [found.sha256 for found in book.search("new")] == [sha(1)]
    assert book.search("old") == ()


def test_renaming_to_the_same_name_is_fine(book: Book) -> None:
    book.put_artifact(artifact(1, name="same"))
    assert book.rename(sha(1), "same").name == "same"


@pytest.mark.parametrize("name", ["taken", "Taken", "!!!", ""])
def test_a_name_that_is_taken_or_none_is_refused(book: Book, name: str) -> None:
    book.put_artifact(artifact(1, name="taken"))
    book.put_artifact(artifact(2, name="free"))
    with pytest.raises(UsageError):
        book.rename(sha(2), name)
    assert book.by_name("free")


def test_names_are_completed_in_order(book: Book) -> None:
    for number, name in enumerate(["pony", "ponder", "portrait", "animagine"]):
        book.put_artifact(artifact(number, name=name))
    assert book.name_like("po") == ("ponder", "pony", "portrait")
    assert book.name_like("po", limit=1) == ("ponder",)
    assert book.name_like("") == ("animagine", "ponder", "pony", "portrait")
    assert book.name_like("zz") == ()


def test_a_mistyped_name_finds_the_one_that_was_meant(book: Book) -> None:
    for number, name in enumerate(["dreamshaper-8", "deliberate-v2", "realistic-vision", "detail-tweaker-xl"]):
        book.put_artifact(artifact(number, name=name))
    assert book.nearest_names("draemshaper-8")[0] == "dreamshaper-8"
    assert book.nearest_names("detial-tweaker")[0] == "detail-tweaker-xl"
    assert book.nearest_names("qqqqqq") == ()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts, st.integers(0, 10**9))
def test_every_name_is_a_slug_whatever_was_asked_for(book: Book, wish: str, number: int) -> None:
    name = book.put_artifact(Artifact(sha(number), wish, wish)).name
    assert name
    assert name == slug(name)
    assert book.by_name(name)
    book.name_like(wish)
    book.nearest_names(wish)
