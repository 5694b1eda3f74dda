"""Digests of tensors, whatever file they lie in: equal for twins in another container, pruned, or of half precision.

Each tensor has a hash: the SHA-256 of its numbers, row-major and little-endian. A digest is the SHA-256 over one line
for each tensor, in the order of names as UTF-8 bytes:

    name, tab, number format, tab, dimensions joined by commas, tab, hash in hex, line feed

    tensors   every tensor as it is
    core      the same without averaged weights (`model_ema.*`)
    half      core, floating-point numbers rounded to F16 (to the nearest, ties to even); the format reads `float`
    brain     core, the same with BF16

A file with averaged weights has `core`, `half` and `brain` twice: of the weights as trained, and with their averages in
their place, since files are pruned both ways. Two files with one `half` are twins in F16 of each other or of a wider
third; so are those with one `brain` in BF16. F16 and BF16 of the same F32 match neither way: both have lost something.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sdkeep.formats.casts import cast
from sdkeep.formats.contents import Contents, Tensor
from sdkeep.formats.dtypes import FLOATS
from sdkeep.formats.gather import Gatherer
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Stop
from sdkeep.ground.source import Source

AVERAGE, _MODEL = "model_ema.", "model."


@dataclass(frozen=True, slots=True)
class _Hashed:
    """One tensor: its exact hash, and those of its numbers rounded to F16 and BF16."""

    tensor: Tensor
    exact: str
    half: str
    brain: str


def shape_of(contents: Contents) -> str:
    """A digest of the names and dimensions alone, averages aside: twins of any sort share it. Reads no tensor."""
    core = _core(contents.tensors)
    lines = sorted(f"{one.name}\t{','.join(map(str, one.shape))}\n".encode("utf-8", "surrogatepass") for one in core)
    return hashlib.sha256(b"".join(lines)).hexdigest() if lines else ""


def tensor_digests(
    source: Source,
    contents: Contents,
    folder: Path,
    *,
    moved: Callable[[int], None] = lambda _done: None,
    stop: Stop | None = None,
) -> tuple[Digest, ...]:
    """The digests of a file's tensors, read once; none for a file without any. `folder` takes temporary files.

    Raises `FormatError` for tensors that cannot be read.
    """
    if not contents.tensors:
        return ()
    hashed: dict[str, _Hashed] = {}
    done = 0
    with Gatherer(source, folder, stop) as gatherer:
        for tensor in contents.tensors:
            if tensor.name in hashed:
                raise FormatError(f"two tensors are called `{tensor.name}`")
            hashed[tensor.name], length = _hash(gatherer, tensor)
            done += length
            moved(done)
    core = {name: one for name, one in hashed.items() if not name.startswith(AVERAGE)}
    found = {Digest(DigestKind.TENSORS, _combined(hashed.items(), lambda one: one.exact, exact=True))}
    for chosen in (core, _averaged(hashed, core)):
        found.add(Digest(DigestKind.CORE, _combined(chosen.items(), lambda one: one.exact, exact=True)))
        found.add(Digest(DigestKind.HALF, _combined(chosen.items(), lambda one: one.half, exact=False)))
        found.add(Digest(DigestKind.BRAIN, _combined(chosen.items(), lambda one: one.brain, exact=False)))
    return tuple(sorted(found))


def _core(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [one for one in tensors if not one.name.startswith(AVERAGE)]


def _averaged(hashed: dict[str, _Hashed], core: dict[str, _Hashed]) -> dict[str, _Hashed]:
    """The core with each weight's average in its place, where there is one."""
    return {
        name: hashed.get(AVERAGE + name.removeprefix(_MODEL).replace(".", ""), one) if name.startswith(_MODEL) else one
        for name, one in core.items()
    }


def _hash(gatherer: Gatherer, tensor: Tensor) -> tuple[_Hashed, int]:
    exact, half, brain = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    length = 0
    rounds = tensor.dtype in FLOATS
    for piece in gatherer.pieces(tensor):
        if gatherer.stop:
            gatherer.stop.check()
        length += len(piece)
        exact.update(piece)
        if rounds and tensor.dtype != "F16":
            half.update(cast(piece, tensor.dtype, "F16").data)
        if rounds and tensor.dtype != "BF16":
            brain.update(cast(piece, tensor.dtype, "BF16").data)
    whole = exact.hexdigest()
    return _Hashed(
        tensor,
        whole,
        half.hexdigest() if rounds and tensor.dtype != "F16" else whole,
        brain.hexdigest() if rounds and tensor.dtype != "BF16" else whole,
    ), length


def _combined(chosen: Iterable[tuple[str, _Hashed]], value: Callable[[_Hashed], str], *, exact: bool) -> str:
    digest = hashlib.sha256()
    for name, one in sorted(chosen, key=lambda pair: pair[0].encode("utf-8", "surrogatepass")):
        form = one.tensor.dtype if exact or one.tensor.dtype not in FLOATS else "float"
        shape = ",".join(map(str, one.tensor.shape))
        digest.update(f"{name}\t{form}\t{shape}\t{value(one)}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
