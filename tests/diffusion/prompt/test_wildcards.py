"""Prompts drawn by lot: alternatives and wildcards."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.diffusion.prompt.wildcards import drawn, has_choices, lines_of
from sdkeep.ground.errors import NotFoundHere, UsageError

FILES = {
    "colours": ["red", "green", "blue"],
    "colours-warm": ["orange"],
    "clothes/hat": ["a __colours__ hat"],
    "clothes/winter/coat": ["a {long|short} coat"],
    "round": ["__round__"],
    "ping": ["__pong__"],
    "pong": ["__ping__ {a|b}"],
    "bomb": ["{5$$__bomb2__|__bomb2__|__bomb2__|__bomb2__|__bomb2__}"],
    "bomb2": ["{5$$__bomb__|__bomb__|__bomb__|__bomb__|__bomb__}"],
    "empty": [],
}


def every(prompt: str, seeds: int = 300) -> Counter[str]:
    return Counter(drawn(prompt, FILES, seed) for seed in range(seeds))


@pytest.mark.parametrize(
    ("prompt", "possible"),
    [
        ("a {red|green} hat", {"a red hat", "a green hat"}),
        ("{a|{b|c}d}", {"a", "bd", "cd"}),
        ("{2$$a|b|c}", {"a, b", "b, a", "a, c", "c, a", "b, c", "c, b"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$-$$a|b}", {"a", "b", "a-b", "b-a"}),
        ("{-2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{1-$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{9$$a|b}", {"a, b", "b, a"}),
        ("{0$$a|b}x", {"x"}),
        ("{a||b}", {"a", "", "b"}),
        ("{alone}", {"alone"}),
        ("{0::a|b}", {"b"}),
        ("__colours__", {"red", "green", "blue"}),
        ("__colours*__", {"red", "green", "blue", "orange"}),
        ("__clothes/hat__", {"a red hat", "a green hat", "a blue hat"}),
        ("__clothes/*__", {"a red hat", "a green hat", "a blue hat"}),
        ("__clothes/**__", {"a red hat", "a green hat", "a blue hat", "a long coat", "a short coat"}),
        ("{2$$__colours__}", {f"{a}, {b}" for a in FILES["colours"] for b in FILES["colours"] if a != b}),
        ("(x:1.2) [a|b] [c:d:0.5]", {"(x:1.2) [a|b] [c:d:0.5]"}),
        ("{[a|b]|c}", {"[a|b]", "c"}),
        (r"\{a|b\} } {", {r"\{a|b\} } {"}),
        ("snake_case a_b __ ____ x", {"snake_case a_b __ ____ x"}),
        ("<lora:my__style__x:1>", None),
    ],
)
def test_what_can_come_of_a_prompt(prompt: str, possible: set[str] | None) -> None:
    if possible is None:
        with pytest.raises(NotFoundHere):
            drawn(prompt, FILES, 0)
    else:
        assert set(every(prompt)) == possible


def test_weights_are_relative() -> None:
    found = every("{3::a|b}", 2000)
    assert 2.4 < found["a"] / found["b"] < 3.8


def test_the_same_seed_draws_the_same_on_every_machine() -> None:
    prompt = "{a|b|c} {2$$1|2|3|4} __colours__"
    assert [drawn(prompt, FILES, seed) for seed in (0, 1, 2**63)] == GOLDEN


GOLDEN = ["c 4, 2 red", "a 4, 3 red", "b 4, 1 blue"]


@given(st.text("{}|$_a1:-\\ ", max_size=40), st.integers(0, 2**32))
def test_no_text_breaks_it_and_the_seed_decides(prompt: str, seed: int) -> None:
    try:
        first = drawn(prompt, {"a": ["x", "{y|z}"]}, seed)
    except (NotFoundHere, UsageError):
        return
    assert drawn(prompt, {"a": ["x", "{y|z}"]}, seed) == first


@given(st.text(st.characters(exclude_characters="{}_\\"), max_size=60))
def test_what_holds_no_choice_stays(prompt: str) -> None:
    assert drawn(prompt, {}, 3) == prompt
    assert not has_choices(prompt)


@pytest.mark.parametrize("name", ["round", "ping", "bomb"])
def test_files_that_name_each_other_in_a_circle_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="never end"):
        drawn(f"__{name}__", FILES, 1)


def test_deep_braces_are_refused() -> None:
    with pytest.raises(UsageError, match="never end"):
        drawn("{" * 3000 + "a" + "}" * 3000, {}, 0)


def test_a_wildcard_of_no_file_is_refused_with_the_nearest() -> None:
    with pytest.raises(NotFoundHere) as caught:
        drawn("__color__", FILES, 0)
    assert "`__colours__`" in caught.value.why
    with pytest.raises(NotFoundHere, match="nothing to draw"):
        drawn("__empty__", FILES, 0)


def test_comments_and_blank_lines_of_a_file_are_no_choices() -> None:
    assert lines_of("\ufeff# colours\nred\n\n  green  # leaves\n#blue\n#fff code\nc#\n") == ("red", "green", "c#")
