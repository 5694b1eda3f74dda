"""`sdkeep gc`: what nothing uses goes to the trash, and old trash goes for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import NeedsAnswer

if TYPE_CHECKING:
    from sdkeep.actions.removing import Swept


def register(app: typer.Typer) -> None:
    """Put `gc` on the application."""

    @verb(app, "gc", "prune", examples=("sdkeep gc --dry-run", "sdkeep gc --keep-days 0 --yes"))
    def gc(
        face: Face,
        keep_days: Annotated[int, typer.Option("--keep-days", min=0, help="Let go of trash older than this.")] = 30,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> Reply:
        """Put what nothing uses into the trash, and let go of old trash."""
        from sdkeep.actions.removing import gc as act

        house = face.house()
        planned = act(house, keep_days=keep_days, dry_run=True)
        going = sum(len(one.unused) + len(one.partials) + one.emptied for one in planned)
        asked = going and not dry_run
        if asked and not face.confirm(f"{going} files go; let them?", yes=yes):
            raise NeedsAnswer("nothing was removed", "the answer was no")
        done = act(house, keep_days=keep_days, dry_run=False) if asked else planned
        return Reply(list(done), lambda out: _show(out, done, "would go" if dry_run else "went"))


def _show(out: Out, done: tuple[Swept, ...], word: str) -> None:
    for one in done:
        out.line(one.root, "head")
        going = f"{len(one.unused)} unused files and {len(one.partials)} old partial downloads"
        out.line(f"  {going} {word} to the trash ({size_text(one.size)})")
        out.line(f"  {one.emptied} files {word} from the trash for good ({size_text(one.emptied_size)})")
        for kept in one.kept:
            out.line(f"  kept {kept}")
    if not done:
        out.note("there is no store yet")
