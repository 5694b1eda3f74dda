"""Jobs computed: bytes of the parents to numbers in the working format, the formulas on them, one rounding, bytes.

Working format is fp32, or fp64 where a parent is stored so. Each thread has its own buffers and uses them again, so
that the memory of element-wise merges does not depend on the model, and the system maps no page twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from sdkeep.ground.errors import UsageError
from sdkeep.ground.events import Report, Stop
from sdkeep.merge.calculating import Result
from sdkeep.merge.expression import Leaf, Load, Program
from sdkeep.merge.jobs import ELEMENTS, Piece, Whole
from sdkeep.merge.parents import Opened
from sdkeep.merge.plan import Plan
from sdkeep.merge.ranges import Ranges, ranges_of
from sdkeep.merge.recipe import seed_for
from sdkeep.weights.dtypes import TORCH
from sdkeep.weights.reading import fill, read
from sdkeep.weights.rounding import rounded, to_bytes


@contextmanager
def torch_engine(plan: Plan, device: str) -> Iterator[TorchEngine]:
    """Torch, with one thread an operation for as long as the block lasts: jobs are what is done side by side.

    Raises `UsageError` for a device that is not there.
    """
    try:
        torch.zeros(1, device=torch.device(device))
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"there is no device `{device}` for torch here", str(error).partition("\n")[0], "leave `--device` out"
        ) from error
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield TorchEngine(plan, device)
    finally:
        torch.set_num_threads(before)


class TorchEngine:
    """Tensors on a device."""

    def __init__(self, plan: Plan, device: str) -> None:
        self._plan = plan
        self._device = device
        self._ranges: Ranges = {}

    @property
    def build(self) -> str:
        """Torch's version and the device."""
        return f"torch {torch.__version__} {self._device}"

    @torch.inference_mode()
    def prepare(self, report: Report, stop: Stop) -> None:
        """The first pass of methods that need one."""
        self._ranges = ranges_of(self._plan, report, stop)

    @contextmanager
    def calculator(self) -> Iterator[Calculator]:
        """Arithmetic for the thread that asks."""
        with torch.inference_mode():  # counts for this thread only
            yield Calculator(self._plan.parents, self._plan.recipe.seed, self._ranges, self._device)


