"""`sdkeep verify`: read files back and compare them with the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep.cli.commands.shared import duration_called
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError


def register(app: typer.Typer) -> None:
    """Put `verify` on the application."""

    @verb(app, "verify", "check", examples=("sdkeep verify my-lora", "sdkeep verify --older-than 30d --max-time 10m"))
    def verify(
        face: Face,
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[NAME]", help="Catalogued names; all by default.", autocompletion=catalogue_names),
        ] = None,
        older_than: Annotated[
            str, typer.Option("--older-than", metavar="TIME", help="Only what was not verified for 30d, 12h, ...")
        ] = "",
        max_time: Annotated[
            str, typer.Option("--max-time", metavar="TIME", help="Begin nothing more after 10m, 2h, ...")
        ] = "",
    ) -> Reply:
        """Hash stored and placed files again, the longest unread first. Exit status 1 when any is not as it should."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.verify import verify as act
        from sdkeep.actions.verify_due import due

        age, limit = duration_called(older_than, "--older-than"), duration_called(max_time, "--max-time")
        if names and (age or limit):
            raise UsageError("named files are verified all", "`--older-than` and `--max-time` choose among all files")
        house = face.house()
        until = house.moment() + limit if limit is not None else None
        batch = each(names or due(house, age, until), lambda name: act(house, name))
        checks = [check for answers in batch.done for check in answers]
        bad = [check for check in checks if check.condition != "sound"]

        def show(out: Out) -> None:
            for check in bad:
                out.bare(check.path)
                out.line(f"{check.condition}: {check.path}" + (f" ({check.why})" if check.why else ""), "bad")
            if out.look.verbose:
                for check in checks:
                    out.line(f"{check.condition}: {check.path}")
            if not checks and not batch.failed:
                out.note("nothing is due" if older_than or max_time else "nothing is here to verify")
            elif checks:
                out.line(f"{len(checks) - len(bad)} of {len(checks)} copies are sound", "good" if not bad else "bad")

        reply = reply_to(batch, show, 1 if bad else 0)
        reply.data = checks
        return reply
