"""`sdkeep update`: fetch the newer releases of what is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.outdated import Early
from sdkeep.cli.commands.shared import OptionalRefs, size_text
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, verb
from sdkeep.cli.output import Out

if TYPE_CHECKING:
    from sdkeep.actions.update import Update
    from sdkeep.ground.errors import KeepError


def register(app: typer.Typer) -> None:
    """Put `update` on the application."""

    @verb(app, "update", "upgrade", examples=("sdkeep update --dry-run", "sdkeep update my-lora --replace"))
    def update(
        face: Face,
        refs: OptionalRefs = None,
        replace: Annotated[
            bool, typer.Option("--replace", help="Instead of the old files, which go to the trash; names are kept.")
        ] = False,
        early_access: Early = False,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> Reply:
        """Fetch newer releases for the same base model, beside the old files unless told otherwise."""
        from sdkeep.actions.update import as_plan, planned, resume
        from sdkeep.actions.update import update as act
        from sdkeep.ground.errors import KeepError

        house = face.house()
        if not dry_run:
            resume(house)
        newer, failures = planned(house, refs or (), early=early_access)
        answers = [as_plan(one) for one in newer]
        if dry_run or not newer:
            return Reply(
                answers,
                lambda out: _plan(out, answers, failed=bool(failures)),
                1 if failures and answers else worst(failures),
                failures,
            )
        for one in newer:
            face.out.note(f"{one.name}: {one.here} -> {one.newer} ({size_text(one.size)})")
        manner = "instead of the old ones" if replace else "beside the old ones"
        if not face.confirm(f"Fetch {len(newer)} {manner}?", yes=yes):
            return Reply(answers, lambda out: out.note("nothing was done"))
        done = []
        for one in newer:
            face.stop.check()
            try:
                done.append(act(house, one, instead=replace))
            except KeepError as error:
                failures.append((one.name, error))
        house.desk.settle()

        def show(out: Out) -> None:
            for one in done:
                out.bare(one.new_name)
            out.table(
                ("NAME", "WAS", "IS", "PLACED"),
                [(one.new_name, one.here, one.newer, ", ".join(one.placed)) for one in done],
            )

        reply = Reply(done, show, (1 if done else worst(failures)) if failures else 0, failures)
        if replace and done:
            reply.hints.append("`sdkeep restore NAME` brings an old one back")
        return reply


def worst(failures: list[tuple[str, KeepError]]) -> int:
    """The highest exit status among what failed, where nothing was done besides."""
    return max((error.status for _, error in failures), default=0)


def _plan(out: Out, answers: list[Update], *, failed: bool) -> None:
    rows = [(one.name, one.here, one.newer, size_text(one.size), one.ref) for one in answers]
    if rows:
        out.table(("NAME", "HERE", "NEWER", "SIZE", "REF"), rows)
    else:
        out.line(
            "nothing to update" + (", as far as the hubs answered" if failed else ""), "warn" if failed else "good"
        )
