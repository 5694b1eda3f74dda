"""Pictures made here: kept with what made them, listed newest first, found by words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sdkeep.catalogue.book import Book
from sdkeep.ground.errors import UsageError
from sdkeep.ground.record import Generation, UsedModel
from tests.makers.records import artifact, sha


def picture(number: int, **more: object) -> Generation:
    made = Generation(
        f"/pictures/{number}.png",
        sha(number),
        f"a cat number {number}",
        settings={"steps": 20, "sampler": "euler"},
        seed=str(2**64 - number),
        width=512,
        height=768,
        models=(UsedModel("checkpoint", "dream", sha(1), None), UsedModel("lora", "ink", "", 0.8)),
        made=f"2026-07-{number:02}T00:00:00Z",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_a_picture_comes_back_as_it_was_put(book: Book) -> None:
    book.put_artifact(artifact(1))
    put = book.put_generation(picture(1))
    assert put == replace(picture(1), id=put.id)
    assert book.generations_of(sha(1)) == (put,)


def test_a_picture_written_over_another_replaces_it(book: Book) -> None:
    book.put_generation(picture(1))
    book.put_generation(picture(1, sha256=sha(9), prompt="a dog"))
    assert [one.prompt for one in book.list_generations().items] == ["a dog"]


def test_lists_are_newest_first_and_go_on_where_they_stopped(book: Book) -> None:
    for number in (2, 1, 3):
        book.put_generation(picture(number))
    first = book.list_generations(limit=2)
    assert [one.sha256 for one in first.items] == [sha(3), sha(2)]
    rest = book.list_generations(limit=2, cursor=first.next_cursor)
    assert ([one.sha256 for one in rest.items], rest.next_cursor) == ([sha(1)], None)
    with pytest.raises(UsageError):
        book.list_generations(cursor="nonsense")


@pytest.mark.parametrize(("words", "found"), [("cat 2", 1), ("ink", 2), ("100%", 0), ("dog", 0), ("", 2)])
def test_every_word_must_occur(book: Book, words: str, found: int) -> None:
    for number in (1, 2):
        book.put_generation(picture(number))
    assert len(book.list_generations(words.replace("cat 2", "number 2")).items) == found


def test_pictures_of_one_model_are_found_and_outlive_its_record(book: Book) -> None:
    book.put_artifact(artifact(1))
    book.put_generation(picture(1))
    book.forget(sha(1))
    assert len(book.list_generations(model=sha(1)).items) == 1
    assert (book.drop_generation("/pictures/1.png"), book.drop_generation("/pictures/1.png")) == (True, False)
