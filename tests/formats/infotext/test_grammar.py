"""AUTOMATIC1111's infotext taken apart, checked against a plain statement of that program's own reader."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.infotext.grammar import LONGEST, pairs, split
from sdkeep.formats.infotext.webui import read_webui
from sdkeep.formats.infotext.writing import format_a1111, quote

_PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def reference(text: str) -> tuple[str, str, dict[str, str]]:
    """What the WebUI reads: its regular expression and its rules, without the defaults that it adds."""
    *lines, last = text.strip().split("\n")
    if len(_PARAM.findall(last)) < 3:
        lines, last = [*lines, last], ""
    parts = {False: "", True: ""}
    negative = False
    for line in lines:
        line = line.strip()
        if line.startswith("Negative prompt:"):
            negative, line = True, line[16:].strip()
        parts[negative] += ("\n" if parts[negative] else "") + line
    found = {}
    for key, value in _PARAM.findall(last):
        if value and value[0] == value[-1] == '"':
            try:
                value = json.loads(value)
            except ValueError:
                pass
        found[key] = value
    return parts[False], parts[True], found


def ours(text: str) -> tuple[str, str, dict[str, str]]:
    found = split(text)
    return found.prompt, found.negative, {pair.key: pair.value for pair in found.pairs}


def test_the_three_parts_are_told_apart() -> None:
    found = split("a cat,\nsitting\nNegative prompt: a dog\nblurry\nSteps: 20, Sampler: Euler a, CFG scale: 7")
    assert (found.prompt, found.negative) == ("a cat,\nsitting", "a dog\nblurry")
    assert [(pair.key, pair.value) for pair in found.pairs] == [
        ("Steps", "20"), ("Sampler", "Euler a"), ("CFG scale", "7"),
    ]  # fmt: skip


def test_pairs_know_where_they_stand() -> None:
    text = '  a cat\nSteps: 20, Sampler: Euler a, Lora hashes: "x: 60129e9d06ab", Version: v1.9.4\n'
    found = split(text)
    spelt = [text[pair.start : pair.end] for pair in found.pairs]
    assert spelt == ["Steps: 20", "Sampler: Euler a", 'Lora hashes: "x: 60129e9d06ab"', "Version: v1.9.4"]
    assert text[found.settings_at :].startswith("Steps")


def test_fewer_than_three_pairs_are_prompt() -> None:
    found = split("a photo: two, cats: three")
    assert (found.prompt, found.pairs) == ("a photo: two, cats: three", ())


def test_quoted_values_may_hold_anything() -> None:
    value = 'he said: "no, never"\nand a back\\slash'
    found = split(f"x\nSteps: 1, Sampler: a, Template: {json.dumps(value)}, Seed: 2")
    assert found.pairs[2].value == value
    assert found.pairs[3].value == "2"


def test_json_without_quotes_is_one_value() -> None:
    resources = '[{"type":"lora","modelName":"a [b] {c}, Seed: 9","deep":[[1],{"x":[2]}]}]'
    line = f"Steps: 1, Sampler: a, Civitai resources: {resources}, Civitai metadata: {{}}, Seed: 2"
    assert [(pair.key, pair.value) for pair in pairs(line)] == [
        ("Steps", "1"), ("Sampler", "a"), ("Civitai resources", resources), ("Civitai metadata", "{}"), ("Seed", "2"),
    ]  # fmt: skip


def test_nan_inside_json_is_read_over() -> None:
    assert pairs('Steps: 1, Civitai metadata: {"a": NaN, "b": [Infinity]}, Seed: 2')[2].value == "2"


def test_json_that_is_cut_off_does_not_take_the_rest_along() -> None:
    found = {pair.key: pair.value for pair in pairs('Steps: 1, Hashes: {"model": "ab, Seed: 2, Version: v1')}
    assert (found["Steps"], found["Seed"], found["Version"]) == ("1", "2", "v1")


def test_json_inside_a_quoted_value_stays_inside() -> None:
    found = {pair.key: pair.value for pair in pairs('Steps: 1, Template: "x, Hashes: {\\"model\\": \\"a\\"}", Seed: 2')}
    assert list(found) == ["Steps", "Template", "Seed"]


def test_a_date_keeps_its_colons() -> None:
    assert pairs("Created Date: 2026-01-04T01:27:21.27Z, Seed: 1")[0].value == "2026-01-04T01:27:21.27Z"


def test_negative_prompt_inside_a_line_is_part_of_the_prompt() -> None:
    found = split("a sign that reads Negative prompt: nothing\nSteps: 1, Sampler: a, Seed: 2")
    assert (found.prompt, found.negative) == ("a sign that reads Negative prompt: nothing", "")


def test_everything_on_one_line_is_told_apart() -> None:
    found = split("Negative space, fog Negative prompt: dull Steps: 23, Sampler: Euler, Seed: 1")
    assert (found.prompt, found.negative) == ("Negative space, fog", "dull")
    assert [pair.key for pair in found.pairs] == ["Steps", "Sampler", "Seed"]


def test_settings_that_do_not_begin_with_steps_are_settings() -> None:
    found = split("a cat\nSize: 1x1, Sampler: a, Steps: 3, Seed: 2, CFG scale: 1")
    assert (found.prompt, len(found.pairs)) == ("a cat", 5)


def test_templates_after_the_settings_do_not_hide_them() -> None:
    text = "a cat\nSteps: 1, Sampler: a, Seed: 2\nTemplate: a {cat|dog}, x: y, z w: v, u t: s\nNegative Template: n"
    found = split(text)
    assert found.prompt == "a cat"
    assert {pair.key: pair.value for pair in found.pairs}["Template"] == "a {cat|dog}, x: y, z w: v, u t: s"
    assert found.pairs[-1].value == "n"


def test_a_prompt_that_quotes_settings_does_not_replace_them() -> None:
    found = split("Steps: 9, Sampler: z, Seed: 9\nSteps: 1, Sampler: a, Seed: 2")
    assert (found.prompt, found.pairs[0].value) == ("Steps: 9, Sampler: z, Seed: 9", "1")


def test_windows_line_ends_are_line_ends() -> None:
    assert ours("a\r\nb\r\nNegative prompt: c\r\nSteps: 1, Sampler: a, Seed: 2\r\n")[:2] == ("a\nb", "c")


@pytest.mark.parametrize(
    "line",
    [
        "a" * 200_000,
        "a b" * 100_000,
        "ab: " * 50_000,
        'ab: "' * 50_000,
        'ab: {"' * 50_000,
        "ab: [" * 50_000,
        "ab: [" + "[" * 100_000,
        'ab: ["ab: [", ' * 20_000,
        "Steps: 1, " * 30_000,
        "Steps: 1\n" * 30_000,
        '"\\' * 100_000,
    ],
    ids=["word", "words", "keys", "quotes", "objects", "lists", "deep", "strings", "steps", "lines", "escapes"],
)
def test_text_made_to_take_long_does_not(line: str) -> None:
    begin = time.perf_counter()
    read_webui("x\nSteps: 1, Sampler: a, Seed: 2, " + line, "parameters")
    read_webui(line, "parameters")
    assert time.perf_counter() - begin < 5


def test_a_text_too_long_to_be_an_infotext_is_none() -> None:
    assert read_webui("a" * (LONGEST + 1), "parameters") is None


_PIECES = st.sampled_from(
    ["Steps: 20", "Sampler: Euler a", "CFG scale: 7", "Size: 512x512", 'Lora hashes: "a b: 12, c: 34"', "Model: x-y/z",
     'A: "b', "Negative prompt: n", "cat", "- odd key: v", "k k: ", ' "quoted"', "émile è: 1", "a: b: c: d", "\t", "x"]
)  # fmt: skip


@given(st.lists(st.tuples(_PIECES, st.sampled_from([", ", ",", "\n", " "])), max_size=12))
def test_the_webui_reads_the_same(pieces: list[tuple[str, str]]) -> None:
    text = "".join(piece + joint for piece, joint in pieces)
    lines = text.strip().split("\n")
    led = [line.strip().startswith("Steps: ") for line in lines]
    if "Steps: " in lines[-1] and not led[-1]:
        return  # settings on the prompt's line, which the WebUI cannot read
    if any(led[:-1]):
        return  # lines after the settings, likewise
    assert ours(text) == reference(text)


_KEYS = st.from_regex(r"[A-Za-z0-9_é][A-Za-z0-9_ /-]{1,12}", fullmatch=True)
_VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_PROMPTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=30), max_size=4)


def _normal(lines: list[str]) -> str:
    """A prompt as any reader hands it back: lines stripped, none at the front empty."""
    kept = [line.strip() for line in lines]
    while kept and not kept[0]:
        kept.pop(0)
    return "\n".join(kept)


@given(_PROMPTS, _PROMPTS, st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_what_is_written_is_read_back_here_and_by_the_webui(
    prompt: list[str], negative: list[str], settings: dict[str, str]
) -> None:
    marks = ("Negative prompt:", "Steps: ")
    if any(line.strip().startswith(marks) for line in prompt + negative):
        return  # the format has no way to say these
    before, after = _normal(prompt), _normal(negative)
    whole = {"Steps": "20", "Sampler": "Euler a", "Seed": "7", **settings}
    text = format_a1111(before, after, whole)
    read = ours(text)
    assert (read[0].rstrip("\n"), read[1].rstrip("\n")) == (before.rstrip("\n"), after.rstrip("\n"))
    assert read[2] == whole
    assert reference(text)[2] == whole


def test_values_are_quoted_only_where_they_must_be() -> None:
    assert quote("Euler a") == "Euler a"
    assert quote("") == '""'
    assert quote("a, b") == '"a, b"'
    assert quote(" a") == '" a"'
    assert quote('"a"') == '"\\"a\\""'
    assert quote("テスト") == "テスト"


def test_hashes_and_resources_are_written_last_and_bare_as_civitai_reads_them() -> None:
    settings = {"Steps": "1", "Hashes": '{"model": "c0d1994c73"}', "Seed": "2", "Civitai resources": "[broken"}
    text = format_a1111("p", "", settings)
    assert text == 'p\nSteps: 1, Seed: 2, Civitai resources: [broken, Hashes: {"model": "c0d1994c73"}'
    assert ours(text)[2] == settings
