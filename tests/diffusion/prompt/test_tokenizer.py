"""The tokenizer beside CLIP's own and beside an independent one in Rust."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.diffusion.prompt.tokenizer import END, START, clean, decode, encode
from tests.makers.oracles import clip_tokenizer

pytest.importorskip("ftfy")

HAND = [
    "a photo of a castle, (sunset:1.2)",
    "",
    "   spaces \t and\nlines  ",
    "it's they'll I'D we've",
    "1234 5,6 7.8e9",
    "naïve café Über straße İstanbul",
    "日本語のプロンプト 漢字",
    "العربية עברית",
    "👩‍👩‍👧‍👦 🏳️‍🌈 emoji!!!",
    "&lt;b&gt;bold&lt;/b&gt; &amp;amp; &#39;",
    "âœ” mojibake Ã©",
    "“curly” ‘quotes’ – dashes — …",
    "ﬁne ﬂow ligature ＦＵＬＬ ｗｉｄｔｈ",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "<|startoftext|>typed<|endoftext|>",
    "under_score-hyphen/slash\\back [brackets] {braces}",
    "\x00\x07 control \u200b zero width",
    "a" * 500,
]


@pytest.mark.parametrize("text", HAND)
def test_ids_are_those_of_clip(text):
    assert encode(text) == clip_tokenizer().encode(text)


@given(text=st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_gets_the_ids_of_clip(text):
    assert encode(text) == clip_tokenizer().encode(text)


def test_an_independent_tokenizer_agrees_on_cleaned_text():
    other = pytest.importorskip("instant_clip_tokenizer").Tokenizer()
    for text in HAND:
        if "<|" not in text:
            assert encode(text) == other.encode(clean(text))


def test_decoding_gives_the_words_back():
    assert decode(encode("a photo of a seven")).strip() == "a photo of a seven"
    assert decode(encode("日本語")).strip() == "日本語"


def test_marks_typed_by_hand_are_marks():
    assert encode("<|startoftext|>") == [START]
    assert encode("<|EndOfText|>") == [END]
