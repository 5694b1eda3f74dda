"""What goes into a merge: references to files on disk, fetched where they are missing, with their SHA-256.

A plain path opens no catalogue. Digests of files outside the store are kept in `digests.json` in the home, by path,
size and time of change, so that a model is hashed once and not for every merge; so are the tensors in it that hold
numbers which are not finite.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sdkeep.actions.house import House
from sdkeep.formats.digests import digest_file
from sdkeep.formats.shards import SUFFIX as INDEX
from sdkeep.formats.sniff import sniff
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import CannotConvert, FormatError, NotFoundHere, UsageError, WouldOverwrite
from sdkeep.ground.kinds import Kind
from sdkeep.ground.ref import NameRef, PathRef, WordRef, parse
from sdkeep.ground.text import one_line

if TYPE_CHECKING:
    from sdkeep.ground.record import Artifact

_BLOB = re.compile(r"/blobs/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})$")
_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.")
_SHA256 = frozenset({DigestKind.SHA256})
_MOST_KEPT = 2000
_SUFFIXES = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin"})


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that goes in: what the person called it, a name without folders, and its catalogue row if it has one.

    `readable` is what the weights are read from, where that is a conversion of `path`.
    """

    ref: str
    name: str
    path: Path
    sha256: str = ""
    artifact: Artifact | None = None
    readable: Path | None = None

    @property
    def weights(self) -> Path:
        """The safetensors file to read."""
        return self.readable or self.path


def check_output(out: Path, refs: Sequence[str] = ()) -> None:
    """A result may not be one of its own parents, nor anything that is there; it is a safetensors file in a folder."""
    for ref in refs:
        path = Path(ref)
        if out.exists() and path.exists() and out.samefile(path):
            raise UsageError(
                f"`{out}` is one of the models that are merged",
                "they are never touched",
                "choose another name with `-o`",
            )
    if out.is_dir():
        raise UsageError(f"`{out}` is a folder", "the result is a file", f"`-o '{out / 'merge.safetensors'}'`")
    if out.exists() or out.is_symlink():
        raise WouldOverwrite(f"`{out}` exists already", "nothing is overwritten", "choose another name with `-o`")
    if out.suffix.lower() != ".safetensors":
        raise UsageError(
            f"`{out.name}` would be no safetensors file",
            "results are written in that form",
            f"`-o '{out.with_suffix('.safetensors')}'`",
        )
    if not out.absolute().parent.is_dir():
        raise NotFoundHere(f"there is no folder `{out.parent}`", "the result goes into it", f"mkdir -p '{out.parent}'")


def located(house: House, refs: Sequence[str], *, dry_run: bool = False) -> tuple[Ingredient, ...]:
    """Each reference as a file here; what is missing is fetched. Raises `NotFoundHere`, and the errors of `get`."""
    known: dict[str, Ingredient] = {}
    for ref in refs:
        if ref not in known:
            known[ref] = _located(house, ref, dry_run)
    return tuple(known[ref] for ref in refs)


def _located(house: House, ref: str, dry_run: bool) -> Ingredient:
    parsed = parse(ref)
    if isinstance(parsed, PathRef):
        path = Path(parsed.path).expanduser()
        if path.is_dir():
            raise UsageError(
                f"`{ref}` is a folder",
                "one file is needed",
                f"`sdkeep convert '{ref}'` makes one of a diffusers model",
            )
        if not path.is_file():
            raise NotFoundHere(f"there is no file `{ref}`", "nothing has this path", "check the spelling")
        return Ingredient(ref, path.name, path)
    if isinstance(parsed, WordRef) and Path(parsed.word).suffix and Path(parsed.word).is_file():
        return Ingredient(ref, parsed.word, Path(parsed.word))
    from sdkeep.actions.local import artifact, artifacts
    from sdkeep.actions.stores import bytes_of

    known = artifacts(house, ref)
    if not any(one.stored for one in known):
        if isinstance(parsed, WordRef) and Path(parsed.word).is_file():
            return Ingredient(ref, parsed.word, Path(parsed.word))
        if isinstance(parsed, WordRef) and Path(parsed.word).suffix in _SUFFIXES:
            raise NotFoundHere(
                f"there is no file `{ref}` here", "and the catalogue has no such name",
                "check the spelling, or name it as a hub does: `civitai:4384`, `hf:ORG/REPO`",
            )  # fmt: skip
        if isinstance(parsed, NameRef) or dry_run or (isinstance(parsed, WordRef) and not known):
            return _of(ref, artifact(house, ref), bytes_of(house, artifact(house, ref)))
        return _fetched(house, ref)
    found = artifact(house, ref)
    return _of(ref, found, bytes_of(house, found))


