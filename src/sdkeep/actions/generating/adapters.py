"""The files behind the names in a prompt: `<lora:name:1>`, `<hypernet:name:1>`, and embeddings, which are named bare.

A name is the stem of a file, its catalogue name, or the name that its trainer wrote into it (`ss_output_name`). It is
looked for in named folders, beside the checkpoint, in the catalogue, and in the folders of registered WebUIs.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.ground.errors import KeepError, NotFoundHere
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import one_line
from sdkeep.store.names import split_name, stem_key

ADAPTERS = (Kind.LORA, Kind.LYCORIS)
GROUPS: Mapping[str, tuple[Kind, ...]] = {
    "lora": ADAPTERS,
    "lyco": ADAPTERS,
    "hypernet": (Kind.HYPERNETWORK,),
    "embedding": (Kind.EMBEDDING,),
    "upscaler": (Kind.UPSCALER,),
}
"""What a word in a prompt can mean; a network for hires fix is found in the same way."""
_CALLED = {"lora": ("LoRA", "lora"), "hypernet": ("hypernetwork", "hypernetwork"), "upscaler": ("upscaler", "upscaler")}
"""What people say, and what `search --kind` takes."""

_ENDINGS = {
    "lora": (".safetensors", ".sft", ".pt", ".ckpt", ".bin"),
    "hypernet": (".pt", ".ckpt", ".safetensors", ".bin", ".pth"),
    "embedding": (".pt", ".safetensors", ".bin", ".png", ".webp", ".sft", ".pth"),
    "upscaler": (".pth", ".safetensors", ".pt", ".ckpt", ".bin", ".sft"),
}
_BESIDE = {
    "lora": (".", "../Lora", "../loras", "../LyCORIS", "../lora"),
    "hypernet": (".", "../hypernetworks"),
    "embedding": (".", "../embeddings", "../../embeddings"),
    "upscaler": (
        "../ESRGAN",
        "../RealESRGAN",
        "../SwinIR",
        "../ScuNET",
        "../DAT",
        "../HAT",
        "../BSRGAN",
        "../upscale_models",
    ),
}
"""Folders as they lie around a checkpoint of AUTOMATIC1111, Forge or ComfyUI."""
_MOST_TENSORS = 2
"""An embedding of an unusual width is told by having no more tensors than this."""
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a prompt calls `name`. `artifact` is its catalogue row if it has one."""

    name: str
    path: Path
    artifact: Artifact | None = None

    @property
    def family(self) -> Family:
        """What the catalogue knows of its family."""
        return self.artifact.family if self.artifact else Family.UNKNOWN


@dataclass(frozen=True, slots=True)
class Around:
    """Where to look beside the catalogue: folders that were named, the checkpoint's own, and what a picture settled.

    `settled` are catalogue rows by group and name, found by their hashes; they win over every name.
    """

    named: tuple[Path, ...] = ()
    checkpoint: Path | None = None
    family: Family = Family.UNKNOWN
    settled: Mapping[tuple[str, str], Artifact] = field(default_factory=dict)


