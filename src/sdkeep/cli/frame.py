"""What every verb shares: the common options before and after it, the streams, errors, exit statuses, JSON document.

A command function takes a `Face` first and returns a `Reply`; `verb` wraps it for Typer. Its own parameters are plain
Typer parameters. The common options are added to each command's signature, so that `sdkeep --json ls` and
`sdkeep ls --json` mean the same.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from sdkeep.cli.errors import error_json, show_error
from sdkeep.cli.jsonable import Json, jsonable
from sdkeep.cli.output import Look, Mode, Out
from sdkeep.cli.reading import Command
from sdkeep.ground.errors import KeepError, NeedsAnswer
from sdkeep.ground.events import Report, Said, Stop, Stopped

if TYPE_CHECKING:
    from sdkeep.actions.batch import Batch
    from sdkeep.actions.house import House

SCHEMA = 1

AsJson = Annotated[bool, typer.Option("--json", is_eager=True, help="Print one JSON document on standard output.")]
AsEvents = Annotated[bool, typer.Option("--json-events", help="Print progress as NDJSON on standard error.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the bare answer only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what is done and why.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and do nothing.")]

COMMON: dict[str, Any] = {"as_json": AsJson, "as_events": AsEvents, "quiet": Quiet, "verbose": Verbose, "debug": Debug}


@dataclass(frozen=True, slots=True)
class Common:
    """The common options, wherever they stood."""

    as_json: bool = False
    as_events: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False

    def joined(self, other: Common) -> Common:
        """Options given before the verb and after it, together."""
        return Common(*(getattr(self, name) or getattr(other, name) for name in COMMON))


@dataclass(slots=True)
class Reply:
    """What a command answers: `data` for programs, `show` for people, the exit status, and partial failures."""

    data: object = None
    show: Callable[[Out], None] | None = None
    status: int = 0
    failures: list[tuple[str, KeepError]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def reply_to(batch: Batch[Any], show: Callable[[Out], None], status: int = 0) -> Reply:
    """The reply for a batch: its answers as a list, its failures, the worse of its status and the given one."""
    failures = [(failure.ref, failure.error) for failure in batch.failed]
    joined = batch.status if batch.failed else status
    return Reply(batch.done, show, max(joined, status if batch.done else 0), failures, list(batch.warnings))


class Face:
    """One run of one command: its output, its questions, its progress and the way to the house behind."""

    def __init__(self, verb: str, common: Common, look: Look) -> None:
        self.verb = verb
        self.common = common
        self.out = Out(look)
        self.stop = Stop()
        self.warnings: list[str] = []
        self._report: Report | None = None
        self._closers: list[Callable[[], None]] = []

    @property
    def report(self) -> Report:
        """The progress sink of this run."""

        def heard(event: Any) -> None:
            if isinstance(event, Said) and event.level == "warning":
                self.warnings.append(event.text)
            if self._report is not None:
                self._report(event)

        return heard

    def house(self, **flags: str | None) -> House:
        """The settings, catalogue, stores and hubs; `flags` are settings given on the command line."""
        from sdkeep.actions.house import House

        house = House.open(
            {name: value for name, value in flags.items() if value is not None}, report=self.report, stop=self.stop
        )
        self._closers.append(house.close)
        return house

    def confirm(self, question: str, *, yes: bool, dry: bool = True) -> bool:
        """Ask; `--yes` answers; nobody at the terminal is an error. `dry` for verbs that have a dry run."""
        if yes:
            return True
        if not self.out.look.interactive or self.out.mode is Mode.JSON:
            raise NeedsAnswer(
                f"{question} needs an answer",
                "nobody can answer here",
                "add `--yes`" + (", or look first with `--dry-run`" if dry else ""),
            )
        return typer.confirm(question, err=True)

    def close(self) -> None:
        """Close what the run opened, last first."""
        while self._closers:
            self._closers.pop()()

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Progress goes to the right sink inside this block."""
        from sdkeep.cli.progress import reporting

        watched = sys.stderr.isatty() and not switched_on("SDKEEP_NO_PROGRESS")
        with reporting(self.out, sys.stderr, bars=watched, events=self.common.as_events) as report:
            self._report = report
            try:
                yield
            finally:
                self._report = None


def verb(
    app: typer.Typer, name: str, *aliases: str, examples: Sequence[str] = (), group: str = ""
) -> Callable[[Callable[..., Reply]], Callable[..., None]]:
    """Register a command function under `name` and hidden `aliases`; `examples` end its help."""

    def register(function: Callable[..., Reply]) -> Callable[..., None]:
        command = _command(function, f"{group} {name}".strip())
        epilog = "Examples:\n\n" + "\n\n".join(f"  $ {example}" for example in examples) if examples else None
        app.command(name, cls=Command, epilog=epilog)(command)
        for alias in aliases:
            app.command(alias, cls=Command, hidden=True, epilog=epilog)(command)
        return command

    return register


