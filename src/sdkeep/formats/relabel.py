"""The same tensors under other metadata: what may be written there, and the new file with its payload as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.formats.output import Output, Sink
from sdkeep.formats.safetensors import Header, Slot, build_header
from sdkeep.ground.errors import FormatError, UsageError
from sdkeep.ground.events import Report, Stop, silent
from sdkeep.ground.source import Source

LONGEST_KEY = 200
OURS = "sdkeep."
"""Keys that say where a file came from, written by sdkeep alone."""

EDITED_FROM = "sdkeep.edited_from"
_LEGACY = "sshs_legacy_hash"
_HASHES = frozenset({"sshs_model_hash", _LEGACY, "modelspec.hash_sha256", "modelspec.hash_blake3"})
_READABLE = frozenset({"pt", "np", "tf", "flax", "mlx"})


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change: keys to write with their texts, and keys to take away. Build it with `edit_of`."""

    put: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()


def edit_of(pairs: tuple[str, ...], drop: tuple[str, ...] = ()) -> Edit:
    """The edit that `KEY=VALUE` texts and bare keys spell; raises `UsageError` for what must not be written."""
    put: dict[str, str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"`{pair}` has no `=`", "metadata is set as KEY=VALUE", f"`--unset-metadata {pair}`")
        if key in put:
            raise UsageError(f"`{key}` is set twice", "one of them would be lost", "give each key once")
        put[_key(key)] = _text(key, text)
    for key in drop:
        if _key(key) in put:
            raise UsageError(f"`{key}` is set and taken away", "it can only be one of them", "leave one of them out")
    return Edit(put, drop)


def _key(key: str) -> str:
    fault = ""
    if not key.strip() or key != key.strip():
        fault = "a key is a word without spaces around it"
    elif len(key) > LONGEST_KEY:
        fault = f"a key has {LONGEST_KEY} characters at most"
    elif not key.isprintable():
        fault = "it holds a character that cannot be printed"
    elif key.startswith("__"):
        fault = "names that begin with `__` belong to the file format"
    elif key.startswith(OURS):
        fault = "these keys say where a file came from, and sdkeep writes them itself"
    if fault:
        raise UsageError(f"`{key}` is no metadata key", fault, "`sdkeep show REF --metadata` lists those of a file")
    return key


def _text(key: str, text: str) -> str:
    fault = ""
    if key in _HASHES:
        fault = "a hash is computed from the tensors, never stated"
    elif key == "format" and text not in _READABLE:
        fault = "loaders refuse a format other than " + ", ".join(sorted(_READABLE))
    elif any(0xD800 <= ord(c) < 0xE000 for c in text):
        fault = "the text is no valid Unicode"
    elif any(not c.isprintable() and c not in "\n\t" and (ord(c) < 32 or 127 <= ord(c) < 160) for c in text):
        fault = "the text holds a control character"
    if fault:
        raise UsageError(f"`{key}` cannot be set to that", fault, f"`--unset-metadata {key}` takes it away")
    return text


def relabelled(metadata: Mapping[str, str], edit: Edit) -> tuple[dict[str, str], tuple[str, ...]]:
    """The metadata after an edit, and what else that changed.

    Hashes over the payload (`sshs_model_hash`, `modelspec.hash_sha256`) stay true. kohya's legacy hash also covers the
    `ss_` keys in an order that nobody recorded, so it goes when one of those changes.
    """
    after = {key: text for key, text in metadata.items() if key not in edit.drop} | dict(edit.put)
    notes = [f"there was no `{key}`" for key in edit.drop if key not in metadata]
    trained = any(after.get(key) != metadata.get(key) for key in {*metadata, *after} if key.startswith("ss_"))
    if trained and _LEGACY in after:
        del after[_LEGACY]
        notes.append(f"`{_LEGACY}` is taken away: it covered the `ss_` keys as they were")
    return after, tuple(notes)


def write_relabelled(
    source: Source,
    header: Header,
    out: Path,
    *,
    report: Report = silent,
    stop: Stop | None = None,
    hasher: Sink | None = None,
) -> int:
    """Write the tensors of `source` to the new file `out` under the metadata of `header`; its size in bytes.

    The payload is copied byte for byte, in the order it has. Raises `FormatError` for a file whose header is flawed.
    """
    flaw = next((flaw for flaw in header.flaws if flaw.grave), None)
    if flaw:
        next_step = f"`sdkeep scan '{source.name}'` lists what is wrong"
        raise FormatError(f"the header of `{source.name}` is flawed", flaw.why, next_step, rule=flaw.rule)
    spans = {tensor.name: tensor.span for tensor in header.tensors if tensor.span}
    placed = sorted(header.tensors, key=lambda one: (spans[one.name].offset, spans[one.name].length, one.name))
    front = build_header([Slot(one.name, one.dtype, one.shape) for one in placed], header.metadata)
    payload = source.size - header.data_start
    size = len(front) + payload
    with Output(out, size, report, stop, hasher) as output:
        output.write(front)
        output.copy(source, header.data_start, payload)
        output.commit()
    return size
