from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdkeep.store.names import LONGEST, safe_extension, safe_name, safe_stem, split_name, stem_key

RESERVED = ["CON", "nul", "Aux", "COM1", "lpt9", "COM¹", "CON.v1", "nul .x", "con.", "CLOCK$", "PRN. .a"]


@given(st.text())
@example("../../etc/passwd")
@example("..\\..\\x")
@example("C:\\x")
@example("\u202egnp.exe")
@example(" . . ")
@example("é" * 300)
@example("e\u0301" * 300)
@example("a" * 199 + " b")
@example("\ud800")
def test_a_name_never_leaves_its_folder_and_is_valid_everywhere(text: str) -> None:
    stem = safe_stem(text)
    assert (Path("/folder") / stem).resolve().parent == Path("/folder")
    assert stem == stem.strip(" .")
    assert not set(stem) & set('<>:"/\\|?*')
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in stem)
    assert 0 < len(stem.encode()) <= LONGEST
    assert unicodedata.is_normalized("NFC", stem)


@given(st.text() | st.sampled_from(RESERVED) | st.text(alphabet=" ._-conCON1\u0301<>:/\u200d"))
def test_a_safe_stem_is_left_as_it_is(text: str) -> None:
    once = safe_stem(text)
    assert safe_stem(once) == once


@pytest.mark.parametrize("name", RESERVED)
def test_a_name_that_windows_keeps_for_itself_is_changed(name: str) -> None:
    first = safe_stem(name).split(".")[0].rstrip().upper()
    assert first not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9", "COM¹", "CLOCK$"}


@pytest.mark.parametrize(
    "published",
    [
        "realisticVisionV60B1_v51HyperVAE",
        "add detail (v1.5)",
        "日本語 LoRA",
        "a,b & c's [x]",
        "easynegative",
        "v1.5-pruned",
        "COMET",
    ],
)
def test_a_harmless_stem_stays_as_published(published: str) -> None:
    assert safe_stem(published) == published


@pytest.mark.parametrize(
    "text, stem",
    [
        ("a/b", "a_b"),
        ("style: ink", "style_ ink"),
        ("  spaced   out  ", "spaced out"),
        (".hidden", "hidden"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_what_must_change_changes_as_little_as_possible(text: str, stem: str) -> None:
    assert safe_stem(text) == stem


@given(st.text(), st.text(max_size=20))
def test_a_whole_name_keeps_within_its_bytes(stem: str, extension: str) -> None:
    assert len(safe_name(stem, extension).encode()) <= LONGEST


@pytest.mark.parametrize(
    "text, extension",
    [(".SafeTensors", ".safetensors"), ("pt", ".pt"), ("", ""), ("../x", ""), (".a b", ""), ("." + "x" * 17, "")],
)
def test_an_extension_is_a_dot_and_a_few_letters(text: str, extension: str) -> None:
    assert safe_extension(text) == extension


@pytest.mark.parametrize(
    "name, parts",
    [
        ("a.b.safetensors", ("a.b", ".safetensors")),
        ("model_v1.5", ("model_v1.5", "")),
        ("x/y\\z.PT", ("z", ".pt")),
        (".safetensors", (".safetensors", "")),
        ("plain", ("plain", "")),
    ],
)
def test_a_published_name_is_a_stem_and_an_extension(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


def test_stems_that_a_disk_confuses_have_one_key() -> None:
    assert stem_key("Éclair") == stem_key("e\u0301CLAIR")
    assert stem_key("STRASSE") == stem_key("straße")
    assert stem_key("a") != stem_key("b")
