"""`sdkeep embedding`: textual inversions made out of each other."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep.cli.commands.lora import show
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, verb
from sdkeep.cli.merging import Target
from sdkeep.cli.options import grouped
from sdkeep.ground.errors import UsageError


def register(app: typer.Typer) -> None:
    """Put the `embedding` group on the application."""
    group = typer.Typer(help="Textual inversions.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="embedding")

    @verb(
        group,
        "merge",
        group="embedding",
        examples=(
            "sdkeep embedding merge anna berta",
            "sdkeep embedding merge anna berta --how weighted --weights 0.7,0.3 -o mix.safetensors",
        ),
    )
    @grouped
    def merge(
        face: Face,
        target: Target,
        refs: Annotated[list[str], typer.Argument(metavar="REF", help="Embeddings.", autocompletion=catalogue_names)],
        how: Annotated[str, typer.Option("--how", metavar="WAY", help="average, weighted or concat.")] = "average",
        weights: Annotated[str, typer.Option("--weights", metavar="W,W", help="One for each embedding.")] = "",
        dry_run: DryRun = False,
    ) -> Reply:
        """Average, weight or join embeddings."""
        from sdkeep.actions.adapters import Destination, merge_embeddings
        from sdkeep.actions.merge import check_engine

        check_engine()
        from sdkeep.merge.adapters.embeddings import Way

        known = [str(one) for one in Way]
        if how not in known:
            raise UsageError(f"`{how}` is no way to merge", "known are " + ", ".join(known), "`--how average`")
        to = Destination(target.out, target.name, target.places, dry_run)
        made = merge_embeddings(face.house(), refs, Way(how), _numbers(weights), to)
        hints = [] if made.dry_run or not made.name else [f"`sdkeep show {made.name}`"]
        return Reply(made, lambda o: show(o, made), hints=hints)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(piece) for piece in text.split(",")) if text else ()
    except ValueError:
        numbers = (float("nan"),)
    if any(not abs(number) < float("inf") for number in numbers):
        raise UsageError(f"`{text}` are no weights", "they are numbers with commas between them", "`--weights 0.7,0.3`")
    return numbers
