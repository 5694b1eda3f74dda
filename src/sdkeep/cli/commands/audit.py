"""`sdkeep audit`: the verdict on everything in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.permits import ForUse, licence_reply
from sdkeep.cli.commands.reports import AUDIT_FORMS, ReportFile, ReportForm, reported
from sdkeep.cli.commands.shared import KindName, kind_called
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Mode, Out

if TYPE_CHECKING:
    from sdkeep.actions.audit import Audit
    from sdkeep.audit.reports.values import Audited

_STYLE = {0: "good", 1: "bad", 2: "warn"}
_ORIGINS = {
    "scanned": "scanned now",
    "stored": "on record from today's engine and policy",
    "changed": "changed since catalogued",
    "absent": "not here",
    "beside": "of configurations beside them",
}


def register(app: typer.Typer) -> None:
    """Put `audit` on the application."""

    @verb(
        app,
        "audit",
        examples=(
            "sdkeep audit",
            "sdkeep audit --kind checkpoint -v",
            "sdkeep audit --report sarif -o audit.sarif",
            "sdkeep audit --report cyclonedx -o models.cdx.json",
            "sdkeep audit --licence commercial",
        ),
    )
    def audit(
        face: Face,
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[NAME]", help="Catalogued names; all by default.", autocompletion=catalogue_names),
        ] = None,
        kind: KindName = "",
        rescan: Annotated[
            bool, typer.Option("--rescan", help="Scan every file, also where the verdict on record still holds.")
        ] = False,
        report: ReportForm = "",
        out: ReportFile = None,
        licence: ForUse = "",
    ) -> Reply:
        """Judge every catalogued file: by the verdict on record, or anew where engine, policy or file changed.

        Lists what is bad, undecided or disputed; -v lists the notes too. Exit status as of scan: 0 clean, 1 suspicious
        or dangerous, 2 could not decide. With --licence it judges permissions instead: 1 forbidden, 2 unknown.
        """
        if licence:
            return licence_reply(face, licence, names or [], kind_called(kind), report)
        from sdkeep.actions.audit import AuditRequest
        from sdkeep.actions.audit import audit as act

        wanted = reported(face, "audit", report, out, AUDIT_FORMS)
        answer = act(face.house(), AuditRequest(tuple(names or ()), kind_called(kind), rescan))
        reply = Reply(answer, lambda out: _show(out, answer), answer.status, list(answer.failures))
        return wanted.on(reply, answer.files) if wanted else reply


def _show(out: Out, answer: Audit) -> None:
    for file in answer.files:
        if out.mode is Mode.QUIET:
            if file.outcome is None or not file.outcome.placeable:
                out.bare(f"{file.outcome or 'absent'}\t{file.name}\t{file.path}")
            continue
        for number, line in enumerate(_lines(file, verbose=out.look.verbose)):
            style = _STYLE[file.outcome.status] if file.outcome and number == 0 else ""
            out.line(line, style)
    for line in _summary(answer):
        out.note(line)


def _lines(file: Audited, *, verbose: bool) -> Iterator[str]:
    """What to say of one file; nothing of one that is as it should be."""
    from sdkeep.audit.report import as_lines

    bad = file.outcome is None or not file.outcome.placeable
    notes = [note for note in file.notes if verbose or note.rule == "hub-disagrees"]
    if not (bad or notes or (verbose and file.verdict and file.verdict.findings)):
        return
    if file.verdict is None or file.outcome is None:
        yield f"{file.name}: its bytes are not here, and no verdict is on record"
        return
    heading = f"{file.name} ({file.path})"
    if bad or verbose:
        yield from as_lines(file.verdict, heading)
    else:
        yield f"{heading}: {file.outcome}"
    if file.judged == "changed":
        yield "  this file changed since it was catalogued: the verdict is about what lies there now"
        yield f"    `sdkeep verify {file.name}` reads it back; `sdkeep add --in-place '{file.path}'` records it anew"
    if file.judged == "beside":
        yield f"  WebUIs read this configuration for {file.name}"
    for note in notes:
        if note.rule != "changed-since-catalogued":
            yield f"  {note.rule}: {note.why}"


def _summary(answer: Audit) -> Iterator[str]:
    if not answer.files:
        yield "nothing to audit"
        return
    yield f"{len(answer.files)} files: " + ", ".join(f"{count} {name}" for name, count in answer.outcomes.items())
    yield "verdicts: " + ", ".join(f"{count} {_ORIGINS[name]}" for name, count in answer.judged.items())
    told = {
        "disputed by a hub's scanner": answer.disagreements,
        "without an origin": answer.no_origin,
        "without a licence on record": answer.no_licence,
    }
    if any(told.values()):
        yield "notes: " + ", ".join(f"{count} {what}" for what, count in told.items() if count)
