"""`sdkeep du`: where the room goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out

if TYPE_CHECKING:
    from sdkeep.actions.du import Usage


def register(app: typer.Typer) -> None:
    """Put `du` on the application."""

    @verb(app, "du", examples=("sdkeep du", "sdkeep du --json"))
    def du(face: Face) -> Reply:
        """Sizes by WebUI, kind and store, what only a store still holds, and what links save."""
        from sdkeep.actions.du import du as act

        usage = act(face.house())
        reply = Reply(usage, lambda out: _show(out, usage))
        if usage.only_stored:
            reply.hints = [f"`sdkeep place {usage.only_stored[0].name}` shows it again, `sdkeep rm` lets it go"]
        return reply


def _show(out: Out, usage: Usage) -> None:
    if usage.uis:
        rows = [
            (one.ui, size_text(one.linked_size), str(one.linked), size_text(one.own_size), str(one.own))
            for one in usage.uis
        ]
        out.table(("WEBUI", "LINKED", "FILES", "OWN", "FILES"), rows)
    if usage.kinds:
        out.table(("KIND", "SIZE", "FILES"), [(one.kind, size_text(one.size), str(one.files)) for one in usage.kinds])
    if usage.stores:
        rows = [
            (one.root, size_text(one.size), str(one.files), size_text(one.trash_size), size_text(one.staging_size))
            for one in usage.stores
        ]
        out.table(("STORE", "SIZE", "FILES", "TRASH", "UNFINISHED"), rows)
    for one in usage.only_stored:
        out.bare(one.name)
        out.line(f"only in the store: {one.name} ({one.kind}, {size_text(one.size)})")
    out.line(f"links save {size_text(usage.saved)}", "good")
