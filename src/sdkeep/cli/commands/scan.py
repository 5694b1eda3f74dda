"""`sdkeep scan`: look inside files for code, without running any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.reports import SCAN_FORMS, ReportFile, ReportForm, reported
from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, reply_to, verb
from sdkeep.cli.output import Mode, Out

if TYPE_CHECKING:
    from sdkeep.actions.scan import Glance, Scanned

STYLE = {0: "good", 1: "bad", 2: "warn"}


def register(app: typer.Typer) -> None:
    """Put `scan` on the application."""

    @verb(app, "scan", examples=(
        "sdkeep scan model.ckpt", "sdkeep scan ~/models --json", "sdkeep scan name:my-model", "sdkeep scan hf:org/repo",
    ))  # fmt: skip
    def scan(
        face: Face,
        refs: Annotated[
            list[str],
            typer.Argument(
                metavar="REF", help="Files, folders, names, models at a hub.", autocompletion=catalogue_names
            ),
        ],
        full: Annotated[bool, typer.Option("--full", help="Read the tensors too, and check their checksums.")] = False,
        report: ReportForm = "",
        out: ReportFile = None,
    ) -> Reply:
        """Say whether files can run code when a WebUI loads them. Nothing is executed, ever.

        A model at a hub is looked into without fetching it: at most 1 MiB is read, and what is found is provisional.

        Exit status: 0 clean, 1 suspicious or dangerous, 2 could not decide.
        """
        from sdkeep.actions.batch import Batch, Failure
        from sdkeep.actions.paths import files_of
        from sdkeep.actions.scan import is_remote, scan_named, scan_remote, scan_with_config, status_of
        from sdkeep.ground.errors import KeepError

        wanted = reported(face, "scan", report, out, SCAN_FORMS)
        checking = face.report if full else None
        batch: Batch[Scanned] = Batch()
        for ref in refs:
            try:
                paths = files_of(ref)
                if paths is None:
                    house = face.house()
                    batch.done += scan_remote(house, ref) if is_remote(ref) else [scan_named(house, ref, checking)]
                    continue
            except KeepError as error:
                batch.failed.append(Failure(ref, error))
                continue
            if not paths:
                batch.warnings.append(f"`{ref}` holds no file that looks like a model")
            for path in paths:
                face.stop.check()
                try:
                    batch.done += scan_with_config(path, face.stop, checking)
                except KeepError as error:
                    batch.failed.append(Failure(str(path), error))
        reply = reply_to(batch, lambda out: _show(out, batch.done), status_of(batch.done))
        if wanted is None:
            return reply
        from sdkeep.actions.reporting import of_scans

        return wanted.on(reply, of_scans(batch.done))


def _show(out: Out, scanned: list[Scanned]) -> None:
    from sdkeep.actions.scan import tally
    from sdkeep.audit.report import as_lines

    for one in scanned:
        if out.mode is Mode.QUIET:
            out.bare(f"{one.verdict.outcome}\t{one.path}")
            continue
        first, *rest = as_lines(one.verdict, one.named or one.path)
        out.line(first, STYLE[one.verdict.outcome.status])
        if one.beside:
            out.line(f"  WebUIs read this configuration for {one.beside}")
        if one.glance:
            out.line(f"  {_glance(one.glance)}")
        for line in rest:
            out.line(line)
    if len(scanned) > 1:
        out.note(
            f"{len(scanned)} files: " + ", ".join(f"{count} {outcome}" for outcome, count in tally(scanned).items())
        )


def _glance(glance: Glance) -> str:
    """What was seen from afar, and for how much."""
    identity = glance.identity
    seen = " ".join(word for word in (identity.kind, identity.family, identity.precision) if word != "unknown")
    cost = f"{size_text(glance.fetched)} of {size_text(glance.size)} read in {glance.requests} requests"
    return f"by its structure: {seen}; {cost}" if seen else cost
