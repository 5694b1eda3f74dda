"""A prompt in chunks of 75 tokens, each between a start and an end.

With what every token counts and where embeddings go.

Source of the rules: AUTOMATIC1111 `modules/sd_hijack_clip.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sdkeep.diffusion.prompt.emphasis import Weighted, parse_emphasis
from sdkeep.diffusion.prompt.tokenizer import END, START, encode

LENGTH = 75
COMMA = 267
"""The token `,</w>`, behind which a prompt may be cut."""
BACKTRACK = 20
"""How far back a comma may lie for the text after it to move to the next chunk."""


@dataclass(frozen=True, slots=True)
class Splice:
    """The vectors of embedding `name` take the places from `start` on, counted with the start mark."""

    start: int
    name: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """77 tokens, and as many weights."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    splices: tuple[Splice, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """An embedding that a prompt may name: the tokens of its name, and how many vectors it has."""

    name: str
    tokens: tuple[int, ...]
    vectors: int


def known_embeddings(vectors: Mapping[str, int]) -> tuple[Known, ...]:
    """Embeddings by their names, the longest names first, so that a name within another does not win."""
    known = (Known(name, tuple(encode(name)), count) for name, count in vectors.items())
    return tuple(sorted((one for one in known if one.tokens), key=lambda one: -len(one.tokens)))


@dataclass(slots=True)
class _Filling:
    """The chunk that is being filled, and those that are full."""

    backtrack: int
    chunks: list[Chunk] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    splices: list[Splice] = field(default_factory=list)
    comma: int = -1

    def close(self) -> None:
        """Fill up with ends, and begin a new chunk."""
        missing = LENGTH - len(self.tokens)
        tokens = (START, *self.tokens, *[END] * missing, END)
        self.chunks.append(Chunk(tokens, (1.0, *self.weights, *[1.0] * missing, 1.0), tuple(self.splices)))
        self.tokens, self.weights, self.splices, self.comma = [], [], [], -1

    def make_room(self, token: int) -> None:
        """Before a token is added: remember a comma, and end a full chunk, at the last comma when it is near."""
        if token == COMMA:
            self.comma = len(self.tokens)
        elif len(self.tokens) == LENGTH and self.comma != -1 and LENGTH - self.comma <= self.backtrack:
            self._move_on(self.comma + 1)
        if len(self.tokens) == LENGTH:
            self.close()

    def _move_on(self, border: int) -> None:
        tokens, weights = self.tokens[border:], self.weights[border:]
        moved = [Splice(one.start - border, one.name) for one in self.splices if one.start > border]
        self.tokens, self.weights = self.tokens[:border], self.weights[:border]
        self.splices = [one for one in self.splices if one.start <= border]
        self.close()
        self.tokens, self.weights, self.splices = tokens, weights, moved

    def splice(self, known: Known, weight: float) -> None:
        """Leave room for an embedding, whole in one chunk where that is possible."""
        if len(self.tokens) + known.vectors > LENGTH and self.tokens:
            self.close()
        count = min(known.vectors, LENGTH)
        self.splices.append(Splice(len(self.tokens) + 1, known.name))
        self.tokens += [0] * count
        self.weights += [weight] * count


def chunk(
    prompt: str, embeddings: Sequence[Known] = (), *, emphasis: bool = True, backtrack: int = BACKTRACK
) -> tuple[Chunk, ...]:
    """The chunks of a prompt, at least one. With `emphasis` off brackets are text."""
    filling = _Filling(backtrack)
    for part in parse_emphasis(prompt) if emphasis else (Weighted(prompt),):
        if part.is_break:
            filling.close()
        else:
            _fill(filling, encode(part.text), part.weight, embeddings)
    if filling.tokens or not filling.chunks:
        filling.close()
    return tuple(filling.chunks)


def _fill(filling: _Filling, tokens: list[int], weight: float, embeddings: Sequence[Known]) -> None:
    place = 0
    while place < len(tokens):
        filling.make_room(tokens[place])
        known = next((one for one in embeddings if tuple(tokens[place : place + len(one.tokens)]) == one.tokens), None)
        if known is None:
            filling.tokens.append(tokens[place])
            filling.weights.append(weight)
            place += 1
        else:
            filling.splice(known, weight)
            place += len(known.tokens)


EMPTY = Chunk((START, *[END] * (LENGTH + 1)), (1.0,) * (LENGTH + 2))
"""A chunk without words, which evens out prompts of different lengths."""
