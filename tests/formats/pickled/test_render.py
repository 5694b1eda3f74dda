"""Values as text: short, escaped, finite."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.render import quiet_name, render
from sdkeep.formats.pickled.values import CallNode, DictNode, GlobalNode, ListNode, SetNode, TupleNode, Value
from tests.makers.pickles import assemble


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (7, "7"),
        (1.5, "1.5"),
        ("a", "'a'"),
        (b"\0", "b'\\x00'"),
        (TupleNode((1,)), "(1,)"),
        (TupleNode(), "()"),
        (ListNode([1, "b"]), "[1, 'b']"),
        (DictNode([("k", 1)]), "{'k': 1}"),
        (SetNode([1]), "{1}"),
        (SetNode([1], frozen=True), "frozenset({1})"),
        (GlobalNode("os", "system", 0), "os.system"),
        (CallNode(GlobalNode("os", "system", 0), TupleNode(("id",)), None, "REDUCE", 0), "os.system('id')"),
        (CallNode(GlobalNode("os", "system", 0), "id", None, "REDUCE", 0), "os.system(*'id')"),
        (1 << 5000, "<integer of 5,001 bits>"),
    ],
)
def test_values_read_like_python(value: Value, text: str) -> None:
    assert render(value) == text


def test_unknown_and_persistent_values_say_what_they_are() -> None:
    assert render(read_pickle(assemble().ext1(7).stop()).root) == "<extension code 7>"
    assert render(read_pickle(assemble().string("k").binpersid().stop()).root) == "<persistent 'k'>"


def test_long_text_is_cut() -> None:
    assert render("x" * 10_000, 50) == "'" + "x" * 48 + "…"
    assert len(render(ListNode(["y" * 1000] * 1000), 80)) == 80


def test_a_value_that_holds_itself_ends() -> None:
    cyclic = ListNode()
    cyclic.items.append(cyclic)
    assert render(cyclic) == "[[[[[[…]]]]]]"


def test_a_doubling_bomb_is_cut_early() -> None:
    bomb: Value = ListNode()
    for _ in range(100):
        bomb = ListNode([bomb] * 10)
    assert len(render(bomb)) <= 200


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "a\u202eb", " x", "", "\ud800"])
def test_names_that_could_fool_a_terminal_are_escaped(name: str) -> None:
    assert quiet_name(name) == ascii(name)


@given(st.text(st.characters(exclude_categories=[])))
def test_what_is_rendered_is_printable(text: str) -> None:
    for value in (text, GlobalNode(text, text, 0), DictNode([(text, text)])):
        assert render(value).isprintable()