def _fetched(house: House, ref: str) -> Ingredient:
    """What `get` brings for a reference: the checkpoint among it, or its only file."""
    from sdkeep.actions.get import GetRequest, get
    from sdkeep.actions.stores import bytes_of

    house.say(f"`{ref}` is not here and is fetched")
    got = get(house, ref, GetRequest(uis=(), previews=False))
    files = sorted(got.files, key=lambda file: file.kind is not Kind.CHECKPOINT)
    artifact = house.book.artifact(files[0].sha256) if files else None
    if artifact is None:
        raise NotFoundHere(
            f"`{ref}` has no model file", "nothing that holds weights came of it", f"`sdkeep show {ref}`"
        )
    return _of(ref, artifact, bytes_of(house, artifact))


def _of(ref: str, artifact: Artifact, path: Path) -> Ingredient:
    return Ingredient(ref, artifact.file_name, path, artifact.sha256 or "", artifact)


@contextmanager
def readable(house: House, found: Sequence[Ingredient], plain: int) -> Iterator[tuple[Ingredient, ...]]:
    """The same, the first `plain` of them as safetensors: pickles are converted, for as long as the block lasts."""
    with TemporaryDirectory(prefix="sdkeep-merge-", ignore_cleanup_errors=True) as folder:
        yield tuple(
            _converted(house, one, Path(folder), place) if place < plain else one for place, one in enumerate(found)
        )


def _refuse_shard(one: Ingredient) -> None:
    """One file of a model in several is no model."""
    shard = _SHARD.search(one.path.name)
    if not shard or int(shard[1]) < 2:
        return
    index = next(iter(sorted(one.path.parent.glob(f"{escape(one.path.name[: shard.start()])}*{INDEX}"))), None)
    made = f"`sdkeep convert '{index}' -o model.safetensors`" if index else f"look for its `{INDEX}`, and convert that"
    raise UsageError(
        f"`{one_line(one.name, 90)}` is one part of a model in {int(shard[1]):,} files",
        "the others hold the rest of its weights", made,
    )  # fmt: skip


def _converted(house: House, one: Ingredient, folder: Path, place: int) -> Ingredient:
    from sdkeep.formats.contents import Container

    _refuse_shard(one)
    with FileSource(one.path) as source:
        container = sniff(source)
    if container is Container.SAFETENSORS:
        return one
    if container is Container.GGUF:
        raise UsageError(
            f"`{one.name}` is quantised", "a GGUF file holds blocks of rounded numbers",
            "merge the model it was made from",
        )  # fmt: skip
    from sdkeep.actions.convert import ConvertRequest, convert_file

    out = folder / f"{place}.safetensors"
    try:
        made = convert_file(one.path, ConvertRequest(out=out), house.report, house.stop)
    except CannotConvert as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        shown = f"`sdkeep show '{one.path}'`"
        raise FormatError(f"`{one_line(one.name, 90)}` is no model that can be merged", why, shown) from error
    house.say(f"`{one.name}` was converted for this, without running it")
    if made.disarmed:
        house.warn(f"`{one.name}` is {made.verdict}; only its tensors are used")
    return replace(one, readable=out)


