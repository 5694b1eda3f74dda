"""Merge models: parents found or fetched, a plan from their headers, the file streamed, recorded and placed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.actions.house import House
from sdkeep.actions.ingredients import Ingredient, check_output, hashed, located, looked_at, readable
from sdkeep.ground.errors import NotPlaceable, UnsafeFile, UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Use
from sdkeep.store.names import split_name

if TYPE_CHECKING:
    from sdkeep.actions.placing import Placed
    from sdkeep.merge.alignment import Alignment
    from sdkeep.merge.blocks import Weighting
    from sdkeep.merge.calculating import Manner
    from sdkeep.merge.draft import Draft
    from sdkeep.merge.parents import Opened
    from sdkeep.merge.plan import Plan
    from sdkeep.merge.recipe import Recipe
    from sdkeep.merge.run import Merged
    from sdkeep.merge.target import Change
    from sdkeep.store.blobs import Store
    from sdkeep.weights.adapters.fitting import Fit

    RecipeOf = Callable[[Sequence[Opened], Sequence[Ingredient]], Recipe]

UNKNOWN = "0" * 64


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """What to merge and where it goes: the file `out`, else the store under `name` and the WebUIs `uis`.

    `missing` takes tensors that a parent lacks from the first model; `strict` makes a LoRA that fits in part an error;
    `config` is the place of the model whose configuration goes along, None for none.
    """

    draft: Draft
    out: Path | None = None
    name: str = ""
    threads: int = 0
    device: str = "cpu"
    missing: bool = False
    keep_non_finite: bool = False
    strict: bool = False
    config: int | None = 0
    uis: tuple[str, ...] | None = None
    dry_run: bool = False

    @property
    def manner(self) -> Manner:
        """How the engine runs."""
        from sdkeep.merge.calculating import Manner

        return Manner(self.threads, self.device, self.keep_non_finite)


@dataclass(frozen=True, slots=True)
class MergeParent:
    """A model that went in."""

    ref: str
    name: str
    sha256: str
    family: str = ""
    role: str = "model"


@dataclass(frozen=True, slots=True)
class MergedFile:
    """A merge, done or planned. `path` is the file, or where the store keeps it; `name` is its catalogue name.

    `merged` of its `tensors` were computed, the others are kept from one parent. `exactness` says how far the bytes are
    promised: `everywhere`, on one torch `build` and processor class, or `close`. `unmatched` names what of a LoRA found
    no place; `non_finite` tensors hold numbers that are not finite in a parent, `overflowed` ones by the merge.
    """

    path: str
    name: str
    sha256: str
    size: int
    steps: tuple[str, ...]
    parents: tuple[MergeParent, ...]
    tensors: int
    merged: int
    exactness: str
    resumed: bool = False
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    non_finite: tuple[str, ...] = ()
    overflowed: tuple[str, ...] = ()
    config: str = ""
    placed: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class AlignedBlock:
    """One block of two models: the cosine between their weights, and how far apart they are for their length.

    `far` says that averaging this block would rather destroy than blend.
    """

    block: str
    cosine: float
    distance: float
    tensors: int
    numbers: int
    far: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models held side by side, block by block."""

    first: str
    second: str
    blocks: tuple[AlignedBlock, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with the files it reads, what is to be told about it, and how to run it."""

    plan: Plan
    found: tuple[Ingredient, ...]
    unmatched: tuple[str, ...]
    warnings: tuple[str, ...]
    manner: Manner


def merge(house: House, request: MergeRequest) -> MergedFile:
    """Merge as asked; nothing is left of a merge that cannot be done, and a stopped one goes on next time."""
    if request.out is not None:
        check_output(request.out, request.draft.refs)
    with prepared(house, request) as ready:
        for warning in ready.warnings:
            house.warn(warning)
        if request.dry_run:
            return answer(ready, None, path=str(request.out or ""))
        return _to_file(house, request, ready) if request.out is not None else _to_store(house, request, ready)


def check_engine() -> None:
    """Raise `UsageError` where torch is not installed."""
    if find_spec("torch") is None:
        raise UsageError(
            "this needs torch, which is not installed", "plain weighted sums and added differences work without it",
            '`pip install "sdkeep[engine]"`',
        )  # fmt: skip


@contextmanager
def prepared(house: House, request: MergeRequest) -> Iterator[Prepared]:
    """Files found, opened and hashed, the recipe made, the plan decided. No weight has been read."""
    from sdkeep.merge.plan import block_map
    from sdkeep.merge.recipe import METADATA, Parent

    draft = request.draft
    models = len(draft.models) + bool(draft.vae)

    def recipe(open_: Sequence[Opened], files: Sequence[Ingredient]) -> Recipe:
        older = [one.metadata.get(METADATA, "") for one in open_]
        parents = [
            Parent(one.name, one.sha256 or UNKNOWN, older[place] if place < models else "")
            for place, one in enumerate(files)
        ]
        return draft.recipe(parents, block_map(open_[draft.primary], draft.output.compat))

    found = located(house, draft.refs, dry_run=request.dry_run)
    with planned(house, found, models, recipe, request) as ready:
        yield ready


@contextmanager
def planned(
    house: House, found: Sequence[Ingredient], models: int, recipe: RecipeOf, request: MergeRequest
) -> Iterator[Prepared]:
    """The plan over files of which the first `models` are models and a VAE, the others adapters."""
    from sdkeep.merge.jobs import jobs_of
    from sdkeep.merge.parents import opened
    from sdkeep.merge.plain import is_plain
    from sdkeep.merge.plan import Allowances, plan, primary_of

    with readable(house, found, models) as files, opened([(one.name, one.weights) for one in files[:models]]) as open_:
        draft = recipe(open_, files)  # whatever is wrong with it is said before gigabytes are hashed
        if draft.output.adapters or draft.output.compat == "a1111":
            check_engine()
        if not request.dry_run:
            files = hashed(house, files)
        made = recipe(open_, files)
        parents = dict(enumerate(open_))
        with _baked(house, made, files, parents[primary_of(made)], request.strict) as (changes, fits):
            decided = plan(made, parents, Allowances(request.missing), changes)
            if not is_plain(jobs_of(decided), request.manner):
                check_engine()
            licences = _licences(house, files)
            unmatched = tuple(name for fit in fits for name in fit.lost)
            warnings = (*licences, *(text for fit in fits for text in fit.told()))
            ready = Prepared(decided, files, unmatched, warnings, request.manner)
            yield ready if request.dry_run else _sound(house, ready)


def _sound(house: House, ready: Prepared) -> Prepared:
    """The same, all that is merged known to be finite; raises `FormatError` where it is not and that is not wanted."""
    from sdkeep.merge.blocks import Compat
    from sdkeep.merge.finite import not_finite, refused

    plan, manner = ready.plan, ready.manner
    if manner.keep_non_finite or plan.recipe.output.compat is Compat.A1111:
        return ready
    flaws = looked_at(
        house,
        [ready.found[place] for place in plan.parents],
        lambda place: not_finite(plan.parents[place], house.report, house.stop),
    )
    used: dict[int, set[str]] = {place: set() for place in plan.parents}
    for target in plan.targets:
        if target.program is not None or target.changes:
            for leaf in target.leaves:
                used[leaf.parent].add(leaf.entry.name)
    bad = {place: [name for name in flaws[place] if name in used[place]] for place in plan.parents}
    if any(bad.values()):
        names = [plan.parents[place].name for place, tensors in bad.items() if tensors]
        raise refused(names, list(dict.fromkeys(name for tensors in bad.values() for name in tensors)))
    sound = frozenset(place for place in plan.parents if not flaws[place])
    return replace(ready, manner=replace(manner, finite=sound))


@contextmanager
def _baked(
    house: House, recipe: Recipe, files: Sequence[Ingredient], primary: Opened, strict: bool
) -> Iterator[tuple[Sequence[Mapping[str, Change]], Sequence[Fit]]]:
    """What the recipe's adapters do, by tensor; their files stay open inside the block."""
    if not recipe.output.adapters:
        yield (), ()
        return
    from sdkeep.merge.adapters.baking import Baking, baker
    from sdkeep.merge.adapters.opened import Opened as OpenedAdapter
    from sdkeep.weights.adapters.strengths import strength_of

    with ExitStack() as stack:
        bakings = []
        for one in recipe.output.adapters:
            file = stack.enter_context(OpenedAdapter(files[one.parent].path, house.stop))
            strength, name = strength_of(one.strength), files[one.parent].name
            bakings.append(Baking(name, file.adapter(), file.tensors, strength, file.family))
        shapes = {key: entry.shape for key, entry in primary.tensors.items()}
        baked = baker(bakings, shapes, primary.identity.family, strict=strict)
        yield (baked.changes,), baked.fits


def _licences(house: House, files: Sequence[Ingredient]) -> tuple[str, ...]:
    """What the licences of catalogued parents say of merging them."""
    known = [one.sha256 for one in files if one.artifact is not None and one.sha256]
    if not known:
        return ()
    from sdkeep.actions.licences import warnings_before

    return warnings_before(house, known, Use.MERGE)


def _to_file(house: House, request: MergeRequest, ready: Prepared) -> MergedFile:
    from sdkeep.merge.run import run

    assert request.out is not None  # noqa: S101  the caller has looked
    config = _configuration(house, request, ready)
    beside = request.out.with_suffix(config.suffix) if config else None
    wanted = beside is not None and not os.path.lexists(beside)
    done = run(ready.plan, request.out, ready.manner, report=house.report, stop=house.stop)
    if config is not None and beside is not None and wanted:
        shutil.copyfile(config, beside)
    return replace(answer(ready, done, path=str(request.out)), config=str(beside) if wanted else "")


def _configuration(house: House, request: MergeRequest, ready: Prepared) -> Path | None:
    """The configuration beside a parent, or beside where that is placed."""
    if request.config is None or request.config >= len(request.draft.models):
        return None
    model = ready.found[request.config]
    placed = house.book.locations_of(model.sha256) if model.artifact is not None else ()
    paths = [model.path, *(Path(location.path) for location in placed)]
    beside = (path.with_suffix(suffix) for path in paths for suffix in (".yaml", ".yml"))
    return next((path for path in beside if path.is_file()), None)


def _to_store(house: House, request: MergeRequest, ready: Prepared) -> MergedFile:
    """Into the store as any file: judged, identified, named, its edges recorded; then into the WebUIs."""
    from sdkeep.actions.intake import Arrival, Terms, take_in
    from sdkeep.actions.placing import Placing, place_everywhere, targets
    from sdkeep.actions.stores import store_near
    from sdkeep.merge.run import run
    from sdkeep.store.locks import hold

    chosen = targets(house, request.uis)
    store = store_near(house, Path(chosen[0].root) if chosen else None)
    name = request.name or default_name(ready.found)
    staged = store.staging / f"merge-{hashlib.sha256(ready.plan.header).hexdigest()[:16]}.safetensors"
    with hold(staged.with_suffix(".lock"), what=f"the merge `{name}`"):
        staged.unlink(missing_ok=True)
        done = run(ready.plan, staged, ready.manner, report=house.report, stop=house.stop)
        try:
            artifact = take_in(house, store, Arrival(staged, f"{name}.safetensors"), Terms()).artifact
        finally:
            staged.unlink(missing_ok=True)
    if request.name and _plain(artifact.name) != _plain(request.name.rpartition("/")[2]):
        house.warn(f"the same bytes are in the store as `{artifact.name}`, and keep that name")
    placed: tuple[Placed, ...] = ()
    try:
        placed = place_everywhere(house, artifact, request.uis, Placing())
    except NotPlaceable as error:
        house.warn(f"`{artifact.file_name}` is in the store and not placed: {error.what} ({error.why})")
    path, sha256 = str(store.path_of(artifact.sha256 or "")), artifact.sha256 or ""
    told = replace(answer(ready, done, path=path), name=artifact.name, sha256=sha256, placed=placed)
    config = _configuration(house, request, ready)
    return replace(told, config=_keep_configuration(house, store, config, told)) if config else told


def _keep_configuration(house: House, store: Store, config: Path, merged: MergedFile) -> str:
    """Take a configuration into the store, and put it beside where the model is placed. Its name in the catalogue."""
    from sdkeep.actions.intake import Arrival, Terms, take_in
    from sdkeep.actions.placing import place_beside

    staged = store.staging / f"config-{merged.sha256[:16]}{config.suffix}"
    shutil.copyfile(config, staged)
    try:
        arrival = Arrival(staged, f"{merged.name}.config{config.suffix}", kind=Kind.CONFIG)
        kept = take_in(house, store, arrival, Terms()).artifact
    except UnsafeFile as error:
        house.warn(f"`{config}` is left out: {error.what} ({error.why})")
        return ""
    finally:
        staged.unlink(missing_ok=True)
    place_beside(house, kept.sha256 or "", merged.placed)
    return kept.name


def _plain(name: str) -> str:
    """A name without what the catalogue may write otherwise."""
    return "".join(filter(str.isalnum, name.casefold()))


def default_name(found: Sequence[Ingredient]) -> str:
    """A name from those of the parents."""
    stems = [split_name(one.name)[0] for one in found[:3]]
    return "-".join(stems)[:80] + "-merge"


def answer(ready: Prepared, done: Merged | None, *, path: str) -> MergedFile:
    """What is told of a merge that was done, or only planned."""
    plan = ready.plan
    return MergedFile(
        path=path,
        name="",
        sha256="",
        size=plan.size,
        steps=steps_of(plan.recipe),
        parents=parents_of(plan.recipe, plan.parents, [one.ref for one in ready.found]),
        tensors=len(plan.targets),
        merged=plan.merged,
        exactness=str(done.exactness if done else plan.exactness),
        resumed=done.resumed if done else False,
        dry_run=done is None,
        notes=plan.notes,
        unmatched=ready.unmatched,
        non_finite=done.non_finite if done else (),
        overflowed=done.overflowed if done else (),
    )


def parents_of(recipe: Recipe, opened: Mapping[int, Opened], refs: Sequence[str]) -> tuple[MergeParent, ...]:
    """The parents with what each is for."""
    roles = {one.parent: f"lora {one.strength}" for one in recipe.output.adapters}
    if recipe.output.vae is not None:
        roles[recipe.output.vae] = "vae"
    return tuple(
        MergeParent(
            refs[place] if place < len(refs) else f"sha256:{parent.sha256}",
            parent.name,
            "" if parent.sha256 == UNKNOWN else parent.sha256,
            str(opened[place].identity.family) if place in opened else "",
            roles.get(place, "model"),
        )
        for place, parent in enumerate(recipe.parents)
    )


def steps_of(recipe: Recipe) -> tuple[str, ...]:
    """The steps of a recipe as lines: method, inputs, numbers; then what is baked in."""
    from sdkeep.merge.recipe import Model

    names: list[str] = []
    lines: list[str] = []
    for step in recipe.steps:
        if isinstance(step, Model):
            names.append(split_name(recipe.parents[step.parent].name)[0])
            continue
        numbers = ", ".join(f"{name} {_number_text(value)}" for name, value in step.numbers.items())
        inputs = ", ".join(names[one] for one in step.inputs)
        names.append(f"step {len(lines) + 1}")
        lines.append(f"{step.method} of {inputs}" + (f"; {numbers}" if numbers else ""))
    output = recipe.output
    baked = [(one.parent, f"; strength {one.strength}") for one in output.adapters]
    baked = ([(output.vae, "")] if output.vae is not None else []) + baked
    return (*lines, *(f"with {split_name(recipe.parents[place].name)[0]} baked in{how}" for place, how in baked))


def _number_text(value: Weighting) -> str:
    counts = ((len(value.blocks), "block"), (len(value.keys), "pattern"))
    told = " and ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count)
    return f"{value.base:g}" + (f" ({told} of their own)" if told else "")


def check_alignment(house: House, request: MergeRequest) -> tuple[Pair, ...]:
    """How alike the models are, each with the first, block by block."""
    check_engine()
    from sdkeep.merge.alignment import aligned
    from sdkeep.merge.parents import opened

    refs = list(request.draft.models.values())
    if len(refs) < 2:
        raise UsageError("one model alone cannot be compared", "`--check` holds models side by side", "name two models")
    found = located(house, refs)
    with readable(house, found, len(found)) as files, opened([(one.name, one.weights) for one in files]) as open_:
        return tuple(
            Pair(open_[0].name, other.name, tuple(map(_block, aligned((open_[0], other), house.report, house.stop))))
            for other in open_[1:]
        )


def _block(one: Alignment) -> AlignedBlock:
    return AlignedBlock(one.block, one.cosine, one.distance, one.tensors, one.numbers, one.is_far)
