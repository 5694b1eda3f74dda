"""The parents of a merge: opened, their headers read, and known for what they are. No weight is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.formats.contents import Container, Contents, Tensor
from sdkeep.formats.identify import identify
from sdkeep.formats.safetensors import read_header
from sdkeep.formats.selection import Ema, Selection, select
from sdkeep.formats.sniff import sniff
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError, UsageError
from sdkeep.ground.identity import Identity
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.text import one_line

ADAPTERS = frozenset({Kind.LORA, Kind.LYCORIS})


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """One parent: its file, its tensors by name, and what its structure shows it to be."""

    name: str
    path: Path
    source: FileSource
    tensors: Mapping[str, Tensor]
    identity: Identity
    metadata: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def stamp(self) -> list[object]:
        """What tells, without reading it, that the file is still the same."""
        info = self.path.stat()
        return [str(self.path.absolute()), info.st_size, info.st_mtime_ns]


@contextmanager
def opened(files: Sequence[tuple[str, Path]]) -> Iterator[tuple[Opened, ...]]:
    """Open files by the names to call them; raises the errors of reading them."""
    with ExitStack() as stack:
        yield tuple(_open(stack.enter_context(FileSource(path)), name, path) for name, path in files)


def _open(source: FileSource, name: str, path: Path) -> Opened:
    if sniff(source) is not Container.SAFETENSORS:
        raise FormatError(
            f"`{name}` is no safetensors file", "merging reads weights piece by piece, which only that form allows",
            f"`sdkeep convert '{path}'` makes one",
        )  # fmt: skip
    header = read_header(source)
    flaw = next((flaw for flaw in header.flaws if flaw.grave), None)
    if flaw:
        cut = flaw.rule == "payload-short"
        raise FormatError(
            f"`{name}` is {'cut short' if cut else 'damaged'}", flaw.why, "download it again, or `sdkeep verify` it",
            rule=flaw.rule,
        )  # fmt: skip
    contents = Contents(Container.SAFETENSORS, source.size, header.tensors, header.metadata)
    return Opened(name, path, source, {one.name: one for one in header.tensors}, identify(contents), header.metadata)


def with_average(parent: Opened, ema: Ema) -> Opened:
    """The parent with its averaged weights dropped, or used in place of the others where it has any."""
    if ema is Ema.KEEP:
        return parent
    averaged = any(name.startswith("model_ema.") for name in parent.tensors)
    chosen = ema if averaged else Ema.DROP
    selected = select(tuple(parent.tensors.values()), Selection(chosen))
    notes = tuple(f"`{parent.name}`: {note}" for note in selected.notes) if averaged else ()
    return replace(parent, tensors={one.name: one for one in selected.tensors}, notes=notes)


def check_alike(parents: Sequence[Opened]) -> None:
    """Refuse to merge what is not of one kind and architecture; raises `UsageError`, which says what each is."""
    first = parents[0]
    for one in parents:
        _check_model(one)
    for one in parents[1:]:
        ours, theirs = first.identity, one.identity
        if Family.UNKNOWN not in (ours.family, theirs.family) and ours.family is not theirs.family:
            raise UsageError(
                f"`{first.name}` is {_called(first)} and `{one.name}` is {_called(one)}",
                "their layers differ in number and size, so there is nothing to merge them by",
                "choose models of one family; `sdkeep show FILE` tells which it is",
            )
        kinds = {ours.kind, theirs.kind}
        if Kind.UNKNOWN not in kinds and len(kinds) > 1 and not kinds <= {Kind.CHECKPOINT, Kind.DIFFUSION_MODEL}:
            raise UsageError(
                f"`{first.name}` is a {ours.kind} and `{one.name}` is a {theirs.kind}",
                "only files of one kind can be merged", "`--vae FILE` puts a VAE into a checkpoint",
            )  # fmt: skip


def _check_model(one: Opened) -> None:
    kind = one.identity.kind
    if kind in ADAPTERS:
        raise UsageError(
            f"`{one.name}` is a {kind}, not a model", "it holds changes to a model's weights, not weights",
            f"`sdkeep merge MODEL --lora '{one.name}:0.8'` puts it on a model, `sdkeep lora` merges adapters",
        )  # fmt: skip
    if kind is Kind.EMBEDDING:
        raise UsageError(
            f"`{one.name}` is an embedding, not a model", "it holds words for a text encoder, not weights",
            "name a checkpoint",
        )  # fmt: skip
    for tensor in one.tensors.values():
        if tensor.span is None or tensor.dtype in ("F4", "F6_E2M3", "F6_E3M2", "F8_E8M0"):
            raise UsageError(
                f"`{one.name}` is quantised", f"`{one_line(tensor.name, 80)}` is stored as {tensor.dtype}",
                "merge the model it was made from",
            )  # fmt: skip


def _called(one: Opened) -> str:
    words = [str(one.identity.family).upper(), one.identity.variant]
    return " ".join(word for word in words if word)
