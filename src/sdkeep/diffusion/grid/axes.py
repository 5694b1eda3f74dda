"""What a grid can vary, by the names of AUTOMATIC1111's X/Y/Z plot, and what each value makes of a job."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sdkeep.diffusion.conditioning import Emphasis
from sdkeep.diffusion.grid.values import Written, read_axes, real_numbers, whole_numbers
from sdkeep.diffusion.jobs import Hires, Job, Size, Start
from sdkeep.diffusion.sampling.noise import Rng
from sdkeep.diffusion.sampling.registry import choose
from sdkeep.ground.errors import UsageError
from sdkeep.ground.text import one_line

MOST_CELLS = 2000
Value = int | float | str | Size | tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One picture of a grid: its job, and the models it is made with where an axis names others than the command."""

    job: Job
    checkpoint: str = ""
    vae: str = ""
    refiner: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """What stands above the columns, beside the rows, and over each of several tables; empty where nothing varies."""

    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many columns, rows and tables there are, at least one of each."""
        return max(len(self.columns), 1), max(len(self.rows), 1), max(len(self.tables), 1)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of all tables, table by table, in each row by row; see `drawing.draw_grid`."""

    cells: tuple[Cell, ...]
    labels: Labels


Change = Callable[[Cell, Value, tuple[Value, ...]], Cell]
"""From a cell, a value and all values of the axis to the cell that has the value."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something that can vary: how its values are read, what one does, and how it is shown on a label."""

    name: str
    read: Callable[[tuple[str, ...]], Sequence[Value]]
    change: Change
    aliases: tuple[str, ...] = ()
    bare: bool = False

    def label(self, value: Value) -> str:
        """`Steps: 20`; samplers, prompts and models speak for themselves."""
        if isinstance(value, tuple):
            shown = ", ".join(map(str, value)) if self.name == "Prompt order" else "x".join(map(str, value))
        else:
            shown = f"{value:g}" if isinstance(value, float) else str(value)
        return shown if self.bare else f"{self.name}: {shown}"


def expand(job: Job, text: str) -> Grid:
    """The grid that a text means for a job: the first axis goes across, the second down, the third from table to table.

    Raises `UsageError` for an unknown axis, with the nearest names, for a value that an axis cannot have, and for one
    that this job does not have, such as hires steps without hires fix.
    """
    axes = [(option_called(one.name), one) for one in read_axes(text)]
    values = [_values(option, one) for option, one in axes]
    total = 1
    for found in values:
        total *= len(found)
    if total > MOST_CELLS:
        raise UsageError(f"a grid of {total:,} pictures cannot be drawn", f"{MOST_CELLS:,} are the most", "name fewer")
    options = [option for option, _ in axes]
    cells = []
    for turned in itertools.product(*reversed(values)):
        cell = Cell(job)
        for option, value, every in zip(options, reversed(turned), values, strict=True):
            cell = option.change(cell, value, every)
        cells.append(cell)
    labels = [
        () if option.name == "Nothing" else tuple(option.label(value) for value in found)
        for option, found in zip(options, values, strict=True)
    ]
    return Grid(tuple(cells), Labels(*labels))


def _values(option: Option, written: Written) -> tuple[Value, ...]:
    return tuple(option.read(written.values))


def option_called(name: str) -> Option:
    """The option of a name or alias, in any case; raises `UsageError` with the nearest names."""
    known = {_plain(word): option for option in OPTIONS for word in (option.name, *option.aliases)}
    found = known.get(_plain(name))
    if found is None:
        near = difflib.get_close_matches(_plain(name), list(known), n=3, cutoff=0.5)
        names = [known[word].name for word in near] or [option.name for option in OPTIONS]
        raise UsageError(
            f"a grid cannot vary `{one_line(name)}`",
            ("the nearest are " if near else "it can vary ") + ", ".join(dict.fromkeys(names)),
            f'`--grid "{names[0]}: ..."`',
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.casefold())


# How values are read


def _words(values: tuple[str, ...]) -> tuple[str, ...]:
    return values


