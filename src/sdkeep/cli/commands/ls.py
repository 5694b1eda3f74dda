"""`sdkeep ls`: what the catalogue holds."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep.cli.commands.shared import FamilyName, KindName, family_called, family_text, kind_called, size_text
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out


def register(app: typer.Typer) -> None:
    """Put `ls` on the application."""

    @verb(app, "ls", "list", examples=("sdkeep ls", "sdkeep ls castle --kind lora", "sdkeep ls --all -q"))
    def ls(
        face: Face,
        words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]", help="Words that must all occur.")] = None,
        kind: KindName = "",
        family: FamilyName = "",
        base: Annotated[str, typer.Option("--base", metavar="BASE", help="Claimed base model, such as Pony.")] = "",
        ui: Annotated[str, typer.Option("--in", "--ui", metavar="UI", help="Only what is placed in this WebUI.")] = "",
        limit: Annotated[int, typer.Option("--limit", min=1, help="How many lines.")] = 50,
        everything: Annotated[
            bool, typer.Option("--all", "-a", help="No limit, and also what is not here any more.")
        ] = False,
        cursor: Annotated[str, typer.Option("--cursor", metavar="C", help="Go on where `next_cursor` said.")] = "",
    ) -> Reply:
        """List catalogued files, newest first."""
        from sdkeep.actions.listing import ListRequest
        from sdkeep.actions.listing import ls as act

        request = ListRequest(
            words=" ".join(words or ()),
            kind=kind_called(kind),
            family=family_called(family),
            base=base,
            ui=ui,
            cursor=cursor or None,
            limit=None if everything else limit,
            everything=everything,
        )
        page = act(face.house(), request)

        def show(out: Out) -> None:
            for row in page.rows:
                out.bare(row.name)
            heads = ("NAME", "KIND", "FAMILY", "SIZE", "TITLE", "ADDED")
            rows = [
                (r.name, str(r.kind), family_text(r.family, r.base), size_text(r.size), r.title, r.added[:10])
                for r in page.rows
            ]
            if rows:
                out.table(heads, rows)
            else:
                out.note("nothing here yet" if not words else "nothing fits")
            if page.next_cursor:
                out.note(f"there is more: `--all`, or `--cursor {page.next_cursor}`")

        hints = [] if page.rows else ["`sdkeep search WORDS` finds models, `sdkeep get REF` fetches one"]
        return Reply(page, show, hints=hints)
