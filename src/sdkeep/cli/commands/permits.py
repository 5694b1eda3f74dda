"""`--licence USE` of `audit`: which catalogued files may not be put to a use, and why."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.frame import Face, Reply
from sdkeep.cli.output import Out
from sdkeep.cli.permitted import WORDS
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Allowed

if TYPE_CHECKING:
    from sdkeep.actions.licences import Forbidden, LicenceAudit

ForUse = Annotated[
    str,
    typer.Option(
        "--licence",
        "--license",
        metavar="USE",
        help="What may not be used so: commercial, sell-pictures, sell-model, service, merge, relicense.",
    ),
]
_STYLE = {Allowed.NO: "bad", Allowed.UNKNOWN: "warn"}


def licence_reply(face: Face, use: str, names: list[str], kind: Kind | None, report: str) -> Reply:
    """Judge permissions and show what stands in the way."""
    from sdkeep.actions.licences import audit_licences

    if report:
        raise UsageError(
            "a report tells of safety", "permissions have no such form", "`--json` prints them for programs"
        )
    answer = audit_licences(face.house(), use, names, kind)
    return Reply(answer, lambda out: _show(out, answer), answer.status)


def _show(out: Out, answer: LicenceAudit) -> None:
    for one in answer.files:
        out.bare(f"{one.permission.allowed}\t{one.permission.use}\t{one.name}")
    for name, uses in groupby(answer.files, key=lambda one: one.name):
        _file(out, name, list(uses))
    names = {one.name for one in answer.files}
    refused = {one.name for one in answer.files if one.permission.allowed is Allowed.NO}
    use = " or ".join(WORDS[one] for one in answer.uses)
    out.note(
        f"{answer.counted:,} files to {use}: {answer.counted - len(names):,} may, {len(refused):,} may not, "
        f"of {len(names - refused):,} it is unknown"
    )
    out.note(answer.advice)


def _file(out: Out, name: str, uses: list[Forbidden]) -> None:
    """What a file may not be used for, each reason once."""
    for (allowed, why, path), same in groupby(
        uses, key=lambda one: (one.permission.allowed, one.permission.why, one.path)
    ):
        what = ", ".join(WORDS[one.permission.use] for one in same)
        out.line(f"{name}: {what}: {allowed}", _STYLE[allowed])
        for reason in why if out.look.verbose else why[:3]:
            out.line(f"  {reason}")
        if path:
            out.line(f"  it goes back there over {' -> '.join((name, *path))}")
