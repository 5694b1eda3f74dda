"""`sdkeep verify`: read files back and compare them with the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, reply_to, verb
from sdkeep.cli.output import Out


def register(app: typer.Typer) -> None:
    """Put `verify` on the application."""

    @verb(app, "verify", "check", examples=("sdkeep verify", "sdkeep verify my-lora"))
    def verify(
        face: Face,
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[NAME]", help="Catalogued names; all by default.", autocompletion=catalogue_names),
        ] = None,
    ) -> Reply:
        """Hash stored and placed files again. Exit status 1 when any is missing, damaged or changed."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.verify import everything
        from sdkeep.actions.verify import verify as act

        house = face.house()
        batch = each(names or everything(house), lambda name: act(house, name))
        checks = [check for answers in batch.done for check in answers]
        bad = [check for check in checks if check.condition != "sound"]

        def show(out: Out) -> None:
            for check in bad:
                out.bare(check.path)
                out.line(f"{check.condition}: {check.path}" + (f" ({check.why})" if check.why else ""), "bad")
            if out.look.verbose:
                for check in checks:
                    out.line(f"{check.condition}: {check.path}")
            if checks or not batch.failed:
                out.line(f"{len(checks) - len(bad)} of {len(checks)} copies are sound", "good" if not bad else "bad")

        reply = reply_to(batch, show, 1 if bad else 0)
        reply.data = checks
        return reply