def _named(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if value)


def _seeds(values: tuple[str, ...]) -> tuple[int, ...]:
    found = whole_numbers(values)
    if min(found) < 0:
        raise UsageError(
            "a seed in a grid cannot be below nought", "chance would decide it anew", '`--grid "Seed: 1-4"`'
        )
    return found


def _samplers(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in _named(values):
        choose(value)
    return _named(values)


def _schedules(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in _named(values):
        choose("Euler", value)
    return _named(values)


def _sizes(values: tuple[str, ...]) -> tuple[Size, ...]:
    found = []
    for value in _named(values):
        matched = re.fullmatch(r"(\d+)\s*[x×X]\s*(\d+)", value)
        if not matched:
            raise UsageError(f"`{one_line(value)}` is no size", "width, x, height", '`--grid "Size: 512x512, 512x768"`')
        found.append((int(matched[1]), int(matched[2])))
    return tuple(found)


def _orders(values: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    if len(_named(values)) > 6:
        raise UsageError(f"{len(values)} words have too many orders to draw", "six are the most", "name fewer")
    return tuple(itertools.permutations(_named(values)))


def _one_of(kind: type[StrEnum]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def read(values: tuple[str, ...]) -> tuple[str, ...]:
        known = {member.value.casefold(): member.value for member in kind}
        unknown = [value for value in _named(values) if value.casefold() not in known]
        if unknown:
            what = f"`{one_line(unknown[0])}` cannot be a value here"
            raise UsageError(what, "known are " + ", ".join(known.values()), f"name {next(iter(known.values()))}")
        return tuple(known[value.casefold()] for value in _named(values))

    return read


# What values do


def _job(**how: Callable[[Value], object]) -> Change:
    """Sets fields of the job, each to what its function makes of the value."""
    return lambda cell, value, _: replace(
        cell, job=replace(cell.job, **{field: make(value) for field, make in how.items()})
    )


def _same(value: Value) -> Value:
    return value


def _knob(field: str) -> Change:
    return lambda cell, value, _: replace(cell, job=replace(cell.job, knobs=replace(cell.job.knobs, **{field: value})))


def _hires(field: str) -> Change:
    def change(cell: Cell, value: Value, _: tuple[Value, ...]) -> Cell:
        if cell.job.hires is None:
            raise _has_not("hires fix", "`--hires 2` makes a second pass")
        changed: Hires = replace(cell.job.hires, **{field: value})
        return replace(cell, job=replace(cell.job, hires=changed))

    return change


def _start(field: str) -> Change:
    def change(cell: Cell, value: Value, _: tuple[Value, ...]) -> Cell:
        if cell.job.start is None:
            raise _has_not("picture to begin from", "`--init FILE` names one")
        changed: Start = replace(cell.job.start, **{field: value})
        return replace(cell, job=replace(cell.job, start=changed))

    return change


def _denoising(cell: Cell, value: Value, every: tuple[Value, ...]) -> Cell:
    if cell.job.start is None and cell.job.hires is None:
        raise _has_not("picture to begin from, nor hires fix", "`--init FILE` or `--hires 2` makes it matter")
    return (_start if cell.job.start else _hires)("denoising")(cell, value, every)


def _model(field: str) -> Change:
    return lambda cell, value, _: replace(cell, **{field: value})


def _nothing(cell: Cell, _value: Value, _every: tuple[Value, ...]) -> Cell:
    return cell


def _replaced(cell: Cell, value: Value, every: tuple[Value, ...]) -> Cell:
    old, new, job = str(every[0]), str(value), cell.job
    if not old or (old not in job.prompt and old not in job.negative):
        raise UsageError(
            f"`{one_line(old)}` is neither in the prompt nor in the negative one",
            "the first value of Prompt S/R is what the others take the place of",
            '`--grid "Prompt S/R: castle, bridge"` with a castle in the prompt',
        )
    return replace(cell, job=replace(job, prompt=job.prompt.replace(old, new), negative=job.negative.replace(old, new)))


def _ordered(cell: Cell, value: Value, _: tuple[Value, ...]) -> Cell:
    """The prompt with its named words in another order, at the places where words of theirs stood."""
    words = [str(word) for word in value] if isinstance(value, tuple) else []
    prompt = cell.job.prompt
    parts: list[str] = []
    for word, old in zip(words, sorted(words, key=prompt.find), strict=True):
        before, found, prompt = prompt.partition(old)
        if not found:
            what = f"`{one_line(old)}` is not in the prompt, or is part of another word of the axis"
            raise UsageError(what, "its place is to change", "check the spelling")
        parts += [before, word]
    return replace(cell, job=replace(cell.job, prompt="".join(parts) + prompt))


def _has_not(what: str, next: str) -> UsageError:
    return UsageError(f"this picture has no {what}", "so a grid cannot vary it", next)


OPTIONS: tuple[Option, ...] = (
    Option("Nothing", lambda _values: ("",), _nothing),
    Option("Seed", _seeds, _job(seed=_same)),
    Option("Var. seed", _seeds, _job(variation_seed=_same), ("Variation seed",)),
    Option("Var. strength", real_numbers, _job(variation=_same), ("Variation strength", "Variation seed strength")),
    Option("Steps", whole_numbers, _job(steps=_same)),
    Option("Hires steps", whole_numbers, _hires("steps")),
    Option("CFG Scale", real_numbers, _job(cfg=_same), ("CFG",)),
    Option("Image CFG Scale", real_numbers, _job(image_cfg=_same), ("Image CFG",)),
    Option("Prompt S/R", _words, _replaced, ("Prompt",), bare=True),
    Option("Prompt order", _orders, _ordered, bare=True),
    Option("Sampler", _samplers, _job(sampler=_same), ("Sampling method",), bare=True),
    Option("Schedule type", _schedules, _job(schedule=_same), ("Schedule", "Scheduler")),
    Option("Size", _sizes, _job(size=_same), bare=True),
    Option("Clip skip", whole_numbers, _job(clip_skip=_same)),
    Option("Denoising", real_numbers, _denoising, ("Denoise", "Denoising strength")),
    Option("Initial noise multiplier", real_numbers, _start("noise_multiplier")),
    Option("Cond. Image Mask Weight", real_numbers, _start("mask_weight"), ("Conditional mask weight",)),
    Option("Hires scale", real_numbers, _hires("scale"), ("Hires upscale", "Hires")),
    Option("Hires upscaler", _named, _hires("upscaler")),
    Option("Hires sampler", _samplers, _hires("sampler")),
    Option("Hires schedule", _schedules, _hires("schedule"), ("Hires schedule type",)),
    Option("Hires CFG Scale", real_numbers, _hires("cfg"), ("Hires CFG",)),
    Option("Checkpoint name", _named, _model("checkpoint"), ("Checkpoint", "Model"), bare=True),
    Option("VAE", _named, _model("vae")),
    Option("Refiner checkpoint", _named, _model("refiner"), ("Refiner",)),
    Option("Refiner switch at", real_numbers, _job(refine_at=_same)),
    Option("Emphasis", _one_of(Emphasis), _job(emphasis=lambda value: Emphasis(str(value)))),
    Option("RNG source", _one_of(Rng), _job(rng=lambda value: Rng(str(value))), ("RNG",)),
    Option("Eta", real_numbers, _knob("eta")),
    Option("ENSD", whole_numbers, _job(ensd=_same), ("Eta noise seed delta",)),
    Option("Sigma Churn", real_numbers, _knob("churn")),
    Option("Sigma min", real_numbers, _knob("tmin")),
    Option("Sigma max", real_numbers, _knob("tmax")),
    Option("Sigma noise", real_numbers, _knob("s_noise")),
)
"""In about AUTOMATIC1111's order. A LoRA's weight is varied through Prompt S/R: `x:0.5>, x:0.8>, x:1>`."""


def names() -> Iterator[str]:
    """What a grid can vary, for help."""
    return (option.name for option in OPTIONS)
