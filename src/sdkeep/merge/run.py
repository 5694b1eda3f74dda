"""Do a plan: threads that take job after job, one file that grows at every offset at once, nothing half-done left.

The result depends on the plan alone: not on the number of threads, nor on being stopped and gone on with.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.ground.errors import FormatError, UsageError
from sdkeep.ground.events import Report, Stop, silent, stage
from sdkeep.merge.calculating import Calculator, Engine, Manner, Result
from sdkeep.merge.finite import refused
from sdkeep.merge.jobs import ELEMENTS, Copy, Job, Piece, Whole, jobs_of, width_of
from sdkeep.merge.metadata import WRITER
from sdkeep.merge.methods.method import Exactness
from sdkeep.merge.part import Part
from sdkeep.merge.plain import PlainEngine, is_plain
from sdkeep.merge.plan import Plan

_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Merged:
    """A file that is complete and on the disk.

    `resumed` says that an earlier run's work was gone on with; `non_finite` and `overflowed` name tensors that hold
    numbers which are not finite, by a parent's doing or by the merge's; `exactness` is what is promised of the bytes.
    """

    path: Path
    size: int
    tensors: int
    merged: int
    exactness: Exactness
    resumed: bool = False
    non_finite: tuple[str, ...] = ()
    overflowed: tuple[str, ...] = ()


def run(plan: Plan, out: Path, manner: Manner, *, report: Report = silent, stop: Stop | None = None) -> Merged:
    """Write the result to `out`, which must not exist. What a stop or a kill leaves is gone on with by the same run.

    Raises `WouldOverwrite`, `DiskFull`, `NotWritable`, `InUse`; `FormatError` for numbers that are not finite in a
    parent, or for one that changed; `Stopped`.
    """
    for parent in plan.parents.values():
        if out.exists() and out.samefile(parent.path):
            raise UsageError(
                f"`{out}` is one of the models that are merged",
                "they are never touched",
                "choose another name with `-o`",
            )
    jobs = jobs_of(plan)
    with _engine(plan, jobs, manner) as engine:
        return _Run(plan, jobs, out, manner, engine).done(report, stop or Stop())


@contextmanager
def _engine(plan: Plan, jobs: Sequence[Job], manner: Manner) -> Iterator[Engine]:
    """Numpy where that is enough and sooner done: importing torch alone takes two seconds."""
    if is_plain(jobs, manner):
        yield PlainEngine(plan.parents, manner.finite)
        return
    from sdkeep.merge.arithmetic import torch_engine

    with torch_engine(plan, manner.device) as engine:
        yield engine


@dataclass
class _Found:
    """Tensors with numbers that are not finite."""

    by_parent: dict[str, None] = field(default_factory=dict)
    by_merge: dict[str, None] = field(default_factory=dict)


class _Budget:
    """Room for whole tensors: as many at once as fit into what the largest one takes."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


class _Run:
    """One merge on its way."""

    def __init__(self, plan: Plan, jobs: tuple[Job, ...], out: Path, manner: Manner, engine: Engine) -> None:
        self._plan = plan
        self._jobs = jobs
        self._out = out
        self._manner = manner
        self._engine = engine
        self._lock = threading.Lock()
        self._moved = len(plan.header)
        self._failed = threading.Event()
        self._found = _Found()
        self._budget = _Budget(max((job.memory for job in self._jobs if isinstance(job, Whole)), default=0))

    def done(self, report: Report, stop: Stop) -> Merged:
        with Part(self._out, self._plan.size, self._purpose()) as part:
            self._engine.prepare(report, stop)
            part.put(self._plan.header, 0)
            waiting = [(place, job) for place, job in enumerate(self._jobs) if place not in part.done]
            self._moved += sum(job.length for place, job in enumerate(self._jobs) if place in part.done)
            try:
                self._work(part, waiting, report, stop)
            except FormatError:
                part.discard()
                raise
            part.commit()
            resumed = bool(part.done)
        return self._merged(resumed)

    def _merged(self, resumed: bool) -> Merged:
        plan, here = self._plan, self._manner.device == "cpu"
        return Merged(
            self._out, plan.size, len(plan.targets), plan.merged, plan.exactness if here else Exactness.CLOSE, resumed,
            tuple(self._found.by_parent), tuple(self._found.by_merge),
        )  # fmt: skip

    def _purpose(self) -> str:
        """A digest of everything that the bytes depend on."""
        stamps = [parent.stamp for parent in self._plan.parents.values()]
        facts = [WRITER, ELEMENTS, self._engine.build, stamps]
        return hashlib.sha256(self._plan.header + json.dumps(facts).encode()).hexdigest()

    def _work(self, part: Part, waiting: list[tuple[int, Job]], report: Report, stop: Stop) -> None:
        turns = iter(waiting)
        threads = self._manner.threads or min(4, _cores())
        name = self._out.name
        with (
            stage(report, f"merge:{self._out}", f"merge {name}", self._plan.size) as moved,
            ThreadPoolExecutor(threads) as pool,
        ):
            running: set[Future[None]] = {pool.submit(self._take, part, turns) for _ in range(threads)}
            try:
                while running:
                    done, running = wait(running, _LOOK, FIRST_EXCEPTION)
                    moved(self._moved)
                    for one in done:
                        one.result()
                    stop.check()
            finally:
                self._failed.set()

    def _take(self, part: Part, turns: Iterator[tuple[int, Job]]) -> None:
        """One thread: job after job until there is none, or somebody failed."""
        with self._engine.calculator() as calculator:
            while not self._failed.is_set():
                with self._lock:
                    place, job = next(turns, (0, None))
                if job is None:
                    return
                self._do(part, calculator, job)
                part.finish(place)
                with self._lock:
                    self._moved += job.length

    def _do(self, part: Part, calculator: Calculator, job: Job) -> None:
        if isinstance(job, Copy):
            self._copy(part, job)
        elif isinstance(job, Piece):
            self._write(part, job, calculator.piece(job))
        else:
            with self._budget.taken(job.memory):
                self._write(part, job, calculator.whole(job))

    def _copy(self, part: Part, job: Copy) -> None:
        source = self._plan.parents[job.parent].source
        done = part.copy(source, job.source, job.length, job.offset)
        while done < job.length:
            data = source.read_at(job.source + done, min(1 << 20, job.length - done))
            if not data:
                raise FormatError(
                    f"`{source.name}` ends inside a tensor", "it was cut while it was read", "download the file again"
                )
            part.put(data, job.offset + done)
            done += len(data)

    def _write(self, part: Part, job: Piece | Whole, result: Result) -> None:
        if result.bad is not None:
            self._judge(job, result)
        part.put(result.data, job.offset)

    def _judge(self, job: Piece | Whole, result: Result) -> None:
        """Numbers that are not finite: an error where a parent holds them, unless they are wanted."""
        width = width_of(job.dtype if isinstance(job, Piece) else job.target.slot.dtype)
        key = self._key_at(job.offset + (result.bad or 0) * width)
        if not result.parents:
            self._found.by_merge[key] = None
            return
        self._found.by_parent[key] = None
        webui = self._plan.recipe.output.compat == "a1111"
        if not self._manner.keep_non_finite and not webui:
            raise refused([self._plan.parents[place].name for place in result.parents], [key])

    def _key_at(self, offset: int) -> str:
        at = len(self._plan.header)
        for target in self._plan.targets:
            at += target.slot.length
            if offset < at:
                return target.slot.name
        return ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
