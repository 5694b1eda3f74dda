"""`sdkeep demo`: a guided tour in a throw-away home."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Mode, Out
from sdkeep.ground.errors import UsageError
from sdkeep.ground.events import Stopped

if TYPE_CHECKING:
    from sdkeep.demo.stage import Stage
    from sdkeep.demo.tour import Played, Step, Toured

REAL_LIFE = (
    ("sdkeep ui detect", "find the WebUIs on this machine"),
    ("sdkeep search detail --kind lora", "ask the real hubs"),
    ("sdkeep get civitai:7808", "fetch, prove, convert, place"),
    ("sdkeep scan ~/Downloads", "judge files you have already"),
    ("sdkeep doctor", "see what is missing"),
)


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

        with staged(keep=keep, port=port) as stage:
            if serve and face.out.mode is Mode.JSON:
                raise UsageError("`--serve` has no JSON form", "it ends with Ctrl-C only", "`sdkeep demo --serve`")
            if serve:
                return _serve(face, stage)
            return _tour(face, stage, keep)


def _tour(face: Face, stage: Stage, keep: bool) -> Reply:
    from sdkeep.demo.tour import STEPS, tour

    out = face.out
    out.line(f"A tour of sdkeep in {len(STEPS)} commands, in a throw-away home with made-up models.", "head")
    out.line(
        f"Everything happens in {stage.root}, with two sample hubs on this machine; your own files are not touched."
    )
    told = Teller(face, stage)
    done = tour(
        stage,
        os.environ,
        capture=out.mode in (Mode.JSON, Mode.QUIET),
        kept=keep,
        before=told.before,
        after=told.after,
    )
    _end(out, stage, done)
    return Reply(done, None, 0 if done.ok else 1)


class Teller:
    """Says what happens, step by step."""

    def __init__(self, face: Face, stage: Stage) -> None:
        self._face = face
        self._stage = stage
        self._count = 0

    def before(self, step: Step) -> None:
        """Announce a step and show what is typed."""
        self._face.stop.check()
        self._count += 1
        out = self._face.out
        out.line()
        out.line(f"{self._count}. {step.title}", "head")
        out.line(f"$ {step.line}", "hint")
        sys.stdout.flush()

    def after(self, step: Step, played: Played) -> None:
        """Say what was to be seen, or that it was not."""
        out = self._face.out
        out.bare(f"{'ok' if played.ok else 'failed'}\t{played.status}\t{played.command}")
        if played.ok:
            out.line(f"  -> {step.after}", "good")
        else:
            out.failure(f"  -> exit status {played.status}, not {played.expected}: the tour ends here")
        if step.name == "disarmed" and played.ok:
            out.line()
            out.line("The WebUI's folders now:", "head")
            for file in self._stage.tree():
                out.line(f"  {file}")


def _end(out: Out, stage: Stage, done: Toured) -> None:
    seconds = sum(step.seconds for step in done.steps)
    out.line()
    if done.ok:
        out.line(f"That was the main job: {len(done.steps)} commands in {seconds:.0f} seconds.", "head")
    if done.kept:
        out.line(f"The folder stays: {done.root}")
        out.line("To look around in it (the sample hubs are gone; `sdkeep demo --serve` starts them again):")
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
