"""Texts collected from a picture under a budget, so that no file can fill the memory."""

from __future__ import annotations

import zlib

LONGEST_TEXT = 8 * 1024 * 1024
"""Bytes of one text, unpacked; a ComfyUI workflow with pictures inside comes near it."""

ALL_TEXT = 32 * 1024 * 1024
"""Bytes of all texts of one picture."""

_MOST_TEXTS = 256
_MOST_PROBLEMS = 32


class Gathering:
    """The texts, the size and the problems of one picture while its chunks are walked."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.width = 0
        self.height = 0
        self.problems: list[str] = []
        self._room = ALL_TEXT

    def problem(self, sentence: str) -> None:
        """Note what could not be read, a bounded number of times."""
        if len(self.problems) < _MOST_PROBLEMS and sentence not in self.problems:
            self.problems.append(sentence)

    def size(self, width: int, height: int) -> None:
        """Note the picture's size; the first statement counts."""
        if not self.width and width > 0 and height > 0:
            self.width, self.height = width, height

    def admits(self, name: str, length: int) -> bool:
        """Whether a text of `length` bytes may still be read; says so when it may not."""
        if length <= min(LONGEST_TEXT, self._room) and len(self.texts) < _MOST_TEXTS:
            return True
        self.problem(f"the text `{name[:80]}` of {length:,} bytes is left out, because that is too much")
        return False

    def add(self, name: str, text: str) -> None:
        """Keep a text. Of two with one name the later stays, as it does for the programs that use Pillow."""
        text = text.strip("\0")
        if not text or not self.admits(name, len(text)):
            return
        if name in self.texts and self.texts[name] != text:
            self.problem(f"the text `{name[:80]}` stands there more than once")
        self._room -= len(text)
        self.texts[name] = text

    def inflate(self, name: str, packed: bytes, *, gzip: bool = False) -> bytes | None:
        """A deflated text unpacked up to the budget; None, with the problem noted, when it is broken or too long."""
        most = min(LONGEST_TEXT, self._room)
        machine = zlib.decompressobj(31 if gzip else zlib.MAX_WBITS)
        try:
            data = machine.decompress(packed, most + 1)
        except zlib.error:
            self.problem(f"the compressed text `{name[:80]}` is broken")
            return None
        if len(data) > most:
            self.problem(f"the compressed text `{name[:80]}` is left out, because it unpacks to too much")
            return None
        if not machine.eof:
            self.problem(f"the compressed text `{name[:80]}` is cut short")
        return data
