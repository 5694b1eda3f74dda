"""What each algorithm does to a weight: one function a formula, in float32.

Letters: W [out, in, *kernel] the weight, dW the change at full strength, s its scale (`strength`), by which every
formula's result is multiplied. Everything is linear in the multiplier,
`W + m dW`, as in AUTOMATIC1111 and ComfyUI: 0 leaves the weight alone, whatever the algorithm. (LyCORIS blends DoRA's
magnitudes and BOFT's stages instead, which leaves a change behind at 0; at 1 all agree.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch.nn.functional import pad

from sdkeep.weights.adapters.values import Algorithm, Part, Shape, Slot

Tensors = Mapping[str, torch.Tensor]
"""The tensors of a part by role."""


def needs_weight(part: Part) -> bool:
    """Whether the change depends on the weight it is made to; such changes do not add up."""
    return part.decomposes or part.algorithm in _RELATIVE


def delta(part: Part, tensors: Tensors, *, weight: torch.Tensor | None = None, multiplier: float = 1.0) -> torch.Tensor:
    """`multiplier` times what the part adds to `weight`, in float32 and in the weight's shape.

    `tensors` are the part's by role, in any format. Without `weight`, which only some algorithms need, the shape is the
    factors' own.
    """
    t = {role: tensor if role in _WHOLE else tensor.to(torch.float32) for role, tensor in tensors.items()}
    if weight is None:
        if needs_weight(part):
            raise ValueError(f"what {part.algorithm} does to `{part.target}` depends on the weight")
        change = _PRODUCTS[part.algorithm](t) * strength(part, t)
        return change if multiplier == 1.0 else change * multiplier
    base = weight.to(torch.float32)
    relative = _RELATIVE.get(part.algorithm)
    change = relative(t, base) if relative else _PRODUCTS[part.algorithm](t)
    change = _shaped(change * strength(part, t), base)
    if part.decomposes:
        change = decomposed(base, change, t)
    return change if multiplier == 1.0 else change * multiplier


def applied(part: Part, tensors: Tensors, weight: torch.Tensor, multiplier: float = 1.0) -> torch.Tensor:
    """`weight` as the part at `multiplier` makes it, in float32."""
    if multiplier == 0.0:
        return weight.to(torch.float32)
    return weight.to(torch.float32) + delta(part, tensors, weight=weight, multiplier=multiplier)


def applied_at(slot: Slot, part: Part, tensors: Tensors, weight: torch.Tensor, multiplier: float = 1.0) -> torch.Tensor:
    """`applied` to the place of a weight that the part belongs to; its other rows stay as they are."""
    if slot.transposed:
        return applied(part, tensors, weight.T, multiplier).T.contiguous()
    if slot.rows is None:
        return applied(part, tensors, weight, multiplier)
    first, last = slot.rows
    rows = applied(part, tensors, weight[first:last], multiplier)
    return torch.cat((weight[:first], rows, weight[last:]))


def strength(part: Part, tensors: Tensors) -> float:
    """The factor before the product of the factors: alpha / rank, 1 where no alpha is told.

    A `scale` in the file goes before it. Rank-stabilised LoRA divides by the root of the rank (Kalajdzievski 2023,
    arXiv:2312.03732); LyCORIS folds that into the alpha it saves, PEFT says it in its configuration. LoKr of two whole
    factors has no rank, so nothing to divide by: LyCORIS ignores alpha then.
    """
    if "scale" in tensors:
        return float(tensors["scale"])
    rank = part.rank
    alpha = float(tensors["alpha"]) if "alpha" in tensors else part.alpha
    if rank is None or alpha is None:
        return 1.0
    return alpha / (math.sqrt(rank) if part.root_rank else rank)


def lora(t: Tensors) -> torch.Tensor:
    """dW = up down (Hu et al. 2021, arXiv:2106.09685); for convolutions LoCon, with `mid` in Tucker form.

    Tucker: dW[o,i,..] = sum_mn up[o,m] mid[m,n,..] down[n,i] (Yeh et al. 2023, LyCORIS, arXiv:2309.14859). What an
    extraction could not express is added entry by entry from a sparse matrix.
    """
    up, down = t["up"], t["down"]
    if "mid" in t:
        change = torch.einsum("om,mn...,ni->oi...", up.flatten(1), t["mid"], down.flatten(1))
    elif up.shape[2:].numel() > 1:  # the kernel is on the way up
        change = torch.einsum("or...,ri->oi...", up, down.flatten(1))
    else:
        change = (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])
    if "sparse_indices" in t:
        size = [int(length) for length in t["sparse_size"]]
        sparse = torch.zeros(size).index_put(tuple(t["sparse_indices"].long()), t["sparse_values"], accumulate=True)
        change = change + sparse.reshape(change.shape)
    return change


def loha(t: Tensors) -> torch.Tensor:
    """dW = (w1_a w1_b) * (w2_a w2_b), entry by entry (FedPara, Hyeon-Woo et al. 2022, arXiv:2108.06098).

    With cores, w_a and w_b each [rank, .]: (t; w_a, w_b)[o,i,..] = sum_mn t[m,n,..] w_a[m,o] w_b[n,i].
    """

    def half(number: int) -> torch.Tensor:
        left, right = t[f"hada_w{number}_a"], t[f"hada_w{number}_b"]
        if f"hada_t{number}" in t:
            return torch.einsum("mn...,mo,ni->oi...", t[f"hada_t{number}"], left, right)
        return (left.flatten(1) @ right.flatten(1)).reshape(left.shape[0], *right.shape[1:])

    return half(1) * half(2)


def lokr(t: Tensors) -> torch.Tensor:
    """dW = w1 (x) w2, the Kronecker product of two matrices, each whole or a product (LyCORIS, arXiv:2309.14859)."""
    first, second = kronecker(t)
    first = first.reshape(*first.shape, *[1] * (second.dim() - first.dim()))
    return torch.kron(first, second.contiguous())


def kronecker(t: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    """The two matrices of LoKr; the second has the kernel of a convolution."""
    first = t["lokr_w1"] if "lokr_w1" in t else t["lokr_w1_a"] @ t["lokr_w1_b"]
    if "lokr_w2" in t:
        second = t["lokr_w2"]
    elif "lokr_t2" in t:
        second = torch.einsum("mn...,mo,ni->oi...", t["lokr_t2"], t["lokr_w2_a"], t["lokr_w2_b"])
    else:
        left, right = t["lokr_w2_a"], t["lokr_w2_b"]
        second = (left @ right.flatten(1)).reshape(left.shape[0], *right.shape[1:])
    return first, second


def glora(t: Tensors, weight: torch.Tensor) -> torch.Tensor:
    """dW = W A + B, A and B of low rank (Chavan et al. 2023, arXiv:2306.07967); W A acts on input channels.

    Files before LyCORIS 2 write the factors the other way round: A = a2 a1, B = b2 b1.
    """
    a1, a2, b1, b2 = t["a1"], t["a2"], t["b1"], t["b2"]
    if b1.shape[0] != weight.shape[0] or a1.shape[0] != weight.shape[1]:
        a1, a2, b1, b2 = a2, a1, b2, b1
    inner = a1.flatten(1) @ a2.flatten(1)  # [in, in]
    if "bm" in t:
        outer = torch.einsum("om,mn...,ni->oi...", b1.flatten(1), t["bm"], b2.flatten(1))
    else:
        outer = b1.flatten(1) @ b2.flatten(1)
    return torch.einsum("oi...,ij->oj...", weight, inner) + outer.reshape(weight.shape)


def ia3(t: Tensors, weight: torch.Tensor) -> torch.Tensor:
    """dW = W * v along the output or the input channels (Liu et al. 2022, arXiv:2205.05638).

    LyCORIS stores v as a change from 1, PEFT the factor itself; a factor of outputs scales the bias too with PEFT, and
    not with LyCORIS.
    """
    if "ia3_l" in t:
        return weight * (t["ia3_l"].reshape(_beside(t["ia3_l"].shape, weight.shape)) - 1)
    axis = 1 if bool(t["on_input"]) else 0
    shape = [1] * weight.dim()
    shape[axis] = weight.shape[axis]
    return weight * t["weight"].reshape(shape)


def _beside(factor: Shape, weight: Shape) -> Shape:
    """The shape in which PEFT's factor broadcasts: [out, 1] or [1, in], for convolutions [1, out or in, 1, 1]."""
    ones = [1] * (len(weight) - 1)
    outputs = len(weight) == 1 or factor[0] > 1 or (len(factor) > 2 and factor[1] == weight[0])
    return (weight[0], *ones) if outputs else (1, weight[1], *ones[1:])


