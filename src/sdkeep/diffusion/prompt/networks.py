"""What a prompt says beside its text: `<lora:name:0.8>` and its kin, and prompts joined by `AND`.

Sources of the dialect: AUTOMATIC1111 `modules/extra_networks.py`, `extensions-builtin/Lora`,
`modules/prompt_parser.py`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_NETWORK = re.compile(r"<(\w+):([^>]+)>")
_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"^((?:\s|.)*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*$")


@dataclass(frozen=True, slots=True)
class ExtraNetwork:
    """A network named in a prompt: `kind` as written (`lora`, `lyco`, `hypernet`), its arguments as written."""

    kind: str
    name: str
    positional: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()

    @property
    def text_weight(self) -> float:
        """How much of it goes to the text encoder."""
        return self._weight(0, "te", 1.0)

    @property
    def unet_weight(self) -> float:
        """How much of it goes to the denoiser; as much as to the text encoder unless said otherwise."""
        return self._weight(1, "unet", self.text_weight)

    @property
    def blocks(self) -> str:
        """Weights by block, `lbw=NAME` or a list, empty for none."""
        return dict(self.named).get("lbw", "")

    def _weight(self, place: int, name: str, default: float) -> float:
        said = dict(self.named).get(name, self.positional[place] if place < len(self.positional) else "")
        try:
            value = float(said) if said.strip() else default
        except ValueError:
            return default
        return value if math.isfinite(value) else default


@dataclass(frozen=True, slots=True)
class Part:
    """One of the prompts that `AND` joins, and how much it counts."""

    text: str
    weight: float = 1.0


def take_networks(prompt: str) -> tuple[str, tuple[ExtraNetwork, ...]]:
    """The prompt without the networks it names, and those, in their order."""
    found: list[ExtraNetwork] = []

    def taken(match: re.Match[str]) -> str:
        items = match[2].split(":")
        named = tuple((key.strip(), value) for key, _, value in (item.partition("=") for item in items[1:]) if _)
        positional = tuple(item for item in items[1:] if "=" not in item)
        found.append(ExtraNetwork(match[1].lower(), items[0].strip(), positional, named))
        return ""

    end = prompt.rfind(">") + 1  # behind it nothing is closed, and looking for an end from every `<` takes for ever
    return _NETWORK.sub(taken, prompt[:end]) + prompt[end:], tuple(found)


def split_and(prompt: str) -> tuple[Part, ...]:
    """The prompts between `AND`; a number after a colon at the end of one is its weight."""
    parts = []
    for piece in _AND.split(prompt):
        match = _WEIGHT.search(piece)
        text, weight = match.groups() if match else (piece, None)
        parts.append(Part(text, float(weight) if weight is not None else 1.0))
    return tuple(parts)
