"""What became of recorded paths: told by the file system alone where that is proof, else by the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.actions.drift import Ledger, What
from sdkeep.actions.folders import Seen
from sdkeep.ground.record import Location, Method


def seen(path: str, inode: int, size: int = 10, mtime: int = 5) -> Seen:
    return Seen(path, size, inode, mtime, 1, False, inode, mtime)


def recorded(path: str, inode: int, sha256: str = "", *, ours: bool = False, missing: str = "") -> Location:
    method = Method.HARDLINK if ours else Method.IN_PLACE
    return Location(path, sha256, method, ours, "", inode, 5, 10, missing=missing)


def told(
    before: list[Location], now: list[Seen], contents: dict[str, str] | None = None, away: str = "//"
) -> list[tuple[str, str, str]]:
    """The changes as kind, old path and new one; `contents` are what reading a path would find."""
    sizes = frozenset(one.size for one in before)
    ledger = Ledger(
        {one.path: one for one in before},
        {one.path: one for one in now},
        lambda one: (contents or {}).get(one.path),
        sizes,
    )
    changes = ledger.compare(lambda path: path.startswith(away))
    return sorted((str(one.what), one.path, one.seen.path if one.seen else "") for one in changes)


@pytest.mark.parametrize(
    ("before", "now", "contents", "wanted"),
    [
        ([recorded("/a/x", 1, "s")], [seen("/a/x", 1)], {}, []),
        ([], [seen("/a/x", 1)], {}, [("new", "/a/x", "/a/x")]),
        ([recorded("/a/x", 1, "s")], [seen("/b/x", 1)], {}, [("moved", "/a/x", "/b/x")]),
        ([recorded("/a/x", 1, "s")], [seen("/a/y", 1)], {}, [("renamed", "/a/x", "/a/y")]),
        ([recorded("/a/x", 1)], [seen("/a/y", 1)], {}, [("renamed", "/a/x", "/a/y")]),
        ([recorded("/a/x", 1, "s")], [seen("/b/x", 9)], {"/b/x": "s"}, [("moved", "/a/x", "/b/x")]),
        ([recorded("/a/x", 1, "s")], [seen("/a/x", 1, mtime=6)], {"/a/x": "s"}, [("touched", "/a/x", "/a/x")]),
        ([recorded("/a/x", 1, "s")], [seen("/a/x", 1, mtime=6)], {"/a/x": "t"}, [("edited", "/a/x", "/a/x")]),
        ([recorded("/a/x", 1, "s")], [seen("/a/x", 1, size=11)], {}, [("edited", "/a/x", "/a/x")]),
        ([recorded("/a/x", 1, "s")], [], {}, [("missing", "/a/x", "")]),
        ([recorded("/a/x", 1, "s", ours=True)], [], {}, [("vanished", "/a/x", "")]),
        ([recorded("/a/x", 1, "s", missing="2026")], [], {}, []),
        ([recorded("/a/x", 1, "s", missing="2026")], [seen("/a/x", 1)], {}, [("back", "/a/x", "/a/x")]),
        (
            [recorded("/a/x", 1, "s")],
            [seen("/a/x", 1), seen("/a/y", 1)],
            {},
            [("duplicate", "/a/y", "/a/y")],
        ),
        (
            [recorded("/a/x", 1, "s")],
            [seen("/a/x", 1), seen("/a/y", 2)],
            {"/a/y": "s"},
            [("duplicate", "/a/y", "/a/y")],
        ),
        ([recorded("/a/x", 1, "s")], [seen("/a/x", 1), seen("/a/y", 2)], {"/a/y": "t"}, [("new", "/a/y", "/a/y")]),
    ],
    ids=[
        "as it was", "new", "moved", "renamed", "renamed before it was hashed", "moved across volumes", "touched",
        "edited", "another size", "missing", "vanished", "missing as before", "back", "hard link", "copy",
        "other bytes",
    ],
)  # fmt: skip
def test_each_difference_has_its_name(
    before: list[Location], now: list[Seen], contents: dict[str, str], wanted: list[tuple[str, str, str]]
) -> None:
    assert told(before, now, contents) == wanted


def test_a_path_on_a_drive_that_is_away_is_neither_here_nor_gone() -> None:
    assert told([recorded("/mnt/x", 1, "s", ours=True)], [], away="/mnt") == []


def test_two_files_that_trade_names_are_edited_and_not_moved() -> None:
    before = [recorded("/a/x", 1, "s"), recorded("/a/y", 2, "t")]
    now = [seen("/a/x", 2), seen("/a/y", 1)]
    changes = told(before, now, {"/a/x": "t", "/a/y": "s"})
    assert {what for what, _, _ in changes} <= {"edited"}
    assert {path for _, path, _ in changes} == {"/a/x", "/a/y"}


FILES = st.dictionaries(st.sampled_from([f"/{folder}/{name}" for folder in "ab" for name in "xyz"]), st.integers(1, 4))


@given(FILES, FILES, st.booleans())
def test_every_path_is_told_of_once_and_nothing_is_told_that_is_not(
    before: dict[str, int], now: dict[str, int], ours: bool
) -> None:
    """The number is inode and content at once. What is recorded after all changes is what lies there."""
    records = {path: recorded(path, number, f"s{number}", ours=ours) for path, number in before.items()}
    there = {path: seen(path, number) for path, number in now.items()}
    ledger = Ledger(records, there, lambda one: f"s{one.inode}", frozenset({10}))
    changes = ledger.compare(lambda _: False)
    held = {path: one.sha256 for path, one in records.items()}
    for change in changes:
        if change.what in (What.MISSING, What.VANISHED, What.MOVED, What.RENAMED):
            held.pop(change.path)
    for change in changes:
        if change.seen is not None:
            held[change.seen.path] = f"s{change.seen.inode}"
    assert held == {path: f"s{number}" for path, number in now.items()}
    assert len({(one.path, one.seen.path if one.seen else "") for one in changes}) == len(changes)
