"""Pickles of protocols 0 and 1, which begin without a magic number and can look like a text."""

from __future__ import annotations

from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.values import EventKind
from sdkeep.ground.source import Source

MOST_TEXT = 1 << 20
_ACTS = {EventKind.CALL, EventKind.BUILD, EventKind.EXTENSION}


def is_text_pickle(source: Source, front: bytes) -> bool:
    """A pickle without a PROTO opcode has no magic: it must run to its end, or call something on its way.

    Prose runs into a byte that is no opcode soon; what does not is read on, for the call may come late.
    """
    reading, whole = read_pickle(front), source.size <= len(front)
    if not whole and any(problem.rule == "truncated" for problem in reading.problems):
        front = source.read_at(0, MOST_TEXT)
        reading, whole = read_pickle(front), source.size <= len(front)
        if not whole and not reading.complete and reading.problems[-1].rule == "truncated":
            return True  # a million bytes of opcodes: too long to be sure of, so not to be called a text
    if reading.complete and reading.opcodes > 1:  # "N. Surname" is prose, two opcodes long
        names = any(event.kind is EventKind.IMPORT for event in reading.events)
        return names or reading.opcodes > 2 or front[:1] in b"ILFSV" or len(front) < 16
    return any(event.kind in _ACTS for event in reading.events)
