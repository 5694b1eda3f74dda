"""One module a verb (or a housekeeping group). Actions are imported inside the bodies, so that help stays quick."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Put every verb on `app`, in the order that help lists them."""
    from sdkeep.cli.commands import (
        add,
        allow,
        audit,
        auth,
        config,
        convert,
        db,
        demo,
        doctor,
        gc,
        get,
        lineage,
        ls,
        place,
        rm,
        scan,
        search,
        show,
        ui,
        verify,
    )

    for module in (
        search,
        get,
        show,
        lineage,
        ls,
        add,
        scan,
        audit,
        allow,
        convert,
        verify,
        place,
        rm,
        gc,
        doctor,
        ui,
        auth,
        config,
        db,
        demo,
    ):
        module.register(app)
