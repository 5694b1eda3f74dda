"""From the names in an adapter to the keys of a checkpoint, and what to make of those that have none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from sdkeep.weights.adapters.names import layers, split
from sdkeep.weights.adapters.values import Algorithm, Part, Shape, Slot


@dataclass(frozen=True, slots=True)
class Misfit:
    """A part whose layer exists in another size: the mark of an adapter made for another family."""

    target: str
    needs: Shape
    key: str
    has: Shape


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which parts found their parameter. `unmatched` are layers, as written, that the checkpoint has not."""

    matched: tuple[tuple[Part, Slot], ...]
    unmatched: tuple[str, ...]
    misfits: tuple[Misfit, ...]
    foreign: bool = False

    @property
    def wrong_family(self) -> bool:
        """Whether the adapter was made for another architecture.

        Layers of its names have other sizes here, or (`foreign`) the checkpoint has a UNet, the adapter has parts for
        one, and none of them finds its layer: text encoders alone are shared between families.
        """
        return bool(self.misfits) or self.foreign


class Names:
    """The parameters of one checkpoint under all their names; built once, asked by many adapters."""

    def __init__(self, keys: Mapping[str, Shape]) -> None:
        """`keys` are the checkpoint's, with their shapes."""
        self._slots: dict[tuple[str, str, str], Slot] = {}
        for layer in layers(keys):
            for tower in layer.network.towers:
                for name in (layer.module, layer.diffusers):
                    folded = name.replace(".", "_")
                    if folded:
                        self._slots.setdefault((tower, folded, layer.parameter), layer.slot)

    def has(self, tower: str) -> bool:
        """Whether the checkpoint has a network that adapters call `tower`."""
        return any(one == tower for one, _, _ in self._slots)

    def find(self, part: Part) -> Slot | None:
        """Where the parameter of a part is, whatever its size."""
        tower, name = split(part.target)
        for spelt in dict.fromkeys((name, name.removesuffix("_0") if name.endswith("to_out_0") else f"{name}_0")):
            found = self._slots.get((tower, spelt, part.parameter))
            if found:
                return found
        return None


def resolve(parts: Iterable[Part], keys: Mapping[str, Shape] | Names) -> Resolved:
    """The place of each part in a checkpoint whose keys have these shapes."""
    names = keys if isinstance(keys, Names) else Names(keys)
    matched: list[tuple[Part, Slot]] = []
    lost, found = 0, 0  # parts for the UNet
    unmatched: dict[str, None] = {}
    misfits: list[Misfit] = []
    for part in parts:
        slot = names.find(part)
        if split(part.target)[0] == "unet":
            lost, found = lost + (slot is None), found + (slot is not None)
        if _is_idle(part, slot):
            continue
        if slot is None:
            unmatched[part.target] = None
        elif fits(part, shape_in(slot)):
            matched.append((part, slot))
        else:
            misfits.append(Misfit(part.target, shape_of(part) or (), slot.key, shape_in(slot)))
    foreign = lost > 0 and found == 0 and names.has("unet")
    return Resolved(tuple(matched), tuple(unmatched), tuple(misfits), foreign)


def _is_idle(part: Part, slot: Slot | None) -> bool:
    """Whether a factor that would scale the bias as well meets none: nothing is lost then."""
    scales = part.algorithm is Algorithm.IA3 and part.parameter == "bias"
    return scales and (slot is None or not fits(part, shape_in(slot)))


def shape_in(slot: Slot) -> Shape:
    """The shape of the parameter itself, as its part sees it: its rows alone, turned round where it is stored so."""
    shape = slot.shape
    if slot.rows:
        shape = (slot.rows[1] - slot.rows[0], *shape[1:])
    return tuple(reversed(shape)) if slot.transposed else shape


def fits(part: Part, shape: Shape) -> bool:
    """Whether a part can be made to a parameter of this shape."""
    if part.algorithm in (Algorithm.OFT, Algorithm.BOFT):
        blocks = part.shapes.get("oft_blocks") or part.shapes["oft_diag"]
        return len(blocks) > 2 and blocks[-3] * blocks[-2] == shape[0]
    if part.algorithm is Algorithm.IA3:
        return prod(part.shapes.get("weight") or part.shapes["ia3_l"]) in shape[:2]
    own = shape_of(part)
    if own is None or prod(own) == prod(shape):
        return True
    four = len(shape) == 4 and shape[1] in (8, 9) and own[1:2] == (4,)  # an inpainting model's first layer
    return four and own[0] == shape[0]


def shape_of(part: Part) -> Shape | None:
    """The shape of the change a part makes, as its factors tell it; None where they do not."""
    shapes = part.shapes
    match part.algorithm:
        case Algorithm.LORA:
            kernel = shapes["mid"][2:] if "mid" in shapes else shapes["down"][2:]
            if shapes["up"][2:] and prod(shapes["up"][2:]) > 1:
                kernel = shapes["up"][2:]
            return (shapes["up"][0], shapes["down"][1], *kernel)
        case Algorithm.LOHA:
            left, right = shapes["hada_w1_a"], shapes["hada_w1_b"]
            if "hada_t1" in shapes:
                return (left[1], right[1], *shapes["hada_t1"][2:])
            return (left[0], *right[1:])
        case Algorithm.LOKR:
            return _kronecker(shapes)
        case Algorithm.DIFF:
            return next(shapes[role] for role in ("up_bias", "diff", "w_norm", "diff_b", "b_norm") if role in shapes)
        case _:
            return None


def _kronecker(shapes: Mapping[str, Shape]) -> Shape:
    def factor(name: str) -> Shape:
        whole = shapes.get(f"lokr_{name}")
        if whole:
            return whole
        left, right = shapes[f"lokr_{name}_a"], shapes[f"lokr_{name}_b"]
        if name == "w2" and "lokr_t2" in shapes:
            return (left[1], right[1], *shapes["lokr_t2"][2:])
        return (left[0], *right[1:])

    first, second = factor("w1"), factor("w2")
    return (first[0] * second[0], first[1] * second[1], *second[2:])
