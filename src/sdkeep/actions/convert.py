"""Tensors out of a pickle into safetensors, without running the pickle; on a bare path nothing is catalogued."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.audit.judge import judge
from sdkeep.formats.cleanpt import write_clean_pt
from sdkeep.formats.contents import Contents
from sdkeep.formats.convert import ConvertOptions, plan, write_safetensors
from sdkeep.formats.leftovers import write_leftovers
from sdkeep.formats.look import look
from sdkeep.formats.selection import EVERYTHING, Selection
from sdkeep.formats.shards import SUFFIX as SHARDED
from sdkeep.formats.shards import is_index, opened
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import UsageError, WouldOverwrite
from sdkeep.ground.events import Report, Stop
from sdkeep.ground.kinds import Precision
from sdkeep.ground.record import Artifact
from sdkeep.ground.source import Source
from sdkeep.ground.verdict import Outcome, worst
from sdkeep.store.blobs import Store
from sdkeep.store.names import split_name

if TYPE_CHECKING:
    from sdkeep.actions.house import House


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """What to write: `out` is a file or a folder (beside the source when None), `to` is `safetensors` or `clean-pt`.

    `selection` is what of a checkpoint is kept; `extras` writes a pickle's other data as JSON beside the result.
    """

    out: Path | None = None
    to: str = "safetensors"
    precision: Precision | None = None
    selection: Selection = EVERYTHING
    extras: bool = False
    disarm: bool = False
    dry_run: bool = False

    @property
    def is_as_it_is(self) -> bool:
        """Whether the result is to be what intake makes of the file."""
        plain = self.precision is None and self.selection.is_everything and not self.extras
        return plain and self.to == "safetensors"


@dataclass(frozen=True, slots=True)
class Converted:
    """A written file. `verdict` is that of the source; `disarmed` says that the source was not clean."""

    source: str
    path: str
    size: int
    tensors: int
    verdict: Outcome
    disarmed: bool
    notes: tuple[str, ...] = ()
    name: str = ""
    extras: str = ""


SUFFIXES = {"safetensors": ".safetensors", "clean-pt": ".pt"}


def convert_file(path: Path, request: ConvertRequest, report: Report, stop: Stop) -> Converted:
    """Convert one file on disk. The source is never touched, the target never overwritten."""
    if request.to not in SUFFIXES:
        raise UsageError(
            f"`{request.to}` is no form to write", "known are " + ", ".join(SUFFIXES), "`--to safetensors`"
        )
    with _opened(path, stop) as (source, contents, outcome):
        out = target_of(path, request)
        beside = _extras_beside(out, request, contents)
        options = ConvertOptions(request.precision, _origin_note(outcome), request.selection)
        planned = plan(contents, options)
        size = planned.size
        if not request.dry_run:
            writer = write_safetensors if request.to == "safetensors" else write_clean_pt
            size = writer(source, planned, out, report=report, stop=stop).size
            if beside is not None:
                write_leftovers(contents.root, beside)
        return Converted(
            str(path), str(out), size, len(planned.pieces), outcome, not outcome.placeable, planned.notes,
            extras=str(beside or ""),
        )  # fmt: skip


@contextmanager
def _opened(path: Path, stop: Stop) -> Iterator[tuple[Source, Contents, Outcome]]:
    """A file, or all the shards of an index as one, looked at and judged."""
    if is_index(path):
        with opened(path, stop) as sharded:
            outcome = worst(judge(contents).outcome for contents in sharded.shards.values())
            yield sharded.source, sharded.contents, outcome
        return
    with FileSource(path) as source:
        contents = look(source, stop=stop)
        yield source, contents, judge(contents).outcome


def _extras_beside(out: Path, request: ConvertRequest, contents: Contents) -> Path | None:
    """Where a pickle's other data go; raises `WouldOverwrite` before anything is written."""
    if not request.extras:
        return None
    if contents.root is None:
        raise UsageError(
            "there is nothing to keep beside the tensors", "the file is no pickle", "leave `--keep-extras` out"
        )
    beside = out.with_suffix(".extras.json")
    if os.path.lexists(beside):
        raise WouldOverwrite(f"`{beside}` exists already", "nothing is overwritten", "choose another name with `-o`")
    return beside


def _origin_note(outcome: Outcome) -> dict[str, str]:
    return {} if outcome.placeable else {"sdkeep.disarmed_from": str(outcome)}


def target_of(path: Path, request: ConvertRequest) -> Path:
    """Where the conversion goes; raises `WouldOverwrite` when something is there."""
    name = path.name.removesuffix(SHARDED) if is_index(path) else path.name
    name = split_name(name)[0] + SUFFIXES[request.to]
    out = path.with_name(name) if request.out is None else request.out / name if request.out.is_dir() else request.out
    if out.exists() or out.is_symlink():
        raise WouldOverwrite(f"`{out}` exists already", "nothing is overwritten", f"`sdkeep convert '{path}' -o OTHER`")
    return out


def convert_named(house: House, text: str, request: ConvertRequest) -> Converted:
    """Convert a catalogued pickle: with `out` to a file that nobody catalogues, else inside the store.

    In the store the original keeps its row and its bytes, and the conversion becomes an artifact of its own.
    """
    from sdkeep.actions.local import artifact
    from sdkeep.actions.stores import bytes_of, store_near

    found = artifact(house, text)
    path = bytes_of(house, found)
    name = split_name(found.file_name)[0] + SUFFIXES.get(request.to, "")
    if request.out is not None:
        out = request.out / name if request.out.is_dir() else request.out
        return replace(convert_file(path, replace(request, out=out), house.report, house.stop), name=found.name)
    if not request.is_as_it_is:
        raise UsageError(
            f"`{found.name}` is converted inside the store, as it is",
            "another precision or form goes to a file of its own",
            f"`sdkeep convert name:{found.name} -o FILE`",
        )
    store = store_near(house, path)
    if request.dry_run:
        planned = convert_file(path, replace(request, out=store.staging / name), house.report, house.stop)
        return replace(planned, path=str(store.root), name=found.name)
    return _convert_stored(house, store, found, path)


def _convert_stored(house: House, store: Store, found: Artifact, path: Path) -> Converted:
    from sdkeep.actions.intake import Arrival, Terms, take_in
    from sdkeep.store.copying import copy_new

    staged = store.staging / f"{found.sha256}.convert"
    staged.unlink(missing_ok=True)
    try:
        copy_new(path, staged, stop=house.stop)
        release = house.book.release_of(found.sha256 or "")
        files = release.files if release else ()
        file = next((one for one in files if one.sha256 and one.sha256.value == found.sha256), None)
        arrival = Arrival(staged, found.file_name, found.origin, release, file, found.kind)
        taken = take_in(house, store, arrival, Terms(disarm=True, keep_original=True, kept=True))
    finally:
        staged.unlink(missing_ok=True)
    made = taken.artifact
    return Converted(
        str(path), str(store.path_of(made.sha256 or "")), made.size or 0, taken.tensors, taken.verdict.outcome,
        not taken.verdict.outcome.placeable, taken.notes, made.name,
    )  # fmt: skip
