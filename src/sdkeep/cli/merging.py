"""The options of `sdkeep merge`, in groups, and where `merge`, `lora` and `embedding` put what they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from sdkeep.cli.completion import catalogue_names, ui_names
from sdkeep.ground.errors import UsageError

Real = float | None


@dataclass(frozen=True, slots=True)
class Way:
    """How the models become one."""

    heading: ClassVar[str] = "How they are merged"
    method: Annotated[
        str, typer.Option("--method", "-m", metavar="NAME", help="How; `sdkeep recipe methods` lists them.")
    ] = ""
    alpha: Annotated[Real, typer.Option("--alpha", "-a", metavar="X", help="How much of the second model.")] = None
    beta: Annotated[Real, typer.Option("--beta", "-b", metavar="X", help="The method's second number.")] = None
    gamma: Annotated[Real, typer.Option("--gamma", metavar="X", help="The method's third number.")] = None
    density: Annotated[
        Real, typer.Option("--density", metavar="X", help="TIES, DARE, DELLA: the share of differences kept.")
    ] = None
    epsilon: Annotated[Real, typer.Option("--epsilon", metavar="X", help="DELLA: the spread of chances.")] = None
    votes: Annotated[Real, typer.Option("--votes", metavar="X", help="TIES: 1 elects signs by number.")] = None
    blocks: Annotated[
        str, typer.Option("--blocks", metavar="WEIGHTS", help="Alpha by block: a preset, a list, or NAME=VALUE,...")
    ] = ""
    beta_blocks: Annotated[str, typer.Option("--beta-blocks", metavar="WEIGHTS", help="The same for beta.")] = ""
    keys: Annotated[
        list[str] | None, typer.Option("--key", metavar="PATTERN=X", help="Alpha for tensors by their name.")
    ] = None
    compat: Annotated[
        str, typer.Option("--compat", metavar="TOOL", help="As a1111, supermerger or sd-mecha do it.")
    ] = "sdkeep"

    @property
    def numbers(self) -> dict[str, float]:
        """The method's numbers that were given."""
        names = ("alpha", "beta", "gamma", "density", "epsilon", "votes")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was asked for that a recipe file says."""
        return not (self.method or self.numbers or self.blocks or self.beta_blocks or self.keys)


@dataclass(frozen=True, slots=True)
class Baked:
    """What is put into the result."""

    heading: ClassVar[str] = "What is baked in"
    vae: Annotated[
        str, typer.Option("--vae", metavar="REF", help="This VAE in place of its own.", autocompletion=catalogue_names)
    ] = ""
    lora: Annotated[
        list[str] | None,
        typer.Option("--lora", metavar="REF[:W]", help="This LoRA, after merging; :UNET:TEXT and :lbw=PRESET too."),
    ] = None
    strict: Annotated[bool, typer.Option("--strict", help="A LoRA that fits in part is an error.")] = False


@dataclass(frozen=True, slots=True)
class Written:
    """What the result holds, and in which formats."""

    heading: ClassVar[str] = "How it is written"
    precision: Annotated[str, typer.Option("--precision", metavar="P", help="fp32, fp16, bf16, fp8 or fp8-e5m2.")] = ""
    ema: Annotated[
        str, typer.Option("--ema", metavar="WHAT", help="Averaged weights: drop, use in place of others, keep.")
    ] = "drop"
    prune: Annotated[bool, typer.Option("--prune", help="Keep UNet, VAE and text encoders only.")] = False
    discard: Annotated[str, typer.Option("--discard", metavar="PATTERN", help="Leave out tensors by their name.")] = ""
    config: Annotated[
        str, typer.Option("--config", metavar="WHOSE", help="Whose .yaml goes along: a, b, c or none.")
    ] = "a"


@dataclass(frozen=True, slots=True)
class Care:
    """What is forgiven."""

    heading: ClassVar[str] = "What is forgiven"
    missing: Annotated[
        str, typer.Option("--missing", metavar="WHAT", help="Tensors a model lacks: refuse, or keep the first's.")
    ] = "refuse"
    non_finite: Annotated[
        str, typer.Option("--non-finite", metavar="WHAT", help="NaN and infinities in a model: refuse or keep.")
    ] = "refuse"


@dataclass(frozen=True, slots=True)
class Computing:
    """What computes."""

    heading: ClassVar[str] = "Computing"
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", min=0, max=64, help="0: one a core, up to four.")
    ] = 0
    device: Annotated[str, typer.Option("--device", metavar="D", help="cpu, cuda or mps.")] = "cpu"


@dataclass(frozen=True, slots=True)
class Target:
    """Where something new goes."""

    heading: ClassVar[str] = "Where it goes"
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write there instead of the store.")
    ] = None
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name in the store.")] = ""
    uis: Annotated[
        list[str] | None,
        typer.Option("--in", "--ui", metavar="UI", help="Place in this WebUI only.", autocompletion=ui_names),
    ] = None
    no_place: Annotated[bool, typer.Option("--no-place", help="Keep it in the store only.")] = False

    @property
    def places(self) -> tuple[str, ...] | None:
        """The WebUIs to place it in; None for every one."""
        if self.out is not None and (self.name or self.uis):
            raise UsageError(
                f"`{self.out}` is outside the store, and `{'--name' if self.name else '--in'}` is about the store",
                "a result goes to one of the two", "leave one of them out",
            )  # fmt: skip
        return () if self.no_place else tuple(self.uis) if self.uis else None
