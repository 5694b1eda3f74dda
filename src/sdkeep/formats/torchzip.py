"""Zips that torch writes, and zips in general: members checked, every pickle in them read, tensors located.

A torch zip is `<root>/data.pkl`, `<root>/data/<key>` for each storage, and small records (`version`, `byteorder`,
`.format_version`, `.storage_alignment`, `.data/serialization_id`). With `code/` and `constants.pkl` it is TorchScript,
a program that torch runs.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from sdkeep.formats.contents import Container, Member, PickleMember, Span
from sdkeep.formats.draft import MOST_PICKLE, MOST_STACKED, Draft, is_binary_pickle
from sdkeep.formats.magics import holds_files
from sdkeep.formats.nested import MOST_INSIDE, look_into, window
from sdkeep.formats.numpyfile import LONGEST_FRONT, MAGIC, note_numbers, read_array
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.values import EventKind, Reading
from sdkeep.formats.source import BytesSource, Window
from sdkeep.formats.tensors import Record
from sdkeep.formats.textpickle import MOST_TEXT, is_text_pickle
from sdkeep.formats.zipdir import DEFLATED, STORED, Directory, Entry, Located, locate, overlaps, read_member
from sdkeep.ground.source import Source

_SMALL = {b"version", b"byteorder", b".format_version", b".storage_alignment", b".data/serialization_id"}
UNCHECKED = "the checksums of"
"""How the part of `unread` begins that `payloads.checked` reads."""

_MOST_SMALL = 4096
_MOST_LOOKED_INTO = 4096
_FRONT = 4096


@dataclass(slots=True)
class Archive:
    """A zip under examination: its directory, an index by folded name, and the local headers read so far."""

    draft: Draft
    directory: Directory
    index: dict[bytes, list[Entry]]
    located: dict[int, Located] = field(default_factory=dict)

    @classmethod
    def of(cls, draft: Draft, directory: Directory) -> Archive:
        """An archive nothing of which has been read but the directory."""
        return cls(draft, directory, directory.index())

    @property
    def root(self) -> bytes:
        """The folder torch takes for the archive's: the first member's name up to its first slash, lower-case."""
        entries = self.directory.entries
        return entries[0].folded.partition(b"/")[0] if entries else b""

    def find(self, record: str) -> list[Entry]:
        """The members torch or Python may take for a record below the root, torch's choice first."""
        return self.index.get(self.root + b"/" + record.encode("utf-8", "surrogatepass").lower(), [])

    def locate(self, entry: Entry) -> Located:
        """Where the data of a member begin, read and compared once."""
        found = self.located.get(entry.header)
        if found is None:
            found = self.located[entry.header] = locate(self.draft.source, entry)
            self.draft.flaws.extend(found.flaws)
        return found

    def read(self, entry: Entry, most: int) -> tuple[bytes, int] | None:
        """A member's bytes and where they lie, None when it cannot be read; its flaws go to the draft."""
        found = self.locate(entry)
        if found.start is None:
            self.draft.unread.append(entry.name)
            return None
        data, flaws = read_member(self.draft.source, entry, found.start, most)
        self.draft.flaws.extend(flaws)
        if not data and entry.size:
            self.draft.unread.append(entry.name)
            return None
        return data, found.start


def container_of(directory: Directory) -> Container:
    """Which of the zip-shaped containers the names in a directory make it."""
    names = {entry.folded for entry in directory.entries}
    root = directory.entries[0].folded.partition(b"/")[0] if directory.entries else b""
    if root + b"/constants.pkl" in names or any(name.startswith(root + b"/code/") for name in names):
        return Container.TORCHSCRIPT
    if root + b"/data.pkl" in names:
        return Container.TORCH_ZIP
    if names and all(name.endswith(b".npy") for name in names):
        return Container.NUMPY_ZIP
    return Container.ZIP


