"""`sdkeep generate`: from a checkpoint to pictures."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.frame import DryRun, Face, Interrupted, Reply, verb
from sdkeep.cli.generating import Beginning, Chance, Computing, Drawing, Many, Models, Saving, Second
from sdkeep.cli.options import given, grouped
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.generate import Generated, GenerateRequest

EXAMPLES = (
    'sdkeep generate "a photo of a seven" --model digits',
    'sdkeep generate "a castle, (sunset:1.2) <lora:ink:0.8>" --model sd15 --count 4 -o pictures/',
    'sdkeep generate "a castle" --model sdxl --sampler "DPM++ 2M" --schedule Karras --size 1024x1024 --seed 1',
    'sdkeep generate "a red door" --model sd15 --init house.png --mask door.png --denoising 0.8',
    'sdkeep generate "a castle" --model sd15 --grid "Sampler: Euler a, DDIM; CFG: 4, 7, 10"',
    "sdkeep generate --from-image castle.png --preview",
)


def register(app: typer.Typer) -> None:
    """Put `generate` on the application."""

    @verb(app, "generate", "gen", examples=EXAMPLES)
    @grouped
    def generate(
        face: Face,
        models: Models,
        drawing: Drawing,
        chance: Chance,
        beginning: Beginning,
        second: Second,
        many: Many,
        computing: Computing,
        saving: Saving,
        prompt: Annotated[
            str | None, typer.Argument(metavar="[PROMPT]", help="What to draw, in AUTOMATIC1111's dialect.")
        ] = None,
        from_image: Annotated[
            Path | None, typer.Option("--from-image", metavar="FILE", help="Repeat this picture's parameters.")
        ] = None,
        strict: Annotated[
            bool, typer.Option("--strict", help="What fits in part, or cannot be honoured, is an error.")
        ] = False,
        dry_run: DryRun = False,
    ) -> Reply:
        """Make pictures with an SD 1.x, 2.x or SDXL checkpoint. Each is saved when it is done, its parameters inside.

        Prompts are in AUTOMATIC1111's dialect: weights, BREAK, AND, [from:to:when], <lora:name:0.8>, <hypernet:name>,
        embeddings by name. With `--from-image` a picture's own parameters hold wherever no option is given.
        """
        from sdkeep.actions.generate import GenerateRequest, Output, check_engine
        from sdkeep.actions.generating.bench import Machine
        from sdkeep.actions.generating.finding import Files
        from sdkeep.actions.generating.parameters import settings_told
        from sdkeep.actions.generating.texts import Dialect

        _check_asked(models.model, prompt, from_image)
        check_engine()
        values = given(drawing, chance, beginning, second) | settings_told(chance.settings or ())
        values.pop("negative", None)
        request = GenerateRequest(
            prompt=prompt,
            negative=drawing.negative,
            values=values if computing.vae_tile is None else {**values, "vae_tile": computing.vae_tile},
            files=Files(
                models.model, models.vae, models.refiner, models.base, beginning.init, beginning.mask,
                tuple(models.lora_dir or ()),
            ),
            dialect=Dialect(many.styles, tuple(many.style or ()), many.wildcards, many.matrix, many.grid),
            machine=Machine(computing.device, computing.dtype, computing.low_memory),
            output=Output(saving.out or Path("pictures"), saving.picture_format, saving.preview, saving.licence),
            chance=secrets.randbelow(2**32),
            from_image=from_image,
            strict=strict,
            dry_run=dry_run,
        )  # fmt: skip
        return _reply(face, request)


def _check_asked(model: str, prompt: str | None, picture: Path | None) -> None:
    """Complain where neither an option nor a picture says what to draw, and with what."""
    if not model and picture is None:
        raise UsageError(
            "no model is named", "nothing can be drawn without a checkpoint",
            "`--model sd15`, a file, or any reference; `--model digits` comes with sdkeep",
        )  # fmt: skip
    if prompt is None and picture is None:
        raise UsageError(
            "there is no prompt", "nothing says what to draw", f'`sdkeep generate "a castle" --model {model}`'
        )


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
