"""A finding together with the outcome it forces, and the four ways to make one."""

from __future__ import annotations

from typing import NamedTuple

from sdkeep.formats.pickled.values import Value
from sdkeep.ground.verdict import Finding, Outcome, Severity


class Ruling(NamedTuple):
    """One piece of evidence and the best outcome that a file with it can still have; `target` is what it is about."""

    outcome: Outcome
    finding: Finding
    target: Value = None


def dangerous(rule: str, why: str, target: Value = None, advisories: tuple[str, ...] = ()) -> Ruling:
    """Loading the file can run code."""
    finding = Finding(rule, Severity.DANGEROUS, why, advisories=advisories)
    return Ruling(Outcome.DANGEROUS, finding, target)


def suspicious(rule: str, why: str, target: Value = None, advisories: tuple[str, ...] = ()) -> Ruling:
    """No honest model file has this."""
    finding = Finding(rule, Severity.SUSPICIOUS, why, advisories=advisories)
    return Ruling(Outcome.SUSPICIOUS, finding, target)


def warning(outcome: Outcome, rule: str, why: str) -> Ruling:
    """The file could not be decided about: `outcome` says in which way."""
    return Ruling(outcome, Finding(rule, Severity.WARNING, why))


def note(rule: str, why: str, target: Value = None) -> Ruling:
    """Worth knowing, and harmless."""
    return Ruling(Outcome.CLEAN_WITH_NOTES, Finding(rule, Severity.NOTE, why), target)
