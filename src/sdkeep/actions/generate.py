"""Make pictures: models found or fetched, prompts expanded, each picture saved and recorded as soon as it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep import __version__
from sdkeep.actions.generating import finding
from sdkeep.actions.generating.adapters import Adapters, Around, Found
from sdkeep.actions.generating.applying import key_of, resolved, role_of
from sdkeep.actions.generating.bench import Bench, Cast, Machine
from sdkeep.actions.generating.enlarging import UPSCALER, enlarging
from sdkeep.actions.generating.finding import Files
from sdkeep.actions.generating.recording import Model, hashes, record, summed
from sdkeep.actions.generating.sample import USUAL, sample_file
from sdkeep.actions.generating.saving import Album
from sdkeep.actions.generating.showing import Showing
from sdkeep.actions.generating.texts import Dialect, Sheet
from sdkeep.actions.generating.wishes import Value, Wish, job_of
from sdkeep.actions.house import House
from sdkeep.actions.ingredients import Ingredient
from sdkeep.ground.errors import UsageError
from sdkeep.ground.events import Stopped
from sdkeep.ground.kinds import Family
from sdkeep.ground.licence import Use

if TYPE_CHECKING:
    from sdkeep.actions.generating.repeating import Repeated
    from sdkeep.diffusion.grid.axes import Cell
    from sdkeep.diffusion.jobs import Job
    from sdkeep.diffusion.pipeline import Made

SIZES = {Family.SDXL: (1024, 1024), Family.SDXL_REFINER: (1024, 1024), Family.SD2: (768, 768)}
"""Where a family was trained at another size than 512x512."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where pictures go and in which form, and what is told meanwhile."""

    folder: Path
    format: str = "png"
    preview: bool = False
    licence: bool = False


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What to draw. `values` are the options that were given, by name; `chance` is the seed where none is given.

    `from_image` is a picture whose own parameters hold wherever no option was given.
    """

    prompt: str | None
    negative: str | None
    values: Mapping[str, Value]
    files: Files
    dialect: Dialect
    machine: Machine
    output: Output
    chance: int
    from_image: Path | None = None
    strict: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class UsedFile:
    """A model of the pictures and what it was for; `weight` of an adapter in the UNet."""

    role: str
    name: str
    sha256: str
    path: str
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture that was saved."""

    path: str
    seed: int
    width: int
    height: int
    infotext: str
    models: tuple[UsedFile, ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of it.

    `models` are those of all pictures. `unhonoured` are the parameters of a repeated picture that could not be
    honoured, `missing` what a dry run would fetch. `sellable` is empty where nobody asked; `licence` says why. What was
    `stopped` can be gone on with from `next_seed`.
    """

    pictures: tuple[PictureFile, ...]
    models: tuple[UsedFile, ...]
    folder: str
    device: str
    planned: int
    grids: tuple[str, ...] = ()
    seconds: float = 0.0
    recorded: bool = False
    dry_run: bool = False
    stopped: bool = False
    next_seed: int | None = None
    unhonoured: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    sellable: bool | None = None
    licence: tuple[str, ...] = ()


_ENGINE = ("torch", "ftfy", "regex")


def check_engine() -> None:
    """Raise `UsageError` where the engine is not installed."""
    missing = [name for name in _ENGINE if not _is_installed(name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(
            f"making pictures needs {' and '.join(missing)}, which {verb} not installed",
            "sdkeep works without the engine for everything else", '`pip install "sdkeep[engine]"`',
        )  # fmt: skip


def _is_installed(name: str) -> bool:
    """Whether a package is there; to import it would take its time."""
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except ImportError:
        return False


def generate(house: House, request: GenerateRequest) -> Generated:
    """Make the pictures that are asked for. Stopped, it answers with those that were done."""
    check_engine()
    album = Album(request.output.folder, request.output.format)
    given = {*request.values, *_named(request.files)}
    _checked(_wish(request, None))
    again = _repeated(house, request, given)
    if again is not None and again.unhonoured and request.strict:
        raise _not_honoured(request.from_image, again)
    wish, files = _wish(request, again), _files(request.files, again)
    _checked(wish)
    if request.dry_run and again is not None and again.missing and not request.files.model:
        return _nothing_fetched(request, again)
    first = finding.found(house, files, dry_run=request.dry_run)
    path = first[finding.MODEL].path
    family, trained_at = finding.look_at(path)
    usual = USUAL if sample_file(files.model) else {}
    wish = replace(wish, size=trained_at or SIZES.get(family, (512, 512)), values={**usual, **wish.values})
    sheets = request.dialect.sheets(job_of(wish, files.init, files.mask), literal=request.prompt is None)
    others = [turn for turn in _turns(files, sheets) if turn != files]
    known = {files: first} | {turn: finding.found(house, turn, dry_run=request.dry_run) for turn in others}
    around = Around(files.adapters, path, family, again.settled if again else {})
    jobs = [cell.job for sheet in sheets for cell in sheet.cells]
    cast = _cast(house, Adapters(house, around), jobs, dry_run=request.dry_run)
    session = _Session(house, request, album, cast, again, files, known)
    return session.planned(sheets) if request.dry_run else session.made(sheets)


_OWN = frozenset({"", "none", "automatic", "auto"})
"""What a grid calls the VAE of the checkpoint."""


def _turn(files: Files, cell: Cell) -> Files:
    """The files of one picture of a grid: its own where it names any."""
    vae = cell.vae if cell.vae.casefold() not in _OWN else "" if cell.vae else files.vae
    return replace(files, model=cell.checkpoint or files.model, vae=vae, refiner=cell.refiner or files.refiner)


def _turns(files: Files, sheets: Sequence[Sheet]) -> list[Files]:
    return list(dict.fromkeys(_turn(files, cell) for sheet in sheets for cell in sheet.cells))


def _repeated(house: House, request: GenerateRequest, given: set[str]) -> Repeated | None:
    if request.from_image is None:
        return None
    from sdkeep.actions.generating.repeating import repeated

    again = repeated(house, request.from_image, given, dry_run=request.dry_run)
    return again if "hires_upscaler" in request.values else _with_upscaler(house, request, again)


def _with_upscaler(house: House, request: GenerateRequest, again: Repeated) -> Repeated:
    """The same with pixels enlarged without a network, where the picture's own upscaler cannot be had."""
    name = str(again.values.get("hires_upscaler", ""))
    checkpoint = Path(request.files.model) if Path(request.files.model).is_file() else None
    try:
        enlarging(house, Adapters(house, Around(request.files.adapters, checkpoint)), [name] if name else [])
    except UsageError as error:
        left = f"Hires upscaler: {name} ({error.what}; Lanczos stands in for it)"
        values = {**again.values, "hires_upscaler": "Lanczos"}
        return replace(again, values=values, unhonoured=(*again.unhonoured, left))
    return again


def _checked(wish: Wish) -> None:
    """Complain of numbers and names before anything is fetched; pictures to begin from are read later."""
    inner = {name: value for name, value in wish.values.items() if not name.startswith(_OF_PICTURES)}
    job_of(replace(wish, values=inner))


_OF_PICTURES = ("denoising", "resize_mode", "mask", "only_masked", "padding", "invert_mask", "refiner_at")


def _named(files: Files) -> set[str]:
    """The roles of the files that a person named."""
    named = {"model": files.model, "vae": files.vae, "refiner": files.refiner, "init": files.init, "mask": files.mask}
    return {name for name, value in named.items() if value}


def _wish(request: GenerateRequest, again: Repeated | None) -> Wish:
    """The options of the command line before those of the picture."""
    prompt = request.prompt if request.prompt is not None else again.prompt if again else ""
    negative = request.negative if request.negative is not None else again.negative if again else ""
    values = {**(again.values if again else {}), **request.values}
    if request.files.refiner and "refiner_at" not in values:
        values["refiner_at"] = 0.8
    return Wish(_sound(prompt), _sound(negative), values, request.chance)


def _sound(text: str) -> str:
    """A text without halves of characters, which a shell hands over for bytes that are no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _files(files: Files, again: Repeated | None) -> Files:
    if again is None:
        return files
    return replace(
        files, model=files.model or again.model, vae=files.vae or again.vae, refiner=files.refiner or again.refiner
    )


def _not_honoured(picture: Path | None, again: Repeated) -> UsageError:
    return UsageError(
        f"`{picture}` cannot be repeated in full", "not honoured would be " + "; ".join(again.unhonoured),
        "leave out `--strict` to repeat the rest",
    )  # fmt: skip


def _nothing_fetched(request: GenerateRequest, again: Repeated) -> Generated:
    count = int(request.values.get("count", 1))
    return Generated(
        (), (), str(request.output.folder), "", count, dry_run=True, unhonoured=again.unhonoured, missing=again.missing
    )


def _cast(house: House, adapters: Adapters, jobs: Sequence[Job], *, dry_run: bool) -> Cast:
    """Every adapter that a prompt names, found before a weight is read."""
    from sdkeep.diffusion.prompt.networks import take_networks

    prompts = [text for job in jobs for text in (job.prompt, job.hires.prompt if job.hires else "")]
    negatives = [text for job in jobs for text in (job.negative, job.hires.negative if job.hires else "")]
    taken = [take_networks(prompt) for prompt in dict.fromkeys(prompts)]
    named = list(dict.fromkeys(one for _, networks in taken for one in networks))
    texts = [*(text for text, _ in taken), *dict.fromkeys(negatives)]
    upscalers = [job.hires.upscaler for job in jobs if job.hires]
    return Cast(
        resolved(house, adapters, named), adapters.embeddings_in(texts),
        enlarging(house, adapters, upscalers, dry_run=dry_run),
    )  # fmt: skip


@dataclass(slots=True)
class _Session:
    """One run: what it was asked, what it works with, and what it has made so far."""

    house: House
    request: GenerateRequest
    album: Album
    cast: Cast
    again: Repeated | None
    files: Files
    known: Mapping[Files, dict[str, Ingredient]]
    pictures: list[PictureFile] = field(default_factory=list)
    used: dict[str, UsedFile] = field(default_factory=dict)
    _summed: dict[str, Model] = field(default_factory=dict)

    def planned(self, sheets: Sequence[Sheet]) -> Generated:
        """What would be made."""
        named = {(role, one.path): one for known in self.known.values() for role, one in known.items()}
        models = [UsedFile(role, one.name, one.sha256, str(one.path)) for (role, _), one in named.items()]
        models += [UsedFile(role, one.name, "", str(one.path)) for role, one in self.cast.everyone]
        return self._answer(models, sum(sheet.count for sheet in sheets), device="", dry_run=True)

    def made(self, sheets: Sequence[Sheet]) -> Generated:
        """Make them; a stop leaves those that are done."""
        began = self.house.moment()
        planned = sum(sheet.count for sheet in sheets)
        grids: list[str] = []
        licence: tuple[str, ...] | None = None
        stopped = False
        with Bench(self.house, self.request.machine, self.request.strict, self.cast) as bench:
            everything = [bench.models(known) for known in self.known.values()]
            licence = self._licence([one for models in everything for one in models.values()])
            for sheet in sheets:
                done: list[Made] = []
                try:
                    self._sheet(sheet, bench, planned, done)
                except Stopped:
                    stopped = True
                grids += self._grid(sheet, done)
                if stopped:
                    break
        answer = self._answer(list(self.used.values()), planned, device=bench.device, dry_run=False)
        took = (self.house.moment() - began).total_seconds()
        return replace(
            answer, grids=tuple(grids), stopped=stopped, next_seed=self._following(sheets) if stopped else None,
            seconds=round(took, 2), sellable=None if licence is None else not licence, licence=_told(licence),
        )  # fmt: skip

    def _following(self, sheets: Sequence[Sheet]) -> int | None:
        """The seed of the picture that was at work, where one job makes them all."""
        alone = len(sheets) == 1 and len(sheets[0].cells) == 1
        return sheets[0].cells[0].job.seed_of(len(self.pictures)) if alone else None

    def _licence(self, models: Sequence[Model]) -> tuple[str, ...] | None:
        """Why the pictures may not surely be sold; empty where they may, None where nobody asked."""
        if not self.request.output.licence:
            return None
        from sdkeep.actions.licences import warnings_before

        everything = [*models, *(self._of(one, role) for role, one in self.cast.everyone)]
        unknown = [one.name for one in everything if self.house.book.artifact(one.sha256) is None]
        gaps = [f"`{name}` is not in the catalogue, so nothing is known of its licence" for name in unknown]
        return (*gaps, *warnings_before(self.house, [one.sha256 for one in everything], Use.SELL_PICTURES))

    def _sheet(self, sheet: Sheet, bench: Bench, planned: int, done: list[Made]) -> None:
        """The pictures of one sheet, each saved and recorded as soon as it is done."""
        from sdkeep.diffusion.choosing import suitable_threads

        with Showing(self.house.report, planned, len(self.pictures), self.request.output.preview) as showing:
            for cell in sheet.cells:
                known = self.known[_turn(self.files, cell)]
                pipeline = bench.pipeline(known)
                showing.model = pipeline.model
                with suitable_threads(pipeline.model, cell.job.size):
                    for made in pipeline.run(cell.job, watch=showing.watch, stop=self.house.stop):
                        showing.finished()
                        self._keep(cell.job, made, bench.models(known))
                        done.append(made)

    def _keep(self, job: Job, made: Made, models: Mapping[str, Model]) -> None:
        from sdkeep.diffusion.infotext import infotext

        adapters = self._adapters(job, made)
        text = infotext(job, made, hashes(models, adapters), version=f"sdkeep {__version__}")
        path = self.album.save(made.picture, text, str(made.seed))
        everyone = (*models.values(), *adapters)
        files = tuple(UsedFile(one.role, one.name, one.sha256, one.path, one.weight) for one in everyone)
        self.used.update({f"{one.role} {one.name}": one for one in files})
        self.pictures.append(PictureFile(str(path), made.seed, *made.picture.size, text, files))
        if self.records:
            record(self.house, path, (job.prompt, job.negative, text), replace(job, seed=made.seed), everyone)

    @property
    def records(self) -> bool:
        """Whether there is a catalogue: pictures of a bare file make none."""
        return self.house.settings.catalogue.is_file()

    def _adapters(self, job: Job, made: Made) -> tuple[Model, ...]:
        """What of the cast this picture was really made with."""
        networks = [
            replace(self._of(self.cast.networks[key_of(one)], role_of(one.kind)), name=one.name, weight=one.unet_weight)
            for one in made.networks
            if key_of(one) in self.cast.networks
        ]
        named = {one.name: one for one in self.cast.embeddings}
        embeddings = [self._of(named[name], "embedding") for name in made.embeddings if name in named]
        upscaler = self.cast.upscalers.get(job.hires.upscaler) if job.hires else None
        return (*networks, *embeddings, *([self._of(upscaler, UPSCALER)] if upscaler else []))

    def _of(self, one: Found, role: str) -> Model:
        if str(one.path) not in self._summed:
            self._summed[str(one.path)] = summed(self.house, one, role)
        return self._summed[str(one.path)]

    def _grid(self, sheet: Sheet, done: Sequence[Made]) -> list[str]:
        """The labelled picture of a whole sheet; nothing where it is no grid."""
        picture = sheet.drawn([one.picture for one in done])
        return [str(self.album.save(picture, self.pictures[-1].infotext, "grid"))] if picture is not None else []

    def _answer(self, models: list[UsedFile], planned: int, *, device: str, dry_run: bool) -> Generated:
        return Generated(
            tuple(self.pictures), tuple(models), str(self.album.folder), device, planned, dry_run=dry_run,
            recorded=self.records and bool(self.pictures),
            unhonoured=self.again.unhonoured if self.again else (),
            missing=self.again.missing if self.again and dry_run else (),
        )  # fmt: skip


def _told(licence: tuple[str, ...] | None) -> tuple[str, ...]:
    if licence is None:
        return ()
    return licence or ("the licences of everything used allow to sell the pictures; advice, not law",)
