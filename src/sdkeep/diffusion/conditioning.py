"""From a prompt to what the denoiser is given: chunks through the text towers, emphasis, embeddings, sizes.

Source of the conventions: AUTOMATIC1111 `modules/sd_hijack_clip.py`, `sd_hijack_open_clip.py`, `sd_emphasis.py`,
`sd_models_xl.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model, TextTower
from sdkeep.diffusion.networks.openclip import OpenClip
from sdkeep.diffusion.networks.unet import size_embedding
from sdkeep.diffusion.prompt.chunks import BACKTRACK, EMPTY, LENGTH, Chunk, chunk, known_embeddings
from sdkeep.diffusion.prompt.tokenizer import END
from sdkeep.ground.errors import FormatError
from sdkeep.ground.kinds import Family


class Emphasis(StrEnum):
    """What weights in a prompt do: scale and keep the mean of the whole, only scale, nothing, or not even be read."""

    ORIGINAL = "Original"
    NO_NORM = "No norm"
    IGNORE = "Ignore"
    NONE = "None"


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A textual inversion: vectors (n, width) for each text tower, in the order of the towers."""

    name: str
    vectors: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How to read prompts. `skip` counts from the last layer and holds for SD 1 alone, as in AUTOMATIC1111."""

    skip: int = 1
    emphasis: Emphasis = Emphasis.ORIGINAL
    backtrack: int = BACKTRACK


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A prompt for the denoiser: `context` (77 n, width) and, for SDXL, `pooled` (width)."""

    context: Tensor
    pooled: Tensor | None = None


@dataclass(slots=True, eq=False)
class Reader:
    """Reads prompts for one model; what it read once it remembers, until `forget`."""

    model: Model
    options: TextOptions = field(default_factory=TextOptions)
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    _read: dict[tuple[str, ...], tuple[Encoded, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `FormatError` for a text tower that CLIP's tokens do not fit."""
        for tower in self.model.config.text:
            if tower.vocab <= END or tower.length < LENGTH + 2 or not tower.layers:
                raise FormatError(
                    "prompts cannot be read with this checkpoint",
                    f"a text encoder of it has {tower.vocab:,} words, {tower.length} places and {tower.layers} layers; "
                    f"CLIP's prompts have {END + 1:,} words and {LENGTH + 2} places",
                    "name the checkpoint that it was trained from with `--base FILE`",
                    rule="unsupported-network",
                )

    def forget(self) -> None:
        """Read everything anew: a text tower has changed."""
        self._read.clear()

    def read(self, prompts: Sequence[str]) -> tuple[Encoded, ...]:
        """Each prompt, all in one batch: emphasis keeps the mean of the batch, as in AUTOMATIC1111."""
        key = tuple(prompts)
        if key not in self._read:
            self._read[key] = self._encode(key)
        return self._read[key]

    def chunks_of(self, prompt: str) -> tuple[Chunk, ...]:
        """The chunks of a prompt; embeddings that it names are noted in `used`."""
        known = known_embeddings({name: len(one.vectors[0]) for name, one in self.embeddings.items()})
        emphasis = self.options.emphasis is not Emphasis.NONE
        found = chunk(prompt, known, emphasis=emphasis, backtrack=self.options.backtrack)
        self.used |= {splice.name for one in found for splice in one.splices}
        return found

    @torch.no_grad()
    def _encode(self, prompts: tuple[str, ...]) -> tuple[Encoded, ...]:
        rows = [self.chunks_of(prompt) for prompt in prompts]
        length = max(map(len, rows))
        columns = [[row[place] if place < len(row) else EMPTY for row in rows] for place in range(length)]
        towers = self.model.text
        by_tower = [[self._states(tower, place, column) for column in columns] for place, tower in enumerate(towers)]
        parts = [torch.cat([states for states, _ in column], dim=1) for column in by_tower]  # (b, 77 n, width) each
        context = torch.cat(parts, dim=-1)  # (b, 77 n, all widths)
        pooled = by_tower[-1][0][1] if self.model.config.size_conditions else None
        return tuple(
            Encoded(context[place, : 77 * len(row)], pooled[place] if pooled is not None else None)
            for place, row in enumerate(rows)
        )

    def _states(self, tower: TextTower, place: int, column: list[Chunk]) -> tuple[Tensor, Tensor]:
        """A tower's states (b, 77, width) of one chunk of each prompt, emphasised, and the pooled ones (b, width)."""
        tokens = torch.tensor([one.tokens for one in column])
        if isinstance(tower, OpenClip):
            tokens = _padded_with_zero(tokens)
        tokens = tokens.to(self.model.device)
        vectors = tower.embed(tokens)
        for row, one in enumerate(column):
            for splice in one.splices:
                spliced = self.embeddings[splice.name].vectors[place].to(vectors)[: 77 - splice.start]
                vectors[row, splice.start : splice.start + len(spliced)] = spliced
        states = tower(tokens, vectors)
        config = self.model.config
        skip = max(self.options.skip, 1) if config.family is Family.SD1 else config.skip
        hidden = states.hidden[-min(skip, len(states.hidden) - 1)]
        hidden = (tower.final_norm(hidden) if config.final_norm else hidden).float()
        weights = torch.tensor([one.weights for one in column], device=hidden.device)
        return _emphasised(hidden, weights, self.options.emphasis), states.pooled.float()


def _padded_with_zero(tokens: Tensor) -> Tensor:
    """OpenCLIP's filling: zeros behind the first end."""
    ended = (tokens == END).cumsum(dim=1)
    behind = (ended > 1) | ((ended == 1) & (tokens != END))
    return torch.where(behind, torch.zeros_like(tokens), tokens)


def _emphasised(states: Tensor, weights: Tensor, emphasis: Emphasis) -> Tensor:
    if emphasis in (Emphasis.IGNORE, Emphasis.NONE):
        return states
    scaled = states * weights[..., None]
    return scaled * (states.mean() / scaled.mean()) if emphasis is Emphasis.ORIGINAL else scaled


AESTHETIC_SCORE = 6.0
AESTHETIC_SCORE_OF_NEGATIVE = 2.5


def labels_of(model: Model, encoded: Encoded, size: tuple[int, int], *, negative: bool = False) -> Tensor | None:
    """SDXL's extra condition (width) for a picture of (height, width) pixels; None for other families."""
    count = model.config.size_conditions
    if not count or encoded.pooled is None:
        return None
    score = AESTHETIC_SCORE_OF_NEGATIVE if negative else AESTHETIC_SCORE
    numbers = [*size, 0, 0, *((score,) if count == 5 else size)]
    return torch.cat([encoded.pooled, size_embedding(torch.tensor([numbers]).float())[0].to(encoded.pooled)])


def silenced(model: Model, encoded: Encoded) -> Encoded:
    """An empty negative prompt: zeros for SDXL and its refiner, which were trained so, and as read for the others."""
    if model.config.family not in (Family.SDXL, Family.SDXL_REFINER):
        return encoded
    pooled = torch.zeros_like(encoded.pooled) if encoded.pooled is not None else None
    return Encoded(torch.zeros_like(encoded.context), pooled)
