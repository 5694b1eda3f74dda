"""`sdkeep convert`: tensors into safetensors, without running the pickle they lie in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Precision

if TYPE_CHECKING:
    from sdkeep.actions.convert import Converted
    from sdkeep.formats.selection import Component

Word = TypeVar("Word", bound=StrEnum)

PRECISIONS = ("fp32", "fp16", "bf16")


def register(app: typer.Typer) -> None:
    """Put `convert` on the application."""

    @verb(
        app, "convert", examples=("sdkeep convert model.ckpt", "sdkeep convert model.ckpt -o models/ --precision fp16")
    )
    def convert(
        face: Face,
        refs: Annotated[
            list[str],
            typer.Argument(metavar="PATH", help="Pickled files, or catalogued names.", autocompletion=catalogue_names),
        ],
        out: Annotated[
            Path | None, typer.Option("--out", "-o", metavar="PATH", help="File or folder to write.")
        ] = None,
        to: Annotated[str, typer.Option("--to", metavar="FORM", help="safetensors or clean-pt.")] = "safetensors",
        precision: Annotated[str, typer.Option("--precision", metavar="P", help="fp32, fp16 or bf16.")] = "",
        ema: Annotated[
            str, typer.Option("--ema", metavar="WHAT", help="Averaged weights: keep, use in place of the others, drop.")
        ] = "keep",
        components: Annotated[
            str, typer.Option("--components", metavar="PARTS", help="Only these: unet,vae,text-encoder.")
        ] = "",
        keep_extras: Annotated[
            bool, typer.Option("--keep-extras", help="Write the pickle's other data as JSON beside the result.")
        ] = False,
        dry_run: DryRun = False,
    ) -> Reply:
        """Copy the tensors of a pickle into a safetensors file. Works on dangerous files too: nothing is executed."""
        from sdkeep.actions.batch import each
        from sdkeep.actions.convert import ConvertRequest, convert_file, convert_named
        from sdkeep.actions.paths import files_of
        from sdkeep.formats.selection import Ema, Selection

        if precision and precision not in PRECISIONS:
            raise UsageError(
                f"`{precision}` is no precision to write", "known are " + ", ".join(PRECISIONS), "`--precision fp16`"
            )
        wanted = Precision(precision) if precision else None
        selection = Selection(_called(Ema, ema, "--ema"), _parts(components))
        request = ConvertRequest(out, to, wanted, selection, keep_extras, dry_run=dry_run)

        def one(ref: str) -> Converted:
            paths = files_of(ref)
            if paths is None:
                return convert_named(face.house(), ref, request)
            if len(paths) != 1 or Path(ref).is_dir():
                raise UsageError(
                    f"`{ref}` is a folder", "files are converted one by one", f"`sdkeep convert '{ref}'/*.ckpt`"
                )
            return convert_file(paths[0], request, face.report, face.stop)

        if out is not None and len(refs) > 1 and not out.is_dir():
            raise UsageError(f"`{out}` is no folder", "several files cannot go into one", "name a folder with `-o`")
        batch = each(refs, one)
        return reply_to(batch, lambda o: _show(o, batch.done, dry_run))


def _parts(components: str) -> frozenset[Component]:
    from sdkeep.formats.selection import Component

    words = (word.strip() for word in components.split(","))
    return frozenset(_called(Component, word, "--components") for word in words if word)


def _called(kind: type[Word], word: str, flag: str) -> Word:
    """The member of an enumeration that a flag names."""
    known = [str(one) for one in kind]
    if word not in known:
        raise UsageError(f"`{word}` is nothing for `{flag}`", "known are " + ", ".join(known), f"`{flag} {known[0]}`")
    return kind(word)


def _show(out: Out, done: list[Converted], dry_run: bool) -> None:
    for one in done:
        out.bare(one.path)
        word = "would hold" if dry_run else "holds"
        out.line(f"{one.path} {word} {one.tensors:,} tensors, {size_text(one.size)}", "good")
        if one.disarmed:
            out.warning(f"the source is {one.verdict}; the written file holds its tensors only")
        if one.extras:
            out.line(f"  its other data {'would be' if dry_run else 'are'} in {one.extras}")
        for note in one.notes:
            out.line(f"  {note}")
