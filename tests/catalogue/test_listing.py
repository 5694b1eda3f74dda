"""Lists and local search."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.listing import EVERYTHING, Filter
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.record import Location, Method, Ui
from tests.makers.records import artifact, release, sha, texts

FOUND_AS = {
    "title": {"title": "Cinematic Light"},
    "file name": {"file_name": "cinematic_light_v1.safetensors"},
    "trigger words": {"trigger_words": ("cinematic light",)},
    "base": {"base": "Cinematic"},
    "description": {"description": "<p>for cinematic pictures</p>"},
    "name": {"name": "my-cinematic-lora"},
}


def names(book: Book, wanted: Filter = EVERYTHING) -> list[str]:
    return [item.name for item in book.list(wanted).items]


def test_the_newest_come_first(book: Book) -> None:
    for number in (2, 1, 3):
        book.put_artifact(artifact(number))
    assert names(book) == ["model-3", "model-2", "model-1"]


def test_of_the_same_moment_the_last_recorded_comes_first(book: Book) -> None:
    for number in (5, 1, 9):
        book.put_artifact(artifact(number, added="2026-07-13T12:00:00Z"))
    assert names(book) == ["model-9", "model-1", "model-5"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_together_are_the_whole_list(book: Book, limit: int) -> None:
    for number in range(7):
        book.put_artifact(artifact(number, added=f"2026-07-0{number // 3 + 1}"))
    seen: list[str] = []
    cursor = None
    while True:
        page = book.list(cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        seen += [item.name for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [item.name for item in book.list(limit=None).items]
    assert len(set(seen)) == book.count() == 7


def test_what_is_added_between_two_pages_repeats_nothing(book: Book) -> None:
    for number in range(1, 7):
        book.put_artifact(artifact(number))
    first = book.list(limit=3)
    book.put_artifact(artifact(20))
    second = book.list(limit=3, cursor=first.next_cursor)
    assert {item.name for item in first.items}.isdisjoint(item.name for item in second.items)


@pytest.mark.parametrize("cursor", ["", "x", "2026~", "~~", "2026-01-01~99999999999999999999", "' OR 1=1"])
def test_a_foreign_cursor_is_refused(book: Book, cursor: str) -> None:
    with pytest.raises(UsageError, match="cursor"):
        book.list(cursor=cursor)


@pytest.fixture
def mixed(book: Book) -> Book:
    book.put_ui(Ui("main", "a1111", "/a"))
    book.put_artifact(artifact(1, kind=Kind.LORA, family=Family.SDXL, base="Pony"))
    book.put_artifact(artifact(2, kind=Kind.CHECKPOINT, family=Family.SDXL, base="pony"))
    book.put_artifact(artifact(3, kind=Kind.LORA, family=Family.SD1, base="SD 1.5", title="Ink & Wash"))
    book.put_location(Location("/a/lora/3.safetensors", sha(3), Method.HARDLINK, True, "main"))
    book.put_blob(sha(1), "/root", 1)
    return book


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(kind=Kind.LORA), ["model-3", "model-1"]),
        (Filter(family=Family.SDXL), ["model-2", "model-1"]),
        (Filter(base="PONY"), ["model-2", "model-1"]),
        (Filter(base="none"), []),
        (Filter(ui="main"), ["model-3"]),
        (Filter(ui="other"), []),
        (Filter(text="ink"), ["model-3"]),
        (Filter(text="&"), ["model-3"]),
        (Filter(present=True), ["model-3", "model-1"]),
        (Filter(kind=Kind.LORA, base="pony", present=True), ["model-1"]),
    ],
)
def test_a_list_is_narrowed(mixed: Book, wanted: Filter, found: list[str]) -> None:
    assert names(mixed, wanted) == found
    assert mixed.count(wanted) == len(found)


@pytest.mark.parametrize("where", FOUND_AS)
@pytest.mark.parametrize("words", ["cinematic", "CINEMA", "cin", "cinématic"])
def test_words_are_found_wherever_they_stand(book: Book, where: str, words: str) -> None:
    book.put_artifact(artifact(1, **FOUND_AS[where]))
    book.put_artifact(artifact(2, title="something else"))
    assert [found.sha256 for found in book.search(words)] == [sha(1)]


def test_all_words_must_occur(book: Book) -> None:
    book.put_artifact(artifact(1, title="ink portrait"))
    book.put_artifact(artifact(2, title="ink landscape"))
    assert [found.sha256 for found in book.search("port ink")] == [sha(1)]


def test_creator_and_tags_of_the_release_are_words_too(book: Book) -> None:
    book.put_artifact(artifact(1))
    book.put_release(release(tags=("photorealistic",)))
    book.link_file(sha(1), "civitai", "128713", "9001")
    assert [found.sha256 for found in book.search("lykon photoreal")] == [sha(1)]


def test_a_hit_in_the_title_comes_before_one_in_the_description(book: Book) -> None:
    book.put_artifact(artifact(1, title="neon"))
    book.put_artifact(artifact(2, description="has neon in it"))
    assert [found.name for found in book.search("neon")] == ["model-1", "model-2"]


def test_the_artifact_so_named_comes_first_even_among_very_many(book: Book) -> None:
    with book.transaction():
        book.put_artifact(artifact(0, name="detail"))
        for number in range(1, 1100):
            book.put_artifact(artifact(number, title="detail", name=f"detail-tweaker-{number}"))
    found = book.search("detail", limit=3)
    assert found[0].name == "detail"
    assert len(found) == 3


@pytest.mark.parametrize(
    "words",
    ['"', "'", "NEAR(a b)", "a NOT b", "name:x", "*", "a*", "^a", "-", "(", "a AND", "OR", "{name} : x", "%", "_", "!",
     "\0", "\ud800", "🎀", "日本", "a" * 5000, "x " * 500,
     "'; DROP TABLE artifact; --", "\\", "::", "ﬀ", "٣", "a\u0301"],
)  # fmt: skip
def test_no_text_is_a_wrong_question(book: Book, words: str) -> None:
    book.put_artifact(artifact(1, title="🎀 ribbon 日本語"))
    book.search(words)
    book.list(Filter(text=words, base=words, ui=words))
    assert book.artifact(sha(1))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(texts, st.text(st.characters(), max_size=30)))
def test_any_text_may_be_searched(book: Book, words: str) -> None:
    book.search(words)


def test_a_picture_character_is_found_although_it_is_no_word(book: Book) -> None:
    book.put_artifact(artifact(1, title="🎀 ribbon"))
    book.put_artifact(artifact(2, title="100% real_ness"))
    assert [found.sha256 for found in book.search("🎀")] == [sha(1)]
    assert [found.sha256 for found in book.search("%")] == [sha(2)]
    assert book.search("") == ()


def test_the_index_follows_every_change(book: Book) -> None:
    book.put_artifact(artifact(1, title="before"))
    book.put_artifact(artifact(1, title="after"))
    assert book.search("before") == ()
    assert book.search("after")
    book.rebuild_search()
    assert book.search("after")
    assert book.search("before") == ()
