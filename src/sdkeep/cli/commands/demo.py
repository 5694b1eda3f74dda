"""`sdkeep demo`: a guided tour in a throw-away home."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
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

    @verb(app, "demo", examples=("sdkeep demo", "sdkeep demo --keep", "sdkeep demo --serve"))
    def demo(
        face: Face,
        keep: Annotated[bool, typer.Option("--keep", help="Keep the folder, and say how to look around.")] = False,
        serve: Annotated[bool, typer.Option("--serve", help="Only run the sample hubs, until Ctrl-C.")] = False,
        port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port for the hubs; 0 is any.")] = 0,
    ) -> Reply:
        """Take the tour: the main job with sample models in a throw-away home, with no network and no token."""
        from sdkeep.demo.stage import staged

        if serve and face.out.mode is Mode.JSON:
            raise UsageError("`--serve` has no JSON form", "it ends with Ctrl-C only", "`sdkeep demo --serve`")
        with staged(keep=keep, port=port) as stage:
            return _serve(face, stage) if serve else _tour(face, stage, keep)


def _tour(face: Face, stage: Stage, keep: bool) -> Reply:
    from sdkeep.demo.tour import STEPS, Played, Toured, tour

    out, played = face.out, list[Played]()
    out.line(f"A tour of sdkeep in {len(STEPS)} commands, with made-up models in a throw-away home.", "head")
    out.line(
        f"Everything happens in {stage.root}; both sample hubs run on this machine. Your own files are not touched."
    )
    for event in tour(_performer(stage, capture=out.mode in (Mode.JSON, Mode.QUIET))):
        if isinstance(event, Played):
            played.append(event)
            _tell(out, stage, event, STEPS[len(played) - 1])
        else:
            out.line()
            out.line(f"{len(played) + 1}. {event.title}", "head")
            out.line(f"$ {event.line}", "hint")
    done = Toured(all(one.ok for one in played), tuple(played), stage.tree(), str(stage.root), keep)
    _end(out, stage, done)
    return Reply(done, None, 0 if done.ok else 1)


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
