"""The checkpoints of a generation: found by any reference, fetched where they are missing, ready to be opened."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sdkeep.actions.generating.sample import sample_file
from sdkeep.actions.house import House
from sdkeep.actions.ingredients import Ingredient, hashed, located, readable
from sdkeep.formats.contents import Contents
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError
from sdkeep.ground.identity import Identity
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.text import one_line
from sdkeep.store.names import split_name

MODEL, VAE, REFINER, BASE = "model", "vae", "refiner", "base"

_FITS = {
    MODEL: (Kind.CHECKPOINT, Kind.DIFFUSION_MODEL, Kind.UNKNOWN),
    REFINER: (Kind.CHECKPOINT, Kind.DIFFUSION_MODEL, Kind.UNKNOWN),
    BASE: (Kind.CHECKPOINT, Kind.TEXT_ENCODER, Kind.UNKNOWN),
    VAE: (Kind.VAE, Kind.CHECKPOINT, Kind.UNKNOWN),
}
_RESOLUTION = re.compile(r"(\d{2,5})x(\d{2,5})$")
_INSTEAD = {
    Kind.LORA: "write `<lora:{stem}:1>` into the prompt", Kind.LYCORIS: "write `<lora:{stem}:1>` into the prompt",
    Kind.EMBEDDING: "write `{stem}` into the prompt", Kind.HYPERNETWORK: "write `<hypernet:{stem}:1>` into the prompt",
    Kind.VAE: "`--vae {ref}`", Kind.UPSCALER: "`--hires-upscaler {ref}`",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files:
    """What a person named: references of models, a picture to begin from with its mask, folders with adapters."""

    model: str = ""
    vae: str = ""
    refiner: str = ""
    base: str = ""
    init: Path | None = None
    mask: Path | None = None
    adapters: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files to open, by what each is for; all of them safetensors, with their SHA-256."""

    by_role: dict[str, Ingredient]

    @property
    def model(self) -> Ingredient:
        """The checkpoint."""
        return self.by_role[MODEL]

    def weights(self, role: str) -> Path | None:
        """The file to read for a role; None where there is none."""
        one = self.by_role.get(role)
        return one.weights if one else None


def found(house: House, files: Files, *, dry_run: bool = False) -> dict[str, Ingredient]:
    """The files by role, fetched where they are not here; raises `FormatError` for one of another kind."""
    named = {MODEL: files.model, VAE: files.vae, REFINER: files.refiner, BASE: files.base}
    known = {role: _located(house, ref, dry_run) for role, ref in named.items() if ref}
    for role, one in known.items():
        _check_kind(one, role)
    return known


def look_at(path: Path) -> tuple[Family, tuple[int, int] | None]:
    """A checkpoint's family, and the size that it says it was trained at."""
    contents, identity = _looked(path)
    said = _RESOLUTION.match(contents.metadata.get("modelspec.resolution", ""))
    return identity.family, (int(said[1]), int(said[2])) if said else None


def _looked(path: Path) -> tuple[Contents, Identity]:
    """What is in a file and what that makes it."""
    info = path.stat()
    return _looked_once(path.absolute(), info.st_size, info.st_mtime_ns)


@lru_cache(maxsize=4)
def _looked_once(path: Path, _size: int, _changed: int) -> tuple[Contents, Identity]:
    with FileSource(path) as source:
        contents = look(source)
    return contents, identify(contents)


def _located(house: House, ref: str, dry_run: bool) -> Ingredient:
    sample = sample_file(ref)
    return Ingredient(ref, sample.name, sample) if sample else located(house, [ref], dry_run=dry_run)[0]


def _check_kind(one: Ingredient, role: str) -> None:
    """A LoRA is no checkpoint, and neither is a letter: said before gigabytes are read."""
    contents, identity = _looked(one.path)
    wanted = "VAE" if role == VAE else "checkpoint"
    if not contents.tensors:
        grave = next((flaw.why for flaw in contents.flaws if flaw.grave), "")
        raise FormatError(
            f"`{one_line(one.name)}` is no {wanted}",
            f"it is damaged: {grave}" if grave else f"it holds no tensors, and is of the kind: {contents.container}",
            f"`sdkeep show {shlex.quote(str(one.path))}` tells what it is", rule="not-a-checkpoint",
        )  # fmt: skip
    kind = identity.kind
    if kind in _FITS[role]:
        return
    hint = _INSTEAD.get(kind, "`sdkeep ls --kind checkpoint` lists what is here")
    raise FormatError(
        f"`{one.name}` is no {wanted}", f"its structure is that of: {kind}",
        hint.format(stem=split_name(one.name)[0], ref=one.ref), rule="not-a-checkpoint",
    )  # fmt: skip


@contextmanager
def opened(house: House, known: dict[str, Ingredient]) -> Iterator[Chosen]:
    """The same with their SHA-256, pickles converted for as long as the block lasts and never run."""
    summed = hashed(house, list(known.values()))
    with readable(house, summed, len(summed)) as files:
        yield Chosen(dict(zip(known, files, strict=True)))
