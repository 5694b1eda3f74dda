"""What a grid can vary, by the names of AUTOMATIC1111's X/Y/Z plot, and what each value makes of a job."""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from sdkeep.diffusion.conditioning import Emphasis
from sdkeep.diffusion.grid.values import read_axes, real_numbers, whole_numbers
from sdkeep.diffusion.jobs import Hires, Job, Size, Start
from sdkeep.diffusion.knobs import Knobs
from sdkeep.diffusion.sampling.noise import Rng
from sdkeep.diffusion.sampling.registry import choose
from sdkeep.ground.errors import UsageError
from sdkeep.ground.text import one_line

MOST_CELLS = 2000
MOST_WORDS = 6
V = TypeVar("V")
Word = TypeVar("Word", bound=StrEnum)


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


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an axis: how it is shown, and what it makes of a cell."""

    shown: str
    made: Callable[[Cell], Cell]


Choices = Callable[[tuple[str, ...]], tuple[Choice, ...]]
"""From the values as they are written to choices."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something that can vary. `bare` ones, such as samplers, speak for themselves and need no name on a label."""

    name: str
    choices: Choices
    aliases: tuple[str, ...] = ()
    bare: bool = False

    def label(self, choice: Choice) -> str:
        """`Steps: 20`."""
        return choice.shown if self.bare else f"{self.name}: {choice.shown}"


def expand(job: Job, text: str) -> Grid:
    """The grid that a text means for a job: the first axis goes across, the second down, the third from table to table.

    Raises `UsageError` for an unknown axis, with the nearest names, for a value that an axis cannot have, and for one
    that this job does not have, such as hires steps without hires fix.
    """
    axes = [(option_called(one.name), one) for one in read_axes(text)]
    choices = [option.choices(one.values) for option, one in axes]
    total = math.prod(map(len, choices))
    if total > MOST_CELLS:
        raise UsageError(f"a grid of {total:,} pictures cannot be drawn", f"{MOST_CELLS:,} are the most", "name fewer")
    cells = []
    for turned in itertools.product(*reversed(choices)):
        cell = Cell(job)
        for choice in reversed(turned):
            cell = choice.made(cell)
        cells.append(cell)
    labels = [
        () if option.name == "Nothing" else tuple(map(option.label, found))
        for (option, _), found in zip(axes, choices, strict=True)
    ]
    return Grid(tuple(cells), Labels(*labels))


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

Read = Callable[[tuple[str, ...]], Sequence[V]]


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


def _one_of(kind: type[Word]) -> Read[Word]:
    def read(values: tuple[str, ...]) -> tuple[Word, ...]:
        known = {member.value.casefold(): member for member in kind}
        unknown = [value for value in _named(values) if value.casefold() not in known]
        if unknown:
            words = [member.value for member in kind]
            what = f"`{one_line(unknown[0])}` cannot be a value here"
            raise UsageError(what, "known are " + ", ".join(words), f"name {words[0]}")
        return tuple(known[value.casefold()] for value in _named(values))

    return read


# What values do


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _choice(value: V, change: Callable[[Cell, V], Cell]) -> Choice:
    return Choice(_shown(value), lambda cell: change(cell, value))


def _cell(read: Read[V], change: Callable[[Cell, V], Cell]) -> Choices:
    """Choices that change a cell."""
    return lambda values: tuple(_choice(value, change) for value in read(values))


def _job(read: Read[V], change: Callable[[Job, V], Job]) -> Choices:
    """Choices that change the job alone."""
    return _cell(read, lambda cell, value: replace(cell, job=change(cell.job, value)))


def _knobs(change: Callable[[Knobs, float], Knobs]) -> Choices:
    return _job(real_numbers, lambda job, value: replace(job, knobs=change(job.knobs, value)))


def _hires(read: Read[V], change: Callable[[Hires, V], Hires]) -> Choices:
    """Choices that change the second pass; a job must have one."""

    def changed(job: Job, value: V) -> Job:
        if job.hires is None:
            raise _has_not("hires fix", "`--hires 2` makes a second pass")
        return replace(job, hires=change(job.hires, value))

    return _job(read, changed)


