"""`sdkeep merge`: models into one, in the memory of a tensor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, verb
from sdkeep.cli.merging import Baked, Care, Computing, Target, Way, Written
from sdkeep.cli.options import grouped
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError

if TYPE_CHECKING:
    from sdkeep.actions.merge import MergedFile, MergeRequest, Pair
    from sdkeep.actions.recipes import Again
    from sdkeep.merge.draft import Asked, Draft
    from sdkeep.merge.recipe import Output

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EXAMPLES = (
    "sdkeep merge photo anime --alpha 0.3",
    "sdkeep merge A.safetensors B.safetensors C.safetensors --method add-difference -o mix.safetensors",
    "sdkeep merge photo anime --blocks GRAD_V --precision fp16 --vae vae-mse --name mix",
    "sdkeep merge photo --lora detail:0.6 --name photo-detail",
    "sdkeep merge recipe.toml --name mix",
    "sdkeep merge --again mix.safetensors",
)


def register(app: typer.Typer) -> None:
    """Put `merge` on the application."""

    @verb(app, "merge", examples=EXAMPLES)
    @grouped
    def merge(
        face: Face,
        way: Way,
        baked: Baked,
        written: Written,
        care: Care,
        computing: Computing,
        target: Target,
        refs: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="MODEL",
                help="Models by any reference, the main one first; or one recipe file (.toml, .mecha).",
                autocompletion=catalogue_names,
            ),
        ] = None,
        check: Annotated[bool, typer.Option("--check", help="Only say how alike the models are, by block.")] = False,
        again: Annotated[
            str, typer.Option("--again", metavar="FILE", help="Do a file's own merge again, and compare.")
        ] = "",
        dry_run: DryRun = False,
    ) -> Reply:
        """Merge models: planned from their headers, streamed, the recipe kept in the file. Inputs are never touched."""
        from sdkeep.actions.merge import MergeRequest

        draft = None if again else _draft(refs or [], way, baked, written)
        request = MergeRequest(
            draft or _nothing(), target.out, target.name, computing.threads, computing.device,
            _chosen(care.missing, "missing"), _chosen(care.non_finite, "non-finite"), baked.strict,
            _whose(written.config), target.places, dry_run,
        )  # fmt: skip
        if again:
            return _again(face, again, refs or [], request)
        return _check(face, request) if check else _merge(face, request)


def _draft(refs: list[str], way: Way, baked: Baked, written: Written) -> Draft:
    """The merge that the flags or a recipe file ask for."""
    from sdkeep.merge.draft import Draft, DraftStep, adapter_of

    if not refs:
        raise UsageError("no model is named", "there is nothing to merge", "`sdkeep merge A B --alpha 0.3`")
    if len(refs) == 1 and refs[0].lower().endswith((".toml", ".mecha")):
        return _of_file(refs[0], way, baked, written)
    if len(refs) > len(LETTERS):
        raise UsageError(f"{len(refs)} models are too many for one command", "26 fit", "write a recipe file")
    models = dict(zip(LETTERS, refs, strict=False))
    usual = {1: "no-interpolation", 2: "weighted-sum", 3: "add-difference"}
    method = way.method or usual.get(len(refs), "average")
    step = DraftStep("result", method, tuple(models), _numbers(way))
    return Draft(models, (step,), baked.vae, tuple(map(adapter_of, baked.lora or ())), _output(way, written))


def _of_file(ref: str, way: Way, baked: Baked, written: Written) -> Draft:
    """A recipe file, with what the flags add to it."""
    from sdkeep.actions.recipes import draft_of
    from sdkeep.merge.draft import adapter_of
    from sdkeep.merge.recipe import Output

    if not way.is_nothing:
        raise UsageError(
            f"`{ref}` says how to merge, and so do the flags", "one of them has to give way",
            "change the recipe, or name the models instead",
        )  # fmt: skip
    draft = draft_of(Path(ref).expanduser())
    flags, plain = _output(way, written), _output(Way(), Written())
    merged = {
        name: getattr(flags, name) if getattr(flags, name) != getattr(plain, name) else getattr(draft.output, name)
        for name in ("precision", "ema", "prune", "discard", "compat")
    }
    adapters = (*draft.adapters, *map(adapter_of, baked.lora or ()))
    output = Output(merged["precision"], None, merged["ema"], merged["prune"], merged["discard"], merged["compat"])
    return replace(draft, vae=baked.vae or draft.vae, adapters=adapters, output=output)


def _numbers(way: Way) -> dict[str, Asked]:
    from sdkeep.merge.draft import Asked

    keys = tuple(_pattern(one) for one in way.keys or ())
    found = {name: Asked(value) for name, value in way.numbers.items()}
    if way.blocks or keys:
        found["alpha"] = Asked(way.alpha, way.blocks, keys)
    if way.beta_blocks:
        found["beta"] = Asked(way.beta, way.beta_blocks)
    return found


def _pattern(text: str) -> tuple[str, float]:
    pattern, equals, value = text.rpartition("=")
    try:
        return pattern, float(value if equals and pattern else "")
    except ValueError:
        raise UsageError(
            f"`{text}` is no weight for a tensor", "a pattern, `=` and a number belong there", "`--key 'attn2=0.7'`"
        ) from None


def _output(way: Way, written: Written) -> Output:
    from sdkeep.formats.selection import Ema
    from sdkeep.merge.blocks import Compat
    from sdkeep.merge.draft import one_of
    from sdkeep.merge.recipe import Output

    return Output(
        written.precision, None, one_of(Ema, written.ema, "ema"), written.prune, written.discard,
        one_of(Compat, way.compat, "compat"),
    )  # fmt: skip


def _nothing() -> Draft:
    from sdkeep.merge.draft import Draft

    return Draft({}, ())


def _chosen(word: str, flag: str) -> bool:
    if word not in ("refuse", "keep"):
        raise UsageError(f"`{word}` is nothing for `--{flag}`", "known are refuse, keep", f"`--{flag} keep`")
    return word == "keep"


def _whose(word: str) -> int | None:
    found = {"a": 0, "b": 1, "c": 2, "none": None}
    if word.lower() not in found:
        raise UsageError(f"`{word}` is nothing for `--config`", "known are a, b, c, none", "`--config none`")
    return found[word.lower()]


def _merge(face: Face, request: MergeRequest) -> Reply:
    from sdkeep.actions.merge import merge

    done = merge(face.house(), request)
    reply = Reply(data=done, show=lambda out: _show(out, done))
    reply.warnings = _warnings(done)
    if not done.dry_run:
        made = done.name or done.path
        reply.hints = [
            f"`sdkeep lineage {made}` draws what it was made from",
            f"`sdkeep merge --again {made}` proves it",
        ]
    return reply


def _warnings(done: MergedFile) -> list[str]:
    found = []
    if done.non_finite:
        found.append(f"{_tensors(done.non_finite)}: NaN or infinities of a model were merged")
    if done.overflowed:
        found.append(f"{_tensors(done.overflowed)}: numbers became too large for the precision")
    return found


def _tensors(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"in `{names[0]}`{more}"


def _show(out: Out, done: MergedFile) -> None:
    out.bare(done.name or done.path)
    for line in done.steps:
        out.line(line)
    word = "would hold" if done.dry_run else "holds"
    called = done.name or done.path or "the result"
    out.line(f"{called} {word} {done.tensors:,} tensors, {size_text(done.size)}", "good")
    out.line(f"  {done.merged:,} computed, {done.tensors - done.merged:,} kept as they are")
    out.line(f"  {EXACTNESS[done.exactness]}")
    if done.resumed:
        out.line("  an earlier run was gone on with")
    if done.config:
        out.line(f"  its configuration is in {done.config}")
    for note in done.notes:
        out.line(f"  {note}")
    for one in done.placed:
        out.line(f"  placed in {one.ui}: {one.path}")


EXACTNESS = {
    "everywhere": "the same bytes on any machine",
    "build": "the same bytes on this version of torch and kind of processor",
    "close": "numbers this close on any machine, not the same bytes",
}


def _check(face: Face, request: MergeRequest) -> Reply:
    from sdkeep.actions.merge import check_alignment

    pairs = check_alignment(face.house(), request)
    return Reply(data=list(pairs), show=lambda out: _show_pairs(out, pairs))


def _show_pairs(out: Out, pairs: tuple[Pair, ...]) -> None:
    for pair in pairs:
        out.line(f"{pair.first} and {pair.second}")
        rows = [
            (one.block, f"{one.cosine:.4f}", f"{one.distance:.4f}", str(one.tensors), "far apart" if one.far else "")
            for one in pair.blocks
        ]
        out.table(("block", "cosine", "distance", "tensors", ""), rows)
        far = [one.block for one in pair.blocks if one.far]
        out.bare(f"{min((one.cosine for one in pair.blocks), default=1):.4f}")
        if far:
            out.warning(f"`{pair.second}` is far from `{pair.first}` in {', '.join(far)}: averaging would blur it")


def _again(face: Face, path: str, refs: list[str], request: MergeRequest) -> Reply:
    from sdkeep.actions.recipes import again

    done = again(face.house(), path, refs, request)
    return Reply(data=done, show=lambda out: _show_again(out, done), status=0 if done.agrees else 1)


def _show_again(out: Out, done: Again) -> None:
    out.bare("same" if done.agrees else "different")
    for line in done.merged.steps:
        out.line(line)
    if done.agrees:
        out.line(f"{done.path} is what its recipe says, byte for byte", "good")
    else:
        out.line(f"{done.path} is not what its recipe makes here: they first differ in {done.differs}", "bad")
    out.line(f"  promised: {EXACTNESS[done.exactness]}")
