"""`sdkeep scan`: look inside files for code, without running any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.reports import SCAN_FORMS, ReportFile, ReportForm, reported
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, reply_to, verb
from sdkeep.cli.output import Mode, Out

if TYPE_CHECKING:
    from sdkeep.actions.scan import Scanned

STYLE = {0: "good", 1: "bad", 2: "warn"}


def register(app: typer.Typer) -> None:
    """Put `scan` on the application."""

    @verb(app, "scan", examples=("sdkeep scan model.ckpt", "sdkeep scan ~/models --json", "sdkeep scan name:my-model"))
    def scan(
        face: Face,
        refs: Annotated[
            list[str],
            typer.Argument(
                metavar="PATH", help="Files, folders or catalogued names.", autocompletion=catalogue_names
            ),
        ],
        report: ReportForm = "",
        out: ReportFile = None,
    ) -> Reply:
        """Say whether files can run code when a WebUI loads them. Nothing is executed, ever.

        Exit status: 0 clean, 1 suspicious or dangerous, 2 could not decide.
        """
        from sdkeep.actions.batch import Batch, Failure
        from sdkeep.actions.paths import files_of
        from sdkeep.actions.reporting import of_scans
        from sdkeep.actions.scan import scan_file, scan_named, status_of
        from sdkeep.ground.errors import KeepError

        wanted = reported(face, "scan", report, out, SCAN_FORMS)
        batch: Batch[Scanned] = Batch()
        for ref in refs:
            try:
                paths = files_of(ref)
                if paths is None:
                    batch.done.append(scan_named(face.house(), ref))
                    continue
            except KeepError as error:
                batch.failed.append(Failure(ref, error))
                continue
            if not paths:
                batch.warnings.append(f"`{ref}` holds no file that looks like a model")
            for path in paths:
                face.stop.check()
                try:
                    batch.done.append(scan_file(path, face.stop))
                except KeepError as error:
                    batch.failed.append(Failure(str(path), error))
        reply = reply_to(batch, lambda out: _show(out, batch.done), status_of(batch.done))
        return wanted.on(reply, of_scans(batch.done)) if wanted else reply


def _show(out: Out, scanned: list[Scanned]) -> None:
    from sdkeep.actions.scan import tally
    from sdkeep.audit.report import as_lines

    for one in scanned:
        if out.mode is Mode.QUIET:
            out.bare(f"{one.verdict.outcome}\t{one.path}")
            continue
        first, *rest = as_lines(one.verdict, one.named or one.path)
        out.line(first, STYLE[one.verdict.outcome.status])
        for line in rest:
            out.line(line)
    if len(scanned) > 1:
        out.note(
            f"{len(scanned)} files: " + ", ".join(f"{count} {outcome}" for outcome, count in tally(scanned).items())
        )
