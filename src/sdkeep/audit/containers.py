"""What the container and its flaws say by themselves, before any pickle in it is heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from sdkeep.audit.policy import Policy, fits
from sdkeep.audit.ruling import Ruling, note, suspicious, warning
from sdkeep.formats.contents import Container, Contents, Flaw
from sdkeep.ground.verdict import Outcome

_MOST_OF_A_KIND = 50
_PICKLED = {Container.TORCH_ZIP, Container.TORCH_LEGACY, Container.PICKLE}
_ARRAYS = {Container.NUMPY, Container.NUMPY_ZIP}
_AGAIN = "fetch it again from where it is published"
_MALFORMED = {
    Container.HTML: f"this is a web page, not a model: a login or an error was saved in its place; {_AGAIN}",
    Container.LFS_POINTER: "this is a Git LFS pointer, not the model it points to; `sdkeep get` fetches that",
    Container.EMPTY: f"the file is empty; {_AGAIN}",
}
_OTHERWISE_FINE = {
    Container.TEXT: "plain text",
    Container.YAML: "a configuration text",
    Container.PNG: "a picture",
    Container.JPEG: "a picture",
    Container.WEBP: "a picture",
}
"""What nothing is wrong with, unless its name promises a model."""
_UNSUPPORTED = {
    Container.TORCH_TAR: "torch wrote such files before version 0.1.10",
    Container.ONNX: "sdkeep does not read ONNX",
    Container.ZIP: "this is an archive of files, not a model",
    Container.TAR: "this is an archive of files, not a model",
    Container.SEVEN_ZIP: "this is an archive of files, not a model",
    Container.RAR: "this is an archive of files, not a model",
    Container.GZIP: "this is a compressed file, not a model",
    Container.ZLIB: "this is a compressed file, not a model",
    Container.BZIP2: "this is a compressed file, not a model",
    Container.XZ: "this is a compressed file, not a model",
    Container.LZ4: "lz4 is not unpacked; joblib writes so when it is asked to, and can write zlib, which sdkeep reads",
    Container.ZSTD: "zstd is not unpacked",
    Container.ZFILE: "joblib wrote such files before version 0.10; load and dump it with a newer one",
    Container.JSON: "this is a JSON text, not a model",
    Container.UNKNOWN: "no form that sdkeep knows",
}


def judge_container(contents: Contents, policy: Policy, name: str = "") -> Iterator[Ruling]:
    """Rulings on the form of the file, and on what its name promises."""
    container = contents.container
    yield from _flaws(contents.flaws, container, policy)
    if container in _MALFORMED:
        yield warning(Outcome.MALFORMED, f"container-{container}", _MALFORMED[container])
    elif container in _UNSUPPORTED and contents.packed is not Container.PICKLE:
        yield warning(Outcome.UNSUPPORTED, f"container-{container}", _UNSUPPORTED[container])
    elif container in _OTHERWISE_FINE and not contents.tensors and name.lower().endswith(policy.model_names):
        why = f"its name promises a model, and this is {_OTHERWISE_FINE[container]}; {_AGAIN}"
        yield warning(Outcome.MALFORMED, f"container-{container}", why)
    elif container is Container.TORCHSCRIPT:
        yield suspicious("torchscript", "a TorchScript archive is a program, which torch runs when it is used")
    elif container is Container.GGUF and not contents.tensors:
        yield warning(Outcome.UNSUPPORTED, "container-gguf", "the GGUF header lists no tensors that sdkeep can read")
    elif container in _ARRAYS and not (contents.tensors or contents.pickles):
        yield warning(Outcome.UNSUPPORTED, f"container-{container}", "there is no array in it that sdkeep can read")
    elif container in _PICKLED and not contents.pickles:
        yield warning(Outcome.MALFORMED, "no-pickle", "there is no pickle that could be read")


def _flaws(flaws: tuple[Flaw, ...], container: Container, policy: Policy) -> Iterator[Ruling]:
    """A ruling on each, the first of every kind where a file has thousands of one."""
    counts = Counter((flaw.rule, flaw.grave) for flaw in flaws)
    met: Counter[tuple[str, bool]] = Counter()
    for flaw in flaws:
        kind = (flaw.rule, flaw.grave)
        met[kind] += 1
        if met[kind] < _MOST_OF_A_KIND or counts[kind] == met[kind] == _MOST_OF_A_KIND:
            yield _flaw(flaw, container, policy)
        elif met[kind] == _MOST_OF_A_KIND:
            more = counts[kind] - _MOST_OF_A_KIND
            yield _flaw(replace(flaw, why=f"{flaw.why} (and {more:,} more like it)"), container, policy)


def _flaw(flaw: Flaw, container: Container, policy: Policy) -> Ruling:
    if not flaw.grave:
        ruling = note(flaw.rule, flaw.why)
    elif fits(flaw.rule, policy.flaws_unread):
        ruling = warning(Outcome.INCONCLUSIVE, flaw.rule, flaw.why)
    elif _is_damage(flaw, container, policy):
        ruling = warning(Outcome.MALFORMED, flaw.rule, flaw.why)
    else:
        ruling = suspicious(flaw.rule, flaw.why)
    return Ruling(ruling.outcome, replace(ruling.finding, member=flaw.member, file_offset=flaw.offset))


def _is_damage(flaw: Flaw, container: Container, policy: Policy) -> bool:
    if container is Container.SAFETENSORS:  # nothing in it runs, so a wrong header misleads nobody but the reader
        return flaw.rule != "two-containers"
    return fits(flaw.rule, policy.flaws_damaged)
