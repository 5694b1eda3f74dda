"""`sdkeep sync`: make the catalogue and the WebUIs' folders agree."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, verb
from sdkeep.cli.output import Mode, Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.house import House
    from sdkeep.actions.sync import Difference, Synced, SyncRequest

MOST_ROWS = 200


def register(app: typer.Typer) -> None:
    """Put `sync` on the application."""

    @verb(app, "sync", examples=("sdkeep sync", "sdkeep sync --check", "sdkeep sync --watch --yes"))
    def sync(
        face: Face,
        check: Annotated[bool, typer.Option("--check", help="Only tell; exit status 1 when anything differs.")] = False,
        watch: Annotated[bool, typer.Option("--watch", help="Go on: sync again after every change.")] = False,
        look_up: Annotated[bool, typer.Option("--look-up", help="Ask the hubs about what is new, by hash.")] = False,
        no_hash: Annotated[bool, typer.Option("--no-hash", help="List new files now, hash them another time.")] = False,
        forget: Annotated[
            bool, typer.Option("--forget", help="What vanished was meant to: put no placement back.")
        ] = False,
        locked: Annotated[bool, typer.Option("--locked", help="Make this machine match sdkeep.lock.")] = False,
        sources: Annotated[
            list[str] | None,
            typer.Option("--from", metavar="PATH|URL", help="With --locked: a neighbour's store to take files from."),
        ] = None,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> Reply:
        """Find what was added, moved, renamed, edited, removed or doubled by hand, and record it. Deletes nothing."""
        from sdkeep.actions.sync import Synced, SyncRequest, apply, plan, shown

        if sources and not locked:
            raise UsageError("`--from` goes with `--locked`", "", "`sdkeep sync --locked --from FOLDER`")
        if locked:
            from sdkeep.cli.commands.lock import matched

            return matched(face, sources or [], dry_run=dry_run or check)
        house = face.house()
        request = SyncRequest(not no_hash, look_up, forget, check)
        if watch:
            return _watch(face, house, request, yes=yes)
        found = plan(house, request)
        planned = Synced(shown(house, found), False, found.away, found.waiting)
        if check or dry_run:
            return Reply(planned, lambda out: _show(out, planned), 1 if check and planned.differences else 0)
        if planned.differences and not yes:
            for difference in planned.differences[:MOST_ROWS]:
                face.out.note(f"{difference.what}: {_sentence(difference)}")
            _tell_more(face.out, planned)
            if not face.confirm("Record this?", yes=yes):
                return Reply(planned, lambda out: out.note("nothing was done"))
        answer = apply(house, found, request)
        asked = not yes and bool(planned.differences)
        reply = Reply(answer, lambda out: _show(out, answer, told=asked), failures=list(answer.failures))
        reply.status = 1 if answer.failures else 0
        if answer.waiting:
            reply.hints.append("`sdkeep sync` hashes what still waits")
        return reply


def _watch(face: Face, house: House, request: SyncRequest, *, yes: bool) -> Reply:
    from sdkeep.actions.watching import watch
    from sdkeep.ground.events import Stopped

    if not face.confirm("Record every change from now on without asking?", yes=yes, dry=False):
        return Reply(None, lambda out: out.note("nothing was done"))
    rounds = 0
    try:
        for answer in watch(house, request, lambda: face.out.note("watching; Ctrl-C ends it")):
            rounds += 1
            _show(face.out, answer)
    except (Stopped, KeyboardInterrupt):
        pass
    return Reply(None, lambda out: out.note(f"{rounds} rounds had something to do"))


def _show(out: Out, answer: Synced, *, told: bool = False) -> None:
    """The differences as a table; a person who was just `told` them, and said yes, gets the counts."""
    for difference in answer.differences:
        out.bare(difference.path)
    if answer.applied:
        rows = [(one.what, one.done, one.name, one.to or one.path) for one in answer.differences[:MOST_ROWS]]
    else:
        rows = [(one.what, size_text(one.size), one.name, _sentence(one)) for one in answer.differences[:MOST_ROWS]]
    if told and out.mode is Mode.HUMAN:
        done = Counter(one.done for one in answer.differences if one.done)
        out.line(", ".join(f"{count:,} {word}" for word, count in done.most_common()), "good")
    elif rows:
        out.table(("WHAT", "DONE" if answer.applied else "SIZE", "NAME", "PATH"), rows)
    if not told:
        _tell_more(out, answer)
    if not answer.differences:
        out.line("in step" if not answer.away else "in step, as far as it can be seen", "good")
    if answer.hashed:
        out.line(
            f"{answer.hashed} files hashed" + (f", {answer.identified} known to a hub" if answer.identified else "")
        )
    if answer.waiting:
        out.line(f"{answer.waiting} files are listed and not hashed yet")
    for name in answer.refreshed:
        out.line(f"`{name}` was asked to look at its folders again")


def _tell_more(out: Out, answer: Synced) -> None:
    from sdkeep.actions.away import EMPTY

    if len(answer.differences) > MOST_ROWS:
        out.note(f"and {len(answer.differences) - MOST_ROWS} more; `--json` lists them all")
    for folder, why in answer.away.items():
        believe = "; `sdkeep sync --forget` if you emptied it" if why == EMPTY else ""
        out.warning(f"`{folder}` was not looked at: {why}{believe}")


def _sentence(one: Difference) -> str:
    """A difference in words: the kind is said before it."""
    match one.what:
        case "moved" | "renamed":
            return f"{one.path} is {one.to} now"
        case "duplicate":
            return f"{one.path} holds the same as {one.twin}"
        case "vanished":
            return f"{one.path} will be placed again"
        case "missing":
            return f"{one.path} is gone; its record stays"
        case "edited":
            return f"{one.path} holds something else now; the record of what it was stays"
        case _:
            return f"{one.path}"