class Calculator:
    """One thread's arithmetic."""

    def __init__(self, parents: Mapping[int, Opened], seed: bytes, ranges: Ranges, device: str) -> None:
        self._parents = parents
        self._seed = seed
        self._ranges = ranges
        self._device = torch.device(device)
        self._here = self._device.type == "cpu"
        self._buffers: dict[tuple[str, int, torch.dtype], Tensor] = {}
        self._bytes: dict[int, memoryview] = {}

    def piece(self, job: Piece) -> Result:
        """Compute a stretch of numbers."""
        leaves, count = job.program.leaves, job.elements
        raw = [
            self._filled(place, leaf, source, count)
            for place, (leaf, source) in enumerate(zip(leaves, job.sources, strict=True))
        ]
        result = job.formula(raw) if job.formula else self._execute(job.program, raw, "")
        stored = self._stored(result, job.dtype)
        bad = _first_bad(result, stored)
        return Result(to_bytes(stored), bad, self._guilty(leaves, raw) if bad is not None else ())

    def whole(self, job: Whole) -> Result:
        """Compute one tensor."""
        target, program = job.target, job.program
        raw = [self._whole(leaf) for leaf in program.leaves]
        key = target.slot.name
        result = target.formula(raw) if target.formula else self._execute(program, raw, key)
        for change in target.changes:
            result = change(result.to(torch.float32))
        stored = self._stored(result, target.slot.dtype)
        if target.rest is not None:
            full = rounded(self._whole(target.rest), target.slot.dtype)
            full[:, : stored.shape[1]] = stored
            stored = full
        bad = _first_bad(result, stored)
        return Result(to_bytes(stored), bad, self._guilty(program.leaves, raw) if bad is not None else ())

    def _execute(self, program: Program, raw: Sequence[Tensor], key: str) -> Tensor:
        working = torch.float64 if any(one.dtype is torch.float64 for one in raw) else torch.float32
        registers: list[Tensor] = []
        for place, one in enumerate(program.code):
            if isinstance(one, Load):
                registers.append(self._loaded(place, raw[one.leaf], working, bool(key)))
                continue
            numbers = dict(one.apply.numbers)
            if one.apply.method.seeded:
                numbers["seed"] = seed_for(self._seed, one.apply.step, key)
            if one.apply.method.ranged:
                numbers["low"], numbers["high"] = self._ranges[one.apply.step]
            inputs = [registers[at].clone() if at in one.shared else registers[at] for at in one.inputs]
            registers.append(one.apply.method.formula(*inputs, **numbers))
        return registers[-1]

    def _loaded(self, place: int, raw: Tensor, working: torch.dtype, whole: bool) -> Tensor:
        """A copy in the working format that a formula may overwrite."""
        if whole or not self._here:
            return raw.to(self._device, working, copy=True)
        return self._buffer("work", place, working)[: raw.numel()].copy_(raw)

    def _filled(self, place: int, leaf: Leaf, source: int, count: int) -> Tensor:
        dtype = TORCH[leaf.entry.dtype]
        raw = self._buffer("raw", place, dtype)
        view, file = self._view(raw)[: count * dtype.itemsize], self._parents[leaf.parent].source
        if file.read_into(source, view) != len(view):
            fill(file, source, view)  # says what is wrong
        return raw[:count]

    def _whole(self, leaf: Leaf) -> Tensor:
        span = leaf.entry.span
        assert span is not None  # noqa: S101  checked when the parent was opened
        source = self._parents[leaf.parent].source
        shape = leaf.entry.shape
        found = read(source, dtype=leaf.entry.dtype, shape=shape, offset=span.offset)
        return found if leaf.channels is None else found[:, : leaf.channels]

    def _stored(self, result: Tensor, code: str) -> Tensor:
        """The result in the format it is written in, rounded once."""
        target = TORCH[code]
        if not self._here:
            result = result.to("cpu")
        if result.dtype is torch.float32 and target.itemsize in (2, 4) and result.numel() <= ELEMENTS:
            flat = result.reshape(-1)
            return self._buffer("out", 0, target)[: flat.numel()].copy_(flat).view(result.shape)
        return rounded(result, code)

    def _guilty(self, leaves: Sequence[Leaf], raw: Sequence[Tensor]) -> tuple[int, ...]:
        """The parents that hold numbers which are not finite."""
        return tuple(
            leaf.parent
            for leaf, one in zip(leaves, raw, strict=True)
            if one.is_floating_point() and not bool(one.to(torch.float32).isfinite().all())
        )

    def _buffer(self, use: str, place: int, dtype: torch.dtype) -> Tensor:
        key = (use, place, dtype)
        found = self._buffers.get(key)
        if found is None:
            found = self._buffers[key] = torch.empty(ELEMENTS, dtype=dtype)
        return found

    def _view(self, buffer: Tensor) -> memoryview:
        found = self._bytes.get(id(buffer))
        if found is None:
            found = self._bytes[id(buffer)] = to_bytes(buffer)
        return found


def _first_bad(result: Tensor, stored: Tensor) -> int | None:
    """Where the first number is that is not finite, before rounding or through it."""
    if not result.numel() or not stored.is_floating_point():
        return None
    if result.is_floating_point() and result.dtype.itemsize >= 4:
        flat = result.reshape(-1)
        if float(torch.dot(flat, flat)) < torch.finfo(stored.dtype).max / 2 * torch.finfo(stored.dtype).max:
            return None  # no square is above their sum, and NaN is not below anything
    wide = stored.to(torch.float32)
    bad = ~wide.isfinite()
    if not bool(bad.any()):
        return None
    return int(bad.reshape(-1).nonzero()[0])
