"""`sdkeep rm`, `restore` and `gc`: files leave through the trash, and come back from it."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep.cli.commands.place import Names, show_unplaced
from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import NeedsAnswer


def register(app: typer.Typer) -> None:
    """Put the three verbs on the application."""

    @verb(app, "rm", "remove", "delete", examples=("sdkeep rm my-lora", "sdkeep rm my-lora --dry-run"))
    def rm(face: Face, names: Names, dry_run: DryRun = False, yes: Yes = False) -> Reply:
        """Take files out of every WebUI and put their bytes into the trash; `restore` brings them back."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.removing import rm as act

        house = face.house()
        if not dry_run and not face.confirm(f"remove {', '.join(names)}?", yes=yes):
            raise NeedsAnswer("nothing was removed", "the answer was no")
        batch = each(names, lambda name: act(house, name, dry_run=dry_run))

        def show(out: Out) -> None:
            for one in batch.done:
                out.bare(one.name)
                show_unplaced(out, list(one.unplaced)) if out.mode != "quiet" else None
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
            list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Trash ids, names or hashes.")
        ] = None,
    ) -> Reply:
        """Bring files back from the trash; without arguments, list what is in it."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.removing import restore as act
        from sdkeep.actions.removing import trashed

        house = face.house()
        if not entries:
            inside = trashed(house)

            def show_all(out: Out) -> None:
                for one in inside:
                    out.bare(one.id)
                rows = [(one.id, size_text(one.size), one.sha256[:12], one.reason, one.original) for one in inside]
                out.table(("ID", "SIZE", "SHA256", "WHY", "FROM"), rows) if rows else out.note("the trash is empty")

            return Reply(list(inside), show_all)
        batch = each(entries, lambda entry: act(house, entry))

        def show(out: Out) -> None:
            for one in batch.done:
                out.bare(one.id)
                out.line(f"restored {one.original}", "good")

        return reply_to(batch, show)

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

        def show(out: Out) -> None:
            word = "would go" if dry_run else "went"
            for one in done:
                out.line(one.root, "head")
                out.line(
                    f"  {len(one.unused)} unused files and {len(one.partials)} old partial downloads {word} to the trash ({size_text(one.size)})"
                )
                out.line(f"  {one.emptied} files {word} from the trash for good ({size_text(one.emptied_size)})")
                for kept in one.kept:
                    out.line(f"  kept {kept}")
            if not done:
                out.note("there is no store yet")

        return Reply(list(done), show)
