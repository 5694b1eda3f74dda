"""From what is in a file to the verdict on it. Reads nothing, runs nothing: a pure function of contents and policy."""

from __future__ import annotations

from collections.abc import Iterator

from sdkeep.audit.checks import Bench
from sdkeep.audit.containers import judge_container
from sdkeep.audit.pickles import Court, Place
from sdkeep.audit.plaintext import judge_text
from sdkeep.audit.policy import NOBODY, Allowed, Policy, load_policy, policy_id
from sdkeep.audit.ruling import Ruling, warning
from sdkeep.formats.contents import Container, Contents, Member, PickleMember
from sdkeep.ground.verdict import Finding, Outcome, Severity, Verdict, worst

ENGINE = "sdkeep-audit 1"
"""The version of the judging code; stored with a verdict, so that a newer engine knows what to look at again."""

_RANK = {severity: rank for rank, severity in enumerate(reversed(Severity))}
_TEXTS = (Container.YAML, Container.TEXT)


def judge(
    contents: Contents,
    policy: Policy | None = None,
    *,
    text: str | None = None,
    allowed: Allowed = NOBODY,
    name: str = "",
) -> Verdict:
    """The verdict on `contents`.

    `text` is the whole of a YAML or plain text, which contents do not carry; without it such a file stays undecided.
    `allowed` are the names that people have allowed to this very file, see `policy.allowed_for`. `name` is what the
    file is called: it never clears anything, and a text that is called a model is none.
    """
    policy = policy or load_policy()
    rulings = [*judge_container(contents, policy, name), *_rulings(contents, policy, text, allowed)]
    findings = tuple(sorted((ruling.finding for ruling in rulings), key=_order))
    return Verdict(
        outcome=worst(ruling.outcome for ruling in rulings),
        container=contents.container.value,
        findings=findings,
        unread=contents.unread,
        engine=ENGINE,
        policy=policy_id(policy, allowed),
    )


def _rulings(contents: Contents, policy: Policy, text: str | None, allowed: Allowed) -> Iterator[Ruling]:
    ignored = policy.torchscript_own if contents.container is Container.TORCHSCRIPT else ()
    court = Court(Bench(policy), allowed, ignored)
    for pickle in contents.pickles:
        yield from court.judge(pickle.reading, _place(pickle, contents.members))
        if not pickle.reading.complete and not pickle.reading.problems:
            yield warning(Outcome.MALFORMED, "pickle-incomplete", "the pickle was not read to its end")
    if contents.container in _TEXTS:
        if text is not None:
            yield from judge_text(text, policy)
        else:
            yield warning(Outcome.INCONCLUSIVE, "text-unread", "the text was not read")


def _place(pickle: PickleMember, members: tuple[Member, ...]) -> Place:
    """Where a pickle lies. Several members can bear its name; the one that begins last before it holds it."""
    same = [member for member in members if member.name == pickle.member and member.offset <= pickle.offset]
    if not pickle.member or not same:
        return Place(pickle.member, pickle.offset, pickle.offset)
    home = max(same, key=lambda member: member.offset)
    return Place(pickle.member, pickle.offset - home.offset, None if home.compressed else pickle.offset)


def _order(finding: Finding) -> tuple[int, str, int]:
    return _RANK[finding.severity], finding.member, finding.offset or 0