def oft(t: Tensors, weight: torch.Tensor) -> torch.Tensor:
    """dW = e R W - W, R block-diagonal and orthogonal (Qiu et al. 2023, arXiv:2306.07280), e an optional rescaling.

    As LyCORIS and kohya multiply: the blocks act transposed, W'[k,m] = sum_n R[k,n,m] W[k,n].
    """
    rotation = t["oft_diag"] if "oft_diag" in t else cayley(t["oft_blocks"], _bound(t, weight))
    blocks = weight.reshape(rotation.shape[0], rotation.shape[1], -1)  # [blocks, size, rest]
    turned = torch.einsum("knm,knr->kmr", rotation, blocks).reshape(weight.shape)
    return _rescaled(turned, t) - weight


def boft(t: Tensors, weight: torch.Tensor) -> torch.Tensor:
    """dW = e B_m .. B_1 W - W, each factor block-diagonal behind a butterfly permutation (Liu et al. 2023,
    arXiv:2311.06243). Stage i pairs rows that lie 2^i half-blocks apart."""
    rotations = cayley(t["oft_blocks"], _bound(t, weight))  # [stages, blocks, size, size]
    size = rotations.shape[-1]
    turned = weight.flatten(1)  # [out, rest]
    for stage, rotation in enumerate(rotations):
        reach = 2**stage * (size // 2)
        rows = turned.reshape(-1, 2, reach, turned.shape[1]).transpose(1, 2)  # [groups, reach, 2, rest]
        mixed = torch.einsum("kij,kjr->kir", rotation, rows.reshape(-1, size, turned.shape[1]))
        turned = mixed.reshape(-1, reach, 2, turned.shape[1]).transpose(1, 2).reshape(turned.shape)
    return _rescaled(turned.reshape(weight.shape), t) - weight


def cayley(blocks: torch.Tensor, bound: float) -> torch.Tensor:
    """(I + Q)(I - Q)^-1 with Q = X - X^T: orthogonal for every X. Q's norm is held to `bound` where that is above 0."""
    skew = blocks - blocks.transpose(-1, -2)
    norm = float(skew.norm()) + 1e-8
    if 0 < bound < norm:
        skew = skew * (bound / norm)
    eye = torch.eye(blocks.shape[-1], dtype=blocks.dtype, device=blocks.device)
    inverse: torch.Tensor = torch.linalg.inv(eye - skew)
    return (eye + skew) @ inverse


def _bound(t: Tensors, weight: torch.Tensor) -> float:
    """The limit of Q's norm; in these files `alpha` holds it for each output."""
    return float(t["alpha"]) * weight.shape[0] if "alpha" in t else 0.0


def _rescaled(weight: torch.Tensor, t: Tensors) -> torch.Tensor:
    return weight * t["rescale"].reshape(-1, *[1] * (weight.dim() - 1)) if "rescale" in t else weight


def diff(t: Tensors) -> torch.Tensor:
    """dW as it stands in the file: of a layer (`diff`, `diff_b`), of a norm, or the bias of a LoRA's upper factor."""
    return next(t[role] for role in ("up_bias", "diff", "w_norm", "diff_b", "b_norm") if role in t)


def decomposed(weight: torch.Tensor, change: torch.Tensor, t: Tensors) -> torch.Tensor:
    """dW = g (W + dV) / ||W + dV|| - W: DoRA's magnitude g by output or by input channel (Liu et al. 2024,
    arXiv:2402.09353).

    The paper, and LyCORIS with `wd_on_out`, norm each output's row; kohya and LyCORIS before 3 each input's column.
    The shape of g tells which: [out, 1, ..] or [1, in, ..]. PEFT always means outputs and shapes g for convolutions as
    [1, out, 1, 1].
    """
    if "magnitude" in t:
        magnitude = t["magnitude"].reshape(-1, *[1] * (weight.dim() - 1))
    else:
        magnitude = t["dora_scale"]
        if magnitude.dim() < 2:
            magnitude = magnitude.reshape(-1, 1)
        magnitude = magnitude.reshape(*magnitude.shape[:2], *[1] * (weight.dim() - 2))
    on_out = magnitude.shape[0] == weight.shape[0] and magnitude.shape[1] == 1
    direction = weight + change
    others = [axis for axis in range(weight.dim()) if axis != (0 if on_out else 1)]
    norm = direction.pow(2).sum(others, keepdim=True).sqrt() + torch.finfo(torch.float32).eps
    return direction * (magnitude / norm) - weight


def _shaped(change: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A change in the shape of its weight; one for four input channels fits an inpainting model's first layer."""
    if change.shape == weight.shape:
        return change
    if change.numel() == weight.numel():
        return change.reshape(weight.shape)
    if change.dim() == weight.dim() == 4 and change.shape[1] == 4 and weight.shape[1] in (8, 9):
        return pad(change, (0, 0, 0, 0, 0, weight.shape[1] - 4))
    raise ValueError(f"a change of shape {tuple(change.shape)} fits no weight of shape {tuple(weight.shape)}")


_WHOLE = frozenset({"sparse_indices", "sparse_size"})

_PRODUCTS: Mapping[Algorithm, Callable[[Tensors], torch.Tensor]] = {
    Algorithm.LORA: lora,
    Algorithm.LOHA: loha,
    Algorithm.LOKR: lokr,
    Algorithm.DIFF: diff,
}
_RELATIVE: Mapping[Algorithm, Callable[[Tensors, torch.Tensor], torch.Tensor]] = {
    Algorithm.GLORA: glora,
    Algorithm.IA3: ia3,
    Algorithm.OFT: oft,
    Algorithm.BOFT: boft,
}
