"""Files inside files: a zip in a zip, a pickle in a tar, anything in a compressed stream. Looked at like any other."""

from __future__ import annotations

from dataclasses import replace

from sdkeep.formats.contents import Container, Flaw, Member, PickleMember
from sdkeep.formats.draft import Draft
from sdkeep.formats.magics import CLOSED
from sdkeep.formats.source import Window
from sdkeep.ground.source import Source

MOST_INSIDE = 64 << 20
"""Bytes of a compressed file or member that are unpacked to look into it."""

MOST_DEPTH = 3


def look_into(draft: Draft, source: Source, member: Member) -> Container | None:
    """Look at `source`, which is what `member` of the file holds, and add what is found to the file's draft.

    Tensors inside are not the file's own and stay out; every pickle and every flaw is taken over. Says what it is,
    None where it was not looked at.
    """
    if draft.depth >= MOST_DEPTH or draft.enter is None or draft.is_spent():
        draft.flaw("nested-too-deep", f"`{member.name}` holds files that were not looked at", member=member.name)
        draft.unread.append(member.name)
        return None
    inner = Draft(
        source, stop=draft.stop, depth=draft.depth + 1, enter=draft.enter,
        opcodes=draft.opcodes, unpacked=draft.unpacked, count=draft.count,
    )  # fmt: skip
    container = draft.enter(inner)
    draft.opcodes, draft.unpacked, draft.count = inner.opcodes, inner.unpacked, inner.count
    if container in CLOSED:
        draft.flaw("nested-unread", f"`{member.name}` is a {container} archive, which is not read", member=member.name)
    if inner.pickles:
        draft.notes.append(f"`{member.name}` is a {container} with {len(inner.pickles):,} pickles")
    draft.members.extend(_member(member, one) for one in inner.members)
    draft.pickles.extend(
        PickleMember(_name(member, one.member), member.offset + one.offset, one.reading) for one in inner.pickles
    )
    draft.flaws.extend(_flaw(member, flaw) for flaw in inner.flaws)
    draft.unread.extend(f"{member.name}: {part}" for part in inner.unread)
    return container


def window(draft: Draft, member: Member) -> Source:
    """The bytes of a member that is stored as it is."""
    return Window(draft.source, member.offset, member.size, member.name)


def _name(member: Member, inner: str) -> str:
    return f"{member.name}!{inner}" if inner else member.name


def _member(member: Member, inner: Member) -> Member:
    packed = member.compressed or inner.compressed
    name, offset = _name(member, inner.name), member.offset + inner.offset
    return replace(inner, name=name, offset=offset, crc=0, compressed=packed)


def _flaw(member: Member, flaw: Flaw) -> Flaw:
    offset = None if flaw.offset is None or member.compressed else member.offset + flaw.offset
    return replace(flaw, member=_name(member, flaw.member), offset=offset)
