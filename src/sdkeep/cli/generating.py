"""The options of `sdkeep generate`, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from sdkeep.cli.completion import catalogue_names

Text = str | None
Whole = int | None
Real = float | None


@dataclass(frozen=True, slots=True)
class Models:
    """Which files to draw with."""

    heading: ClassVar[str] = "Models"
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="REF",
            help="The checkpoint: a name, a file, sd15, a hub's reference, digits.",
            autocompletion=catalogue_names,
        ),
    ] = ""
    vae: Annotated[str, typer.Option("--vae", metavar="REF", help="Another VAE.", autocompletion=catalogue_names)] = ""
    refiner: Annotated[
        str, typer.Option("--refiner", metavar="REF", help="A refiner.", autocompletion=catalogue_names)
    ] = ""
    base: Annotated[
        str, typer.Option("--base", metavar="REF", help="A checkpoint that lends the parts this one lacks.")
    ] = ""
    lora_dir: Annotated[
        list[Path] | None, typer.Option("--lora-dir", metavar="DIR", help="Look for adapters in here too.")
    ] = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """How to draw."""

    heading: ClassVar[str] = "Drawing"
    negative: Annotated[Text, typer.Option("--negative", metavar="TEXT", help="What not to draw.")] = None
    sampler: Annotated[Text, typer.Option("--sampler", metavar="NAME", help="Euler a, DPM++ 2M, DDIM, ...")] = None
    schedule: Annotated[
        Text, typer.Option("--schedule", metavar="NAME", help="Automatic, Karras, SGM Uniform, ...")
    ] = None
    steps: Annotated[Whole, typer.Option("--steps", metavar="N", help="Steps of the sampler.")] = None
    cfg: Annotated[Real, typer.Option("--cfg", metavar="X", help="How closely to follow the prompt.")] = None
    image_cfg: Annotated[
        Real, typer.Option("--image-cfg", metavar="X", help="How closely to follow the picture (instruct-pix2pix).")
    ] = None
    seed: Annotated[Whole, typer.Option("--seed", metavar="N", help="Of the first picture; -1 is any.")] = None
    size: Annotated[Text, typer.Option("--size", metavar="WxH", help="In pixels, multiples of 8.")] = None
    count: Annotated[Whole, typer.Option("--count", "-c", metavar="N", help="How many pictures.")] = None
    batch: Annotated[Whole, typer.Option("--batch", metavar="N", help="How many of them at once.")] = None
    clip_skip: Annotated[Whole, typer.Option("--clip-skip", metavar="N", help="1 or 2, for SD 1.")] = None
    emphasis: Annotated[Text, typer.Option("--emphasis", metavar="HOW", help="Original, No-norm, Ignore or None.")] = (
        None
    )
    tiling: Annotated[bool, typer.Option("--tiling", help="Edges that fit each other.")] = False
    refiner_at: Annotated[
        Real, typer.Option("--refiner-at", "--refine-at", metavar="X", help="After which share of the steps.")
    ] = None


@dataclass(frozen=True, slots=True)
class Chance:
    """Where noise comes from, and what few people change."""

    heading: ClassVar[str] = "Noise and fine settings"
    variation_seed: Annotated[Whole, typer.Option("--variation-seed", metavar="N", help="A second seed.")] = None
    variation_strength: Annotated[
        Real, typer.Option("--variation-strength", "--variation", metavar="X", help="How much of it, 0 to 1.")
    ] = None
    resize_from: Annotated[
        Text, typer.Option("--resize-from", metavar="WxH", help="The size that the seed was found at.")
    ] = None
    ensd: Annotated[Whole, typer.Option("--ensd", metavar="N", help="Eta noise seed delta.")] = None
    eta: Annotated[Real, typer.Option("--eta", metavar="X", help="Noise that ancestral samplers add.")] = None
    rng: Annotated[Text, typer.Option("--rng", metavar="WHO", help="Noise as NVIDIA cards draw it (nv), or cpu.")] = (
        None
    )
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar='"NAME: X"', help='Any parameter by its name in infotext: "Schedule rho: 5".'),
    ] = None


@dataclass(frozen=True, slots=True)
class Beginning:
    """A picture to begin from."""

    heading: ClassVar[str] = "From another picture"
    init: Annotated[Path | None, typer.Option("--init", metavar="FILE", help="A picture to begin from.")] = None
    denoising: Annotated[
        Real, typer.Option("--denoising", metavar="X", help="How much of it to make anew, 0 to 1.")
    ] = None
    resize_mode: Annotated[Text, typer.Option("--resize-mode", metavar="HOW", help="resize, crop, fill or latent.")] = (
        None
    )
    mask: Annotated[Path | None, typer.Option("--mask", metavar="FILE", help="White is made anew, black is kept.")] = (
        None
    )
    mask_blur: Annotated[Whole, typer.Option("--mask-blur", metavar="N", help="In pixels.")] = None
    masked_content: Annotated[
        Text, typer.Option("--masked-content", metavar="WHAT", help="fill, original, latent-noise, latent-nothing.")
    ] = None
    only_masked: Annotated[bool, typer.Option("--only-masked", help="Work on the masked part alone, at full size.")] = (
        False
    )
    padding: Annotated[Whole, typer.Option("--padding", metavar="N", help="Pixels around that part.")] = None
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Black is made anew.")] = False


@dataclass(frozen=True, slots=True)
class Second:
    """A second pass at a larger size."""

    heading: ClassVar[str] = "Hires fix"
    hires: Annotated[Real, typer.Option("--hires", metavar="SCALE", help="Hires fix: so much larger.")] = None
    hires_size: Annotated[Text, typer.Option("--hires-size", metavar="WxH", help="Hires fix: this large.")] = None
    hires_steps: Annotated[Whole, typer.Option("--hires-steps", metavar="N", help="Its steps.")] = None
    hires_denoising: Annotated[Real, typer.Option("--hires-denoising", metavar="X", help="0 to 1.")] = None
    hires_upscaler: Annotated[
        Text,
        typer.Option("--hires-upscaler", "--upscaler", metavar="NAME", help="Latent, Lanczos, ..., or a file."),
    ] = None
    hires_sampler: Annotated[Text, typer.Option("--hires-sampler", metavar="NAME", help="Another sampler.")] = None
    hires_schedule: Annotated[Text, typer.Option("--hires-schedule", metavar="NAME", help="Another schedule.")] = None
    hires_cfg: Annotated[Real, typer.Option("--hires-cfg", metavar="X", help="How closely to follow the prompt.")] = (
        None
    )
    hires_prompt: Annotated[Text, typer.Option("--hires-prompt", metavar="TEXT", help="Another prompt.")] = None
    hires_negative: Annotated[Text, typer.Option("--hires-negative", metavar="TEXT", help="What not to draw.")] = None


@dataclass(frozen=True, slots=True)
class Many:
    """What a prompt may stand for."""

    heading: ClassVar[str] = "Many prompts, many pictures"
    styles: Annotated[Path | None, typer.Option("--styles", metavar="FILE", help="A styles.csv.")] = None
    style: Annotated[list[str] | None, typer.Option("--style", metavar="NAME", help="A style of it.")] = None
    wildcards: Annotated[
        Path | None, typer.Option("--wildcards", metavar="DIR", help="Files for __name__; also {a|b}.")
    ] = None
    matrix: Annotated[bool, typer.Option("--matrix", help="Every combination of the parts between |.")] = False
    grid: Annotated[
        str, typer.Option("--grid", metavar="SPEC", help='"Sampler: Euler, DDIM; CFG: 4, 7" in one picture.')
    ] = ""


@dataclass(frozen=True, slots=True)
class Computing:
    """What to compute on."""

    heading: ClassVar[str] = "Computing"
    device: Annotated[str, typer.Option("--device", metavar="D", help="cpu, cuda or mps.")] = ""
    dtype: Annotated[str, typer.Option("--dtype", "--precision", metavar="T", help="fp32, fp16 or bf16.")] = ""
    low_memory: Annotated[bool, typer.Option("--low-memory", help="Slower, with one part of the model at a time.")] = (
        False
    )
    vae_tile: Annotated[
        Whole, typer.Option("--vae-tile", metavar="N", help="Decode in pieces of N pixels, for large pictures.")
    ] = None


@dataclass(frozen=True, slots=True)
class Saving:
    """What becomes of the pictures."""

    heading: ClassVar[str] = "Saving"
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Save here.")] = None
    picture_format: Annotated[str, typer.Option("--format", metavar="F", help="png, jpeg or webp.")] = "png"
    preview: Annotated[bool, typer.Option("--preview", help="Show the picture as it comes, in the terminal.")] = False
    licence: Annotated[bool, typer.Option("--licence", "--license", help="Say whether the pictures may be sold.")] = (
        False
    )
