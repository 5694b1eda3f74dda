"""`sdkeep add`: take in files that are already here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import InUi, KindName, family_text, kind_called, size_text
from sdkeep.cli.frame import DryRun, Face, Reply, reply_to, verb
from sdkeep.cli.output import Mode, Out

if TYPE_CHECKING:
    from sdkeep.actions.add import Added


def register(app: typer.Typer) -> None:
    """Put `add` on the application."""

    @verb(app, "add", "import", "adopt", examples=("sdkeep add model.ckpt", "sdkeep add --in-place ~/webui/models"))
    def add(
        face: Face,
        paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, or folders with models below.")],
        in_place: Annotated[
            bool, typer.Option("--in-place", help="Catalogue where they lie; not a byte is touched.")
        ] = False,
        place: Annotated[bool, typer.Option("--place", help="Also place into the registered WebUIs.")] = False,
        ui: InUi = None,
        kind: KindName = "",
        look_up: Annotated[bool, typer.Option("--look-up", help="Ask the hubs what a file is, by its hash.")] = False,
        no_hash: Annotated[
            bool, typer.Option("--no-hash", help="With --in-place: list now, hash with a later `add` or `sync`.")
        ] = False,
        disarm: Annotated[bool, typer.Option("--disarm", help="Keep only the tensors of an unsafe pickle.")] = False,
        allow_unsafe: Annotated[bool, typer.Option("--allow-unsafe", help="Keep an unsafe file as it is.")] = False,
        keep_original: Annotated[
            bool, typer.Option("--keep-original", help="Keep the pickle after conversion.")
        ] = False,
        dry_run: DryRun = False,
    ) -> Reply:
        """Take in files from this machine: scanned, converted where pickled, catalogued. Originals stay untouched."""
        from sdkeep.actions.add import AddRequest, add_in_place, expanded
        from sdkeep.actions.add import add as act
        from sdkeep.actions.batch import Batch, Failure
        from sdkeep.actions.intake import Terms
        from sdkeep.ground.errors import KeepError, UsageError

        if in_place and (place or ui):
            raise UsageError(
                "a file is catalogued where it lies or placed, not both",
                "only what the store holds can be placed",
                "leave out `--in-place`: the store then keeps a copy",
            )
        if no_hash and not in_place:
            raise UsageError("`--no-hash` goes with `--in-place`", "what the store keeps is named by its hash")
        house = face.house(allow_unsafe="true" if allow_unsafe else None)
        keep = keep_original or house.settings.keep_original
        terms = Terms(disarm, house.settings.allow_unsafe, keep, kind_called(kind))
        uis = tuple(ui) if ui else None if place else ()
        request = AddRequest(in_place, terms, uis, look_up, dry_run, not no_hash)
        batch: Batch[Added] = Batch()
        if in_place:
            batch.done, batch.failed = add_in_place(house, paths, request)
            reply = reply_to(batch, lambda out: _show(out, batch.done, dry_run))
            if any(not one.sha256 for one in batch.done) and not dry_run:
                reply.hints.append("`sdkeep sync` hashes what is only listed so far")
            return reply
        for text, path in expanded(paths):
            face.stop.check()
            try:
                if not isinstance(path, Path):
                    raise path
                batch.done.append(act(house, path, request))
            except KeepError as error:
                batch.failed.append(Failure(text, error))
        return reply_to(batch, lambda out: _show(out, batch.done, dry_run))


MOST_ROWS = 60
"""More files than this are counted for a person, not listed; `sdkeep ls` lists them."""


def _show(out: Out, done: list[Added], dry_run: bool) -> None:
    if len(done) > MOST_ROWS and out.mode is Mode.HUMAN:
        _count(out, done)
        return
    rows = []
    for one in done:
        out.bare(one.name or one.path)
        note = _note(one, dry_run)
        rows.append(
            (
                one.name or Path(one.path).name,
                str(one.kind),
                family_text(one.family, ""),
                size_text(one.size),
                one.verdict,
                note,
            )
        )
    out.table(("NAME", "KIND", "FAMILY", "SIZE", "VERDICT", ""), rows)
    for one in done:
        for placed in one.placed:
            out.line(f"{placed.method}: {placed.path}")
            if placed.paste:
                out.line(f"  paste: {placed.paste}", "hint")


def _note(one: Added, dry_run: bool) -> str:
    if one.already:
        return "known already"
    if dry_run:
        return "would be added"
    if one.in_place and not one.sha256:
        return "not hashed yet"
    return "converted" if one.converted_from else ""


def _count(out: Out, done: list[Added]) -> None:
    """What was taken in, by kind."""
    from collections import Counter

    kinds = Counter(str(one.kind) for one in done)
    sizes = {kind: sum(one.size or 0 for one in done if str(one.kind) == kind) for kind in kinds}
    out.table(("KIND", "FILES", "SIZE"), [(kind, str(n), size_text(sizes[kind])) for kind, n in kinds.most_common()])
    waiting = sum(1 for one in done if not one.sha256)
    known = sum(1 for one in done if one.already)
    out.line(f"{len(done)} files" + (f", {known} known already" if known else ""))
    if waiting:
        out.line(f"{waiting} are not hashed yet")
