"""Hugging Face's vocabulary in ours, read from `words.toml` beside this file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

from sdkeep.ground.kinds import Family, Format, Kind

Rules = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Words:
    kind_tag: Rules
    kind_file: Rules
    kind_name: Rules
    family_name: Rules
    family_tag: Rules
    search_kind: dict[str, str]
    search_format: dict[str, str]
    search_sort: dict[str, str]
    search_base: dict[str, tuple[str, ...]]


def kind(tags: Sequence[str], names: Sequence[str], repo: str) -> Kind:
    """What a repository holds, judged by its tags, the files in it, at last by its name."""
    words = _words()
    text = repo.rpartition("/")[2].lower()
    found = _tagged(words.kind_tag, tags) or _matched(words.kind_file, names) or _matched(words.kind_name, [text])
    return Kind.of(found)


def family(repos: Iterable[str], tags: Sequence[str]) -> Family:
    """The architecture that the first telling name of `repos` implies, else the tags."""
    words = _words()
    for repo in repos:
        if found := _matched(words.family_name, [repo.lower()]):
            return Family.of(found)
    return Family.of(_tagged(words.family_tag, tags))


def tag_of_kind(kind: Kind) -> str:
    """The tag that repositories of this kind carry, empty when there is none."""
    return _words().search_kind.get(kind, "")


def tag_of_format(format: Format) -> str:
    """The tag that repositories with files of this format carry, empty when there is none."""
    return _words().search_format.get(format, "")


def sort_of(word: str) -> str | None:
    """The hub's name of a sort order, None for its own order and for words it does not know."""
    return _words().search_sort.get(re.sub(r"[\s_]+", "-", word.strip().lower()))


def bases_of(word: str) -> tuple[str, ...]:
    """The repositories behind the name of a base model: itself when it names one, none when unknown."""
    text = word.strip().removeprefix("hf:")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        return (text,)
    return _words().search_base.get(re.sub(r"[^a-z0-9]", "", text.lower()), ())


def _tagged(rules: Rules, tags: Sequence[str]) -> str:
    held = {tag.lower() for tag in tags}
    return next((target for target, words in rules if any(word.lower() in held for word in words)), "")


def _matched(rules: Rules, names: Sequence[str]) -> str:
    for target, patterns in rules:
        if any(fnmatchcase(name, pattern) for pattern in patterns for name in names):
            return target
    return ""


def _data(name: str) -> str:
    return files("sdkeep.hubs.huggingface").joinpath(name).read_text(encoding="utf-8")


@cache
def _words() -> _Words:
    data = tomllib.loads(_data("words.toml"))

    def rules(subject: str, by: str) -> Rules:
        return tuple((row[subject], tuple(row["words"])) for row in data[subject][by])

    search = data["search"]
    return _Words(
        kind_tag=rules("kind", "tag"),
        kind_file=rules("kind", "file"),
        kind_name=rules("kind", "name"),
        family_name=rules("family", "name"),
        family_tag=rules("family", "tag"),
        search_kind=search["kind"],
        search_format=search["format"],
        search_sort=search["sort"],
        search_base={name: tuple(repos) for name, repos in search["base"].items()},
    )