def _begun(change: Callable[[Start, float], Start]) -> Choices:
    """Choices that change how a picture begins from another; a job must."""

    def changed(job: Job, value: float) -> Job:
        if job.start is None:
            raise _has_not("picture to begin from", "`--init FILE` names one")
        return replace(job, start=change(job.start, value))

    return _job(real_numbers, changed)


def _denoised(job: Job, value: float) -> Job:
    if job.start:
        return replace(job, start=replace(job.start, denoising=value))
    if job.hires:
        return replace(job, hires=replace(job.hires, denoising=value))
    raise _has_not("picture to begin from, nor hires fix", "`--init FILE` or `--hires 2` makes it matter")


def _replacing(values: tuple[str, ...]) -> tuple[Choice, ...]:
    """Prompt S/R: the first value, wherever it stands in the prompts, as each of them."""
    old = values[0]

    def change(cell: Cell, new: str) -> Cell:
        job = cell.job
        if not old or (old not in job.prompt and old not in job.negative):
            raise UsageError(
                f"`{one_line(old)}` is neither in the prompt nor in the negative one",
                "the first value of Prompt S/R is what the others take the place of",
                '`--grid "Prompt S/R: castle, bridge"` with a castle in the prompt',
            )
        prompt, negative = job.prompt.replace(old, new), job.negative.replace(old, new)
        return replace(cell, job=replace(job, prompt=prompt, negative=negative))

    return tuple(_choice(value, change) for value in values)


def _ordering(values: tuple[str, ...]) -> tuple[Choice, ...]:
    """Prompt order: the words of the axis in every order, at the places where they stand in the prompt."""
    words = _named(values)
    if len(words) > MOST_WORDS:
        what = f"{len(words)} words have too many orders to draw"
        raise UsageError(what, f"{MOST_WORDS} are the most", "name fewer")

    def change(cell: Cell, wanted: tuple[str, ...]) -> Cell:
        prompt, parts = cell.job.prompt, list[str]()
        for word, old in zip(wanted, sorted(wanted, key=prompt.find), strict=True):
            before, found, prompt = prompt.partition(old)
            if not found:
                what = f"`{one_line(old)}` is not in the prompt, or is part of another word of the axis"
                raise UsageError(what, "its place is to change", "check the spelling")
            parts += [before, word]
        return replace(cell, job=replace(cell.job, prompt="".join(parts) + prompt))

    orders = itertools.permutations(words)
    return tuple(replace(_choice(order, change), shown=", ".join(order)) for order in orders)


def _has_not(what: str, next: str) -> UsageError:
    return UsageError(f"this picture has no {what}", "so a grid cannot vary it", next)


