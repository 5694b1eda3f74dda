"""Several adapters as one, exactly or within a rank; and one adapter within a smaller rank.

Changes that do not depend on the weight add up. Factors side by side are the sum of the products: concatenation is
exact but for the rounding to the stored format, and ranks add. Adding the factors themselves, as some tools do, is not
the sum: it has cross terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from sdkeep.ground.errors import CannotConvert, UsageError, WrongFamily
from sdkeep.ground.events import Report, Stop, silent, stage
from sdkeep.merge.adapters.baking import Baking
from sdkeep.merge.adapters.ranks import Factors, Rule, factors_of, factors_of_kronecker, factors_of_product
from sdkeep.merge.adapters.saving import Made, Origin, described
from sdkeep.merge.adapters.spelled import (
    Spelling,
    as_convolution,
    is_convolution,
    is_sdxl,
    kernel_shape,
    spelling_of,
)
from sdkeep.weights.adapters.deltas import Tensors, delta, kronecker, needs_weight, strength
from sdkeep.weights.adapters.spelling import Place, place_of, to_ldm
from sdkeep.weights.adapters.values import Algorithm, Part, Shape

_EVERYTHING = ("down", "up", "mid", "alpha", "scale", "scalar")


@dataclass(frozen=True, slots=True)
class Limits:
    """The ranks of the result; without a rule the sum stays exact. `conv` goes before `linear` for convolutions."""

    linear: Rule | None = None
    conv: Rule | None = None

    def at(self, place: Place) -> Rule | None:
        """The rule for a layer."""
        return self.conv if self.conv and is_convolution(place) else self.linear


@dataclass(slots=True)
class _Sum:
    """What the adapters do to one parameter: factors side by side, Kronecker products, and a sum of whole changes."""

    shape: Shape
    ups: list[torch.Tensor] = field(default_factory=list)
    downs: list[torch.Tensor] = field(default_factory=list)
    kroneckers: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    whole: torch.Tensor | None = None
    key: str = ""


def combine(
    bakings: Sequence[Baking],
    limits: Limits,
    origin: Origin,
    *,
    dtype: str = "F16",
    report: Report = silent,
    stop: Stop | None = None,
) -> Made:
    """The sum of adapters, each at its strength, as one adapter in the names of the first.

    Raises `CannotConvert` for changes that depend on the weight (they do not add up) and for those that only fit into
    one adapter within a rank, and `WrongFamily` when layers differ in size.
    """
    sdxl = any(is_sdxl(baking.adapter) for baking in bakings)
    spelling = spelling_of((baking.adapter for baking in bakings), dtype)
    parts = [(baking, part) for baking in bakings for part in baking.adapter.parts]
    sums: dict[tuple[Place, str], _Sum] = {}
    with stage(report, f"combine:{bakings[0].name}", "add up adapters", len(parts), "layers") as moved:
        for done, (baking, part) in enumerate(parts, 1):
            if stop:
                stop.check()
            place = place_of(part.target, sdxl=sdxl)
            multiplier = baking.strength.at(_key(place))
            if multiplier != 0:
                _add(sums, (place, part.parameter), baking, part, multiplier)
            moved(done)
    if not sums:
        raise UsageError("nothing is left to merge", "every strength is 0", "give at least one another strength")
    return _written(sums, limits, spelling, described(origin, {}), stop)


def _key(place: Place) -> str:
    """The beginning of the checkpoint's key for a layer, enough to tell its block."""
    return f"model.diffusion_model.{to_ldm(place.module)}." if place.tower == "unet" else place.module


def _add(
    sums: dict[tuple[Place, str], _Sum], at: tuple[Place, str], baking: Baking, part: Part, multiplier: float
) -> None:
    if needs_weight(part):
        raise CannotConvert(
            f"`{baking.name}` cannot be added up",
            f"what it does to `{part.target}` depends on the weight ({'dora' if part.decomposes else part.algorithm})",
            "bake it into its model with `sdkeep merge MODEL --lora`, then `sdkeep lora extract`",
        )
    tensors = baking.tensors(part)
    factors, pair = _factors(part, tensors, multiplier), _kronecker(part, tensors, multiplier)
    change = None if factors or pair else delta(part, tensors, multiplier=multiplier)
    shape = kernel_shape(at[0], part, tuple(change.shape) if change is not None else ())
    total = sums.setdefault(at, _Sum(shape, key=_ending(part)))
    if _size(total.shape) != _size(shape):
        raise WrongFamily(
            f"`{baking.name}` was made for another kind of model than the adapters before it",
            f"`{part.target}` is {list(shape)} in it and {list(total.shape)} in them",
            f"`sdkeep show {baking.name}`",
        )
    if factors:
        total.ups.append(factors[0])
        total.downs.append(factors[1])
    elif pair:
        total.kroneckers.append(pair)
    elif change is not None:
        change = change.reshape(total.shape)
        total.whole = change if total.whole is None else total.whole + change


