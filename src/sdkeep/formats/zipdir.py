"""A zip's directory, read from scratch because the usual readers disagree and attacks live in the difference.

torch's reader (miniz) ignores case, takes the one of several equal names that its search meets first, trusts the
central directory and never looks at checksums or local headers; Python's minds case, takes the last, and checks both.
What the two would take differently is a flaw here. Layout: APPNOTE 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sdkeep.formats.checksum import crc32
from sdkeep.formats.contents import Flaw
from sdkeep.ground.source import Source

_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_LOCATOR = b"PK\x06\x07"
_CENTRAL = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"
_TAIL = 22 + 65535 + 20 + 56
_MOST_DIRECTORY = 256 << 20
_MOST_ENTRIES = 2_000_000
_FULL = 0xFFFFFFFF

STORED, DEFLATED = 0, 8
_ENCRYPTED = 0x2041
_DESCRIPTOR = 0x0008
_UTF8 = 0x0800


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the central directory lists it. `header` is the file offset of its local header.

    `stored` is the length in the file, `size` the length once unpacked, both in bytes.
    """

    name: str
    raw: bytes
    method: int
    flags: int
    crc: int
    stored: int
    size: int
    header: int

    @property
    def folded(self) -> bytes:
        """The name as torch compares it: without regard to the case of ASCII letters."""
        return self.raw.lower()


@dataclass(frozen=True, slots=True)
class Directory:
    """A central directory. `start` and `end` are its file offsets; `end` includes the end record and comment.

    `shift` is what Python's reader adds to every offset because of bytes in front of the archive; torch adds nothing.
    """

    entries: tuple[Entry, ...]
    start: int
    end: int
    shift: int = 0
    flaws: tuple[Flaw, ...] = ()

    def index(self) -> dict[bytes, list[Entry]]:
        """Members by folded name; in each list torch's choice comes first and the rest in the directory's order."""
        found: dict[bytes, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.folded, []).append(entry)
        doubled = [name for name, entries in found.items() if len(entries) > 1]
        names = [entry.folded for entry in self.entries] if doubled else []
        order = _torch_order(names)
        for name in doubled:
            chosen = self.entries[_torch_choice(order, names, name)]
            found[name].remove(chosen)
            found[name].insert(0, chosen)
        return found


@dataclass(frozen=True, slots=True)
class _End:
    at: int
    count: int
    length: int
    offset: int
    flaws: tuple[Flaw, ...]
    limit: int


def read_directory(source: Source) -> Directory | None:
    """The directory whose end record stands in the last 64 KiB; None when there is none."""
    base = max(source.size - _TAIL, 0)
    tail = source.read_at(base, source.size - base)
    end = _find_end(source, tail, base)
    if end is None:
        return None
    flaws = list(end.flaws)
    start = end.limit - end.length
    shift = start - end.offset
    if start < 0 or end.length > _MOST_DIRECTORY:
        return Directory(
            (), end.at, end.at, 0, (*flaws, Flaw("directory-out-of-file", "the directory lies outside", end.at))
        )
    if shift and not _starts_with_entry(source, start):
        start, shift = end.offset, 0  # only torch's reading of the offset can be meant
    if shift:
        flaws.append(
            Flaw("prefix-bytes", f"{shift:,} bytes stand before the archive; torch and Python differ on them", 0)
        )
    raw = tail[start - base : start - base + end.length] if start >= base else source.read_at(start, end.length)
    entries, problems = _entries(raw, start, shift, end.count)
    flaws.extend(problems)
    if shift and _starts_with_entry(source, end.offset):  # torch finds another directory where the offset says
        entries = _entries(source.read_at(end.offset, end.length), end.offset, 0, end.count)[0] + entries
    flaws.extend(_name_flaws(entries))
    return Directory(tuple(entries), start, end.at, shift, tuple(flaws))