OPTIONS: tuple[Option, ...] = (
    Option("Nothing", lambda _values: (Choice("", lambda cell: cell),)),
    Option("Seed", _job(_seeds, lambda job, value: replace(job, seed=value))),
    Option("Var. seed", _job(_seeds, lambda job, value: replace(job, variation_seed=value)), ("Variation seed",)),
    Option(
        "Var. strength",
        _job(real_numbers, lambda job, value: replace(job, variation=value)),
        ("Variation strength", "Variation seed strength"),
    ),
    Option("Steps", _job(whole_numbers, lambda job, value: replace(job, steps=value))),
    Option("Hires steps", _hires(whole_numbers, lambda hires, value: replace(hires, steps=value))),
    Option("CFG Scale", _job(real_numbers, lambda job, value: replace(job, cfg=value)), ("CFG",)),
    Option("Image CFG Scale", _job(real_numbers, lambda job, value: replace(job, image_cfg=value)), ("Image CFG",)),
    Option("Prompt S/R", _replacing, ("Prompt",), bare=True),
    Option("Prompt order", _ordering, bare=True),
    Option("Sampler", _job(_samplers, lambda job, value: replace(job, sampler=value)), ("Sampling method",), bare=True),
    Option(
        "Schedule type",
        _job(_schedules, lambda job, value: replace(job, schedule=value)),
        ("Schedule", "Scheduler"),
        bare=True,
    ),
    Option("Size", _job(_sizes, lambda job, value: replace(job, size=value)), bare=True),
    Option("Clip skip", _job(whole_numbers, lambda job, value: replace(job, clip_skip=value))),
    Option("Denoising", _job(real_numbers, _denoised), ("Denoise", "Denoising strength")),
    Option("Initial noise multiplier", _begun(lambda start, value: replace(start, noise_multiplier=value))),
    Option(
        "Cond. Image Mask Weight",
        _begun(lambda start, value: replace(start, mask_weight=value)),
        ("Conditional mask weight",),
    ),
    Option(
        "Hires scale",
        _hires(real_numbers, lambda hires, value: replace(hires, scale=value)),
        ("Hires upscale", "Hires"),
    ),
    Option("Hires upscaler", _hires(_named, lambda hires, value: replace(hires, upscaler=value))),
    Option("Hires sampler", _hires(_samplers, lambda hires, value: replace(hires, sampler=value))),
    Option(
        "Hires schedule",
        _hires(_schedules, lambda hires, value: replace(hires, schedule=value)),
        ("Hires schedule type",),
    ),
    Option("Hires CFG Scale", _hires(real_numbers, lambda hires, value: replace(hires, cfg=value)), ("Hires CFG",)),
    Option(
        "Checkpoint name",
        _cell(_named, lambda cell, value: replace(cell, checkpoint=value)),
        ("Checkpoint", "Model"),
        bare=True,
    ),
    Option("VAE", _cell(_named, lambda cell, value: replace(cell, vae=value))),
    Option("Refiner checkpoint", _cell(_named, lambda cell, value: replace(cell, refiner=value)), ("Refiner",)),
    Option("Refiner switch at", _job(real_numbers, lambda job, value: replace(job, refine_at=value))),
    Option("Emphasis", _job(_one_of(Emphasis), lambda job, value: replace(job, emphasis=value))),
    Option("RNG source", _job(_one_of(Rng), lambda job, value: replace(job, rng=value)), ("RNG",)),
    Option("Eta", _knobs(lambda knobs, value: replace(knobs, eta=value))),
    Option("ENSD", _job(whole_numbers, lambda job, value: replace(job, ensd=value)), ("Eta noise seed delta",)),
    Option("Sigma Churn", _knobs(lambda knobs, value: replace(knobs, churn=value))),
    Option("Sigma min", _knobs(lambda knobs, value: replace(knobs, tmin=value))),
    Option("Sigma max", _knobs(lambda knobs, value: replace(knobs, tmax=value))),
    Option("Sigma noise", _knobs(lambda knobs, value: replace(knobs, s_noise=value))),
    Option("Schedule min sigma", _knobs(lambda knobs, value: replace(knobs, least=value))),
    Option("Schedule max sigma", _knobs(lambda knobs, value: replace(knobs, greatest=value))),
    Option("Schedule rho", _knobs(lambda knobs, value: replace(knobs, rho=value))),
    Option("Beta schedule alpha", _knobs(lambda knobs, value: replace(knobs, beta=(value, knobs.beta[1])))),
    Option("Beta schedule beta", _knobs(lambda knobs, value: replace(knobs, beta=(knobs.beta[0], value)))),
    Option("Extra noise", _knobs(lambda knobs, value: replace(knobs, extra_noise=value))),
    Option(
        "Negative Guidance minimum sigma",
        _job(real_numbers, lambda job, value: replace(job, muting=replace(job.muting, sigma=value))),
        ("NGMS",),
    ),
    Option(
        "Skip Early CFG",
        _job(real_numbers, lambda job, value: replace(job, muting=replace(job.muting, early=value))),
    ),
)
"""In about AUTOMATIC1111's order. A LoRA's weight is varied through Prompt S/R: `x:0.5>, x:0.8>, x:1>`."""


def names() -> Iterator[str]:
    """What a grid can vary, for help."""
    return (option.name for option in OPTIONS)
