"""`sdkeep get`: find, fetch, prove, convert, record, place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.place import show_placed
from sdkeep.cli.commands.shared import InUi, KindName, OptionalRefs, family_text, kind_called, size_text, word
from sdkeep.cli.commands.show import show_needs
from sdkeep.cli.frame import DryRun, Face, Reply, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Extent, Format, Precision

if TYPE_CHECKING:
    from sdkeep.actions.batch import Batch
    from sdkeep.actions.get import FileAnswer, GetRequest, Got
    from sdkeep.actions.house import House


def register(app: typer.Typer) -> None:
    """Put `get` on the application."""

    @verb(
        app,
        "get",
        "pull",
        "download",
        examples=(
            "sdkeep get civitai:7808",
            "sdkeep get https://civitai.com/models/4384?modelVersionId=128713 --in a1111",
            "sdkeep get hf:stabilityai/sdxl-turbo --dry-run",
            "sdkeep get sd15 --precision fp16",
            "sdkeep get --from-image castle.png",
        ),
    )
    def get(
        face: Face,
        refs: OptionalRefs = None,
        from_image: Annotated[
            list[Path] | None,
            typer.Option("--from-image", metavar="FILE", help="Fetch what this picture was made with."),
        ] = None,
        ui: InUi = None,
        no_place: Annotated[bool, typer.Option("--no-place", help="Keep in the store only.")] = False,
        base: Annotated[str, typer.Option("--base", metavar="BASE", help="The release for this base model.")] = "",
        file: Annotated[str, typer.Option("--file", metavar="FILE", help="This file, by id or name.")] = "",
        file_format: Annotated[str, typer.Option("--format", metavar="F", help="safetensors, pickle, gguf.")] = "",
        precision: Annotated[str, typer.Option("--precision", metavar="P", help="fp16, fp32, bf16, ...")] = "",
        size: Annotated[str, typer.Option("--size", metavar="S", help="pruned or full.")] = "",
        every: Annotated[bool, typer.Option("--all", help="Every file of the release but training data.")] = False,
        companions: Annotated[
            bool, typer.Option("--with-companions", help="Also the VAE, config, text encoder.")
        ] = False,
        kind: KindName = "",
        disarm: Annotated[bool, typer.Option("--disarm", help="Keep only the tensors of an unsafe pickle.")] = False,
        allow_unsafe: Annotated[bool, typer.Option("--allow-unsafe", help="Keep and place an unsafe file.")] = False,
        keep_original: Annotated[
            bool, typer.Option("--keep-original", help="Keep the pickle after conversion.")
        ] = False,
        no_preview: Annotated[bool, typer.Option("--no-preview", help="Fetch no preview picture.")] = False,
        dry_run: DryRun = False,
    ) -> Reply:
        """Fetch models: choose the file, transfer, verify, scan, convert to safetensors, catalogue, place."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.get import GetRequest
        from sdkeep.actions.get import get as act
        from sdkeep.actions.intake import Terms
        from sdkeep.hubs.choose import Wish

        house = face.house(allow_unsafe="true" if allow_unsafe else None)
        chosen = house.settings
        wish = Wish(
            base,
            word(Format, file_format or house.preferred("format"), "format"),
            word(Precision, precision or house.preferred("precision"), "precision"),
            word(Extent, size or house.preferred("size"), "size"),
            file,
            every,
        )
        terms = Terms(disarm, chosen.allow_unsafe, keep_original or chosen.keep_original, kind_called(kind))
        uis = () if no_place else tuple(ui) if ui else None
        request = GetRequest(wish, terms, uis, companions, not no_preview, dry_run)
        if from_image:
            return _from_images(face, house, from_image, request)
        if not refs:
            raise UsageError("nothing was named to fetch", "", "`sdkeep get --help` lists the forms of a reference")
        return _reply(face, each(refs, lambda ref: act(house, ref, request)))


def _from_images(face: Face, house: House, pictures: list[Path], request: GetRequest) -> Reply:
    from sdkeep.actions.pictures import FromImage, get_needed, needed

    needs = tuple(need for picture in pictures for need in needed(house, picture))
    batch = get_needed(house, needs, request)
    reply = _reply(face, batch)
    shown = reply.show

    def show(out: Out) -> None:
        show_needs(out, needs)
        if shown is not None:
            shown(out)

    reply.data, reply.show = FromImage(needs, tuple(batch.done)), show
    return reply


def _reply(face: Face, batch: Batch[Got]) -> Reply:
    reply = reply_to(batch, lambda out: _show(out, batch.done, face.common.verbose))
    for got in batch.done:
        reply.failures.extend(got.failures)
    if any(got.failures for got in batch.done):
        reply.status = max(reply.status, 1)
    names = [file.name for got in batch.done for file in got.files]
    reply.hints = [f"`sdkeep show {names[0]}` tells all about it"] if names else []
    return reply


def _show(out: Out, done: list[Got], verbose: bool) -> None:
    for got in done:
        _show_one(out, got, verbose)


def _show_one(out: Out, got: Got, verbose: bool) -> None:
    out.line(f"{got.title or got.ref}  {got.release}", "head")
    for reason in got.why:
        out.line(f"  {reason}", "dim")
    for plan in got.planned:
        out.bare(plan.file_name)
        out.line(f"  would fetch {plan.file_name} ({plan.role}, {size_text(plan.size)})")
    for file in got.files:
        _show_file(out, file)
    if got.flags:
        out.line("  marked: " + ", ".join(got.flags), "warn")
    if got.trigger_words:
        out.line("  trigger words: " + ", ".join(got.trigger_words))
    for plan in got.companions:
        out.line(
            f"  also there: {plan.file_name} ({plan.role}, {size_text(plan.size)}); `--with-companions` fetches it"
        )
    for other in got.others[: None if verbose else 5]:
        out.line(f"  also for {other.base}: {other.name}  {other.ref}", "dim")


def _show_file(out: Out, file: FileAnswer) -> None:
    out.bare(file.name)
    facts = " ".join(
        part for part in (str(file.kind), family_text(file.family, file.base), size_text(file.size)) if part
    )
    out.line(f"  {file.name}: {facts}" + (", here already" if file.already_here else ""), "good")
    proof = "the published SHA-256 is confirmed" if file.confirmed else "the hub publishes no SHA-256 to compare with"
    out.line(f"  scanned: {file.verdict}; {proof}")
    for claim in file.claims:
        out.debug(f"  {claim.scanner} says: {claim.result} {claim.message}".rstrip())
    if file.converted_from:
        count = "1 tensor" if file.tensors == 1 else f"{file.tensors:,} tensors"
        fate = "the pickle is kept beside it" if file.original_kept else "the pickle is in the trash"
        only = "" if file.verdict.startswith("clean") else "; what is kept is clean: it can hold no code"
        out.line(f"  converted: {count} copied to safetensors, {fate}{only}")
    show_placed(out, list(file.placed), margin="  ")