def _torch_order(names: list[bytes]) -> list[int]:
    """Places of `names` as miniz sorts them: its very heap sort, on which the order of equal names depends."""
    order = list(range(len(names)))

    def sift(root: int, end: int) -> None:
        while (child := 2 * root + 1) < end:
            if child + 1 < end and names[order[child]] < names[order[child + 1]]:
                child += 1
            if not names[order[root]] < names[order[child]]:
                return
            order[root], order[child] = order[child], order[root]
            root = child

    for start in range((len(order) - 2) // 2, -1, -1):
        sift(start, len(order))
    for end in range(len(order) - 1, 0, -1):
        order[end], order[0] = order[0], order[end]
        sift(0, end)
    return order


def _torch_choice(order: list[int], names: list[bytes], name: bytes) -> int:
    """The place that miniz's binary search for `name`, which is among `names`, comes to."""
    low, high = 0, len(order) - 1
    while True:
        middle = low + (high - low) // 2
        found = names[order[middle]]
        if found == name:
            return order[middle]
        low, high = (middle + 1, high) if found < name else (low, middle - 1)


def _starts_with_entry(source: Source, at: int) -> bool:
    return source.read_at(at, 4) in (_CENTRAL, _END, _END64)


def _find_end(source: Source, tail: bytes, base: int) -> _End | None:
    at = tail.rfind(_END)
    while at >= 0 and len(tail) - at < 22:
        at = tail.rfind(_END, 0, at)
    if at < 0:
        return None
    disk, first_disk, here, total, length, offset, comment = struct.unpack_from("<4H2LH", tail, at + 4)
    flaws = []
    if comment:
        flaws.append(
            Flaw("zip-comment", f"the archive carries a comment of {comment:,} bytes", base + at + 22, grave=False)
        )
    behind = len(tail) - at - 22
    if behind > comment:
        flaws.append(Flaw("trailing-bytes", f"{behind - comment:,} bytes follow the archive", base + at + 22 + comment))
    elif behind < comment:
        flaws.append(Flaw("archive-short", "the comment ends behind the end of the file", base + at))
    if disk or first_disk or here != total:
        flaws.append(Flaw("split-archive", "the archive says it is one of several parts", base + at))
    end = _End(base + at, total, length, offset, tuple(flaws), base + at)
    return _with_zip64(source, tail, base, end)


def _with_zip64(source: Source, tail: bytes, base: int, end: _End) -> _End:
    at = end.at - base - 20
    if at < 0 or tail[at : at + 4] != _LOCATOR:
        return end
    (position,) = struct.unpack_from("<Q", tail, at + 8)
    record = source.read_at(position, 56) if position < source.size else b""
    if record[:4] != _END64 or len(record) < 56:
        record = source.read_at(max(base + at - 56, 0), 56)
        position = base + at - 56
        if record[:4] != _END64 or len(record) < 56:
            return replace(
                end, flaws=(*end.flaws, Flaw("zip64-missing", "the 64-bit end record is not there", base + at))
            )
    count, length, offset = struct.unpack_from("<QQQ", record, 32)
    flaws = end.flaws
    pairs = ((end.count, count, 0xFFFF), (end.length, length, _FULL), (end.offset, offset, _FULL))
    if any(short not in (full, wide) for short, wide, full in pairs):
        flaws = (*flaws, Flaw("zip64-disagrees", "the 32-bit and 64-bit end records differ", position))
    return _End(end.at, count, length, offset, flaws, position)


def _entries(raw: bytes, start: int, shift: int, count: int) -> tuple[list[Entry], list[Flaw]]:
    entries: list[Entry] = []
    flaws: list[Flaw] = []
    at = 0
    while at + 46 <= len(raw) and raw[at : at + 4] == _CENTRAL and len(entries) < _MOST_ENTRIES:
        fields = struct.unpack_from("<6H3L5H2L", raw, at + 4)
        flags, method, crc, stored, size = fields[2], fields[3], fields[6], fields[7], fields[8]
        name_length, extra_length, comment_length = fields[9:12]
        name = raw[at + 46 : at + 46 + name_length]
        extra = raw[at + 46 + name_length : at + 46 + name_length + extra_length]
        size, stored, header = _wide(extra, size, stored, fields[15])
        entry = Entry(_decode(name, flags), name, method, flags, crc, stored, size, header + shift)
        entries.append(entry)
        flaws.extend(_entry_flaws(entry, extra, start + at))
        at += 46 + name_length + extra_length + comment_length
    if at != len(raw) or len(entries) != count:
        flaws.append(
            Flaw(
                "directory-damaged",
                f"{count:,} members promised, {len(entries):,} read, {len(raw) - at} bytes left",
                start,
            )
        )
    return entries, flaws


def _wide(extra: bytes, size: int, stored: int, header: int) -> tuple[int, int, int]:
    """The three numbers with those that are all ones taken from the zip64 field (id 1) of the extra data."""
    if _FULL not in (size, stored, header):
        return size, stored, header
    for kind, data in _extras(extra):
        if kind == 1:
            numbers = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
            size = next(numbers, size) if size == _FULL else size
            stored = next(numbers, stored) if stored == _FULL else stored
            header = next(numbers, header) if header == _FULL else header
            break
    return size, stored, header


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _decode(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8", "backslashreplace") if flags & _UTF8 or raw.isascii() else raw.decode("cp437")


def _entry_flaws(entry: Entry, extra: bytes, at: int) -> Iterator[Flaw]:
    name = entry.name
    if entry.flags & _ENCRYPTED:
        yield Flaw("encrypted-member", f"`{name}` is marked as encrypted", at, name)
    if entry.method not in (STORED, DEFLATED):
        yield Flaw("unknown-compression", f"`{name}` is packed by method {entry.method}", at, name)
    if entry.method == STORED and entry.stored != entry.size:
        yield Flaw("size-mismatch", f"`{name}` is stored as it is, yet its two sizes differ", at, name)
    if b"\0" in entry.raw:
        yield Flaw("nul-in-name", f"the name `{name}` holds a NUL, where some readers stop", at, name)
    if extra and any(kind == 0x7075 for kind, _ in _extras(extra)):
        yield Flaw("second-name", f"`{name}` carries a second name in its extra data", at, name)
    if _travels(name):
        yield Flaw("traversal-name", f"the name `{name}` would climb out of a folder", at, name)
    if entry.method == DEFLATED and entry.size > 1 << 26 and entry.size > 200 * max(entry.stored, 1):
        yield Flaw("bomb", f"`{name}` unpacks from {entry.stored:,} to {entry.size:,} bytes", at, name, grave=False)


def _travels(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":")


def _name_flaws(entries: list[Entry]) -> Iterator[Flaw]:
    exact: dict[str, Entry] = {}
    folded: dict[bytes, Entry] = {}
    for entry in entries:
        if entry.name in exact:
            yield Flaw("duplicate-member", f"`{entry.name}` is there twice; torch and Python take different ones",
                       entry.header, entry.name)  # fmt: skip
        elif entry.folded in folded:
            other = folded[entry.folded].name
            yield Flaw(
                "case-variant-member", f"`{entry.name}` and `{other}` are one name to torch", entry.header, entry.name
            )
        exact.setdefault(entry.name, entry)
        folded.setdefault(entry.folded, entry)


@dataclass(frozen=True, slots=True)
class Located:
    """Where a member's data begin, and what its local header says differently. `start` is None when it has none.

    `front` is how the data begin, as far as they were read with the header.
    """

    start: int | None
    flaws: tuple[Flaw, ...] = ()
    front: bytes = b""


def locate(source: Source, entry: Entry) -> Located:
    """Read the local header of `entry` and compare every field with the central directory's."""
    raw = source.read_at(entry.header, 30 + len(entry.raw) + 80) if entry.header >= 0 else b""
    if raw[:4] != _LOCAL or len(raw) < 30:
        why = f"there is no local header for `{entry.name}` where the directory points"
        return Located(None, (Flaw("local-header-missing", why, entry.header, entry.name),))
    _, flags, method, _, _, crc, stored, size, name_length, extra_length = struct.unpack_from("<5H3L2H", raw, 4)
    if len(raw) < 30 + name_length + extra_length:
        raw = source.read_at(entry.header, 30 + name_length + extra_length + 2)
    name, extra = raw[30 : 30 + name_length], raw[30 + name_length : 30 + name_length + extra_length]
    size, stored, _ = _wide(extra, size, stored, 0)
    flaws = tuple(_differences(entry, _Local(name, flags, method, crc, stored, size)))
    start = entry.header + 30 + name_length + extra_length
    if start + entry.stored > source.size:
        flaws = (*flaws, Flaw("member-short", f"`{entry.name}` ends behind the end of the file", start, entry.name))
    return Located(start, flaws, raw[start - entry.header : start - entry.header + 2])


@dataclass(frozen=True, slots=True)
class _Local:
    name: bytes
    flags: int
    method: int
    crc: int
    stored: int
    size: int


def _differences(entry: Entry, local: _Local) -> Iterator[Flaw]:
    if local.name != entry.raw:
        shown = _decode(local.name, local.flags)
        yield _differs(entry, "local-name-mismatch", f"is called `{shown}` there")
    if local.method != entry.method:
        yield _differs(entry, "local-method-mismatch", f"is packed by method {local.method} there")
    if (local.flags ^ entry.flags) & ~_UTF8 & ~_DESCRIPTOR or local.flags & _ENCRYPTED:
        yield _differs(entry, "local-flags-mismatch", f"has flags {local.flags:#06x} there, {entry.flags:#06x} here")
    later = bool(local.flags & _DESCRIPTOR)  # sizes and checksum may then follow the data and be zero here
    if (local.size, local.stored) != (entry.size, entry.stored) and not (later and not local.size and not local.stored):
        yield _differs(entry, "local-size-mismatch", f"has {local.size:,} bytes there, {entry.size:,} here")
    if local.crc != entry.crc and not (later and not local.crc):
        yield _differs(entry, "local-crc-mismatch", "has another checksum there")


def _differs(entry: Entry, rule: str, how: str) -> Flaw:
    return Flaw(
        rule, f"`{entry.name}` has a local header that contradicts the directory: it {how}", entry.header, entry.name
    )


def read_member(source: Source, entry: Entry, start: int, most: int) -> tuple[bytes, tuple[Flaw, ...]]:
    """The unpacked bytes of a member, at most `most`, with its checksum compared.

    What cannot be unpacked comes back as far as it goes, with a flaw.
    """
    if entry.size > most:
        why = f"`{entry.name}` is {entry.size:,} bytes long; at most {most:,} are read"
        return b"", (Flaw("member-too-large", why, start, entry.name),)
    raw = source.read_at(start, min(entry.stored, most))
    data, flaws = raw, []
    if entry.method == DEFLATED:
        unpacker = zlib.decompressobj(-15)
        try:
            data = unpacker.decompress(raw, entry.size + 1)
        except zlib.error as error:
            return b"", (Flaw("deflate-damaged", f"`{entry.name}` cannot be unpacked: {error}", start, entry.name),)
    if len(data) != entry.size:
        flaws.append(Flaw("size-mismatch", f"`{entry.name}` holds not {entry.size:,} bytes", start, entry.name))
    if crc32(data) != entry.crc:
        flaws.append(
            Flaw("crc-mismatch", f"the checksum of `{entry.name}` is wrong; torch would not notice", start, entry.name)
        )
    return data, tuple(flaws)


def overlaps(entries: tuple[Entry, ...], starts: dict[int, int], directory: Directory) -> Iterator[Flaw]:
    """Members that share bytes with each other or with the directory.

    `starts` gives the data offset by local header offset; an absent one is taken to be the least possible.
    """
    reached, owner = 0, ""
    for entry in sorted(entries, key=lambda item: item.header):
        start = starts.get(entry.header, entry.header + 30 + len(entry.raw))
        if entry.header < reached:
            yield Flaw("overlapping-members", f"`{entry.name}` begins inside `{owner}`", entry.header, entry.name)
        if start + entry.stored > reached:
            reached, owner = start + entry.stored, entry.name
    if reached > directory.start:
        yield Flaw("overlapping-members", f"`{owner}` reaches into the directory", directory.start, owner)
