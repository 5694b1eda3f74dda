from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.text import one_line, plain, printable, slug


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x1b]8;;https://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x9b2Jclear", "clear"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u200bb\u2066c", "abc"),
        ("麦橘写实 majicMIX", "麦橘写实 majicMIX"),
        ("👩\u200d🎨", "👩\u200d🎨"),
        ("line\nnext\ttab\rgone\x00", "line\nnext\ttabgone"),
        ("\ud800lone", "lone"),
    ],
)
def test_outside_text_loses_what_could_fool_a_terminal(raw: str, safe: str) -> None:
    assert printable(raw) == safe


@given(st.text())
def test_nothing_printable_lets_through_can_move_the_cursor(text: str) -> None:
    left = set(printable(text)) - {"\n", "\t", "\u200d"}
    assert not [c for c in left if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"}]
    assert "\n" not in one_line(text)


def test_a_line_is_cut_with_an_ellipsis() -> None:
    assert one_line("a  b\n c", 10) == "a b c"
    assert one_line("abcdefghij", 5) == "abcd…"


def test_descriptions_keep_words_and_paragraphs_only() -> None:
    html = "<p>Best <b>model</b> &amp; more</p><p>Second<br/>line</p><script>x</script>"
    assert plain(html) == "Best model & more\nSecond\nline\nx"


def test_a_slug_can_be_typed() -> None:
    assert slug("DreamShaper XL — v2.1 (Turbo)") == "dreamshaper-xl-v2-1-turbo"
    assert slug("麦橘") == ""
