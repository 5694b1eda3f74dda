"""`sdkeep ls`: what the catalogue holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import FamilyName, KindName, family_called, family_text, kind_called, size_text
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.listing import ListRequest

EXAMPLES = ("sdkeep ls", "sdkeep ls castle --kind lora", "sdkeep ls --all -q", "sdkeep ls --generations castle")


def register(app: typer.Typer) -> None:
    """Put `ls` on the application."""

    @verb(app, "ls", "list", examples=EXAMPLES)
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
        pictures: Annotated[
            bool, typer.Option("--generations", help="List the pictures made here; words are sought in their texts.")
        ] = False,
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
        if pictures:
            if kind or family or base or ui:
                raise UsageError(
                    "pictures have no kind, family, base or place", "those narrow down a list of models",
                    "`sdkeep ls --generations WORD` looks in prompts, names of models and paths",
                )  # fmt: skip
            return _pictures(face, request)
        page = act(face.house(), request)
        narrowed = bool(words or kind or family or base or ui)

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
                out.note("nothing fits" if narrowed else "nothing here yet")
            if page.next_cursor:
                out.note(f"there is more: `--all`, or `--cursor {page.next_cursor}`")

        hints = [] if page.rows else ["`sdkeep search WORDS` finds models, `sdkeep get REF` fetches one"]
        if ui and not words and not page.rows:
            hints = ["`sdkeep sync` catalogues what lies in the folders of registered WebUIs"]
        return Reply(page, show, hints=hints)


def _pictures(face: Face, request: ListRequest) -> Reply:
    from sdkeep.actions.listing import generations

    page = generations(face.house(), request)

    def show(out: Out) -> None:
        rows = []
        for one in page.pictures:
            out.bare(one.path)
            gone = "" if one.here else " (gone)"
            rows.append((one.path + gone, one.prompt, one.seed, ", ".join(one.models), one.made[:16].replace("T", " ")))
        if rows:
            out.table(("PICTURE", "PROMPT", "SEED", "MODELS", "MADE"), rows)
        else:
            out.note("no picture was made here yet" if not request.words else "nothing fits")
        if page.next_cursor:
            out.note(f"there is more: `--all`, or `--cursor {page.next_cursor}`")

    return Reply(page, show, hints=[] if page.pictures else ['`sdkeep generate "PROMPT" --model REF` makes one'])
