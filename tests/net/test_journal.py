"""Ranges as a set, and the journal that survives a crash."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.net.journal import Journal, Ranges, load
from sdkeep.net.offer import Validator

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(SPANS, st.integers(0, 90))
def test_ranges_are_a_set_of_offsets(spans: list[tuple[int, int]], total: int) -> None:
    model = {offset for start, stop in spans for offset in range(start, stop)}
    ranges = Ranges(spans)
    parts = list(ranges)
    assert {offset for start, stop in parts for offset in range(start, stop)} == model
    assert all(before[1] < after[0] for before, after in pairwise(parts))
    assert ranges.covered == len(model)
    assert ranges.prefix == next(offset for offset in range(100) if offset not in model)
    missing = {offset for start, stop in ranges.missing(total) for offset in range(start, stop)}
    assert missing == set(range(total)) - model


TEXT = st.text(st.characters(codec="utf-8"))


@given(SPANS, st.one_of(st.none(), st.integers(80, 200)), TEXT, TEXT)
def test_a_journal_comes_back_as_it_was(spans: list[tuple[int, int]], size: int | None, etag: str, name: str) -> None:
    journal = Journal(
        "https://h.test/x", size, "ab" * 32, Validator(etag, "date"), tuple(Ranges(spans)), name, "h.test"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.json"
        journal.save(path)
        assert load(path) == journal


def broken(**changes: object) -> str:
    texts = dict.fromkeys(("url", "sha256", "etag", "modified", "name", "host"), "")
    return json.dumps({"format": 1, **texts, "done": [], **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 1}',
        broken(done=[[0, 9]], size=5),
        broken(done=[[-1, 9]]),
        broken(done=[[True, 9]]),
        broken(done=[[9, 1]]),
        broken(done=None),
        broken(name=5),
        broken(size="9"),
        broken(format=2),
        "[" * 100_000,
    ],
    ids=range(13),
)
def test_nonsense_is_no_journal(tmp_path: Path, text: str) -> None:
    (tmp_path / "j.json").write_text(text)
    assert load(tmp_path / "j.json") is None
    assert load(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    ("held", "offered", "differs", "vouches"),
    [
        (Validator('"a"'), Validator('"a"'), False, True),
        (Validator('"a"'), Validator('"b"'), True, False),
        (Validator('W/"a"'), Validator('"a"'), False, True),
        (Validator('"a"', "monday"), Validator("", "monday"), False, False),
        (Validator("", "monday"), Validator("", "monday"), False, True),
        (Validator("", "monday"), Validator("", "friday"), True, False),
        (Validator(), Validator('"a"'), False, False),
        (Validator(), Validator(), False, False),
    ],
)
def test_validators_vouch_only_for_what_both_name(
    held: Validator, offered: Validator, differs: bool, vouches: bool
) -> None:
    assert (held.differs(offered), held.vouches(offered)) == (differs, vouches)


def test_only_strong_validators_are_a_condition() -> None:
    assert Validator('"a"', "monday").condition == '"a"'
    assert Validator('W/"a"', "monday").condition == ""
    assert Validator("", "monday").condition == "monday"