def hashed(house: House, found: Sequence[Ingredient]) -> tuple[Ingredient, ...]:
    """The same with their SHA-256: from the store's names, the notes in the home, the catalogue, or the bytes."""
    notes = _Notes(house.settings.home / "digests.json")
    known = {one.path: one.sha256 or _of_blob(one.path) or notes.of(one.path) for one in found}
    unknown = [path for path, digest in known.items() if not digest]
    if unknown:
        known |= {path: _of_catalogue(house, path) for path in unknown}
        left = [path for path in unknown if not known[path]]
        with ThreadPoolExecutor(max_workers=2) as pool:
            digests = pool.map(_digest(house), left)
            known |= dict(zip(left, digests, strict=True))
        notes.keep({path: known[path] for path in unknown})
    return tuple(replace(one, sha256=known[one.path]) for one in found)


def looked_at(
    house: House, found: Sequence[Ingredient], look: Callable[[int], tuple[str, ...]]
) -> tuple[tuple[str, ...], ...]:
    """What `look` says of each file, by its place: a model's flaws. It is noted, so that each is read once."""
    notes = _Notes(house.settings.home / "digests.json")
    known = {place: notes.flaws(one.path) for place, one in enumerate(found)}
    unknown = [place for place, flaws in known.items() if flaws is None]
    if unknown:
        with ThreadPoolExecutor(max_workers=2) as pool:
            fresh = dict(zip(unknown, pool.map(look, unknown), strict=True))
        notes.keep_flaws({found[place].path: flaws for place, flaws in fresh.items()})
        known |= fresh
    return tuple(known[place] or () for place in range(len(found)))


def _digest(house: House) -> Callable[[Path], str]:
    return lambda path: digest_file(path, _SHA256, report=house.report, stop=house.stop)[0].value


def _of_blob(path: Path) -> str:
    found = _BLOB.search(path.as_posix())
    return found[2] if found else ""


def _of_catalogue(house: House, path: Path) -> str:
    """What the catalogue knows of a path that has not changed since; nothing where there is no catalogue."""
    if not house.settings.catalogue.is_file():
        return ""
    location = house.book.location_at(str(path.absolute()))
    info = path.stat()
    fresh = location is not None and (location.size, location.mtime_ns) == (info.st_size, info.st_mtime_ns)
    return location.sha256 if location is not None and fresh else ""


class _Notes:
    """Digests and flaws of files by path, as long as size, time and inode stay. Losing it costs a reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            content = {}
        self._known: dict[str, list[object]] = content if isinstance(content, dict) else {}

    def of(self, path: Path) -> str:
        """The SHA-256 of a file that is as it was."""
        note = self._fresh(path)
        digest = str(note[3]) if len(note) > 3 else ""
        return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else ""

    def flaws(self, path: Path) -> tuple[str, ...] | None:
        """What was found in a file that is as it was; None when nobody has looked."""
        note = self._fresh(path)
        flaws = note[4] if len(note) > 4 else None
        return tuple(map(str, flaws)) if isinstance(flaws, list) else None

    def keep(self, digests: Mapping[Path, str]) -> None:
        """Remember digests just taken."""
        for path, digest in digests.items():
            self._put(path, [digest, *self._fresh(path)[4:]])
        self._save()

    def keep_flaws(self, flaws: Mapping[Path, tuple[str, ...]]) -> None:
        """Remember what was just found in files."""
        for path, names in flaws.items():
            self._put(path, [self.of(path), list(names)])
        self._save()

    def _fresh(self, path: Path) -> list[object]:
        note = self._known.get(str(path.absolute()))
        return note if isinstance(note, list) and note[:3] == _stamp(path) else []

    def _put(self, path: Path, facts: list[object]) -> None:
        self._known.pop(str(path.absolute()), None)
        self._known[str(path.absolute())] = [*_stamp(path), *facts]

    def _save(self) -> None:
        kept = dict(list(self._known.items())[-_MOST_KEPT:])
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(kept), "utf-8")
            part.replace(self._path)
        except OSError:  # it saves time, nothing else
            part.unlink(missing_ok=True)


def _stamp(path: Path) -> list[object]:
    info = path.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ino]
