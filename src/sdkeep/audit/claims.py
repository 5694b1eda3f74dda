"""A hub's own scan result held against our verdict: do they agree, and if not, why not."""

from __future__ import annotations

from sdkeep.audit.policy import Policy, Reason
from sdkeep.ground.model import Claim
from sdkeep.ground.text import one_line
from sdkeep.ground.verdict import Finding, Severity, Verdict

_CONVERTED = "it judged the pickle that was published; what is kept here is its conversion, which holds tensors only"
_BY_NAMES = (
    "it goes by names that it knows to be bad; sdkeep read the whole file, and its policy lists every name in it"
)
_MISSED = "it knows some bad names and lets others pass; sdkeep lets only names pass that its policy lists"


def against(claim: Claim, verdict: Verdict, policy: Policy, *, converted: bool = False) -> Finding | None:
    """A note that explains how a hub's claim differs from our verdict; None where they agree or it claims nothing.

    `converted` says that the claim is about a pickle which these bytes are the conversion of.
    """
    result = claim.result.strip().lower()
    if result in policy.hubs_bad and verdict.outcome.placeable:
        known = next((reason for reason in policy.disagreements if _fits(reason, claim, verdict)), None)
        why = known.why if known else _CONVERTED if converted else _BY_NAMES
    elif result in policy.hubs_good and verdict.outcome.rank >= 3:
        why = _MISSED
    else:
        return None
    said = f"{claim.scanner} says {one_line(claim.result, 40)}, sdkeep says {verdict.outcome}"
    return Finding("hub-disagrees", Severity.NOTE, f"{said}: {why}")


def _fits(reason: Reason, claim: Claim, verdict: Verdict) -> bool:
    if reason.scanner != claim.scanner:
        return False
    return reason.mentions in claim.message or any(reason.mentions == one.callable for one in verdict.findings)
