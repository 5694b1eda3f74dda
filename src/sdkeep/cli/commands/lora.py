"""`sdkeep lora`: adapters made out of models and out of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, verb
from sdkeep.cli.merging import Target
from sdkeep.cli.options import grouped
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.adapters import Destination, MadeAdapter
    from sdkeep.merge.adapters.ranks import Rule

PRECISIONS = {"fp16": "F16", "bf16": "BF16", "fp32": "F32"}

Precision = Annotated[str, typer.Option("--precision", metavar="P", help="fp16, bf16 or fp32.")]
Rank = Annotated[
    str,
    typer.Option(
        "--rank", "-r", metavar="RULE", help="A number, or threshold:T, ratio:R, quantile:Q, fro:F; ,most:N caps it."
    ),
]
ConvRank = Annotated[str, typer.Option("--conv-rank", metavar="RULE", help="The same for residual convolutions.")]
OneRef = Annotated[str, typer.Argument(metavar="REF", help="An adapter.", autocompletion=catalogue_names)]


def register(app: typer.Typer) -> None:
    """Put the `lora` group on the application."""
    group = typer.Typer(
        help="Adapters made out of models and out of each other.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(group, name="lora")
    _extract(group)
    _resize(group)
    _merge(group)
    _convert(group)


def _extract(group: typer.Typer) -> None:
    @verb(
        group,
        "extract",
        group="lora",
        examples=(
            "sdkeep lora extract photo sd15 --rank 32",
            "sdkeep lora extract photo.safetensors base.safetensors --rank fro:0.9,most:64 -o p.safetensors",
        ),
    )
    @grouped
    def extract(
        face: Face,
        target: Target,
        tuned: Annotated[
            str, typer.Argument(metavar="MODEL", help="The model to take it from.", autocompletion=catalogue_names)
        ],
        original: Annotated[
            str, typer.Argument(metavar="BASE", help="The model it was made from.", autocompletion=catalogue_names)
        ],
        rank: Rank = "32",
        conv_rank: ConvRank = "",
        only: Annotated[str, typer.Option("--only", metavar="PART", help="unet or text.")] = "",
        rest: Annotated[
            bool, typer.Option("--rest", help="Norms, biases and outer layers too, as whole differences.")
        ] = False,
        clamp: Annotated[
            float, typer.Option("--clamp", metavar="Q", help="Hold factors to this quantile of their sizes.")
        ] = 1.0,
        min_diff: Annotated[
            float, typer.Option("--min-diff", metavar="D", help="Leave out layers that differ by no more.")
        ] = 0.0,
        precision: Precision = "fp16",
        seed: Annotated[int, typer.Option("--seed", help="Of the randomised decomposition.")] = 0,
        dry_run: DryRun = False,
    ) -> Reply:
        """Extract what was added to a model as a LoRA."""
        from sdkeep.actions.adapters import extract as act
        from sdkeep.actions.merge import check_engine

        check_engine()
        from sdkeep.merge.adapters.extracting import Extraction

        if only not in ("", "unet", "text"):
            raise UsageError(f"`{only}` is no part", "known are unet and text", "`--only unet`")
        linear, conv = _rule(rank), _rule(conv_rank) if conv_rank else None
        options = Extraction(
            linear, conv, only != "text", only != "unet", rest, clamp, min_diff, _dtype(precision), seed
        )  # fmt: skip
        return _reply(act(face.house(), tuned, original, options, _to(target, dry_run)))


def _resize(group: typer.Typer) -> None:
    @verb(
        group,
        "resize",
        group="lora",
        examples=("sdkeep lora resize detail --rank 16", "sdkeep lora resize loha.safetensors --rank fro:0.95"),
    )
    @grouped
    def resize(
        face: Face,
        target: Target,
        ref: OneRef,
        rank: Rank = "32",
        conv_rank: ConvRank = "",
        precision: Precision = "fp16",
        dry_run: DryRun = False,
    ) -> Reply:
        """Make an adapter a plain LoRA of smaller ranks."""
        from sdkeep.actions.adapters import resize as act
        from sdkeep.actions.merge import check_engine

        check_engine()
        from sdkeep.merge.adapters.combining import Limits

        limits = Limits(_rule(rank), _rule(conv_rank) if conv_rank else None)
        to = _to(target, dry_run)
        return _reply(act(face.house(), ref, limits, _dtype(precision), to))


def _merge(group: typer.Typer) -> None:
    @verb(
        group,
        "merge",
        group="lora",
        examples=("sdkeep lora merge detail:0.6 style:0.8", "sdkeep lora merge a b:1:0.5 --rank 64 -o ab.safetensors"),
    )
    @grouped
    def merge(
        face: Face,
        target: Target,
        refs: Annotated[
            list[str],
            typer.Argument(
                metavar="REF[:STRENGTH]",
                help="Adapters, each with UNet[:text] strengths or :lbw=PRESET behind it.",
                autocompletion=catalogue_names,
            ),
        ],
        rank: Annotated[
            str, typer.Option("--rank", "-r", metavar="RULE", help="Within this rank; without it the sum is exact.")
        ] = "",
        conv_rank: ConvRank = "",
        precision: Precision = "fp16",
        dry_run: DryRun = False,
    ) -> Reply:
        """Add up adapters, as one. Exact (ranks add) unless a rank is given."""
        from sdkeep.actions.adapters import merge as act
        from sdkeep.actions.merge import check_engine

        check_engine()
        from sdkeep.merge.adapters.combining import Limits

        limits = Limits(_rule(rank) if rank else None, _rule(conv_rank) if conv_rank else None)
        to = _to(target, dry_run)
        return _reply(act(face.house(), refs, limits, _dtype(precision), to))


def _convert(group: typer.Typer) -> None:
    @verb(
        group,
        "convert",
        group="lora",
        examples=("sdkeep lora convert detail --to peft", "sdkeep lora convert pytorch_lora_weights.bin --to kohya"),
    )
    @grouped
    def convert(
        face: Face,
        target: Target,
        ref: OneRef,
        to: Annotated[str, typer.Option("--to", metavar="NAMES", help="kohya, kohya-diffusers or peft.")] = "kohya",
        dry_run: DryRun = False,
    ) -> Reply:
        """Write an adapter in the names of other tools; the numbers stay."""
        from sdkeep.actions.adapters import convert as act
        from sdkeep.actions.merge import check_engine

        check_engine()
        from sdkeep.merge.adapters.renaming import Target as Names

        known = [str(one) for one in Names]
        if to not in known:
            raise UsageError(f"`{to}` names no tool's names", "known are " + ", ".join(known), "`--to peft`")
        return _reply(act(face.house(), ref, Names(to), _to(target, dry_run)))


def _rule(text: str) -> Rule:
    """`32`, `fro:0.9`, `ratio:0.05,most:64`; raises `UsageError`."""
    from sdkeep.merge.adapters.ranks import Keep, Rule

    first, comma, cap = text.partition(",")
    word, _, value = first.rpartition(":") if ":" in first else ("fixed", ":", first)
    capped, equals, most = cap.partition(":")
    try:
        keep, number = Keep(word), float(value)
        limit = int(most) if comma else 0
        if comma and (capped != "most" or not equals):
            raise ValueError(cap)
    except ValueError:
        rules = ", ".join(f"{one}:N" for one in Keep)
        raise UsageError(
            f"`{text}` is no rule for ranks", f"known are a number, {rules}, each perhaps with `,most:N` behind it",
            "`--rank 32` or `--rank fro:0.9,most:64`",
        ) from None  # fmt: skip
    return Rule(keep, number, limit)


def _dtype(precision: str) -> str:
    if precision not in PRECISIONS:
        raise UsageError(
            f"`{precision}` is no precision to write", "known are " + ", ".join(PRECISIONS), "`--precision fp16`"
        )
    return PRECISIONS[precision]


def _to(target: Target, dry_run: bool) -> Destination:
    from sdkeep.actions.adapters import Destination

    return Destination(target.out, target.name, target.places, dry_run)


def _reply(made: MadeAdapter) -> Reply:
    hints = [] if made.dry_run or not made.name else [f"`sdkeep show {made.name}`"]
    return Reply(made, lambda out: show(out, made), hints=hints)


def show(out: Out, made: MadeAdapter) -> None:
    """What was made, for a person."""
    out.bare(made.path)
    word = "would have" if made.dry_run else "has"
    what = made.path or "the result"
    tensors = "1 tensor" if made.tensors == 1 else f"{made.tensors:,} tensors"
    out.line(f"{what} {word} {tensors}, {size_text(made.size)}", "good")
    if made.layers:
        layers = "1 layer" if made.layers == 1 else f"{made.layers:,} layers"
        lost = f"; {made.lost:.2%} of the changes left out" if made.lost > 0.00005 else ""
        out.line(f"  {layers}, rank {made.rank} at most{lost}")
    for one in made.placed:
        out.line(f"  placed in {one.ui}: {one.path}")
