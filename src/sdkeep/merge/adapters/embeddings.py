"""Textual inversions averaged, weighted or joined: the vectors of SD 1, SD 2 and of SDXL's pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch

from sdkeep.ground.errors import FormatError, UsageError, WrongFamily
from sdkeep.merge.adapters.saving import Made
from sdkeep.weights.rounding import rounded

_SINGLE = "emb_params"
_PAIR = ("clip_l", "clip_g")
_WIDTHS = {768: "clip_l", 1280: "clip_g"}


class Way(StrEnum):
    """How embeddings become one."""

    AVERAGE = "average"
    WEIGHTED = "weighted"
    CONCAT = "concat"


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vectors of one embedding by text encoder, each [count, width]: `emb_params`, or `clip_l` with `clip_g`."""

    name: str
    vectors: Mapping[str, torch.Tensor]

    @property
    def widths(self) -> Mapping[str, int]:
        """The width of the vectors by text encoder."""
        return {key: tensor.shape[1] for key, tensor in self.vectors.items()}


def embedding_of(name: str, shapes: Mapping[str, tuple[int, ...]], tensor: Callable[[str], torch.Tensor]) -> Embedding:
    """The embedding in a file's tensors: one of vectors, or two of the widths of SDXL's text encoders.

    Raises `FormatError` for anything else.
    """
    wanted = {key: shape for key, shape in shapes.items() if 1 <= len(shape) <= 2 and shape[-1] > 1}
    widths = [shape[-1] for shape in wanted.values()]
    if not wanted or (len(wanted) != len(shapes) and len(wanted) > len(_PAIR)):
        raise _no_embedding(name)
    if len(wanted) == 1:
        keys = {_SINGLE: next(iter(wanted))}
    elif sorted(widths) == sorted(_WIDTHS):
        keys = {_WIDTHS[shape[-1]]: key for key, shape in wanted.items()}
    else:
        raise _no_embedding(name)
    return Embedding(name, {key: tensor(old).reshape(-1, shapes[old][-1]) for key, old in keys.items()})


def _no_embedding(name: str) -> FormatError:
    return FormatError(
        f"`{name}` is no embedding that can be merged",
        "one tensor of vectors is needed, or two of the widths 768 and 1280",
        f"`sdkeep show {name}` says what it is",
    )


def merge(embeddings: Sequence[Embedding], way: Way, weights: Sequence[float] = (), *, dtype: str = "F32") -> Made:
    """One embedding of several. average: sum e_i / n. weighted: sum w_i e_i. concat: the vectors one after another,
    each times its weight.

    Raises `WrongFamily` when widths differ, and `UsageError` when counts of vectors or of weights do not agree.
    """
    factors = _factors(embeddings, way, weights)
    first = embeddings[0]
    for other in embeddings[1:]:
        if other.widths != first.widths:
            raise WrongFamily(
                f"`{other.name}` and `{first.name}` are for different models",
                f"their vectors have {_told(other)} and {_told(first)} numbers",
                f"`sdkeep show {other.name}`",
            )
    made: dict[str, torch.Tensor] = {}
    for key in first.vectors:
        scaled = [one.vectors[key].to(torch.float32) * factor for one, factor in zip(embeddings, factors, strict=True)]
        if way is Way.CONCAT:
            made[key] = torch.cat(scaled)
            continue
        counts = {tensor.shape[0] for tensor in scaled}
        if len(counts) > 1:
            raise UsageError(
                "embeddings of different lengths have no average",
                "they have " + ", ".join(f"{one.vectors[key].shape[0]} ({one.name})" for one in embeddings)
                + " vectors",
                "`--how concat` joins them",
            )  # fmt: skip
        made[key] = torch.stack(scaled).sum(0)
    return Made({key: rounded(tensor, dtype) for key, tensor in made.items()}, {})


def _factors(embeddings: Sequence[Embedding], way: Way, weights: Sequence[float]) -> Sequence[float]:
    if way is Way.AVERAGE:
        if weights:
            raise UsageError("an average has no weights", "each counts the same", "`--how weighted`")
        return [1 / len(embeddings)] * len(embeddings)
    if not weights and way is Way.CONCAT:
        return [1.0] * len(embeddings)
    if len(weights) != len(embeddings):
        raise UsageError(
            f"{len(embeddings)} embeddings need {len(embeddings)} weights", f"{len(weights)} were given",
            "`--weights 0.7,0.3`",
        )  # fmt: skip
    return weights


def _told(embedding: Embedding) -> str:
    return " and ".join(str(width) for width in embedding.widths.values())
