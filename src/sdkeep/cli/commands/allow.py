"""`sdkeep allow`: let one file use one name that the policy does not list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Mode, Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.allowing import Decision


def register(app: typer.Typer) -> None:
    """Put `allow` on the application."""

    @verb(
        app,
        "allow",
        examples=(
            "sdkeep allow acme.nets.Net my-upscaler --because 'our own trainer writes it'",
            "sdkeep allow --list",
            "sdkeep allow acme.nets.Net my-upscaler --remove",
        ),
    )
    def allow(
        face: Face,
        name: Annotated[
            str, typer.Argument(metavar="[MODULE.NAME]", help="The exact name, as the finding spells it.")
        ] = "",
        ref: Annotated[
            str,
            typer.Argument(
                metavar="[FILE]",
                help="A path, a catalogued name, a sha256:… or a hub reference.",
                autocompletion=catalogue_names,
            ),
        ] = "",
        because: Annotated[
            str, typer.Option("--because", metavar="TEXT", help="Why, for those who read it later.")
        ] = "",
        remove: Annotated[bool, typer.Option("--remove", help="Take the decision back.")] = False,
        listed: Annotated[bool, typer.Option("--list", help="Show every decision that stands.")] = False,
    ) -> Reply:
        """Let one file, told by its SHA-256, use one name that the policy does not list. You vouch for it.

        The decision is kept in your catalogue; it counts for scan, get, add and audit, and every verdict that stands on
        it says so.
        """
        from sdkeep.actions import allowing

        if listed or not (name or ref):
            if name or ref or remove or because:
                raise UsageError("`--list` takes nothing else", "", "`sdkeep allow --list`")
            found = list(allowing.decisions(face.house()))
            return Reply(found, lambda out: _show_all(out, found))
        if not ref:
            raise UsageError(
                f"which file may use `{name}`?",
                "a name is allowed to one file at a time",
                f"`sdkeep allow {name} FILE`",
            )
        house = face.house()
        made = allowing.disallow(house, name, ref) if remove else allowing.allow(house, name, ref, because)
        return Reply([made], lambda out: _show(out, made))


def _show(out: Out, made: Decision) -> None:
    if out.mode is Mode.QUIET:
        out.bare(str(made.verdict or ""))
        return
    word = "may no longer" if made.removed else "may"
    out.line(f"{made.file} {word} use {made.name} (sha256:{made.sha256})", "warn" if not made.removed else "")
    if made.verdict is None:
        out.note("its bytes are not here; the decision counts when they come")
        return
    out.line(f"with that it is {made.verdict}", "good" if made.verdict.placeable else "bad")


def _show_all(out: Out, found: list[Decision]) -> None:
    if out.mode is Mode.QUIET:
        for one in found:
            out.bare(f"{one.name}\tsha256:{one.sha256}")
        return
    if not found:
        out.note("nothing is allowed beyond the policy")
        return
    heads = ("NAME", "FILE", "SHA256", "BY", "ON", "VERDICT", "BECAUSE")
    out.table(heads, [_row(one) for one in found])


def _row(one: Decision) -> tuple[str, ...]:
    return one.name, one.file, one.sha256[:10], one.by, one.at[:10], str(one.verdict or ""), one.reason
