"""Permissions as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sdkeep.ground.licence import Allowed, Permission, Use

WORDS: dict[Use, str] = {
    Use.SELL_PICTURES: "sell pictures",
    Use.SELL_MODEL: "sell the model",
    Use.SERVE: "run as a service",
    Use.MERGE: "merge or train on",
    Use.RELICENSE: "other terms",
    Use.NO_CREDIT: "no credit",
}


def in_one_line(permissions: Iterable[Permission]) -> str:
    """Every use with its answer."""
    return ", ".join(f"{WORDS[one.use]}: {one.allowed}" for one in permissions)


def in_full(permissions: Sequence[Permission], advice: str) -> list[str]:
    """A line for each use, the sentences that decide it below, what comes with a yes, and that all this is advice."""
    width = max((len(WORDS[one.use]) for one in permissions), default=0)
    lines = []
    for one in permissions:
        lines.append(f"{WORDS[one.use]:<{width}}  {one.allowed}")
        lines += [f"{'':<{width}}  {sentence}" for sentence in one.why]
    come = dict.fromkeys(one for each in permissions if each.allowed is not Allowed.NO for one in each.conditions)
    return [*lines, *come, advice]
