"""`sdkeep place` and `sdkeep unplace`: put files where WebUIs look, and take them out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import InUi
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UnknownUi

if TYPE_CHECKING:
    from sdkeep.actions.placing import Placed
    from sdkeep.actions.removing import Unplaced

Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME", help="Catalogued names, hashes or hub references.", autocompletion=catalogue_names),
]

Forget = Annotated[
    bool, typer.Option("--forget", help="Leave files that sdkeep cannot prove its own, and no longer count them.")
]


def register(app: typer.Typer) -> None:
    """Put `place` and `unplace` on the application."""

    @verb(app, "place", "link", examples=("sdkeep place my-lora", "sdkeep place my-lora --in forge"))
    def place(
        face: Face,
        names: Names,
        ui: InUi = None,
        weight: Annotated[
            float | None, typer.Option("--weight", help="Preferred weight, for the line to paste.")
        ] = None,
        allow_unsafe: Annotated[bool, typer.Option("--allow-unsafe", help="Place a file with a bad verdict.")] = False,
        dry_run: DryRun = False,
    ) -> Reply:
        """Put files into the folders where registered WebUIs look for their kind."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.local import artifact
        from sdkeep.actions.placing import Placing, place_everywhere, settled, targets

        house = face.house(allow_unsafe="true" if allow_unsafe else None)
        uis = tuple(ui) if ui else None
        if not targets(house, uis):
            raise UnknownUi("no WebUI is registered", "there is nowhere to place files", "`sdkeep ui add FOLDER`")
        placing = Placing(weight=weight, dry_run=dry_run, settle=False)
        batch = each(names, lambda name: place_everywhere(house, artifact(house, name), uis, placing))
        placed = list(settled(house, [one for answers in batch.done for one in answers]))
        reply = reply_to(batch, lambda out: show_placed(out, placed, dry_run))
        reply.data = placed
        reply.hints = [] if dry_run else how_to_see(placed)
        return reply

    @verb(app, "unplace", examples=("sdkeep unplace my-lora", "sdkeep unplace my-lora --in forge --dry-run"))
    def unplace(face: Face, names: Names, ui: InUi = None, forget: Forget = False, dry_run: DryRun = False) -> Reply:
        """Take files out of WebUIs; the store keeps them. Only what sdkeep put there goes."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.removing import unplace as act

        house = face.house()
        batch = each(names, lambda name: act(house, name, tuple(ui or ()), dry_run=dry_run, forget=forget))
        gone = [one for answers in batch.done for one in answers]
        left = any(one.outcome == "left" for one in gone)
        reply = reply_to(batch, lambda out: show_unplaced(out, gone), 1 if left else 0)
        reply.data = gone
        if left:
            reply.hints = ["`--forget` leaves such a file to you: sdkeep no longer counts its place"]
        return reply


def show_placed(out: Out, placed: list[Placed], dry_run: bool = False, margin: str = "") -> None:
    """Where files went, and what to paste."""
    for one in placed:
        if not margin:
            out.bare(one.path)
        word = "would be placed" if dry_run else "is there already" if one.already else "placed"
        out.line(f"{margin}{word} in {one.ui} ({one.method}): {one.path}", "good")
        for note in one.notes:
            out.line(f"{margin}  {note}")
        if one.refreshed:
            out.line(f"{margin}  {one.ui} is running and has it in its list")
        if one.paste:
            out.line(f"{margin}  paste: {one.paste}", "hint")


def how_to_see(placed: list[Placed]) -> list[str]:
    """For each WebUI that was not asked to look again, what a person does there."""
    waiting = {one.ui: one.refresh for one in placed if one.refresh and not one.refreshed and not one.already}
    return [f"in {ui}: {refresh}" for ui, refresh in waiting.items()]


def show_unplaced(out: Out, gone: list[Unplaced]) -> None:
    """What became of placed files."""
    for one in gone:
        out.bare(one.path)
        out.line(f"{one.outcome}: {one.path}" + (f" ({one.why})" if one.why else ""))
