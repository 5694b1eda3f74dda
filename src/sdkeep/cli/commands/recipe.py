"""`sdkeep recipe`: how merged files were made, recipes to make more, and the methods there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.merge import EXACTNESS
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, reply_to, verb
from sdkeep.cli.output import Out

if TYPE_CHECKING:
    from sdkeep.actions.recipes import CheckedRecipe, MethodAnswer, ShownRecipe

Files = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Files or catalogued names.", autocompletion=catalogue_names)
]


def register(app: typer.Typer) -> None:
    """Put the group `recipe` on the application."""
    group = typer.Typer(help="Recipes of merges: show, check, list the methods.", no_args_is_help=True)
    app.add_typer(group, name="recipe")

    @verb(group, "show", group="recipe", examples=("sdkeep recipe show mix.safetensors",))
    def show(face: Face, refs: Files) -> Reply:
        """Say how a merged file was made."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.recipes import show_recipe

        batch = each(refs, lambda ref: show_recipe(face.house(), ref))
        return reply_to(batch, lambda out: _show(out, batch.done))

    @verb(group, "check", group="recipe", examples=("sdkeep recipe check mix.toml",))
    def check(face: Face, refs: Files) -> Reply:
        """Read recipes (.toml, .mecha, merged files) without following them."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.recipes import check_recipe

        batch = each(refs, lambda ref: check_recipe(face.house(), ref))
        return reply_to(batch, lambda out: _show_checked(out, batch.done))

    @verb(group, "methods", group="recipe", examples=("sdkeep recipe methods",))
    def methods(face: Face) -> Reply:
        """List every merge method with its models, numbers and origin."""
        del face
        from sdkeep.actions.recipes import list_methods

        listed = list_methods()
        return Reply(data=list(listed), show=lambda out: _show_methods(out, listed))


def _show(out: Out, done: list[ShownRecipe]) -> None:
    for one in done:
        out.bare(one.text)
        out.line(one.path, "head")
        for line in one.steps:
            out.line(f"  {line}")
        for parent in one.parents:
            out.line(f"  {parent.role}: {parent.name} sha256:{parent.sha256}")
        written = f"written as {one.precision}" if one.precision else "written in the first model's precision"
        like = f", as {one.compat} does it" if one.compat != "sdkeep" else ""
        out.line(f"  {written}{like}; {EXACTNESS[one.exactness]}")
        if one.ancestors:
            out.line(f"  it holds the recipes of {one.ancestors} of its ancestors")


def _show_checked(out: Out, done: list[CheckedRecipe]) -> None:
    for one in done:
        out.bare(one.path)
        out.line(f"{one.path} is a good recipe", "good")
        for line in one.steps:
            out.line(f"  {line}")
        for ref in one.missing:
            out.line(f"  {ref} is not here and would be fetched")


def _show_methods(out: Out, listed: tuple[MethodAnswer, ...]) -> None:
    for one in listed:
        out.bare(one.name)
    rows = [(one.name, one.models, ", ".join(p.name for p in one.parameters), one.about, one.origin) for one in listed]
    out.table(("method", "models", "numbers", "what it makes", "origin"), rows)
