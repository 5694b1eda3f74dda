"""Metadata for the eye: tags counted, dates told, long values cut; whatever it holds, nothing raises."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.readable import LONGEST_SHOWN, MOST_OF_ONE, MOST_TOGETHER, readable, within


def test_tags_are_listed_by_number_of_pictures_folder_by_folder() -> None:
    tags = {"10_cat": {"cat": 12, "sofa ": 3, "odd": "x", "huge": 1e400}, "broken": 5}
    assert dict(readable({"ss_tag_frequency": json.dumps(tags)})) == {"ss_tag_frequency": "10_cat: cat 12, sofa 3"}


def test_times_thumbnails_and_long_texts_are_told_in_short() -> None:
    found = dict(
        readable({
            "ss_training_started_at": "1680716471.5", "ss_training_finished_at": "never",
            "modelspec.thumbnail": "data:image/png;base64," + "A" * 9000, "workflow": "x" * 5000,
        })
    )  # fmt: skip
    assert found["ss_training_started_at"] == "2023-04-05 17:41 UTC"
    assert found["ss_training_finished_at"] == "never"
    assert found["modelspec.thumbnail"].startswith("data:image/png;base64, 9,022")
    assert len(found["workflow"]) < LONGEST_SHOWN + 80


def test_modelspec_comes_first() -> None:
    assert [key for key, _ in readable({"zz": "", "ss_a": "", "modelspec.title": ""})] == [
        "modelspec.title",
        "ss_a",
        "zz",
    ]


@given(st.dictionaries(st.sampled_from(["ss_tag_frequency", "ss_training_started_at", "prompt", "x"]), st.text()))
def test_nothing_raises(metadata: dict[str, str]) -> None:
    assert len(readable(metadata)) == len(metadata)


def test_numbers_beyond_every_calendar_stay_as_they_are() -> None:
    for text in ("nan", "inf", "1e300", "-5"):
        assert readable({"ss_training_started_at": text}) == [("ss_training_started_at", text)]


def test_a_document_holds_no_more_metadata_than_a_trainer_would_write() -> None:
    small = {"a": "1", "b": "x" * 1000}
    assert within(small) == (small, "")
    kept, cut = within({str(n): "x" * (6 << 20) for n in range(6)} | {"k" * 5000: "v"})
    assert sum(map(len, kept.values())) <= MOST_TOGETHER
    assert max(map(len, kept.values())) == MOST_OF_ONE
    assert max(map(len, kept)) < 2000
    assert "left out" in cut
