"""A Brownian path that can be asked anywhere, in any order, and always answers the same: the noise of SDE samplers.

The values are those of torchsde's `BrownianTree` (Li et al. 2020, arXiv:2001.01328), which k-diffusion and
AUTOMATIC1111 use: a binary tree of halved intervals, each with seeds of its own from numpy's `SeedSequence`, so that
the same seed gives the same noise here as there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

Draw = Callable[[int], Tensor]
"""Normal numbers of the path's shape for a seed."""

_DIGITS = 6
_POOL = 24
_KEPT = 45


@dataclass(slots=True, eq=False)
class _Piece:
    """An interval of the path, and its two halves once it is split."""

    start: float
    end: float
    parent: _Piece | None = None
    is_left: bool = True
    key: int = 0
    depth: int = 0
    seed: int = 0
    halves: tuple[_Piece, _Piece] | None = None


@dataclass(slots=True)
class Path:
    """A path over `[start, end]` for one seed."""

    start: float
    end: float
    seed: int
    draw: Draw
    _root: _Piece = field(init=False)
    _whole: Tensor = field(init=False)
    _kept: dict[_Piece, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The whole increment, and a root that is not yet halved."""
        seeds = np.random.SeedSequence(entropy=self.seed, pool_size=_POOL).generate_state(3)
        self._root = _Piece(round(self.start, _DIGITS), round(self.end, _DIGITS))
        self._whole = self.draw(int(seeds[0])) * math.sqrt(self.end - self.start)

    def between(self, start: float, end: float) -> Tensor:
        """The increment from `start` to `end`; both are held within the path."""
        low, high = (round(min(max(time, self._root.start), self._root.end), _DIGITS) for time in (start, end))
        if low == high:
            return torch.zeros_like(self._whole)
        first, *others = map(self._increment, self._pieces(self._root, low, high))
        return sum(others, first)

    def _pieces(self, piece: _Piece, start: float, end: float) -> Iterator[_Piece]:
        """The pieces that make up an interval, from left to right, halved further where needed."""
        if start == piece.start and end == piece.end:
            yield piece
            return
        left, right = self._halves(piece)
        if start < left.end:
            yield from self._pieces(left, start, min(end, left.end))
        if end > right.start:
            yield from self._pieces(right, max(start, right.start), end)

    def _halves(self, piece: _Piece) -> tuple[_Piece, _Piece]:
        if piece.halves is None:
            middle = round(0.5 * (piece.end + piece.start), _DIGITS)
            if piece.parent is not None:
                piece.key, piece.depth = 2 * piece.parent.key + (not piece.is_left), piece.parent.depth + 1
            spawned = np.random.SeedSequence(entropy=self.seed, spawn_key=(piece.key, piece.depth), pool_size=_POOL)
            piece.seed = int(spawned.generate_state(4)[0])
            piece.halves = (_Piece(piece.start, middle, piece), _Piece(middle, piece.end, piece, is_left=False))
        return piece.halves

    def _increment(self, piece: _Piece) -> Tensor:
        """A Brownian bridge between the ends of the parent."""
        parent = piece.parent
        if parent is None:
            return self._whole
        if piece not in self._kept:
            whole = self._increment(parent)
            share = 1 / (parent.end - parent.start)
            middle = piece.end if piece.is_left else piece.start
            before, after = middle - parent.start, parent.end - middle
            left = before * whole * share + math.sqrt(before * after * share) * self.draw(parent.seed)
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[piece] = left if piece.is_left else whole - left
        return self._kept[piece]
