"""`sdkeep demo`: a guided tour in a throw-away home."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Mode, Out
from sdkeep.ground.errors import UsageError
from sdkeep.ground.events import Stopped

if TYPE_CHECKING:
    from sdkeep.demo.stage import Stage
    from sdkeep.demo.tour import Perform, Played, Step, Toured

REAL_LIFE = (
    ("sdkeep ui detect", "find the WebUIs on this machine"),
    ("sdkeep search detail --kind lora", "ask the real hubs"),
    ("sdkeep get civitai:7808", "fetch, prove, convert, place"),
    ("sdkeep scan ~/Downloads", "judge files you have already"),
    ("sdkeep doctor", "see what is missing"),
)
INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Put `demo` on the application."""

    @verb(app, "demo", examples=("sdkeep demo", "sdkeep demo --keep", "sdkeep demo --engine", "sdkeep demo --serve"))
    def demo(
        face: Face,
        keep: Annotated[bool, typer.Option("--keep", help="Keep the folder, and say how to look around.")] = False,
        serve: Annotated[bool, typer.Option("--serve", help="Only run the sample hubs, until Ctrl-C.")] = False,
        port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port for the hubs; 0 is any.")] = 0,
        engine: Annotated[bool, typer.Option("--engine", help="Also make pictures; needs torch.")] = False,
    ) -> Reply:
        """Take the tour: the main job with sample models in a throw-away home, with no network and no token."""
        from sdkeep.demo.stage import staged

        if serve and face.out.mode is Mode.JSON:
            raise UsageError("`--serve` has no JSON form", "it ends with Ctrl-C only", "`sdkeep demo --serve`")
        if engine:
            from sdkeep.actions.generate import check_engine

            check_engine()
        with staged(keep=keep, port=port) as stage:
            return _serve(face, stage) if serve else _tour(face, stage, keep=keep, engine=engine)


def _tour(face: Face, stage: Stage, *, keep: bool, engine: bool) -> Reply:
    from sdkeep.demo.tour import ENGINE_STEPS, STEPS, Played, Toured, tour

    out, played = face.out, list[Played]()
    steps = (*STEPS, *ENGINE_STEPS) if engine else STEPS
    out.line(f"A tour of sdkeep in {len(steps)} commands, with made-up models in a throw-away home.", "head")
    out.line(
        f"Everything happens in {stage.root}; both sample hubs run on this machine. Your own files are not touched."
    )
    for event in tour(_performer(stage, capture=out.mode in (Mode.JSON, Mode.QUIET)), steps=steps):
        if isinstance(event, Played):
            played.append(event)
            _tell(out, stage, event, steps[len(played) - 1])
        else:
            out.line()
            out.line(f"{len(played) + 1}. {event.title}", "head")
            out.line(f"$ {event.line}", "hint")
    ok = all(one.ok for one in played)
    picture = _left(stage) if engine and ok else ""
    done = Toured(ok, tuple(played), stage.tree(), str(stage.root), keep, picture)
    _end(out, stage, done)
    return Reply(done, None, 0 if done.ok else 1)


def _left(stage: Stage) -> str:
    """Where the last picture of the tour is left: in the person's folder, never over another file."""
    from sdkeep.demo.tour import PICTURES

    last = max((stage.root / PICTURES / "grid").glob("*-grid.png"))
    names = (f"sdkeep-demo{'' if number == 1 else f'-{number}'}.png" for number in count(1))
    path = next(path for path in map(Path, names) if not path.exists())
    path.write_bytes(last.read_bytes())
    return str(path.absolute())


def _performer(stage: Stage, *, capture: bool) -> Perform:
    """The way to run a command on the stage: the whole command line in this process, which is much quicker."""
    from sdkeep.cli.app import run

    def perform(arguments: tuple[str, ...]) -> tuple[int, str]:
        caught = io.StringIO()
        screen = caught if capture else sys.stdout
        with _on(stage), redirect_stdout(screen), redirect_stderr(screen):
            status = run(list(arguments))
        if status == INTERRUPTED:
            raise Stopped
        return status, caught.getvalue()

    return perform


@contextmanager
def _on(stage: Stage) -> Iterator[None]:
    """The stage's folder and environment for the length of a block."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(stage.environment(before))
        with chdir(stage.root):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _tell(out: Out, stage: Stage, played: Played, step: Step) -> None:
    """Say what was to be seen, or that it was not."""
    from sdkeep.demo.samples import MALICIOUS_FILE

    out.bare(f"{'ok' if played.ok else 'failed'}\t{played.status}\t{played.command}")
    if not played.ok:
        out.failure(f"  -> exit status {played.status}, not {played.expected}: the tour ends here")
        return
    read, size = size_text(stage.sent(MALICIOUS_FILE)), size_text(stage.downloaded.stat().st_size)
    out.line(f"  -> {step.after.format(read=read, size=size)}", "good")
    if step.name == "huggingface":
        out.line()
        out.line("   What lies in the WebUI now:", "head")
        for file in stage.tree():
            out.line(f"     {file}")


def _end(out: Out, stage: Stage, done: Toured) -> None:
    out.line()
    if done.ok:
        seconds = sum(step.seconds for step in done.steps)
        out.line(f"That was the main job: {len(done.steps)} commands in {seconds:.0f} seconds.", "head")
    if done.picture:
        out.line(f"The last picture is yours: {done.picture}", "good")
    if done.kept:
        out.line(f"The folder stays: {done.root}")
        out.line("To look around in it (the hubs are closed; `sdkeep demo --serve` opens them, with a new folder):")
        _exports(out, stage, hubs=False)
        out.line("  sdkeep ls")
    else:
        out.line("The folder is removed now; `sdkeep demo --keep` leaves it.")
    out.line()
    out.line("In real life:", "head")
    width = max(len(command) for command, _ in REAL_LIFE)
    for command, what in REAL_LIFE:
        out.line(f"  {command:<{width}}  {what}")


def _serve(face: Face, stage: Stage) -> Reply:
    """Print the environment and wait for Ctrl-C, which is the way to end it and no error."""
    out = face.out
    out.note("The sample hubs are open until you press Ctrl-C. In another terminal:", "head")
    _exports(out, stage, hubs=True)
    out.note(f"Then try `sdkeep search lantern`; a pretend WebUI lies in {stage.webui}")
    with suppress(Stopped):
        while True:
            face.stop.wait(3600)
    return Reply()


def _exports(out: Out, stage: Stage, *, hubs: bool) -> None:
    word = "set" if os.name == "nt" else "export"
    for name, value in stage.own.items():
        if hubs or not name.endswith("_URL"):
            out.line(f"  {word} {name}={value if os.name == 'nt' else shlex.quote(value)}")
