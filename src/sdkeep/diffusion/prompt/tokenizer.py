"""CLIP's byte-pair tokenizer, exact to the reference, its cleaning of text by ftfy included.

Source: OpenAI CLIP, `clip/simple_tokenizer.py`; the merges in `merges.txt.xz` are its own (see LICENSE.clip). The same
vocabulary of 49,408 ids serves CLIP-L, OpenCLIP-H and OpenCLIP-bigG.
"""

from __future__ import annotations

import html
import lzma
import re
from functools import cache
from importlib.resources import files
from itertools import pairwise

START = 49406
"""`<|startoftext|>`, before every chunk."""
END = 49407
"""`<|endoftext|>`, after every chunk."""

_END_OF_WORD = "</w>"
_MARKS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d"
_PIECES = _MARKS + r"|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
_PLAIN_PIECES = re.compile(_MARKS + "|[a-z]+|[0-9]|[^\\sa-z0-9]+")
"""The same for ASCII in lower case."""
_SPECIAL = {"<|startoftext|>": (START,), "<|endoftext|>": (END,)}


def encode(text: str) -> list[int]:
    """The ids of a text, without start and end marks."""
    return [token for piece in _pieces(clean(text)) for token in _piece(piece)]


def _pieces(text: str) -> list[str]:
    """The words, digits and marks of a cleaned text."""
    if text.isascii():
        return _PLAIN_PIECES.findall(text)
    import regex  # takes its time, and most prompts are ASCII

    found: list[str] = regex.findall(_PIECES, text, regex.IGNORECASE)
    return found


def decode(tokens: list[int]) -> str:
    """The text that ids stand for; bytes that are no text become replacement characters."""
    spelled = "".join(_vocabulary().words[token] for token in tokens)
    ends = spelled.replace(_END_OF_WORD, " ")
    table = {letter: byte for byte, letter in _letters().items()}
    return bytes(table.get(letter, 0x20) for letter in ends).decode("utf-8", errors="replace")


def clean(text: str) -> str:
    """What CLIP was trained on: broken characters mended, entities resolved twice, single spaces, lower case."""
    if not (text.isascii() and text.isprintable() and "&" not in text):
        import ftfy  # takes its time, and has nothing to mend in plain text

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    if text.isascii():
        return re.sub(r"\s+", " ", text.strip()).strip().lower()
    import regex

    return regex.sub(r"\s+", " ", text.strip()).strip().lower()


class _Vocabulary:
    """Every token's id, and the rank of every merge, its halves with a blank between: the lower is done first."""

    def __init__(self, merges: list[str]) -> None:
        letters = list(_letters().values())
        merged = (pair.replace(" ", "") for pair in merges)
        self.words = [*letters, *(letter + _END_OF_WORD for letter in letters), *merged, *_SPECIAL]
        self.ids = {word: number for number, word in enumerate(self.words)}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}


@cache
def _vocabulary() -> _Vocabulary:
    packed = files("sdkeep.diffusion.prompt").joinpath("merges.txt.xz").read_bytes()
    return _Vocabulary(lzma.decompress(packed).decode("utf-8").splitlines())


@cache
def _letters() -> dict[int, str]:
    """A visible character for each byte, as GPT-2 chose them: printable bytes stand for themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}


@cache
def _piece(piece: str) -> tuple[int, ...]:
    if piece in _SPECIAL:
        return _SPECIAL[piece]
    letters = _letters()
    symbols = [letters[byte] for byte in piece.encode("utf-8")]
    symbols[-1] += _END_OF_WORD
    return tuple(_vocabulary().ids[symbol] for symbol in _merged(symbols))


def _merged(symbols: list[str]) -> list[str]:
    """Merge neighbours, always the pair of the lowest rank first, wherever it stands, until no pair has a rank."""
    ranks = _vocabulary().ranks
    worst = len(ranks)
    while len(symbols) > 1:
        best = min(pairwise(symbols), key=lambda pair: ranks.get(" ".join(pair), worst))
        if " ".join(best) not in ranks:
            break
        merged: list[str] = []
        place = 0
        while place < len(symbols):
            if tuple(symbols[place : place + 2]) == best:
                merged.append(symbols[place] + symbols[place + 1])
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        symbols = merged
    return symbols