def _command(function: Callable[..., Reply], name: str) -> Callable[..., None]:
    hints = get_type_hints(function, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in list(inspect.signature(function).parameters.values())[1:]]
    added = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for option, annotation in COMMON.items()
    ]
    names = {p.name for p in own}
    if "dry_run" in names and "yes" not in names:  # the two exist together, also where there is nothing to ask yet
        added.insert(0, inspect.Parameter("yes", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Yes))
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    keywords = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]

    @functools.wraps(function)
    def command(**given: Any) -> None:
        before = given.pop("context").obj
        common = Common(*(given.pop(option) for option in COMMON)).joined(before or Common())
        if "yes" not in names:
            given.pop("yes", None)
        status = run_command(name, common, lambda face: function(face, **given))
        raise typer.Exit(status)

    command.__signature__ = inspect.Signature([*keywords, *added, context])  # type: ignore[attr-defined]
    command.__annotations__ = {}  # the signature says it all; Typer would resolve them three times for each verb
    return command


def run_command(name: str, common: Common, act: Callable[[Face], Reply]) -> int:
    """Run one command to its exit status: signals, errors, the JSON document."""
    face = Face(name, common, look_from(common))
    try:
        with _interruptible(face.stop), face.progress():
            reply = act(face)
        return _finish(face, reply)
    except KeepError as error:
        if debugging(common):
            traceback.print_exc()
        return _finish(face, Reply(status=error.status, failures=[("", error)]))
    except (Stopped, KeyboardInterrupt):
        interrupted = Interrupted()
        return _finish(face, Reply(status=130, failures=[("", interrupted)]))
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a mistake of ours: said in the same three parts, whole with --debug
        if debugging(common):
            traceback.print_exc()
        return _finish(face, Reply(status=2, failures=[("", Bug(error))]))
    finally:
        face.close()


class Bug(KeepError):
    """A mistake in sdkeep itself."""

    code = "bug"

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"sdkeep itself broke: {type(error).__name__}: {error}",
            "this should not happen, whatever the input",
            "run it again with `--debug` and report what it prints",
        )


def debugging(common: Common) -> bool:
    """Whether somebody wants to see tracebacks."""
    return common.debug or switched_on("SDKEEP_DEBUG")


def switched_on(variable: str) -> bool:
    """Whether an environment variable says yes."""
    return os.environ.get(variable, "").strip().lower() in ("1", "true", "yes", "on")


def refuse(common: Common, error: KeepError) -> int:
    """Print a mistake found before any command ran; its exit status."""
    return _finish(Face("", common, look_from(common)), Reply(status=error.status, failures=[("", error)]))


class Interrupted(KeepError):
    """Somebody pressed Ctrl-C."""

    code = "interrupted"
    status = 130

    def __init__(self) -> None:
        super().__init__("interrupted", "", "the same command goes on where it stopped")


def _finish(face: Face, reply: Reply) -> int:
    if face.out.mode is Mode.JSON:
        face.out.document(document(face.verb, reply, face.warnings))
        return reply.status
    if reply.show is not None:
        reply.show(face.out)
    for warning in reply.warnings:
        face.out.warning(warning)
    for ref, error in reply.failures:
        show_error(face.out, error, ref)
    if not reply.failures:
        for hint in reply.hints:
            face.out.hint(hint)
    return reply.status


def document(verb_name: str, reply: Reply, warnings: Sequence[str]) -> str:
    """The text of the one JSON document of a run."""
    body: dict[str, Json] = {
        "schema": SCHEMA,
        "verb": verb_name,
        "ok": reply.status == 0,
        "data": jsonable(reply.data),
        "errors": [error_json(error, ref) for ref, error in reply.failures],
        "warnings": [*warnings, *reply.warnings],
    }
    text = json.dumps(body, ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)  # a terminal may read it


def look_from(common: Common) -> Look:
    """Decide mode, colour and width from the flags, the environment and the streams."""
    terminal = sys.stdout.isatty()
    mode = Mode.JSON if common.as_json else Mode.QUIET if common.quiet else Mode.HUMAN if terminal else Mode.PLAIN
    colour = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    width = _width() if terminal else 100
    interactive = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    return Look(mode, colour, common.verbose, interactive=interactive, width=width)


def _width() -> int:
    import shutil

    return max(40, shutil.get_terminal_size((100, 24)).columns)


@contextmanager
def _interruptible(stop: Stop) -> Iterator[None]:
    """The first Ctrl-C asks the work to stop; the second kills."""
    try:
        before = signal.getsignal(signal.SIGINT)

        def first(number: int, frame: Any) -> None:
            stop.ask()
            signal.signal(signal.SIGINT, signal.default_int_handler)

        signal.signal(signal.SIGINT, first)
    except ValueError:  # not the main thread: somebody else owns the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
