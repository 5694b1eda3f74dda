"""`sdkeep lock`: a project's set of models, written down to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.completion import ui_names
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.lock import Locked
    from sdkeep.actions.locked import Matching


def register(app: typer.Typer) -> None:
    """Put `lock` on the application."""

    @verb(
        app,
        "lock",
        examples=("sdkeep lock", "sdkeep lock --check", "sdkeep lock --update my-lora", "sdkeep lock --from-ui a1111"),
    )
    def lock(
        face: Face,
        check: Annotated[
            bool, typer.Option("--check", help="Only tell; exit status 1 when the lock is stale.")
        ] = False,
        update: Annotated[
            list[str] | None, typer.Option("--update", metavar="NAME", help="Look this model up anew.")
        ] = None,
        update_all: Annotated[bool, typer.Option("--update-all", help="Look every model up anew.")] = False,
        from_ui: Annotated[
            str, typer.Option("--from-ui", metavar="UI", help="List and lock what lies there.", autocompletion=ui_names)
        ] = "",
    ) -> Reply:
        """Write sdkeep.lock: the exact files of the models that sdkeep.toml lists under [models]."""
        from sdkeep.actions import lock as act

        if (check or from_ui) and (update or update_all or (check and from_ui)):
            raise UsageError("these options do not go together", "", "`sdkeep lock --help`")
        house = face.house()
        if check:
            done = act.check(house)
            reply = Reply(done, lambda out: _show(out, done), 1 if done.stale else 0)
            reply.hints = ["`sdkeep lock` writes it anew"] if done.stale else []
            return reply
        done = act.from_ui(house, from_ui) if from_ui else act.lock(house, update or (), everything=update_all)
        reply = Reply(done, lambda out: _show(out, done))
        reply.hints = ["`sdkeep sync --locked` makes any machine match it"]
        return reply


def _show(out: Out, done: Locked) -> None:
    for one in done.models:
        out.bare(one.name)
    rows = [(one.name, one.state, one.release, str(one.files), size_text(one.size)) for one in done.models]
    if rows:
        out.table(("MODEL", "STATE", "RELEASE", "FILES", "SIZE"), rows)
    out.line(f"{done.path} is stale" if done.stale else f"{done.path} is up to date", "warn" if done.stale else "good")


def matched(face: Face, sources: list[str], *, dry_run: bool) -> Reply:
    """The reply of `sdkeep sync --locked`."""
    from sdkeep.actions.locked import match as act

    done = act(face.house(), sources, dry_run=dry_run)
    missing = any(one.outcome == "missing" for one in done.files)
    status = 1 if missing or done.failures else 0
    if done.failures and not done.files:
        status = max(error.status for _, error in done.failures)
    return Reply(done, lambda out: _show_matched(out, done), status, list(done.failures))


def _show_matched(out: Out, done: Matching) -> None:
    for one in done.files:
        out.bare(one.file_name)
    rows = [(one.model, one.file_name, one.outcome, size_text(one.size), one.source) for one in done.files]
    if rows:
        out.table(("MODEL", "FILE", "", "SIZE", "FROM"), rows)
    if not done.failures and not any(one.outcome == "missing" for one in done.files):
        out.line(f"this machine matches {done.path}", "good")
