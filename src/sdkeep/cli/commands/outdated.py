"""`sdkeep outdated`, `sdkeep pin` and `sdkeep unpin`: what has a newer release, and what stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import OptionalRefs, size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, reply_to, verb
from sdkeep.cli.output import Out

if TYPE_CHECKING:
    from sdkeep.actions.outdated import Newer, Outdated

Early = Annotated[bool, typer.Option("--early-access", help="Also releases that have to be paid or waited for.")]


def register(app: typer.Typer) -> None:
    """Put `outdated`, `pin` and `unpin` on the application."""

    @verb(app, "outdated", examples=("sdkeep outdated", "sdkeep outdated my-lora --early-access"))
    def outdated(
        face: Face,
        refs: OptionalRefs = None,
        early_access: Early = False,
        pinned: Annotated[bool, typer.Option("--pinned", help="Also models that are pinned.")] = False,
    ) -> Reply:
        """List newer releases for the same base model. Exit status 1 when there are any."""
        from sdkeep.actions.outdated import outdated as act

        answer = act(face.house(), refs or (), early=early_access, pinned=pinned)
        answered = answer.asked - len(answer.failures)
        status = 1 if answer.newer or answer.failures else 0
        if not answered:
            status = max((error.status for _, error in answer.failures), default=0)
        reply = Reply(answer, lambda out: _show(out, answer), status, failures=list(answer.failures))
        if answer.newer:
            reply.hints.append("`sdkeep update` fetches them beside the old ones, `--replace` instead of them")
        return reply

    @verb(app, "pin", examples=("sdkeep pin my-checkpoint --note 'the last one that draws hands'", "sdkeep pin"))
    def pin(
        face: Face,
        refs: OptionalRefs = None,
        note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for later.")] = "",
    ) -> Reply:
        """Hold models as they are, so that `outdated` and `update` leave them alone; without arguments, list them."""
        from sdkeep.actions.batch import Batch, each
        from sdkeep.actions.outdated import Pinned, pins
        from sdkeep.actions.outdated import pin as act

        house = face.house()
        batch = each(refs, lambda ref: act(house, ref, note)) if refs else Batch[Pinned](list(pins(house)))

        def show(out: Out) -> None:
            for one in batch.done:
                out.bare(one.ref)
            rows = [(one.title, one.ref, one.at[:10], one.note) for one in batch.done]
            if rows:
                out.table(("MODEL", "PINNED AT", "SINCE", "NOTE"), rows)
            elif not refs:
                out.note("nothing is pinned")

        return reply_to(batch, show)

    @verb(app, "unpin", examples=("sdkeep unpin my-checkpoint",))
    def unpin(
        face: Face,
        refs: Annotated[
            list[str], typer.Argument(metavar="REF", help="A catalogued model.", autocompletion=catalogue_names)
        ],
    ) -> Reply:
        """Let `outdated` and `update` see models again."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.outdated import unpin as act

        house = face.house()
        batch = each(refs, lambda ref: act(house, ref))

        def show(out: Out) -> None:
            for one in batch.done:
                out.line(f"{one.title} is no longer pinned")

        return reply_to(batch, show)


def _show(out: Out, answer: Outdated) -> None:
    for one in answer.newer:
        out.bare(one.name)
    rows = [
        (one.name, one.here, one.newer, one.base, one.published[:10], size_text(one.size), _note(one))
        for one in answer.newer
    ]
    if rows:
        out.table(("NAME", "HERE", "NEWER", "BASE", "PUBLISHED", "SIZE", ""), rows)
    else:
        answered = answer.asked - len(answer.failures)
        noun = "model" if answered == 1 else "models"
        out.line(f"{answered} {noun} asked about, nothing newer", "good" if not answer.failures else "warn")
    if answer.early:
        out.note(f"{answer.early} more in early access: `--early-access` shows them")
    if answer.pinned:
        out.note(f"{answer.pinned} pinned: `--pinned` shows them")
    for name, since in answer.gone.items():
        out.note(f"`{name}`: its hub does not show the model, since {since[:10]}; what is here stays")


def _note(one: Newer) -> str:
    notes = []
    if one.pinned:
        notes.append(f"pinned: {one.note}" if one.note else "pinned")
    if one.access not in ("free", "unknown"):
        notes.append(f"{one.access} until {one.access_until[:10]}" if one.access_until else one.access)
    return ", ".join(notes)