def examine(draft: Draft, directory: Directory) -> Container:
    """Look at every member; returns the container."""
    archive = Archive.of(draft, directory)
    draft.flaws.extend(directory.flaws)
    container = container_of(directory)
    if draft.thorough:
        for entry in directory.entries:
            draft.check()
            archive.locate(entry)
    pickles = _read_pickles(archive)
    starts = {header: found.start for header, found in archive.located.items() if found.start is not None}
    draft.flaws.extend(overlaps(directory.entries, starts, directory))
    draft.members.extend(_member(entry, starts.get(entry.header, 0)) for entry in directory.entries)
    if container is not Container.NUMPY_ZIP:
        draft.tensors.clear()  # arrays beside a model's pickle are none of its tensors
    if container in (Container.TORCH_ZIP, Container.TORCHSCRIPT):
        _extract(archive, pickles)
    elif container is Container.NUMPY_ZIP and not draft.thorough:
        draft.flaw("array-unread", "the arrays in it were not read")
    _name_unread(archive)
    return container


def _member(entry: Entry, start: int) -> Member:
    return Member(entry.name, start, entry.size, entry.stored, entry.crc, entry.method != STORED)


def _name_unread(archive: Archive) -> None:
    payload = archive.root + b"/data/"
    tensors = [entry for entry in archive.directory.entries if entry.folded.startswith(payload)]
    if tensors:
        total = sum(entry.size for entry in tensors)
        archive.draft.unread.append(f"{UNCHECKED} {len(tensors):,} tensor records ({total:,} bytes)")


def _read_pickles(archive: Archive) -> dict[int, Reading]:
    """Read every member that is or may be a pickle; returns the first reading of each by its local header offset."""
    found: dict[int, Reading] = {}
    looked = passed = 0
    for entry in archive.directory.entries:
        archive.draft.check()
        if entry.header in found:
            continue
        begin: int | None = 0
        if not _is_named_pickle(entry):
            begin = None
            if _is_payload(archive, entry):
                _look_at_payload(archive, entry)
            elif entry.size > 1:
                looked += 1
                if archive.draft.thorough and looked <= _MOST_LOOKED_INTO:
                    begin = _pickle_in(archive, entry)
                else:
                    passed += 1
        if begin is not None and archive.draft.is_spent(min(entry.size, MOST_PICKLE)):
            archive.draft.unread.append(entry.name)
            continue
        piece = archive.read(entry, MOST_PICKLE) if begin is not None else None
        if piece is not None:
            found[entry.header] = _stacked(archive.draft, piece[0][begin:], piece[1] + (begin or 0), entry)
    if passed:
        archive.draft.unread.append(f"{passed:,} members that are not called pickles")
    return found


def _is_named_pickle(entry: Entry) -> bool:
    name = entry.folded.partition(b"\0")[0]
    return name.endswith((b".pkl", b".pickle", b".pck"))


def _is_payload(archive: Archive, entry: Entry) -> bool:
    """Storages and the small records that torch writes beside them."""
    inner = entry.folded.removeprefix(archive.root + b"/")
    return inner in _SMALL or (inner.startswith(b"data/") and inner[5:].isdigit())


def _look_at_payload(archive: Archive, entry: Entry) -> None:
    """Note a pickle that lies where the numbers of a storage should; numbers that begin like one are no program."""
    front = archive.located[entry.header].front if entry.header in archive.located else b""
    start = archive.locate(entry).start if entry.method == DEFLATED and archive.draft.thorough else None
    if start is not None:
        front = _front(archive, entry, start, _FRONT)
    if not is_binary_pickle(front) or archive.draft.is_spent(min(entry.size, MOST_PICKLE)):
        return
    piece = read_member(archive.draft.source, entry, archive.locate(entry).start or 0, MOST_PICKLE)[0]
    reading = read_pickle(piece)
    if reading.events and (reading.complete or any(event.kind is EventKind.CALL for event in reading.events)):
        archive.draft.note_pickle(PickleMember(entry.name, archive.locate(entry).start or 0, reading))


