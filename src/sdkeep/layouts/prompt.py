"""What a person pastes into a prompt to use a placed file, in the words of each WebUI."""

from __future__ import annotations

from collections.abc import Iterable

from sdkeep.ground.kinds import Kind
from sdkeep.ground.text import one_line
from sdkeep.layouts.values import Layout

_OPENING = "([{<"
_CLOSING = ")]}>"
_LONGEST = 400


def paste_line(
    layout: Layout, kind: Kind, stem: str, weight: float = 1.0, *, below: str = "", extension: str = ""
) -> str:
    """The text that calls the file: `<lora:name:0.8>`, `embedding:name`, or the name to pick from a list.

    `below` is the sub-folder, which some WebUIs want in front. Empty where the layout knows no form.
    """
    shelf = layout.shelves.get(kind)
    if shelf is None or not shelf.prompt:
        return ""
    path = f"{below}/{stem}" if below else stem
    return shelf.prompt.format(stem=stem, weight=f"{round(weight, 2):g}", path=path, file=path + extension)


def trigger_words(words: Iterable[str]) -> tuple[str, ...]:
    """Trigger words one by one, in order and once each: comma lists taken apart, calls of other models left out."""
    found: dict[str, str] = {}
    for text in words:
        for part in _split(one_line(text, _LONGEST)):
            word = part.strip(" \t,.;")
            if word and not (word.startswith("<") and word.endswith(">")):
                found.setdefault(word.casefold(), word)
    return tuple(found.values())


def _split(text: str) -> list[str]:
    """At the commas outside brackets, so that `(red, blue:1.2)` stays whole."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(0, depth - 1)
        elif character == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]
