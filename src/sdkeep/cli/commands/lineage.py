"""`sdkeep lineage`: what a model was made from, what was made from it, and what that allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, Yes, reply_to, verb
from sdkeep.cli.output import Mode, Out
from sdkeep.ground.errors import NotWritable, UsageError

if TYPE_CHECKING:
    from sdkeep.actions.batch import Batch
    from sdkeep.actions.lineage import Lineage

FORMATS = ("tree", "mermaid", "dot", "json", "svg")


def register(app: typer.Typer) -> None:
    """Put `lineage` on the application."""

    @verb(
        app,
        "lineage",
        examples=(
            "sdkeep lineage my-merge",
            "sdkeep lineage my-lora --licence",
            "sdkeep lineage my-merge --format svg -o family.svg",
            "sdkeep lineage pictures/00001-1.png",
        ),
    )
    def lineage(
        face: Face,
        refs: Annotated[
            list[str],
            typer.Argument(
                metavar="REF",
                help="Names, hashes, hub references, paths; a picture stands for its models.",
                autocompletion=catalogue_names,
            ),
        ],
        form: Annotated[
            str, typer.Option("--format", metavar="FORM", help="tree, mermaid, dot, json or svg.")
        ] = "tree",
        out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write there.")] = None,
        depth: Annotated[int, typer.Option("--depth", min=0, max=64, help="Generations to show each way.")] = 12,
        fetch: Annotated[bool, typer.Option("--fetch", help="Fetch the parents that are only named, by hash.")] = False,
        licence: Annotated[bool, typer.Option("--licence", help="Say what the whole lineage allows.")] = False,
        yes: Yes = False,
        dry_run: DryRun = False,
    ) -> Reply:
        """Draw the family tree of models, both ways, and name the base model with the path that proves it."""
        from sdkeep.actions import lineage as action
        from sdkeep.actions.batch import each
        from sdkeep.actions.pictures import models_behind

        if form not in FORMATS:
            raise UsageError(f"`{form}` is no format", "known are " + ", ".join(FORMATS), "`--format svg`")
        house = face.house()
        pictured = each(refs, lambda ref: models_behind(house, ref))
        batch = each([one for models in pictured.done for one in models], lambda ref: action.lineage(house, ref, depth))
        batch.failed[:0] = pictured.failed
        lacking = sum(len(tree.missing) for tree in batch.done)
        notes: list[str] = []
        if fetch and lacking and (dry_run or face.confirm(f"fetching {lacking} parents", yes=yes)):
            notes = _fetch(face, batch, depth, dry_run)
        human = face.out.mode is Mode.HUMAN and out is None
        drawn = _drawing(batch.done, form, unicode=human, licence=licence) if batch.done else ""
        if out is not None and batch.done and not dry_run:
            _write(face, out, drawn, yes)
        reply = reply_to(batch, lambda o: _show(o, batch.done, drawn if out is None else f"{out}", notes))
        if lacking and not fetch:
            reply.hints = [f"`sdkeep lineage {refs[0]} --fetch` looks for {lacking} parents that are only named"]
        return reply


def _fetch(face: Face, batch: Batch[Lineage], depth: int, dry_run: bool) -> list[str]:
    """Fetch what is missing and draw the trees anew; what was, or would be, fetched, a line each."""
    from sdkeep.actions.lineage import fetch_missing, lineage

    notes = []
    for index, tree in enumerate(batch.done):
        got = fetch_missing(face.house(), tree, dry_run=dry_run)
        batch.failed += got.failed
        notes += [f"would fetch {plan.file_name} for {one.ref}" for one in got.done for plan in one.planned]
        notes += [f"fetched {file.name} for {one.ref}" for one in got.done for file in one.files]
        if got.done and not dry_run:
            batch.done[index] = lineage(face.house(), tree.ref, depth)
    return notes


def _drawing(trees: list[Lineage], form: str, *, unicode: bool, licence: bool) -> str:
    match form:
        case "mermaid":
            from sdkeep.cli.graphs import mermaid

            return mermaid(trees)
        case "dot":
            from sdkeep.cli.graphs import dot

            return dot(trees)
        case "svg":
            from sdkeep.cli.svg import svg

            return svg(trees)
        case "json":
            from sdkeep.cli.jsonable import jsonable

            return json.dumps(jsonable(trees), ensure_ascii=False, indent=2) + "\n"
        case _:
            return "\n".join(line for tree in trees for line in _tree(tree, unicode, licence)) + "\n"


def _tree(tree: Lineage, unicode: bool, licence: bool) -> list[str]:
    from sdkeep.cli.permitted import in_full
    from sdkeep.cli.tree import ASCII, LINES, draw

    lines = [*draw(tree, LINES if unicode else ASCII), f"base model: {tree.base.sentence}"]
    lines += [f"another base model: {other}" for other in tree.base.others]
    data = {node.title: node.data for node in tree.nodes if node.data and node.id in (tree.focus, tree.base.id)}
    lines += [f"{title} was trained on {what}" for title, what in data.items()]
    if tree.cut:
        lines.append("there is more behind `...`; `--depth` shows it")
    return [*lines, *in_full(tree.permissions, tree.advice)] if licence else lines


def _show(out: Out, trees: list[Lineage], drawn: str, notes: list[str]) -> None:
    for tree in trees:
        out.bare(tree.base.name or "unknown")
    for note in notes:
        out.note(note)
    for line in drawn.splitlines():
        out.line(line)


def _write(face: Face, path: Path, text: str, yes: bool) -> None:
    if path.exists() and not face.confirm(f"replacing `{path}`", yes=yes):
        return
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise NotWritable(f"`{path}` cannot be written", str(error.strerror), "name another file with `-o`") from error
