"""What a person can do about a file that is not placed as it is: the commands that help with this very verdict."""

from __future__ import annotations

from sdkeep.ground.text import one_line
from sdkeep.ground.verdict import Severity, Verdict

_WITH_TENSORS = frozenset({"torch-zip", "torch-legacy", "torchscript", "pickle"})
_ALLOWABLE = frozenset({"unknown-name", "unknown-call", "whole-object"})
_BAD = (Severity.SUSPICIOUS, Severity.DANGEROUS)
_MOST_NAMES = 3


def ways(verdict: Verdict, ref: str, *, tensors: str, as_it_is: str) -> str:
    """The ways on in one line. `tensors` is the command that keeps the tensors alone, `as_it_is` the last resort."""
    found = [f"`{tensors}` keeps its tensors only"] if verdict.container in _WITH_TENSORS else []
    names = _to_allow(verdict)
    if names:
        more = f", once for each of {len(names)} names" if len(names) > 1 else ""
        found.append(f"`sdkeep allow {names[0]} {ref}` lets this very file use that name{more}")
    return "; ".join([*found, as_it_is])


def _to_allow(verdict: Verdict) -> tuple[str, ...]:
    """The names that would have to be allowed for the file to be placed; empty where allowing cannot help."""
    bad = [finding for finding in verdict.findings if finding.severity in _BAD]
    if not bad or any(finding.rule not in _ALLOWABLE or not finding.callable for finding in bad):
        return ()
    names = tuple(dict.fromkeys(finding.callable for finding in bad))
    fits = all(all(part.isidentifier() for part in name.split(".")) and one_line(name) == name for name in names)
    return names if fits and len(names) <= _MOST_NAMES else ()
