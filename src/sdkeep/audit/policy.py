"""The policy as values, loaded from policy.toml: which names a file may use, and what may be done with each."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from sdkeep.ground.verdict import Allowance

Allowed = Mapping[str, Allowance]
"""Names that people have allowed to one file, each with the decision."""
NOBODY: Allowed = MappingProxyType({})
"""No decision about a file."""


class Level(StrEnum):
    """How far a name is trusted."""

    SAFE = "safe"
    INERT = "inert"
    OBJECT = "object"
    UNKNOWN = "unknown"


class Deed(StrEnum):
    """What a pickle can do with a name beyond mentioning it."""

    CALL = "call"
    NEW = "new"
    BUILD = "build"
    ITEMS = "items"
    PAIRS = "pairs"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed for a group of names. `check` names an argument check, empty for none.

    `advisories` are those that other uses of these names remind of.
    """

    level: Level
    allows: frozenset[Deed] = frozenset()
    check: str = ""
    why: str = ""
    advisories: tuple[str, ...] = ()


UNKNOWN = Rule(Level.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Danger:
    """Words for a name that is known to be abused. Nothing becomes safe or unsafe by having them."""

    why: str
    advisories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a hub's scanner calls a file bad that is placed: by scanner, and by a name it then mentions (empty: any)."""

    scanner: str
    mentions: str
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy. `rules` are keyed by the exact `module.name`, `libraries` by how names begin."""

    version: str
    rules: dict[str, Rule]
    libraries: dict[str, Rule]
    dangers: dict[str, Danger]
    yaml_targets: re.Pattern[str]
    yaml_also: frozenset[str]
    torchscript_own: tuple[str, ...]
    flaws_damaged: tuple[str, ...]
    flaws_unread: tuple[str, ...]
    model_names: tuple[str, ...]
    hubs_good: frozenset[str]
    hubs_bad: frozenset[str]
    disagreements: tuple[Reason, ...]

    def rule(self, dotted: str) -> Rule:
        """What is allowed for a name: by the exact name, or else as a class of a listed library; else nothing."""
        found = self.rules.get(dotted)
        if found is not None:
            return found
        return next((rule for prefix, rule in self.libraries.items() if dotted.startswith(prefix)), UNKNOWN)

    def danger(self, dotted: str) -> Danger | None:
        """The words of the longest entry that fits: the name itself, or one of its modules with `.*`."""
        if dotted in self.dangers:
            return self.dangers[dotted]
        parts = dotted.split(".")[:32]
        for length in range(len(parts) - 1, 0, -1):
            found = self.dangers.get(".".join(parts[:length]) + ".*")
            if found:
                return found
        return None


def parse_policy(text: str) -> Policy:
    """The policy that a TOML text spells; raises ValueError or KeyError when it is none, for it ships with us."""
    data = tomllib.loads(text)
    rules: dict[str, Rule] = {}
    for level in (Level.SAFE, Level.INERT):
        for entry in data[level.value]:
            allows = frozenset(Deed(word) for word in entry.get("allows", ()))
            advisories = tuple(entry.get("advisories", ()))
            rule = Rule(level, allows, entry.get("check", ""), entry.get("why", ""), advisories)
            for name in entry["names"]:
                if rules.setdefault(name, rule) is not rule:
                    raise ValueError(f"{name} is listed twice")
    libraries = {
        name.removesuffix("*"): Rule(Level.OBJECT, frozenset(map(Deed, entry["allows"])), "", entry["why"])
        for entry in data["object"]
        for name in entry["names"]
    }
    dangers = {
        name: Danger(entry["why"], tuple(entry.get("advisories", ())))
        for entry in data.get("dangerous", ())
        for name in entry["names"]
    }
    return Policy(
        version=data["version"],
        rules=rules,
        libraries=libraries,
        dangers=dangers,
        yaml_targets=re.compile(data["yaml"]["targets"]),
        yaml_also=frozenset(data["yaml"]["also"]),
        torchscript_own=tuple(data["torchscript"]["own"]),
        flaws_damaged=tuple(data["flaws"]["damaged"]),
        flaws_unread=tuple(data["flaws"]["unread"]),
        model_names=tuple(data["names"]["models"]),
        hubs_good=frozenset(data["hubs"]["good"]),
        hubs_bad=frozenset(data["hubs"]["bad"]),
        disagreements=tuple(
            Reason(entry["scanner"], entry.get("mentions", ""), entry["why"]) for entry in data.get("disagreement", ())
        ),
    )


def allowed_for(allowances: Iterable[Allowance], sha256: str) -> dict[str, Allowance]:
    """What people's decisions allow to the file with this digest, by name."""
    return {one.dotted: one for one in allowances if sha256 and one.sha256 == sha256.lower()}


def policy_id(policy: Policy, allowed: Allowed = NOBODY) -> str:
    """What a verdict records as its policy: the version, and a digest of the names that people allowed to the file.

    A decision made or taken back changes it, so that a verdict that stood on another one is known to be old.
    """
    if not allowed:
        return policy.version
    import hashlib  # rarely needed, and slow to load

    return f"{policy.version}+allowed.{hashlib.sha256(' '.join(sorted(allowed)).encode()).hexdigest()[:8]}"


def fits(word: str, patterns: Iterable[str]) -> bool:
    """Whether `word` is one of `patterns`, of which those ending in `*` fit every word that begins so."""
    return any(word.startswith(pattern[:-1]) if pattern.endswith("*") else word == pattern for pattern in patterns)


@cache
def load_policy() -> Policy:
    """The policy that ships with this version of sdkeep."""
    text = pkgutil.get_data("sdkeep.audit", "policy.toml")
    if text is None:
        raise FileNotFoundError("sdkeep.audit/policy.toml")
    return parse_policy(text.decode("utf-8"))
