"""AUTOMATIC1111's styles: read, written, put around prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.diffusion.prompt.styles import Style, merged, read_styles, styled, write_styles
from sdkeep.ground.errors import NotFoundHere, UsageError

FILE = (
    "\ufeff"
    + '''\
name,prompt,negative_prompt
Oil,"oil painting of {prompt}, thick paint",photo
"Night, dark",at night,
----- seasons -----,,
Winter, "in snow, cold","summer, ""heat"""
'''
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=40)
STYLES = st.dictionaries(TEXTS.map(str.strip).filter(lambda name: name and not name.startswith("-----")), TEXTS)


def test_a_file_is_read_as_automatic1111_reads_it() -> None:
    styles = read_styles(FILE)
    assert list(styles) == ["Oil", "Night, dark", "Winter"]
    assert styles["Oil"] == Style("Oil", "oil painting of {prompt}, thick paint", "photo")
    assert styles["Winter"].negative == 'summer, "heat"'


def test_a_style_has_the_prompt_at_its_place_or_stands_behind_it() -> None:
    styles = read_styles(FILE)
    both = styled("a castle", "blurry", ["Oil", "Night, dark"], styles)
    assert both == ("oil painting of a castle, thick paint, at night", "blurry, photo")
    assert styled("", "", ["Winter"], styles) == ("in snow, cold", 'summer, "heat"')


def test_the_old_form_with_a_text_column_is_read() -> None:
    assert read_styles("name,text\nOld,in sepia\n") == {"Old": Style("Old", "in sepia")}


def test_an_unknown_style_is_refused_with_the_nearest() -> None:
    with pytest.raises(NotFoundHere) as caught:
        styled("a", "", ["Wintr"], read_styles(FILE))
    assert caught.value.next == "`--style 'Winter'`"


def test_a_file_without_the_columns_is_refused() -> None:
    with pytest.raises(UsageError):
        read_styles("a,b\n1,2\n")
    assert read_styles("") == {}


@given(STYLES, TEXTS)
def test_what_is_written_is_read_again(prompts: dict[str, str], negative: str) -> None:
    styles = {name: Style(name, prompt.lstrip(" "), negative.lstrip(" ")) for name, prompt in prompts.items()}
    assert read_styles(write_styles(styles.values())) == styles


@given(TEXTS, TEXTS)
def test_a_prompt_is_never_lost(style: str, prompt: str) -> None:
    assert prompt.strip() in merged(style, prompt)