class Adapters:
    """Every adapter, embedding and hypernetwork that a prompt can name. Nothing is listed before it is asked for."""

    def __init__(self, house: House, around: Around) -> None:
        self._house = house
        self._around = around
        self._listed: dict[str, tuple[Found, ...]] = {}

    def called(self, word: str, name: str) -> Found:
        """The file behind `<word:name>`, or an upscaler; raises `NotFoundHere` with the nearest names and what next."""
        group = word if word in GROUPS else "lora"
        settled = self._settled(group, name)
        if settled is not None:
            return settled
        listed = self._all(group)
        wanted = stem_key(split_name(name)[0] if split_name(name)[1] in _ENDINGS[group] else name)
        fits = [one for one in listed if stem_key(one.name) == wanted]
        fits = fits or [one for one in listed if one.artifact and stem_key(one.artifact.name) == wanted]
        fits = fits or [one for one in listed if group == "lora" and stem_key(_alias(one.path)) == wanted]
        if not fits:
            raise self._missing(group, name, listed)
        return self._best(fits)

    def embeddings_in(self, texts: Iterable[str]) -> tuple[Found, ...]:
        """The embeddings whose names occur in these prompts, in no particular case, each name once."""
        plain = "\n".join(_BLANKS.sub(" ", text.casefold()) for text in texts)
        settled = [name for group, name in self._around.settled if group == "embedding" and _occurs(name, plain)]
        found: dict[str, list[Found]] = {}
        for one in self._all("embedding"):
            known = one.artifact is not None
            if one.name.casefold() not in settled and _occurs(one.name, plain) and (known or _is_embedding(one.path)):
                found.setdefault(one.name.casefold(), []).append(one)
        for name in settled:
            fits = self._settled("embedding", name)
            found[name] = [fits] if fits else []
        return tuple(self._best(ones) for ones in found.values())

    def _best(self, fits: Sequence[Found]) -> Found:
        """Of several files of one name, one made for the checkpoint's family; else the first."""
        return next((one for one in fits if one.family is self._around.family), fits[0])

    def _settled(self, group: str, name: str) -> Found | None:
        artifact = self._around.settled.get((group, stem_key(name)))
        return Found(name, self._bytes(artifact), artifact) if artifact else None

    def _all(self, group: str) -> tuple[Found, ...]:
        if group not in self._listed:
            here = [*self._in_folders(group), *self._catalogued(group), *self._placed(group)]
            self._listed[group] = tuple(here)
        return self._listed[group]

    def _in_folders(self, group: str) -> Iterator[Found]:
        """Named folders with what is below them, then those that lie around the checkpoint, without."""
        for folder in self._around.named:
            yield from _files(folder.rglob("*"), group)
        if self._around.checkpoint is not None:
            home = self._around.checkpoint.parent
            for word in _BESIDE[group]:
                folder = home / word
                if folder.is_dir():
                    yield from _files(folder.iterdir() if word == "." else folder.rglob("*"), group)

    @cached_property
    def _has_catalogue(self) -> bool:
        """Whether there is a catalogue: looking for a name makes none."""
        return self._house.settings.catalogue.is_file()

    def _catalogued(self, group: str) -> Iterator[Found]:
        if not self._has_catalogue:
            return
        from sdkeep.catalogue.listing import Filter

        for kind in GROUPS[group]:
            for artifact in self._house.book.list(Filter(kind=kind, present=True), limit=None).items:
                try:
                    path = self._bytes(artifact)
                except KeepError:  # its drive is away
                    continue
                for name in self._stems(artifact):
                    yield Found(name, path, artifact)

    def _stems(self, artifact: Artifact) -> tuple[str, ...]:
        """The stems it has in its WebUIs and as published: what people type."""
        places = self._house.book.locations_of(artifact.sha256 or "")
        return tuple(dict.fromkeys([split_name(artifact.file_name)[0], *(Path(one.path).stem for one in places)]))

    def _placed(self, group: str) -> Iterator[Found]:
        if not self._has_catalogue or not self._house.book.uis():
            return
        from sdkeep.actions.adopt import here_now

        for ui in here_now(self._house):
            for kind in GROUPS[group]:
                for folder in ui.folders.get(kind, ()):
                    if folder.is_dir():
                        yield from _files(folder.rglob("*"), group)

    def _bytes(self, artifact: Artifact) -> Path:
        from sdkeep.actions.stores import bytes_of

        return bytes_of(self._house, artifact)

    def _missing(self, group: str, name: str, listed: Sequence[Found]) -> NotFoundHere:
        word, kind = _CALLED[group]
        near = self._near(group, name, listed)
        return NotFoundHere(
            f"there is no {word} `{one_line(name, 80)}` here",
            "the nearest are " + ", ".join(f"`{one}`" for one in near) if near else "no name comes near it",
            f"`sdkeep search {shlex.quote(one_line(name, 80))} --kind {kind}` finds it, `sdkeep get REF` fetches it",
        )

    def _near(self, group: str, name: str, listed: Sequence[Found]) -> list[str]:
        """The nearest names of files that are of the kind; what lies in the same folder may be of another."""
        folded = {one.name.casefold(): one for one in listed}
        near = difflib.get_close_matches(name.casefold(), list(folded), n=12, cutoff=0.5)
        return [folded[one].name for one in near if _is_of(folded[one], group)][:3]


def _files(paths: Iterable[Path], group: str) -> Iterator[Found]:
    for path in sorted(paths):
        if path.suffix.lower() in _ENDINGS[group] and path.is_file() and not path.stem.endswith(".preview"):
            yield Found(path.stem, path)


def _occurs(name: str, texts: str) -> bool:
    """Whether a name stands in the folded texts, not within a longer word."""
    key = _BLANKS.sub(" ", name.casefold()).strip()
    return bool(key) and re.search(rf"(?<![^\W_]){re.escape(key)}(?![^\W_])", texts) is not None


def _alias(path: Path) -> str:
    """The name that a trainer wrote into the file; empty where there is none."""
    if path.suffix.lower() not in (".safetensors", ".sft", ""):
        return ""
    from sdkeep.formats.safetensors import read_header
    from sdkeep.formats.source import FileSource

    try:
        with FileSource(path) as source:
            return read_header(source).metadata.get("ss_output_name", "")
    except KeepError:
        return ""


def _is_embedding(path: Path) -> bool:
    """Whether an uncatalogued file that a prompt seems to name is an embedding at all."""
    kind, tensors = _looked_at(path)
    return kind is Kind.EMBEDDING or (kind is Kind.UNKNOWN and 0 < tensors <= _MOST_TENSORS)


def _is_of(one: Found, group: str) -> bool:
    """Whether a file is what a group holds; one of no known structure may be anything but a LoRA."""
    kind = one.artifact.kind if one.artifact else _looked_at(one.path)[0]
    return kind in GROUPS[group] or (kind is Kind.UNKNOWN and group != "lora")


def _looked_at(path: Path) -> tuple[Kind | None, int]:
    """The kind of an uncatalogued file by its structure, and how many tensors it has; None for a damaged one."""
    from sdkeep.formats.identify import identify
    from sdkeep.formats.look import look
    from sdkeep.formats.source import FileSource

    try:
        with FileSource(path) as source:
            contents = look(source)
        return identify(contents).kind, len(contents.tensors)
    except KeepError:
        return None, 0
