"""Scheduled prompts beside AUTOMATIC1111's examples and its grammar."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sdkeep.diffusion.prompt.schedule import Steps, schedule

EXAMPLES = {
    "test": [(10, "test")],
    "a [b:3]": [(3, "a "), (10, "a b")],
    "a [b: 3]": [(3, "a "), (10, "a b")],
    "a [[[b]]:2]": [(2, "a "), (10, "a [[b]]")],
    "[(a:2):3]": [(3, ""), (10, "(a:2)")],
    "a [b : c : 1] d": [(1, "a b  d"), (10, "a  c  d")],
    "a[b:[c:d:2]:1]e": [(1, "abe"), (2, "ace"), (10, "ade")],
    "a [unbalanced": [(10, "a [unbalanced")],
    "a [b:.5] c": [(5, "a  c"), (10, "a b c")],
    "a [{b|d{:.5] c": [(5, "a  c"), (10, "a {b|d{ c")],
    "((a][:b:c [d:3]": [(3, "((a][:b:c "), (10, "((a][:b:c d")],
    "[fe|]male": [(step, "female" if step % 2 else "male") for step in range(1, 11)],
    "[fe|||]male": [(step, "female" if step % 4 == 1 else "male") for step in range(1, 11)],
    "[a|(b:1.1)]": [(step, "a" if step % 2 else "(b:1.1)") for step in range(1, 11)],
}


def stretches(prompt, count=10, before=0):
    return [(one.until, one.text) for one in schedule(prompt, Steps(count, before))]


@pytest.mark.parametrize("prompt", [one for one in EXAMPLES if "{b|d{" not in one])
def test_the_published_examples(prompt):
    assert stretches(prompt) == EXAMPLES[prompt]


def test_a_second_pass_counts_shares_from_one_and_steps_after_the_first():
    assert stretches("a [b:.5] c", 10, 10) == [(10, "a b c")]
    assert stretches("a [b:1.5] c", 10, 10) == [(5, "a  c"), (10, "a b c")]
    assert stretches("a [b:13] c", 10, 10) == [(3, "a  c"), (10, "a b c")]


WORDS = st.sampled_from(
    ["a", "b c", " ", "[", "]", "(", ")", ":", "|", "3", ".5", "1.0", "-2", "\\(", "\\", "x:1.2", "1e1"]
)


@given(pieces=st.lists(WORDS, max_size=14), before=st.sampled_from([0, 10]))
@example(["[", "a", ":", "[", "b", ":", "3", "]"], 0)
@example(["(", "a", ":", "[", "b", ":", "3", "]"], 0)
@example(["[", "a", "|", "b", ":", "3", "]"], 0)
@example(["[", ":", ":", "3", "]"], 0)
@settings(deadline=None, max_examples=400)
def test_any_prompt_reads_as_by_the_grammar(pieces, before):
    lark = pytest.importorskip("lark")
    assert lark
    from tests.makers.a1111_prompts import schedule_by_grammar

    prompt = "".join(pieces)
    assert stretches(prompt, 10, before) == schedule_by_grammar(prompt, 10, before)


TEXTS = st.sampled_from(["a", "b c", " ", "", "\\(", "x, y"])
WHENS = st.sampled_from(["3", ".5", "1.0", " 2 ", "0", "1.7", "99"])


def _nested(inner):
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        inner.map("({})".format),
        inner.map("[{}]".format),
        st.builds("({}:1.3)".format, inner),
        st.builds("[{}:{}]".format, inner, WHENS),
        st.builds("[{}:{}:{}]".format, inner, inner, WHENS),
        st.lists(inner, min_size=2, max_size=3).map(lambda several: f"[{'|'.join(several)}]"),
    )


@given(prompt=st.recursive(TEXTS, _nested, max_leaves=8), before=st.sampled_from([0, 10]))
@settings(deadline=None, max_examples=300)
def test_constructs_in_constructs_read_as_by_the_grammar(prompt, before):
    from tests.makers.a1111_prompts import schedule_by_grammar

    assert stretches(prompt, 10, before) == schedule_by_grammar(prompt, 10, before)


@given(prompt=st.text(max_size=80))
@settings(deadline=None)
def test_any_text_is_read_without_a_crash_and_ends_with_the_last_step(prompt):
    assert stretches(prompt)[-1][0] == 10


def test_a_thousand_brackets_are_read_in_no_time():
    for prompt in ("[" * 5000, "(" * 5000 + ")" * 5000, "[a:" * 2000 + "]" * 2000, "[a|" * 2000):
        assert stretches(prompt)[-1][0] == 10


def test_numbers_beyond_reason_are_held():
    assert stretches("[a:1e999]") == [(10, "")]
    assert stretches("[a:-1e999]") == [(10, "a")]
