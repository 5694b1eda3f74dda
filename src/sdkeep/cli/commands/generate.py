"""`sdkeep generate`: from a checkpoint to pictures."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Interrupted, Reply, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.generate import Generated, GenerateRequest
    from sdkeep.actions.generating.wishes import Value

EXAMPLES = (
    'sdkeep generate "a photo of a seven" --model digits',
    'sdkeep generate "a castle, (sunset:1.2) <lora:ink:0.8>" --model sd15 --count 4 -o pictures/',
    'sdkeep generate "a castle" --model sdxl --sampler "DPM++ 2M" --schedule Karras --size 1024x1024 --seed 1',
    'sdkeep generate "a red door" --model sd15 --init house.png --mask door.png --denoising 0.8',
    'sdkeep generate "a castle" --model sd15 --grid "Sampler: Euler a, DDIM; CFG: 4, 7, 10"',
    "sdkeep generate --from-image castle.png --preview",
)
Text = str | None
Whole = int | None
Real = float | None


def register(app: typer.Typer) -> None:
    """Put `generate` on the application."""

    @verb(app, "generate", "gen", examples=EXAMPLES)
    def generate(
        face: Face,
        prompt: Annotated[
            str | None, typer.Argument(metavar="[PROMPT]", help="What to draw, in AUTOMATIC1111's dialect.")
        ] = None,
        model: Annotated[
            str,
            typer.Option(
                "--model",
                "-m",
                metavar="REF",
                help="The checkpoint: a name, a file, sd15, a hub's reference, digits.",
                autocompletion=catalogue_names,
            ),
        ] = "",
        negative: Annotated[Text, typer.Option("--negative", metavar="TEXT", help="What not to draw.")] = None,
        sampler: Annotated[Text, typer.Option("--sampler", metavar="NAME", help="Euler a, DPM++ 2M, DDIM, ...")] = None,
        schedule: Annotated[
            Text, typer.Option("--schedule", metavar="NAME", help="Automatic, Karras, SGM Uniform, ...")
        ] = None,
        steps: Annotated[Whole, typer.Option("--steps", metavar="N", help="Steps of the sampler.")] = None,
        cfg: Annotated[Real, typer.Option("--cfg", metavar="X", help="How closely to follow the prompt.")] = None,
        image_cfg: Annotated[
            Real, typer.Option("--image-cfg", metavar="X", help="How closely to follow the picture (instruct-pix2pix).")
        ] = None,
        seed: Annotated[Whole, typer.Option("--seed", metavar="N", help="Of the first picture; -1 is any.")] = None,
        size: Annotated[Text, typer.Option("--size", metavar="WxH", help="In pixels, multiples of 8.")] = None,
        count: Annotated[Whole, typer.Option("--count", "-c", metavar="N", help="How many pictures.")] = None,
        batch: Annotated[Whole, typer.Option("--batch", metavar="N", help="How many of them at once.")] = None,
        clip_skip: Annotated[Whole, typer.Option("--clip-skip", metavar="N", help="1 or 2, for SD 1.")] = None,
        emphasis: Annotated[
            Text, typer.Option("--emphasis", metavar="HOW", help="Original, No-norm, Ignore or None.")
        ] = None,
        variation_seed: Annotated[Whole, typer.Option("--variation-seed", metavar="N", help="A second seed.")] = None,
        variation_strength: Annotated[
            Real, typer.Option("--variation-strength", "--variation", metavar="X", help="How much of it, 0 to 1.")
        ] = None,
        resize_from: Annotated[
            Text, typer.Option("--resize-from", metavar="WxH", help="The size that the seed was found at.")
        ] = None,
        ensd: Annotated[Whole, typer.Option("--ensd", metavar="N", help="Eta noise seed delta.")] = None,
        eta: Annotated[Real, typer.Option("--eta", metavar="X", help="Noise that ancestral samplers add.")] = None,
        rng: Annotated[
            Text, typer.Option("--rng", metavar="WHO", help="Noise as NVIDIA cards draw it (nv), or cpu.")
        ] = None,
        tiling: Annotated[bool, typer.Option("--tiling", help="Edges that fit each other.")] = False,
        vae: Annotated[
            str, typer.Option("--vae", metavar="REF", help="Another VAE.", autocompletion=catalogue_names)
        ] = "",
        refiner: Annotated[
            str, typer.Option("--refiner", metavar="REF", help="A refiner.", autocompletion=catalogue_names)
        ] = "",
        refiner_at: Annotated[
            Real, typer.Option("--refiner-at", "--refine-at", metavar="X", help="After which share of the steps.")
        ] = None,
        base: Annotated[
            str, typer.Option("--base", metavar="REF", help="A checkpoint that lends the parts this one lacks.")
        ] = "",
        init: Annotated[Path | None, typer.Option("--init", metavar="FILE", help="A picture to begin from.")] = None,
        denoising: Annotated[
            Real, typer.Option("--denoising", metavar="X", help="How much of it to make anew, 0 to 1.")
        ] = None,
        resize_mode: Annotated[
            Text, typer.Option("--resize-mode", metavar="HOW", help="resize, crop, fill or latent.")
        ] = None,
        mask: Annotated[
            Path | None, typer.Option("--mask", metavar="FILE", help="White is made anew, black is kept.")
        ] = None,
        mask_blur: Annotated[Whole, typer.Option("--mask-blur", metavar="N", help="In pixels.")] = None,
        masked_content: Annotated[
            Text, typer.Option("--masked-content", metavar="WHAT", help="fill, original, latent-noise, latent-nothing.")
        ] = None,
        only_masked: Annotated[
            bool, typer.Option("--only-masked", help="Work on the masked part alone, at full size.")
        ] = False,
        padding: Annotated[Whole, typer.Option("--padding", metavar="N", help="Pixels around that part.")] = None,
        invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Black is made anew.")] = False,
        hires: Annotated[Real, typer.Option("--hires", metavar="SCALE", help="Hires fix: so much larger.")] = None,
        hires_size: Annotated[Text, typer.Option("--hires-size", metavar="WxH", help="Hires fix: this large.")] = None,
        hires_steps: Annotated[Whole, typer.Option("--hires-steps", metavar="N", help="Its steps.")] = None,
        hires_denoising: Annotated[Real, typer.Option("--hires-denoising", metavar="X", help="0 to 1.")] = None,
        hires_upscaler: Annotated[
            Text,
            typer.Option("--hires-upscaler", "--upscaler", metavar="NAME", help="Latent, Lanczos, ..., or a file."),
        ] = None,
        lora_dir: Annotated[
            list[Path] | None, typer.Option("--lora-dir", metavar="DIR", help="Look for adapters in here too.")
        ] = None,
        styles: Annotated[Path | None, typer.Option("--styles", metavar="FILE", help="A styles.csv.")] = None,
        style: Annotated[list[str] | None, typer.Option("--style", metavar="NAME", help="A style of it.")] = None,
        wildcards: Annotated[
            Path | None, typer.Option("--wildcards", metavar="DIR", help="Files for __name__; also {a|b}.")
        ] = None,
        matrix: Annotated[bool, typer.Option("--matrix", help="Every combination of the parts between |.")] = False,
        grid: Annotated[
            str, typer.Option("--grid", metavar="SPEC", help='"Sampler: Euler, DDIM; CFG: 4, 7" in one picture.')
        ] = "",
        device: Annotated[str, typer.Option("--device", metavar="D", help="cpu, cuda or mps.")] = "",
        dtype: Annotated[str, typer.Option("--dtype", "--precision", metavar="T", help="fp32, fp16 or bf16.")] = "",
        low_memory: Annotated[
            bool, typer.Option("--low-memory", help="Slower, with one part of the model at a time.")
        ] = False,
        vae_tile: Annotated[
            Whole, typer.Option("--vae-tile", metavar="N", help="Decode in pieces of N pixels, for large pictures.")
        ] = None,
        preview: Annotated[
            bool, typer.Option("--preview", help="Show the picture as it comes, in the terminal.")
        ] = False,
        from_image: Annotated[
            Path | None, typer.Option("--from-image", metavar="FILE", help="Repeat this picture's parameters.")
        ] = None,
        strict: Annotated[
            bool, typer.Option("--strict", help="What fits in part, or cannot be honoured, is an error.")
        ] = False,
        licence: Annotated[
            bool, typer.Option("--licence", "--license", help="Say whether the pictures may be sold.")
        ] = False,
        picture_format: Annotated[str, typer.Option("--format", metavar="F", help="png, jpeg or webp.")] = "png",
        out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Save here.")] = None,
        dry_run: DryRun = False,
    ) -> Reply:
        """Make pictures with an SD 1.x, 2.x or SDXL checkpoint. Each is saved when it is done, its parameters inside.

        Prompts are in AUTOMATIC1111's dialect: weights, BREAK, AND, [from:to:when], <lora:name:0.8>, <hypernet:name>,
        embeddings by name. With `--from-image` a picture's own parameters hold wherever no option is given.
        """
        from sdkeep.actions.generate import GenerateRequest, Output, check_engine
        from sdkeep.actions.generating.bench import Machine
        from sdkeep.actions.generating.finding import Files
        from sdkeep.actions.generating.texts import Dialect

        if not model and from_image is None:
            raise UsageError(
                "no model is named", "nothing can be drawn without a checkpoint",
                "`--model sd15`, a file, or any reference; `--model digits` comes with sdkeep",
            )  # fmt: skip
        if prompt is None and from_image is None:
            raise UsageError(
                "there is no prompt", "nothing says what to draw", f'`sdkeep generate "a castle" --model {model}`'
            )
        given: dict[str, Value | None] = {
            "sampler": sampler, "schedule": schedule, "steps": steps, "cfg": cfg, "image_cfg": image_cfg, "seed": seed,
            "size": size, "count": count, "batch": batch, "clip_skip": clip_skip, "emphasis": emphasis,
            "variation_seed": variation_seed, "variation_strength": variation_strength, "resize_from": resize_from,
            "ensd": ensd, "eta": eta, "rng": rng, "tiling": tiling or None, "refiner_at": refiner_at,
            "denoising": denoising, "resize_mode": resize_mode, "mask_blur": mask_blur,
            "masked_content": masked_content, "only_masked": only_masked or None, "padding": padding,
            "invert_mask": invert_mask or None, "hires": hires, "hires_size": hires_size, "hires_steps": hires_steps,
            "hires_denoising": hires_denoising, "hires_upscaler": hires_upscaler, "vae_tile": vae_tile,
        }  # fmt: skip
        check_engine()
        request = GenerateRequest(
            prompt=prompt,
            negative=negative,
            values={name: value for name, value in given.items() if value is not None},
            files=Files(model, vae, refiner, base, init, mask, tuple(lora_dir or ())),
            dialect=Dialect(styles, tuple(style or ()), wildcards, matrix, grid),
            machine=Machine(device, dtype, low_memory),
            output=Output(out or Path("pictures"), picture_format, preview, licence),
            chance=secrets.randbelow(2**32),
            from_image=from_image,
            strict=strict,
            dry_run=dry_run,
        )
        return _reply(face, request)


def _reply(face: Face, request: GenerateRequest) -> Reply:
    from sdkeep.actions.generate import generate

    done = generate(face.house(), request)
    reply = Reply(done, lambda out: _show(out, done))
    if done.stopped:
        interrupted = Interrupted()
        kept = len(done.pictures)
        interrupted.why = (
            f"{kept} picture{'' if kept == 1 else 's'} had been saved and {'is' if kept == 1 else 'are'} kept"
        )
        interrupted.next = f"`--seed {done.next_seed}` goes on with the next" if kept and done.next_seed else ""
        reply.status, reply.failures = interrupted.status, [("", interrupted)]
    elif done.pictures:
        first = done.pictures[0].path
        again = [f"`sdkeep generate --from-image {first}` makes it again"] if done.recorded else []
        reply.hints = [f"`sdkeep show {first}` tells how it was made", *again]
        reply.hints += ["`sdkeep ls --generations` finds it again"] if done.recorded else []
    return reply


def _show(out: Out, done: Generated) -> None:
    for line in done.unhonoured:
        out.line(f"not honoured: {line}", "warn")
    for line in done.licence:
        out.line(line, "warn" if done.sellable is False else "")
    if done.dry_run:
        out.line(f"would make {done.planned} picture{'' if done.planned == 1 else 's'} in {done.folder}", "head")
        for one in done.models:
            out.line(f"  {one.role} {one.name}" + (f" at {one.weight:g}" if one.weight is not None else ""))
        for ref in done.missing:
            out.line(f"  would fetch {ref}")
    for picture in done.pictures:
        out.bare(picture.path)
        out.line(f"{picture.path}  seed {picture.seed}, {picture.width}x{picture.height}", "good")
    for grid in done.grids:
        out.bare(grid)
        out.line(f"{grid}  all of them, labelled", "good")
    if done.pictures and done.seconds:
        out.line(f"  {len(done.pictures)} in {done.seconds:.1f} s with {done.models[0].name} on {done.device}", "dim")