def _pickle_in(archive: Archive, entry: Entry) -> int | None:
    """Where a pickle begins in a member of another name, by its first bytes; files in it are looked at."""
    start = archive.locate(entry).start
    if start is None:
        return None
    front = _front(archive, entry, start, _FRONT)
    if front.startswith(MAGIC):
        return _array_pickle(archive, entry, start)
    if is_binary_pickle(front):
        return 0
    if holds_files(front):
        _look_inside(archive, entry, start)
        return None
    if entry.method == DEFLATED:
        whole: Source = BytesSource(_front(archive, entry, start, MOST_TEXT))
    else:
        whole = Window(archive.draft.source, start, entry.size)
    return 0 if is_text_pickle(whole, front) else None


def _array_pickle(archive: Archive, entry: Entry, start: int) -> int | None:
    """Where the pickle of a numpy array begins, None when it holds numbers."""
    array = read_array(_front(archive, entry, start, LONGEST_FRONT))
    if array is None or not array.sure:
        why = f"the header of the array `{entry.name}` cannot be read"
        archive.draft.flaw("array-unreadable", why, entry.header, entry.name)
    if array is None or array.objects:
        return array.start if array else None
    packed = entry.stored if entry.method == DEFLATED else 0
    note_numbers(archive.draft, array, Span(start, entry.size, packed), entry.name.removesuffix(".npy"))
    return None


def _look_inside(archive: Archive, entry: Entry, start: int) -> None:
    """Look at an archive within this one, in place or unpacked."""
    draft, member = archive.draft, _member(entry, start)
    if not member.compressed:
        look_into(draft, window(draft, member), member)
    elif not draft.is_spent(min(entry.size, MOST_INSIDE)):
        piece = archive.read(entry, MOST_INSIDE)
        if piece is not None:
            look_into(draft, BytesSource(piece[0], entry.name), member)


def _front(archive: Archive, entry: Entry, start: int, most: int) -> bytes:
    """The first bytes of a member, unpacked."""
    raw = archive.draft.source.read_at(start, min(entry.stored, most))
    try:
        return zlib.decompressobj(-15).decompress(raw, most) if entry.method == DEFLATED else raw
    except zlib.error:
        return b""


def _stacked(draft: Draft, data: bytes, start: int, entry: Entry) -> Reading:
    """Read the pickle at the front of a member, and any that follow it, which torch would not look at."""
    first = reading = draft.pickle(data, start, entry.name)
    at = reading.end
    for _ in range(MOST_STACKED):
        if not reading.complete or at >= len(data) or draft.is_spent():
            break
        if not is_binary_pickle(data[at : at + 2]):
            draft.flaw("bytes-after-pickle", f"{len(data) - at:,} bytes follow the pickle", start + at, entry.name)
            break
        draft.flaw("second-pickle", "a second pickle follows the first", start + at, entry.name)
        reading = draft.pickle(data[at:], start + at, entry.name)
        at += reading.end
    return first


def _extract(archive: Archive, pickles: dict[int, Reading]) -> None:
    """Take the tensors out of the pickle that torch would load."""
    draft = archive.draft
    candidates = archive.find("data.pkl")
    reading = pickles.get(candidates[0].header) if candidates else None
    if reading is None:
        draft.flaw("no-data-pickle", "torch's `data.pkl` cannot be read")
        return
    if not reading.complete:
        draft.notes.append("the pickle breaks off; what it built until then is not used")
        return
    big = _is_big_endian(archive)

    def find(key: str) -> Record | None:
        entries = archive.find(f"data/{key}")
        return _record(archive, entries[0], big) if entries else None

    draft.take(reading.root, find)


def _record(archive: Archive, entry: Entry, big: bool) -> Record:
    if not archive.draft.thorough:
        return Record(None, entry.size, big)
    start = archive.locate(entry).start
    if start is None or entry.method not in (STORED, DEFLATED) or start + entry.stored > archive.draft.source.size:
        return Record(None, 0, big)
    packed = entry.stored if entry.method == DEFLATED else 0
    return Record(Span(start, entry.size, packed), entry.size, big)


def _is_big_endian(archive: Archive) -> bool:
    entries = archive.find("byteorder")
    piece = archive.read(entries[0], _MOST_SMALL) if entries else None
    if piece is None or piece[0] == b"little":
        return False
    if piece[0] != b"big":
        archive.draft.flaw("byteorder-unknown", "it says neither little nor big", piece[1], entries[0].name)
        return False
    return True
