"""The prompt matrix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.diffusion.prompt.matrix import MOST_PARTS, matrix, split_matrix
from sdkeep.ground.errors import UsageError

PART = st.text("ab c,", max_size=8)


def test_every_choice_of_the_parts_is_made_in_automatic1111s_order() -> None:
    found = [one.prompt for one in matrix("a castle | at night| in snow,")]
    assert found == ["a castle ", "a castle , at night", "a castle , in snow", "a castle , at night, in snow"]
    assert [one.chosen for one in matrix("a|b|c")] == [(), ("b",), ("c",), ("b", "c")]


def test_choices_can_come_first_and_without_a_comma() -> None:
    assert [one.prompt for one in matrix("a|b|c", at_start=True, separator=" ")] == ["a", "b a", "c a", "b c a"]


def test_bars_in_brackets_are_no_choices() -> None:
    assert split_matrix(r"a [b|c]|{d|e} \| (f|g:1.2)") == ("a [b|c]", r"{d|e} \| (f|g:1.2)")


def test_too_many_choices_are_refused() -> None:
    with pytest.raises(UsageError):
        matrix("|" * (MOST_PARTS + 1))


@given(st.lists(PART, min_size=1, max_size=5))
def test_there_are_two_to_the_n_and_each_begins_with_the_first_part(parts: list[str]) -> None:
    found = matrix("|".join(parts))
    assert len(found) == 2 ** (len(parts) - 1)
    assert all(one.prompt.startswith(parts[0]) for one in found)
    assert {len(one.chosen) for one in found} == set(range(len(parts)))
