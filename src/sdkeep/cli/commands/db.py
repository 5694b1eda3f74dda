"""`sdkeep db`: the catalogue's file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out


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
