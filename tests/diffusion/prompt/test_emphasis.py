"""Emphasis beside AUTOMATIC1111's examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.diffusion.prompt.emphasis import parse_emphasis

EXAMPLES = {
    "normal text": [("normal text", 1.0)],
    "an (important) word": [("an ", 1.0), ("important", 1.1), (" word", 1.0)],
    "(unbalanced": [("unbalanced", 1.1)],
    "\\(literal\\]": [("(literal]", 1.0)],
    "(unnecessary)(parens)": [("unnecessaryparens", 1.1)],
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).": [
        ("a ", 1.0),
        ("house", 1.5730000000000004),
        (" ", 1.1),
        ("on", 1.0),
        (" a ", 1.1),
        ("hill", 0.55),
        (", sun, ", 1.1),
        ("sky", 1.4641000000000006),
        (".", 1.1),
    ],
    "": [("", 1.0)],
    "[less]": [("less", 1 / 1.1)],
    "(x:-0.5)": [("x", -0.5)],
    "(a: 1.5 )": [("a", 1.5)],
    "not: a weight:1.2": [("not: a weight:1.2", 1.0)],
    "a) b] c": [("a) b] c", 1.0)],
    "back\\slash": [("backslash", 1.0)],
}


def pairs(prompt):
    return [(part.text, part.weight) for part in parse_emphasis(prompt)]


@pytest.mark.parametrize("prompt", EXAMPLES)
def test_the_published_examples_and_more(prompt):
    expected = EXAMPLES[prompt]
    assert [text for text, _ in pairs(prompt)] == [text for text, _ in expected]
    assert [weight for _, weight in pairs(prompt)] == pytest.approx([weight for _, weight in expected])


def test_break_stands_alone_and_outside_of_weights():
    parts = parse_emphasis("one BREAK two, BREAKFAST")
    assert [(part.text, part.is_break) for part in parts] == [("one", False), ("", True), ("two, BREAKFAST", False)]


@given(st.text(max_size=60))
def test_any_text_is_read_and_unbracketed_text_is_kept(prompt):
    parts = parse_emphasis(prompt)
    assert parts
    if not set("()[]\\:") & set(prompt) and "BREAK" not in prompt:
        assert pairs(prompt) == [(prompt, 1.0)]


@given(st.lists(st.sampled_from(["(", ")", "[", "]", "a", ":1.5)", ":.5)", ":x)", "\\(", ":", ":1.2.3)"]), max_size=20))
def test_weights_stay_finite_numbers(pieces):
    for _, weight in pairs("".join(pieces)):
        assert 0 <= weight < 1e12
