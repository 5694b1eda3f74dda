"""Progress sinks: bars on a terminal's standard error, NDJSON events for programs, silence otherwise."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from sdkeep.cli.output import Mode, Out
from sdkeep.ground.events import Ended, Event, Glimpsed, Moved, Report, Said, Started, silent
from sdkeep.ground.text import one_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVENTS_PER_SECOND = 10


@contextmanager
def reporting(out: Out, stderr: TextIO, *, bars: bool, events: bool) -> Iterator[Report]:
    """The sink for one command: NDJSON when asked for, bars when somebody watches a terminal, else sentences only."""
    if events:
        yield ndjson(stderr)
    elif bars and out.mode is Mode.HUMAN:
        with _bars(stderr) as report:
            yield _with_sentences(out, report)
    else:
        yield _with_sentences(out, silent)


def ndjson(stream: TextIO, clock: Callable[[], float] = time.monotonic) -> Report:
    """A sink that writes one JSON object a line, at most ten `moved` lines a second for each job."""
    lock = threading.Lock()
    last: dict[str, float] = {}

    def report(event: Event) -> None:
        if isinstance(event, Glimpsed):  # a picture is for eyes
            return
        with lock:
            if isinstance(event, Moved):
                now = clock()
                if now - last.get(event.job, 0.0) < 1 / EVENTS_PER_SECOND:
                    return
                last[event.job] = now
            stream.write(json.dumps(_event_json(event)) + "\n")
            stream.flush()

    return report


def _event_json(event: Started | Moved | Ended | Said) -> dict[str, object]:
    match event:
        case Started(job, what, total, unit):
            return {"event": "started", "job": job, "what": what, "total": total, "unit": unit}
        case Moved(job, done):
            return {"event": "moved", "job": job, "done": done}
        case Ended(job):
            return {"event": "ended", "job": job}
        case Said(level, text):
            return {"event": "said", "level": level, "text": text}


def _with_sentences(out: Out, report: Report) -> Report:
    def both(event: Event) -> None:
        if isinstance(event, Said):
            {"warning": out.warning, "debug": out.debug}.get(event.level, out.note)(event.text)
        report(event)

    return both


@contextmanager
def _bars(stderr: TextIO) -> Iterator[Report]:
    from rich.console import Console, RenderableType
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class Done(DownloadColumn):
        """What is behind us: sizes where the unit is bytes, else a count."""

        def render(self, task: Task) -> Text:
            unit = task.fields["unit"]
            if unit == "bytes":
                return super().render(task)
            total = "" if task.total is None else f"/{task.total:,.0f}"
            return Text(f"{task.completed:,.0f}{total} {unit}", style="progress.download")

    class Pictured(Progress):
        """Bars below the picture that is being made, while there is one."""

        picture: RenderableType | None = None

        def get_renderables(self) -> Iterable[RenderableType]:
            if self.picture is not None:
                yield self.picture
            yield from super().get_renderables()

    class Speed(TransferSpeedColumn):
        """Bytes a second; of other units nothing."""

        def render(self, task: Task) -> Text:
            return super().render(task) if task.fields["unit"] == "bytes" else Text()

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        Done(),
        Speed(),
        TimeRemainingColumn(),
    )
    bars = Pictured(*columns, console=Console(file=stderr), transient=True)

    def show(glimpse: Glimpsed | None) -> None:
        from sdkeep.cli.halfblocks import drawn

        room = bars.console.size
        bars.picture = drawn(glimpse, room.width - 1, max(4, room.height - 4)) if glimpse else None

    sink = _BarSink(bars, show)
    try:
        yield sink
    finally:
        sink.close()


class _BarSink:
    """Turns events into bars, one a job. The screen is taken while there are jobs, and left alone between them."""

    def __init__(self, progress: Progress, show: Callable[[Glimpsed | None], None]) -> None:
        self._progress = progress
        self._show = show
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            match event:
                case Started(job, what, total, unit):
                    if not self._tasks:
                        self._progress.start()
                    self._tasks[job] = self._progress.add_task(one_line(what, 40), total=total, unit=unit)
                case Moved(job, done) if job in self._tasks:
                    self._progress.update(self._tasks[job], completed=done)
                case Glimpsed():
                    self._show(event)
                case Ended(job) if job in self._tasks:
                    self._show(None)
                    self._progress.remove_task(self._tasks.pop(job))
                    if not self._tasks:
                        self._progress.stop()
                case _:
                    pass

    def close(self) -> None:
        """Give the screen back, whatever was going on."""
        self._progress.stop()
