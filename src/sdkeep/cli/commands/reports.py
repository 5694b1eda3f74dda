"""The `--report` of `scan` and `audit`: a document for another program, on standard output or in a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.frame import Face, Reply
from sdkeep.cli.output import Mode, Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.audit.reports.values import Audited
    from sdkeep.audit.reports.write import Form

SCAN_FORMS = ("sarif", "junit", "json")
AUDIT_FORMS = ("sarif", "junit", "cyclonedx", "json")

ReportForm = Annotated[
    str, typer.Option("--report", metavar="FORM", help="Write a report: sarif, junit or json; audit also cyclonedx.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where the report goes; standard output by default.")
]


@dataclass(frozen=True, slots=True)
class Reported:
    """A report that was asked for, and when the work on it began."""

    verb: str
    form: Form
    out: Path | None
    began: datetime

    def on(self, reply: Reply, files: Iterable[Audited]) -> Reply:
        """The reply with the report made: saved beside what the verb says, or instead of it."""
        from sdkeep.actions.reporting import run_of, save
        from sdkeep.audit.reports.write import pieces

        run = run_of(self.verb, files, reply.failures, reply.status, (self.began, datetime.now(UTC)))
        if self.out is None:
            return replace(reply, show=lambda out: out.report(pieces(self.form, run)))
        save(self.form, run, self.out)
        told = reply.show

        def show(out: Out) -> None:
            if told is not None:
                told(out)
            out.note(f"the report is in {self.out}")

        return replace(reply, show=show)


def reported(face: Face, verb: str, form: str, out: Path | None, forms: tuple[str, ...]) -> Reported | None:
    """The report that the options ask for; None without `--report`. Mistakes are found before any work is done."""
    if not form:
        if out is not None:
            raise UsageError("`-o` needs a report to write", "", f"`sdkeep {verb} --report sarif -o '{out}'`")
        return None
    if form not in forms:
        why = "known are " + ", ".join(forms)
        raise UsageError(f"`{form}` is no report of `{verb}`", why, f"`sdkeep {verb} --report {forms[0]}`")
    if out is None and face.out.mode is Mode.JSON:
        raise UsageError(
            "`--json` and `--report` both want standard output",
            "one document fits there",
            f"`--report {form} -o FILE`, or leave out `--json`",
        )
    from sdkeep.actions.reporting import check_target
    from sdkeep.audit.reports.write import Form

    check_target(out)
    return Reported(verb, Form(form), out, datetime.now(UTC))
