"""Recipes of merged files: shown, checked, and done again to see whether the same bytes come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sdkeep.actions.house import House
from sdkeep.actions.ingredients import Ingredient, check_output, hashed, located
from sdkeep.actions.merge import (
    MergedFile,
    MergeParent,
    MergeRequest,
    answer,
    check_engine,
    parents_of,
    planned,
    steps_of,
)
from sdkeep.formats.safetensors import read_header
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError, KeepError, NotFoundHere, UsageError
from sdkeep.ground.events import stage
from sdkeep.ground.ref import PathRef, parse
from sdkeep.ground.text import one_line

if TYPE_CHECKING:
    from sdkeep.merge.draft import Draft
    from sdkeep.merge.recipe import Recipe

TEXT_FORMS = (".toml", ".mecha")
_PIECE = 1 << 20
_MOST_RECIPE = 4 << 20


@dataclass(frozen=True, slots=True)
class ShownRecipe:
    """The recipe in a merged file: `text` is its JSON as it stands there, `ancestors` counts older recipes in it."""

    path: str
    steps: tuple[str, ...]
    parents: tuple[MergeParent, ...]
    precision: str
    compat: str
    exactness: str
    ancestors: int
    text: str


@dataclass(frozen=True, slots=True)
class CheckedRecipe:
    """A recipe that makes sense. `missing` are references to models that are not here and would be fetched."""

    path: str
    form: str
    steps: tuple[str, ...]
    models: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """A merge done again. `agrees` says that the bytes are the same; `differs` is where they first are not."""

    path: str
    agrees: bool
    exactness: str
    merged: MergedFile
    differs: str = ""


def show_recipe(house: House, text: str) -> ShownRecipe:
    """The recipe that a merged file holds."""
    path = _file(house, text)
    recipe, written = _recipe_in(path)
    return ShownRecipe(
        str(path), steps_of(recipe), parents_of(recipe, {}, []), recipe.output.precision, str(recipe.output.compat),
        _exactness(recipe), len({sha256 for sha256, _ in _ancestors(recipe)}), written,
    )  # fmt: skip


def check_recipe(house: House, text: str) -> CheckedRecipe:
    """Read a recipe without doing it: `.toml`, `.mecha`, or the recipe in a merged file."""
    path = _file(house, text)
    if path.suffix.lower() not in TEXT_FORMS:
        recipe, _ = _recipe_in(path)
        refs = [f"sha256:{parent.sha256}" for parent in recipe.parents]
        return CheckedRecipe(str(path), "safetensors", steps_of(recipe), tuple(refs), _not_here(house, refs))
    draft = draft_of(path)
    recipe = _without_models(draft)
    return CheckedRecipe(str(path), path.suffix.lower()[1:], steps_of(recipe), draft.refs, _not_here(house, draft.refs))


def draft_of(path: Path) -> Draft:
    """The merge that a recipe file asks for; paths in it count from the file's own folder."""
    from sdkeep.merge.draft import from_toml
    from sdkeep.merge.mecha import from_mecha

    if not path.is_file():
        raise NotFoundHere(f"there is no recipe `{path}`", "nothing has this path", "check the spelling")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_RECIPE + 1)
        if len(content) > _MOST_RECIPE:
            raise ValueError(f"it is longer than {_MOST_RECIPE:,} bytes")
        draft = (from_mecha if path.suffix.lower() == ".mecha" else from_toml)(content.decode(), path.name)
    except (OSError, ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(f"`{path}` cannot be read", why, "recipes are text files") from error

    def placed(ref: str) -> str:
        named = parse(ref)
        if not isinstance(named, PathRef):
            return ref
        beside = path.parent / Path(named.path).expanduser()
        return str(beside) if beside.exists() or not Path(named.path).exists() else ref

    return replace(
        draft,
        models={name: placed(ref) for name, ref in draft.models.items()},
        vae=placed(draft.vae) if draft.vae else "",
        adapters=tuple(replace(one, ref=placed(one.ref)) for one in draft.adapters),
    )


def again(house: House, text: str, given: Sequence[str], request: MergeRequest) -> Again:
    """Do the merge that a file's recipe tells, and compare. `given` are files to look for parents among, by hash."""
    from sdkeep.merge.run import run

    path = _file(house, text)
    if request.out is not None:
        check_output(request.out, (str(path), *given))
    recipe, _ = _recipe_in(path)
    found = _by_hash(house, recipe, given)
    adapters = {one.parent for one in recipe.output.adapters}
    models = len(recipe.parents) - len(adapters)
    if adapters and min(adapters) < models:
        raise FormatError(f"the recipe in `{path.name}` cannot be followed", "its parents are out of order")
    with (
        planned(house, found, models, lambda *_: recipe, request) as ready,
        TemporaryDirectory(prefix=".sdkeep-again-", dir=(request.out or path).absolute().parent) as folder,
    ):
        out = request.out or Path(folder) / "again.safetensors"
        done = run(ready.plan, out, ready.manner, report=house.report, stop=house.stop)
        differs = _difference(house, path, out, ready.plan.header)
        told = answer(ready, done, path=str(request.out or ""))
    return Again(str(path), not differs, told.exactness, told, differs)


def _by_hash(house: House, recipe: Recipe, given: Sequence[str]) -> tuple[Ingredient, ...]:
    """The parents of a recipe: among the given files, in the catalogue, at the hubs."""
    known = {one.sha256: one for one in hashed(house, located(house, given))} if given else {}
    found = []
    for parent in recipe.parents:
        one = known.get(parent.sha256)
        if one is None:
            try:
                one = located(house, (f"sha256:{parent.sha256}",))[0]
            except KeepError as error:
                raise NotFoundHere(
                    f"`{one_line(parent.name, 80)}` is not here",
                    f"nothing has the SHA-256 {parent.sha256}: {error.what}",
                    "name the files that you have behind it: `sdkeep merge --again FILE A B`",
                ) from error  # fmt: skip
        found.append(replace(one, name=parent.name))
    return tuple(found)


def _difference(house: House, old: Path, new: Path, header: bytes) -> str:
    """Where two files first differ, in words; empty where they do not."""
    with FileSource(old) as ours, FileSource(new) as theirs:
        with stage(house.report, "merge:compare", "compare", ours.size) as moved:
            for at in range(0, max(ours.size, theirs.size), _PIECE):
                house.stop.check()
                one, two = ours.read_at(at, _PIECE), theirs.read_at(at, _PIECE)
                if one != two:
                    place = at + next((i for i, (x, y) in enumerate(zip(one, two, strict=False)) if x != y), 0)
                    return _place_name(theirs, place, len(header))
                moved(at + len(one))
        return "" if ours.size == theirs.size else "the length"


def _place_name(source: FileSource, place: int, start: int) -> str:
    if place < start:
        return "the header: another version of sdkeep or other metadata"
    for tensor in read_header(source).tensors:
        if tensor.span and tensor.span.offset <= place < tensor.span.offset + tensor.span.length:
            return f"`{tensor.name}`"
    return f"byte {place:,}"


def _file(house: House, text: str) -> Path:
    """The file that a reference means."""
    path = Path(text).expanduser()
    return path if path.is_file() else located(house, (text,), dry_run=True)[0].path


def _recipe_in(path: Path) -> tuple[Recipe, str]:
    from sdkeep.merge.reading import recipe_in
    from sdkeep.merge.recipe import METADATA

    with FileSource(path) as source:
        metadata = read_header(source).metadata
    return recipe_in(metadata, path.name), metadata.get(METADATA, "")


def _exactness(recipe: Recipe) -> str:
    from sdkeep.merge.methods.method import Exactness
    from sdkeep.merge.methods.registry import find
    from sdkeep.merge.recipe import Step

    plain = all(find(step.method).elementwise for step in recipe.steps if isinstance(step, Step))
    return str(Exactness.EVERYWHERE if plain and not recipe.output.adapters else Exactness.BUILD)


def _ancestors(recipe: Recipe) -> Sequence[tuple[str, object]]:
    from sdkeep.merge.recipe import ancestors

    return tuple(ancestors(recipe))


def _not_here(house: House, refs: Sequence[str]) -> tuple[str, ...]:
    missing = []
    for ref in dict.fromkeys(refs):
        try:
            located(house, (ref,), dry_run=True)
        except KeepError:
            missing.append(ref)
    return tuple(missing)


def _without_models(draft: Draft) -> Recipe:
    """The recipe over parents that nobody has looked at, for any architecture that its block weights fit."""
    from sdkeep.merge.blocks import Map
    from sdkeep.merge.recipe import Parent

    parents = [Parent(Path(ref).name or ref, "0" * 64) for ref in draft.refs]
    try:
        return draft.recipe(parents, Map(12, draft.output.compat))
    except UsageError:
        return draft.recipe(parents, Map(9, draft.output.compat))


@dataclass(frozen=True, slots=True)
class ParameterAnswer:
    """A number that a method takes."""

    name: str
    default: float
    least: float
    most: float
    about: str


@dataclass(frozen=True, slots=True)
class MethodAnswer:
    """A merge method: how many models it takes, which numbers, where it comes from, what is promised of its bytes."""

    name: str
    models: str
    parameters: tuple[ParameterAnswer, ...]
    about: str
    origin: str
    exactness: str
    formula: str


def list_methods() -> tuple[MethodAnswer, ...]:
    """Every method of the registry, in its order."""
    check_engine()
    from sdkeep.merge.methods.registry import METHODS

    return tuple(
        MethodAnswer(
            one.name,
            one.arity,
            tuple(ParameterAnswer(p.name, p.default, p.least, p.most, p.about) for p in one.parameters),
            one.about,
            one.origin,
            str(one.exactness),
            one.statement,
        )
        for one in METHODS
    )
