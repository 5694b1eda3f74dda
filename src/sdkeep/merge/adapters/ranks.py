"""How many singular values are worth keeping, and the two factors that keep them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import torch

from sdkeep.ground.errors import UsageError

_SMALL = 256
"""Matrices up to this many rows or columns are decomposed exactly whatever the rule."""

_EXAMPLE = "`--rank 32`, `--rank fro:0.9` or `--rank ratio:0.05,most:64`"
_OVERSAMPLING, _TURNS = 10, 4
_MOST_CLAMPED = 1 << 22


class Keep(StrEnum):
    """By what the rank of a layer is chosen; the words are those of LyCORIS and sd-scripts."""

    FIXED = "fixed"
    THRESHOLD = "threshold"
    RATIO = "ratio"
    QUANTILE = "quantile"
    FRO = "fro"


@dataclass(frozen=True, slots=True)
class Rule:
    """The rank of each layer, at most `most` (0: no limit), at least 1.

    fixed: `value` itself. threshold: singular values above `value`. ratio: those above `value` times the largest.
    quantile: until their sum is `value` of the whole. fro: until the root of the sum of their squares is (Frobenius).
    """

    keep: Keep = Keep.FIXED
    value: float = 8
    most: int = 0

    def __post_init__(self) -> None:
        fixed = self.keep is Keep.FIXED
        below = 1 if fixed else 0
        above = float("inf") if fixed or self.keep is Keep.THRESHOLD else 1
        whole = not fixed or float(self.value).is_integer()
        if not (below <= self.value <= above and whole) or self.most < 0:
            wanted = "a whole number from 1 on" if fixed else "between 0 and 1" if above == 1 else "0 or more"
            raise UsageError(f"`{self.value:g}` is no {self.keep} to keep by", f"it has to be {wanted}", _EXAMPLE)

    def __str__(self) -> str:
        return f"{self.keep}:{self.value:g}" + (f",most:{self.most}" if self.most else "")

    def rank(self, values: torch.Tensor) -> int:
        """How many of the singular values, largest first, are kept."""
        match self.keep:
            case Keep.FIXED:
                count = int(self.value)
            case Keep.THRESHOLD:
                count = int((values > self.value).sum())
            case Keep.RATIO:
                count = int((values > self.value * values[0]).sum())
            case Keep.QUANTILE:
                count = _until(values, self.value)
            case Keep.FRO:
                count = _until(values**2, self.value**2)
        return max(1, min(count, self.most or count, len(values)))


def _until(values: torch.Tensor, share: float) -> int:
    """How many of the first values make up `share` of their sum."""
    sums = values.to(torch.float64).cumsum(0)
    return int((sums < share * sums[-1]).sum()) + 1


@dataclass(frozen=True, slots=True)
class Factors:
    """`up` [out, rank] times `down` [rank, in * kernel]. `lost` is the share of the Frobenius norm left out."""

    up: torch.Tensor
    down: torch.Tensor
    lost: float

    @property
    def rank(self) -> int:
        """The inner width."""
        return self.down.shape[0]


def factors_of(matrix: torch.Tensor, rule: Rule, *, seed: int = 0, name: str = "") -> Factors:
    """The best factors of a matrix [out, in] under a rule: exact, or randomised where a fixed rank is far below full.

    Randomised: a Gaussian sketch of the range, a few power iterations, then an exact decomposition inside it (Halko,
    Martinsson and Tropp 2011, algorithms 4.4 and 5.1). The sketch depends on `seed` and the layer's `name` alone.
    """
    matrix = matrix.to(torch.float32)
    short, wanted = min(matrix.shape), int(rule.value) + _OVERSAMPLING
    if rule.keep is Keep.FIXED and short > _SMALL and wanted * 4 < short:
        sketch = torch.randn(matrix.shape[1], wanted, generator=_generator(seed, name))  # [in, wanted]
        range_, _ = torch.linalg.qr(matrix @ sketch)  # [out, wanted]
        for _ in range(_TURNS):
            other, _ = torch.linalg.qr(matrix.T @ range_)
            range_, _ = torch.linalg.qr(matrix @ other)
        left, values, right = torch.linalg.svd(range_.T @ matrix, full_matrices=False)
        left = range_ @ left
    else:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return _cut(left, values, right, rule, float(matrix.to(torch.float64).pow(2).sum()))


def factors_of_product(up: torch.Tensor, down: torch.Tensor, rule: Rule) -> Factors:
    """The best factors of `up @ down` under a rule, without making the product: exact, at the cost of its rank."""
    left, inner_left = torch.linalg.qr(up.to(torch.float32))  # [out, r] [r, rank]
    right, inner_right = torch.linalg.qr(down.to(torch.float32).T)  # [in, s] [s, rank]
    core_left, values, core_right = torch.linalg.svd(inner_left @ inner_right.T, full_matrices=False)
    return _cut(left @ core_left, values, core_right @ right.T, rule, float(values.to(torch.float64).pow(2).sum()))


def factors_of_kronecker(first: torch.Tensor, second: torch.Tensor, rule: Rule) -> Factors:
    """The best factors of `first (x) second` under a rule: exact, at the cost of decomposing the two small matrices.

    The singular values of a Kronecker product are the products of theirs, its singular vectors the Kronecker products
    of theirs (Van Loan, The ubiquitous Kronecker product, 2000), so only those that are kept are made.
    """
    (u1, s1, v1), (u2, s2, v2) = (
        torch.linalg.svd(one.to(torch.float32).flatten(1), full_matrices=False) for one in (first, second)
    )
    values, order = torch.outer(s1, s2).flatten().sort(descending=True, stable=True)
    order = order[: rule.rank(values)]
    one, two = order // len(s2), order % len(s2)
    left = torch.einsum("ar,cr->acr", u1[:, one], u2[:, two]).flatten(0, 1)  # [out, rank]
    right = torch.einsum("rb,rd->rbd", v1[one], v2[two]).flatten(1)  # [rank, in * kernel]
    return _cut(left, values, right, rule, float(values.to(torch.float64).pow(2).sum()))


def _cut(left: torch.Tensor, values: torch.Tensor, right: torch.Tensor, rule: Rule, energy: float) -> Factors:
    """The first singular triples, each value's root on either side: so both factors suit half floats."""
    rank = rule.rank(values)
    kept = float(values[:rank].to(torch.float64).pow(2).sum())
    roots = values[:rank].sqrt()
    lost = max(0.0, 1 - kept / energy) ** 0.5 if energy > 0 else 0.0
    return Factors(left[:, :rank] * roots, roots[:, None] * right[:rank], lost)


def clamped(factors: Factors, quantile: float) -> Factors:
    """Factors whose largest entries are held to the given quantile of all their sizes (sd-scripts: 0.99)."""
    if quantile >= 1:
        return factors
    sizes = torch.cat((factors.up.flatten(), factors.down.flatten())).abs()
    if sizes.numel() > _MOST_CLAMPED:
        sizes = sizes[:: sizes.numel() // _MOST_CLAMPED + 1]
    most = float(sizes.kthvalue(max(1, round(quantile * sizes.numel()))).values)
    return Factors(factors.up.clamp(-most, most), factors.down.clamp(-most, most), factors.lost)


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