def _ending(part: Part) -> str:
    """The key's end if the parameter is kept whole."""
    if part.parameter == "bias":
        return "b_norm" if "b_norm" in part.keys else "diff_b"
    return "w_norm" if "w_norm" in part.keys else "diff"


def _size(shape: Shape) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _factors(part: Part, tensors: Tensors, multiplier: float) -> tuple[torch.Tensor, torch.Tensor] | None:
    """`up` [out, rank] and `down` [rank, in * kernel] whose product is the change; None for what has no factors."""
    plain = part.algorithm is Algorithm.LORA and part.keys.keys() <= set(_EVERYTHING)
    if not plain or tensors["up"][0, 0].numel() > 1:
        return None
    up, down = tensors["up"].to(torch.float32).flatten(1), tensors["down"].to(torch.float32)
    if "mid" in tensors:  # [r, r, kernel]: the core goes into the lower factor
        down = torch.einsum("mn...,ni->mi...", tensors["mid"].to(torch.float32), down.flatten(1))
    return up * (strength(part, tensors) * multiplier), down.flatten(1)


def _kronecker(part: Part, tensors: Tensors, multiplier: float) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The two matrices whose Kronecker product is the change; None for other algorithms."""
    if part.algorithm is not Algorithm.LOKR:
        return None
    first, second = kronecker({role: tensor.to(torch.float32) for role, tensor in tensors.items()})
    return first * (strength(part, tensors) * multiplier), second


def _written(
    sums: dict[tuple[Place, str], _Sum],
    limits: Limits,
    spelling: Spelling,
    metadata: Mapping[str, str],
    stop: Stop | None,
) -> Made:
    tensors: dict[str, torch.Tensor] = {}
    ranks: dict[str, int] = {}
    lost = whole = 0.0
    for (place, parameter), total in sums.items():
        if stop:
            stop.check()
        target = spelling.target(place)
        rule = limits.at(place) if parameter == "weight" and len(total.shape) > 1 else None
        factors = _reduced(total, rule, target)
        if factors is None:
            tensors |= spelling.cast({f"{target}.{total.key}": _product(total)})
            continue
        up, down = as_convolution(factors.up, factors.down, total.shape)
        tensors |= spelling.factors(target, up, down)
        ranks[target] = factors.rank
        energy = float((factors.up.T @ factors.up * (factors.down @ factors.down.T)).sum())
        share = min(factors.lost**2, 0.999999)
        lost, whole = lost + energy * share / (1 - share), whole + energy / (1 - share)
    about = dict(metadata)
    dims = {str(rank) for rank in ranks.values()}
    dim = dims.pop() if len(dims) == 1 else "Dynamic"
    about |= {"ss_network_dim": dim, "ss_network_alpha": dim if dim == "Dynamic" else f"{float(dim)}"}
    return Made(tensors, about, ranks, (lost / whole) ** 0.5 if whole else 0.0)


def _reduced(total: _Sum, rule: Rule | None, target: str) -> Factors | None:
    """The factors of a sum; None for what stays whole."""
    dense = total.whole is not None or bool(total.kroneckers)
    if total.ups and not dense:
        up, down = torch.cat(total.ups, 1), torch.cat(total.downs)
        return Factors(up, down, 0.0) if rule is None else factors_of_product(up, down, rule)
    if rule is None:
        return None
    if len(total.kroneckers) == 1 and total.whole is None and not total.ups:
        return factors_of_kronecker(*total.kroneckers[0], rule)
    return factors_of(_product(total).flatten(1), rule, name=target)


def _product(total: _Sum) -> torch.Tensor:
    """The whole change."""
    whole = torch.zeros(total.shape) if total.whole is None else total.whole
    for first, second in total.kroneckers:
        whole = whole + torch.kron(first, second.flatten(1)).reshape(total.shape)
    if total.ups:
        whole = whole + (torch.cat(total.ups, 1) @ torch.cat(total.downs)).reshape(total.shape)
    return whole
