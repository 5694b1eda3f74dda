"""The same pictures read by sd-parsers, where that is right, and the traps where it is not."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.values import Parameters
from tests.makers.pictures import comment, international, jpeg, png, seen, told

sd_parsers = pytest.importorskip("sd_parsers", reason="sd-parsers is not installed")

_WORDS = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=12)
_PLAIN = st.lists(_WORDS, min_size=1, max_size=5).map(" ".join)


def theirs(data: bytes) -> sd_parsers.PromptInfo:
    return sd_parsers.ParserManager().parse(io.BytesIO(data))


def agree(found: Parameters, data: bytes) -> None:
    """Ours is one of the samplers that the other reader lists, and names the models that it found for it."""
    info = theirs(data)
    assert info is not None
    same = [sampler for sampler in info.samplers if str(sampler.parameters.get("seed", found.seed)) == str(found.seed)]
    assert found.sampler in [sampler.name for sampler in same]
    assert str(found.steps) in [str(sampler.parameters.get("steps", found.steps)) for sampler in same]
    for sampler in same:
        if sampler.model is not None and isinstance(sampler.model.name, str):  # it takes links for names
            assert sampler.model.name in [need.name for need in found.needs]


@given(_PLAIN, _PLAIN, _PLAIN, st.integers(0, 2**32), st.integers(1, 150))
def test_plain_infotexts_are_read_alike(prompt: str, negative: str, model: str, seed: int, steps: int) -> None:
    text = f"{prompt}\nNegative prompt: {negative}\nSteps: {steps}, Sampler: Euler a, Seed: {seed}, Model: {model}"
    data = png(international("parameters", text))
    info, found = theirs(data), told(data)
    assert (found.prompt, found.negative) == (
        info.samplers[0].prompts[0].value,
        info.samplers[0].negative_prompts[0].value,
    )
    agree(found, data)


@pytest.mark.corpus
@pytest.mark.parametrize("folder", ["images", "infotext/raw"])
def test_real_pictures_are_read_alike(corpus: Path, folder: str) -> None:
    compared = 0
    for path in sorted((corpus / folder).iterdir()):
        data = path.read_bytes()
        if path.suffix not in (".png", ".jpg", ".jpeg", ".webp") or not data:
            continue
        try:
            info = theirs(data)
        except Exception:  # what it cannot read is no oracle
            continue
        found = read_parameters(seen(data))
        if info is None or found is None:
            continue
        agree(found, data)
        compared += 1
    assert compared >= 10


BASE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"


def test_a_quoted_value_is_kept_which_splitting_at_commas_loses() -> None:
    data = png(international("parameters", f'a\n{BASE}, Lora hashes: "x: 60129e9d06ab, y: ccfe5cfff7"'))
    assert [need.name for need in told(data).needs] == ["x", "y"]
    assert "Lora hashes" not in theirs(data).metadata


def test_a_value_with_a_colon_is_kept_which_splitting_at_colons_loses() -> None:
    data = png(international("parameters", f"a\n{BASE}, Created Date: 2026-01-04T01:27:21Z"))
    assert told(data).settings["Created Date"] == "2026-01-04T01:27:21Z"
    assert "Created Date" not in theirs(data).metadata


def test_negative_prompt_inside_a_sentence_is_kept_which_splitting_at_the_words_cuts() -> None:
    data = png(international("parameters", f"a sign reading Negative prompt: x\n{BASE}"))
    assert told(data).prompt == "a sign reading Negative prompt: x"
    assert theirs(data).samplers[0].prompts[0].value == "a sign reading"


def test_little_endian_comments_are_read_which_a_fixed_byte_order_garbles() -> None:
    data = jpeg((0xE1, b"Exif\0\0" + comment(b"UNICODE\0" + f"a\n{BASE}".encode("utf-16-le"))))
    assert told(data).prompt == "a"
    assert theirs(data) is None
