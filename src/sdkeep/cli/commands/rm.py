"""`sdkeep rm` and `sdkeep restore`: files leave through the trash, and come back from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.place import Forget, Names, show_unplaced
from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import NeedsAnswer

if TYPE_CHECKING:
    from sdkeep.ground.record import Trashed


def register(app: typer.Typer) -> None:
    """Put `rm` and `restore` on the application."""

    @verb(app, "rm", "remove", "delete", examples=("sdkeep rm my-lora", "sdkeep rm my-lora --dry-run"))
    def rm(face: Face, names: Names, forget: Forget = False, dry_run: DryRun = False, yes: Yes = False) -> Reply:
        """Take files out of every WebUI and put their bytes into the trash; `restore` brings them back."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.local import artifact as find
        from sdkeep.actions.removing import rm as act

        house = face.house()
        named = each(names, lambda name: find(house, name))
        if not named.done:
            return reply_to(named, lambda _: None)
        if not dry_run and not face.confirm(f"remove {', '.join(one.name for one in named.done)}?", yes=yes):
            raise NeedsAnswer("nothing was removed", "the answer was no")
        batch = each(names, lambda name: act(house, name, dry_run=dry_run, forget=forget))

        def show(out: Out) -> None:
            for one in batch.done:
                show_unplaced(out, list(one.unplaced))
                bytes_ = (
                    "would go to the trash" if dry_run else "is in the trash" if one.trash else "is not in the store"
                )
                out.line(f"{one.name} {one.kept or bytes_}")

        hints = [f"`sdkeep restore {batch.done[0].name}` brings it back"] if batch.done and not dry_run else []
        reply = reply_to(batch, show, 1 if any(one.kept for one in batch.done) else 0)
        reply.hints = hints
        return reply

    @verb(app, "restore", examples=("sdkeep restore", "sdkeep restore my-lora"))
    def restore(
        face: Face,
        entries: Annotated[
            list[str] | None,
            typer.Argument(metavar="[ENTRY]", help="Trash ids, names or hashes.", autocompletion=catalogue_names),
        ] = None,
    ) -> Reply:
        """Bring files back from the trash; without arguments, list what is in it."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.removing import restore as act
        from sdkeep.actions.removing import trashed

        house = face.house()
        if not entries:
            inside = trashed(house)
            return Reply(list(inside), lambda out: _show_trash(out, inside))
        batch = each(entries, lambda entry: act(house, entry))
        reply = reply_to(batch, lambda out: _show_restored(out, batch.done))
        reply.hints = [f"`sdkeep place {entries[0]}` puts it where the WebUIs look"]
        return reply


def _show_trash(out: Out, inside: tuple[Trashed, ...]) -> None:
    for one in inside:
        out.bare(one.id)
    rows = [(one.id, size_text(one.size), one.sha256[:12], one.reason, one.original) for one in inside]
    if rows:
        out.table(("ID", "SIZE", "SHA256", "WHY", "FROM"), rows)
    else:
        out.note("the trash is empty")


def _show_restored(out: Out, done: list[Trashed]) -> None:
    for one in done:
        out.bare(one.id)
        out.line(f"restored {one.original}", "good")
