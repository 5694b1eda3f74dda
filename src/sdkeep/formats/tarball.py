"""Tar files: torch's form before version 0.1.10, told from others by its three members, listed and not converted."""

from __future__ import annotations

from sdkeep.formats.contents import Container, Member
from sdkeep.formats.draft import Draft, is_binary_pickle, pickle_at

_BLOCK = 512
_MOST_MEMBERS = 10_000
_TORCH = {"pickle", "tensors", "storages"}


def examine(draft: Draft) -> Container:
    """List the members, read the pickles among them, and say whether torch wrote it."""
    at = 0
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
        draft.members.append(Member(name, at + _BLOCK, size, size))
        _read_pickle(draft, draft.members[-1])
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
    names = {member.name.removeprefix("./") for member in draft.members}
    return Container.TORCH_TAR if names >= _TORCH else Container.TAR


def _octal(field: bytes) -> int | None:
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        return None


def _read_pickle(draft: Draft, member: Member) -> None:
    front = draft.source.read_at(member.offset, 2)
    if member.name.removeprefix("./") in _TORCH or is_binary_pickle(front):
        pickle_at(draft, member.offset, member.name)
