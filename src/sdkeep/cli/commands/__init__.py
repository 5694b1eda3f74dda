"""One module a verb (or a housekeeping group). Actions are imported inside the bodies, so that help stays quick."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Put every verb on `app`, in the order that help lists them."""
    from sdkeep.cli.commands import scan

    for module in (scan,):
        module.register(app)
