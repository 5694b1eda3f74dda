"""Tar files: torch's form before version 0.1.10, told from others by its three members, listed and not converted."""

from __future__ import annotations

from sdkeep.formats.contents import Container, Member
from sdkeep.formats.draft import Draft, pickle_at
from sdkeep.formats.nested import look_into, window

_BLOCK = 512
_MOST_MEMBERS = 10_000
_TORCH = {"pickle", "tensors", "storages"}


def examine(draft: Draft) -> Container:
    """List the members, look into each, and say whether torch wrote it."""
    at, names = 0, set[str]()
    while at + _BLOCK <= draft.source.size and len(draft.members) < _MOST_MEMBERS:
        draft.check()
        block = draft.source.read_at(at, _BLOCK)
        size = _octal(block[124:136])
        if not block.strip(b"\0"):
            break
        if size is None:
            draft.flaw("tar-damaged", "a member's header cannot be read", at)
            break
        name = block[:100].partition(b"\0")[0].decode("utf-8", "backslashreplace")
        member = Member(name, at + _BLOCK, size, size)
        draft.members.append(member)
        names.add(name.removeprefix("./"))
        _read_member(draft, member)
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
    if len(draft.members) >= _MOST_MEMBERS:
        draft.flaw("budget-members", f"more than {_MOST_MEMBERS:,} members; the rest was not read", at)
    return Container.TORCH_TAR if names >= _TORCH else Container.TAR


def _octal(field: bytes) -> int | None:
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        return None


def _read_member(draft: Draft, member: Member) -> None:
    """torch's three members are pickles whatever they look like; any other is what it is."""
    if member.name.removeprefix("./") in _TORCH:
        pickle_at(draft, member.offset, member.name)
    elif member.size and draft.thorough:
        look_into(draft, window(draft, member), member)
    elif member.size:
        draft.unread.append(member.name)
