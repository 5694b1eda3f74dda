"""`sdkeep dedupe` and `sdkeep eject`: the same bytes in several places become links, and links become plain files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.completion import catalogue_names, ui_names
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import NeedsAnswer, UsageError

if TYPE_CHECKING:
    from sdkeep.actions.dedupe import Deduped
    from sdkeep.actions.eject import Ejected
    from sdkeep.actions.twins import Twin

Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="[UI|FOLDER]", help="Registered WebUIs or folders; all WebUIs.", autocompletion=ui_names),
]


def register(app: typer.Typer) -> None:
    """Put `dedupe` and `eject` on the application."""

    @verb(
        app,
        "dedupe",
        examples=(
            "sdkeep dedupe --dry-run",
            "sdkeep dedupe a1111 comfyui",
            "sdkeep dedupe --undo",
            "sdkeep dedupe --twins",
        ),
    )
    def dedupe(
        face: Face,
        places: Places = None,
        undo: Annotated[bool, typer.Option("--undo", help="Make plain files of what dedupe linked.")] = False,
        twins: Annotated[
            bool, typer.Option("--twins", help="List files with the same tensors: other metadata, pruned, halved.")
        ] = False,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> Reply:
        """Make one stored copy, and links, of the same bytes in several places. Each is compared byte by byte."""
        if undo and twins:
            raise UsageError("`--undo` and `--twins` do not go together", "", "`sdkeep dedupe --help`")
        if twins:
            return _twins(face)
        return _undone(face, places or [], dry_run, yes) if undo else _deduped(face, places or [], dry_run, yes)

    @verb(app, "eject", examples=("sdkeep eject my-lora", "sdkeep eject --ui a1111", "sdkeep eject --all --dry-run"))
    def eject(
        face: Face,
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[NAME]", help="Catalogued names.", autocompletion=catalogue_names),
        ] = None,
        ui: Annotated[
            str, typer.Option("--ui", "--in", metavar="UI", help="This WebUI only.", autocompletion=ui_names)
        ] = "",
        every: Annotated[bool, typer.Option("--all", help="Every placement.")] = False,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> Reply:
        """Turn placements into plain files that need no store. The store keeps its copy."""
        from sdkeep.actions.eject import eject as act

        if not (names or ui or every):
            raise UsageError("nothing is named", "name files, a WebUI or all", "`sdkeep eject --all --dry-run`")
        house = face.house()
        planned = act(house, names or [], ui, dry_run=True)
        if dry_run or not planned:
            return _ejected(planned, "nothing is placed by links there")
        size = sum(one.size for one in planned)
        if not face.confirm(f"{len(planned)} links become plain files of {size_text(size)} in all; go on?", yes=yes):
            raise NeedsAnswer("nothing was changed", "the answer was no")
        return _ejected(act(house, names or [], ui, dry_run=False), "")


def _deduped(face: Face, places: list[str], dry_run: bool, yes: bool) -> Reply:
    from sdkeep.actions.dedupe import dedupe as act

    house = face.house()
    planned = act(house, places, dry_run=True)
    linkable = [one for one in planned.files if one.outcome != "left"]
    if not dry_run and linkable:
        question = f"{len(linkable)} files become links, which saves {size_text(planned.saved)}; go on?"
        if not face.confirm(question, yes=yes):
            raise NeedsAnswer("nothing was changed", "the answer was no")
        planned = act(house, places, dry_run=False)
    reply = Reply(planned, lambda out: _show_deduped(out, planned, dry_run))
    if not dry_run and linkable:
        reply.hints = ["`sdkeep dedupe --undo` makes plain files of them again"]
    return reply


def _show_deduped(out: Out, done: Deduped, dry_run: bool) -> None:
    for one in done.files:
        out.bare(one.path)
        out.line(f"{one.outcome}: {one.path}" + (f" ({one.why})" if one.why else ""), "warn" if one.why else "")
    changed = sum(one.outcome != "left" for one in done.files)
    would = "would be " if dry_run else ""
    sizes = f"{changed:,} {would}linked, {size_text(done.saved)} {would}saved"
    out.line(f"{done.looked:,} files looked at, {sizes}", "good")


def _undone(face: Face, places: list[str], dry_run: bool, yes: bool) -> Reply:
    from sdkeep.actions.eject import undo as act

    house = face.house()
    planned = act(house, places, dry_run=True)
    if dry_run or not planned:
        return _ejected(planned, "nothing is linked by `dedupe` there")
    size = sum(one.size for one in planned)
    if not face.confirm(f"{len(planned)} links become plain files of {size_text(size)} in all; go on?", yes=yes):
        raise NeedsAnswer("nothing was changed", "the answer was no")
    return _ejected(act(house, places, dry_run=False), "")


def _ejected(done: tuple[Ejected, ...], nothing: str) -> Reply:
    def show(out: Out) -> None:
        for one in done:
            out.bare(one.path)
            out.line(f"{one.outcome}: {one.path}" + (f" ({one.why})" if one.why else ""), "warn" if one.why else "")
        if not done:
            out.note(nothing)

    return Reply(list(done), show, 1 if any(one.outcome == "left" for one in done) else 0)


def _twins(face: Face) -> Reply:
    from sdkeep.actions.twins import twins as act

    found = act(face.house())
    return Reply(list(found), lambda out: _show_twins(out, found))


def _show_twins(out: Out, found: tuple[Twin, ...]) -> None:
    for one in found:
        out.bare(one.name)
    rows = [(one.name, one.relation, one.other, size_text(one.size), size_text(one.other_size)) for one in found]
    if rows:
        out.table(("NAME", "IS", "OF", "SIZE", "ITS SIZE"), rows)
    else:
        out.note("no two files hold the same tensors")
