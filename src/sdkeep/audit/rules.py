"""What each rule of a finding means, in words for people: read from rules.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sdkeep.audit.policy import fits


@dataclass(frozen=True, slots=True)
class RuleText:
    """A heading and what to do about it."""

    title: str
    help: str


@cache
def rule_text(rule: str) -> RuleText:
    """The words for a rule; every rule has some."""
    entries, fallback = _entries()
    return next((words for names, words in entries if fits(rule, names)), fallback)


@cache
def _entries() -> tuple[tuple[tuple[tuple[str, ...], RuleText], ...], RuleText]:
    data = tomllib.loads(files("sdkeep.audit").joinpath("rules.toml").read_text(encoding="utf-8"))
    entries = tuple((tuple(entry["names"]), RuleText(entry["title"], entry["help"])) for entry in data["rule"])
    return entries, RuleText(data["fallback"]["title"], data["fallback"]["help"])
