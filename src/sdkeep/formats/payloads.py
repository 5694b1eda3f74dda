"""The checksums of an archive's records, tensors included: what `look` leaves unread, read from front to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sdkeep.formats.checksum import crc32
from sdkeep.formats.contents import Contents, Flaw, Member, Span
from sdkeep.formats.gather import inflate
from sdkeep.formats.torchzip import UNCHECKED
from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Report, Stop, silent, stage
from sdkeep.ground.source import Source

_PIECE = 1 << 20


def check_payloads(
    source: Source, contents: Contents, *, report: Report = silent, stop: Stop | None = None
) -> tuple[Flaw, ...]:
    """Compare every record's checksum with the directory's; torch itself never does. Needs a thorough look before."""
    members = [member for member in contents.members if member.offset and member.crc]
    flaws = []
    with stage(report, f"check:{source.name}", f"check {source.name}", sum(m.size for m in members)) as moved:
        done = 0
        for member in members:
            flaw = _check(source, member, stop)
            if flaw:
                flaws.append(flaw)
            done += member.size
            moved(done)
    return tuple(flaws)


def checked(source: Source, contents: Contents, *, report: Report = silent, stop: Stop | None = None) -> Contents:
    """The contents with every checksum compared: what is wrong is a flaw, and they are no longer named as unread."""
    flaws = check_payloads(source, contents, report=report, stop=stop)
    unread = tuple(part for part in contents.unread if not part.startswith(UNCHECKED))
    return replace(contents, flaws=tuple(dict.fromkeys((*contents.flaws, *flaws))), unread=unread)


def _check(source: Source, member: Member, stop: Stop | None) -> Flaw | None:
    crc = done = 0
    try:
        span = Span(member.offset, member.size, member.stored)
        for piece in inflate(source, span) if member.compressed else _stored(source, member):
            if stop:
                stop.check()
            crc = crc32(piece, crc)
            done += len(piece)
    except FormatError as error:
        return Flaw(error.rule or "deflate-damaged", f"`{member.name}`: {error.what}", member.offset, member.name)
    if crc == member.crc and done == member.size:
        return None
    return Flaw("payload-crc", f"the checksum of `{member.name}` is wrong", member.offset, member.name)


def _stored(source: Source, member: Member) -> Iterator[bytes]:
    for at in range(0, member.size, _PIECE):
        yield source.read_at(member.offset + at, min(_PIECE, member.size - at))
