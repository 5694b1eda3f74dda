"""`sdkeep db`: the catalogue's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import NeedsAnswer

if TYPE_CHECKING:
    from sdkeep.actions.rebuild import Rebuilt


def register(app: typer.Typer) -> None:
    """Put the `db` group on the application."""
    group = typer.Typer(help="The catalogue's database.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="db")

    @verb(group, "path", group="db", examples=("sqlite3 $(sdkeep db path) 'select * from files'",))
    def path(face: Face) -> Reply:
        """Print where the catalogue lies."""
        file = face.house().settings.catalogue

        def show(out: Out) -> None:
            out.bare(str(file))
            out.line(str(file))

        return Reply({"path": str(file), "exists": file.exists()}, show)

    @verb(group, "upgrade", group="db", examples=("sdkeep db upgrade",))
    def upgrade(face: Face) -> Reply:
        """Bring the catalogue's schema up to date, after a backup. Every command does this on its own."""
        from sdkeep.actions.database import upgrade as act

        done = act(face.house())
        changed = done.before != done.after
        text = (
            f"{done.path}: schema {done.before or 'none'} -> {done.after}" if changed else f"{done.path} is up to date"
        )
        return Reply(done, lambda out: out.line(text))

    @verb(group, "backup", group="db", examples=("sdkeep db backup", "sdkeep db backup ~/registry.db"))
    def backup(
        face: Face, to: Annotated[Path | None, typer.Argument(metavar="[PATH]", help="File or folder to write.")] = None
    ) -> Reply:
        """Copy the catalogue, also while it is in use."""
        from sdkeep.actions.database import backup as act

        done = act(face.house(), to)

        def show(out: Out) -> None:
            out.bare(done.copy)
            out.line(f"{done.copy} ({size_text(done.size)})")

        return Reply(done, show)

    _rebuild(group)


def _rebuild(group: typer.Typer) -> None:
    @verb(
        group,
        "rebuild",
        group="db",
        examples=("sdkeep db rebuild", "sdkeep db rebuild --verify --root /models/sdkeep-store"),
    )
    def rebuild(
        face: Face,
        root: Annotated[list[Path] | None, typer.Option("--root", metavar="DIR", help="A store to look in.")] = None,
        without: Annotated[
            list[Path] | None, typer.Option("--without", metavar="DIR", help="A store or WebUI that is lost for good.")
        ] = None,
        verify: Annotated[bool, typer.Option("--verify", help="Hash every stored file again.")] = False,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> Reply:
        """Make a lost or broken catalogue anew from stored files, their labels, placements and sidecars."""
        from sdkeep.actions.rebuild import RebuildRequest, sound
        from sdkeep.actions.rebuild import rebuild as act

        house = face.house()
        if (
            not dry_run
            and sound(house)
            and not face.confirm(
                "the catalogue is sound, and what it alone knows (hub pages, parents, edits) would be lost; go on?",
                yes=yes,
                dry=False,
            )
        ):
            raise NeedsAnswer("nothing was changed", "the answer was no")
        done = act(house, RebuildRequest(tuple(root or ()), tuple(without or ()), verify, dry_run))
        reply = Reply(done, lambda out: _show_rebuilt(out, done), 1 if done.damaged else 0)
        if dry_run:
            reply.hints = ["nothing was changed; `sdkeep db rebuild` does it"]
        else:
            reply.hints = ["`sdkeep sync --look-up` asks the hubs again what the files are"]
        if done.unknown:
            reply.hints += ["`sdkeep add --in-place FOLDER` catalogues files that are in no store"]
        return reply


def _show_rebuilt(out: Out, done: Rebuilt) -> None:
    out.bare(done.path)
    out.line(
        f"{done.path}: {done.files:,} stored files in {len(done.stores)} stores, {done.placed:,} placements", "good"
    )
    out.line(f"WebUIs: {', '.join(done.uis) or 'none'}; {done.unknown:,} model files there are in no store")
    if done.in_place:
        out.line(f"{done.in_place:,} files catalogued where they lie, again")
    if done.pins:
        out.line(f"{done.pins:,} pins kept")
    for path in done.damaged:
        out.line(f"damaged: {path}", "bad")
    for note in done.notes:
        out.line(note, "warn")
    if done.kept:
        out.line(f"the catalogue from before is {done.kept}")
