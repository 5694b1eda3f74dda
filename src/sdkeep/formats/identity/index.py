"""A header prepared for rules: every question about its keys becomes one look-up.

Numbers that stand alone in a key are folded to `#`, so `down_blocks.3.resnets.1.conv1.weight` and its hundred
siblings are one pattern with one first tensor and a count. A checkpoint of 2,500 keys has about 200 patterns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from sdkeep.formats.contents import Tensor

Shape = tuple[int, ...]

_NUMBER = re.compile(r"(?<![^._:])\d+(?![^._:])")
_LONGEST = 400
_DEEPEST = 16


def fold(text: str) -> str:
    """`text` with every stand-alone number replaced by `#`; numbers inside words (`attn2`, `conv1`) stay."""
    return _NUMBER.sub("#", text)


class _Folded(dict[str, str]):
    """Segments of keys folded once each: a header has few distinct ones."""

    def __missing__(self, segment: str) -> str:
        self[segment] = folded = fold(segment)
        return folded


def fold_all(keys: Sequence[str]) -> list[str]:
    """`fold` of many keys, several times faster than one by one."""
    folded = _Folded().__getitem__
    return [".".join(map(folded, key.split("."))) for key in keys]


class Index:
    """The keys and shapes of one file. `names` maps a key to its shape, `patterns` a folded key to its first key."""

    def __init__(self, tensors: Sequence[Tensor], wrappers: tuple[str, ...] = ()) -> None:
        self._list({tensor.name: tensor.shape for tensor in tensors})
        if any(pattern.startswith(wrappers) for pattern in self.patterns):
            self._list({_unwrapped(name, wrappers): shape for name, shape in self.names.items()})

    def _list(self, names: dict[str, Shape]) -> None:
        self.names = names
        self.keys = list(names)
        self.folded = fold_all(self.keys)
        self.patterns = dict(zip(reversed(self.folded), reversed(self.keys), strict=True))

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def counts(self) -> Counter[str]:
        """How many keys each pattern stands for."""
        return Counter(self.folded)

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every dotted path that has keys below it, folded."""
        found: set[str] = set()
        for pattern in self.patterns:
            path = pattern[:_LONGEST]
            for _ in range(_DEEPEST):
                path = path.rpartition(".")[0]
                if not path or path in found:
                    break
                found.add(path)
        return frozenset(found)

    @cached_property
    def tails(self) -> frozenset[str]:
        """The last one, two and three segments of every pattern."""
        found: set[str] = set()
        for pattern in self.patterns:
            segments = pattern[-_LONGEST:].rsplit(".", 3)[-3:]
            found.update(".".join(segments[cut:]) for cut in range(len(segments)))
        return frozenset(found)

    def share(self, root: str) -> float:
        """The part of all keys that lie below a root."""
        return sum(key.startswith(root) for key in self.keys) / max(len(self.keys), 1)

    def find(self, key: str) -> tuple[str, Shape] | None:
        """The first tensor that `key` names; a `#` in it stands for any number."""
        name = self.patterns.get(key) if "#" in key else key
        if name is None:
            return None
        shape = self.names.get(name)
        return None if shape is None else (name, shape)


def _unwrapped(name: str, wrappers: tuple[str, ...]) -> str:
    """`name` without the names of the dicts that training code puts around a model."""
    while name.startswith(wrappers):
        name = name.partition(".")[2]
    return name
