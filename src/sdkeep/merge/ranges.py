"""The first pass of methods that must know the whole model: the least and greatest likeness of its tensors.

The values of all columns are trimmed by a hundredth at both ends before their extremes are taken, and the VAE does not
count (hako-mikan/sd-webui-supermerger).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sdkeep.formats.selection import Component, component_of
from sdkeep.ground.events import Report, Stop, stage
from sdkeep.merge.expression import Call, Leaf, Load, Program
from sdkeep.merge.plan import Plan
from sdkeep.merge.target import Target
from sdkeep.weights.reading import read

Ranges = Mapping[int, tuple[float, float]]
"""For steps whose method asks for it: the least and the greatest likeness over the whole model."""

_TRIM = 0.01


def ranges_of(plan: Plan, report: Report, stop: Stop) -> Ranges:
    """For each step that asks for it, the range of likeness; empty when none does, and nothing is read."""
    asking = [target for target in plan.targets if target.program and any(m.ranged for m in target.program.methods)]
    found: dict[int, list[Tensor]] = {}
    if not asking:
        return {}
    total = sum(target.slot.length for target in asking)
    with stage(report, "merge:ranges", "compare the models", total) as moved:
        done = 0
        for target in asking:
            stop.check()
            _gather(plan, target, found)
            done += target.slot.length
            moved(done)
    return {step: _extremes(torch.cat(values)) for step, values in found.items()}


def _gather(plan: Plan, target: Target, found: dict[int, list[Tensor]]) -> None:
    program = target.program
    if program is None:
        return
    for one in program.code:
        if not isinstance(one, Call) or one.apply.method.ranged is None:
            continue
        values = found.setdefault(one.apply.step, [])
        if component_of(target.slot.name) is Component.VAE:
            continue
        a, b = (_value(plan, program, register) for register in one.inputs)
        values.append(one.apply.method.ranged(a, b).flatten())


def _value(plan: Plan, program: Program, register: int) -> Tensor:
    """What a register holds: a tensor of a parent, or what plain methods make of such."""
    one = program.code[register]
    if isinstance(one, Load):
        return _loaded(plan, program.leaves[one.leaf])
    inputs = [_value(plan, program, at) for at in one.inputs]
    return one.apply.method.formula(*inputs, **one.apply.numbers)


def _loaded(plan: Plan, leaf: Leaf) -> Tensor:
    span = leaf.entry.span
    assert span is not None  # noqa: S101  checked when the parent was opened
    source = plan.parents[leaf.parent].source
    tensor = read(source, dtype=leaf.entry.dtype, shape=leaf.entry.shape, offset=span.offset).to(torch.float32)
    return tensor if leaf.channels is None else tensor[:, : leaf.channels]


def _extremes(values: Tensor) -> tuple[float, float]:
    """The extremes of what lies between the first and the last hundredth."""
    values = values[~values.isnan()].sort().values
    if not values.numel():
        return 0.0, 1.0
    kept = values[(values >= _middle(values, _TRIM)) & (values <= _middle(values, 1 - _TRIM))]
    return (float(kept[0]), float(kept[-1])) if kept.numel() else (float(values[0]), float(values[-1]))


def _middle(ordered: Tensor, share: float) -> float:
    """numpy's `percentile(method="midpoint")` of sorted values."""
    place = share * (ordered.numel() - 1)
    low, high = int(place), min(int(place) + (place > int(place)), ordered.numel() - 1)
    return (float(ordered[low]) + float(ordered[high])) / 2
