"""Files that torch wrote before version 1.6: five pickles in a row, then the storages; and the tar form before that.

    magic number, protocol 1001, sys_info, the object, the list of storage keys,
    then for each key: int64 number of elements, the elements little-endian

torch unpickles all five before it looks at any of them, so all five are read, and what stands behind the last storage
is looked at too. Since 0.1.10; torch/serialization.py `_legacy_load`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sdkeep.formats.abstract import get, mapping, natural, sequence, text
from sdkeep.formats.contents import Container, Span
from sdkeep.formats.draft import MOST_STACKED, Draft, is_binary_pickle, pickle_at
from sdkeep.formats.dtypes import item_size
from sdkeep.formats.pickled.values import EventKind, Reading, Value
from sdkeep.formats.tensors import Record, read_storage, storage_dtype

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_PARTS = ("magic number", "protocol version", "system information", "object", "storage keys")


def examine(draft: Draft) -> Container:
    """Read the five pickles and what follows them."""
    readings, at = _five(draft)
    if len(readings) < len(_PARTS):
        draft.flaw("legacy-short", f"the {_PARTS[len(readings) - 1]} pickle breaks off", at)
        return Container.TORCH_LEGACY
    _check_front(draft, readings)
    records, end = _storages(draft, readings[3], readings[4], at)
    draft.take(readings[3].root, records.get)
    _look_behind(draft, end)
    draft.unread.append(f"the numbers of {len(records):,} storages")
    return Container.TORCH_LEGACY


def _five(draft: Draft) -> tuple[list[Reading], int]:
    readings: list[Reading] = []
    at = 0
    for _ in _PARTS:
        reading = pickle_at(draft, at)
        readings.append(reading)
        at += reading.end
        if not reading.complete:
            return readings[: len(_PARTS) - 1], at
    return readings, at


def _check_front(draft: Draft, readings: list[Reading]) -> None:
    if readings[0].root != MAGIC or any(reading.events for reading in readings[:3]):
        draft.flaw("legacy-front", "magic number, protocol and system information are not plain values", 0)
    if readings[1].root != PROTOCOL:
        draft.flaw("legacy-protocol", f"the protocol is not {PROTOCOL}", readings[0].end)
    system = mapping(readings[2].root)
    if system is None:
        draft.flaw("legacy-front", "the system information is no dict", readings[0].end + readings[1].end)
    elif get(system, "little_endian") is False:
        draft.notes.append("written on a big-endian machine; torch stores such files little-endian all the same")
    if sequence(readings[4].root) is None or readings[4].events:
        draft.flaw("legacy-keys", "the storage keys are no plain list")


@dataclass(frozen=True, slots=True)
class _Need:
    item: int
    whole: int


def _needs(reading: Reading) -> dict[str, _Need]:
    """Element width and length of each root storage, as the object's persistent references name them."""
    needs: dict[str, _Need] = {}
    for event in reading.events:
        if event.kind is not EventKind.PERSISTENT:
            continue
        storage = read_storage(event.target)
        parts = sequence(getattr(event.target, "pid", None)) or []
        dtype = storage_dtype(parts[1]) if len(parts) > 1 else None
        if storage and dtype:
            needs.setdefault(storage.key, _Need(item_size(dtype) or 1, storage.whole))
    return needs


def _storages(draft: Draft, body: Reading, keys: Reading, at: int) -> tuple[dict[str, Record], int]:
    """Where each storage lies, by key, and where the last one ends."""
    needs, records = _needs(body), dict[str, Record]()
    for value in sequence(keys.root) or []:
        draft.check()
        key = _key(value)
        need = needs.get(key)
        if need is None:
            draft.flaw("legacy-keys", f"storage `{key}` is listed and nowhere used, so its length is unknown", at)
            break
        length = need.whole
        if draft.thorough:
            raw = draft.source.read_at(at, 8)
            length = int.from_bytes(raw, "little") * need.item
            if len(raw) < 8 or at + 8 + length > draft.source.size:
                draft.flaw("storage-truncated", f"storage `{key}` ends behind the end of the file", at)
                break
        if key in records:
            draft.flaw("legacy-keys", f"storage `{key}` is listed twice", at)
        records.setdefault(key, Record(Span(at + 8, length), length))
        at += 8 + length
    return records, at


def _key(value: Value) -> str:
    found = text(value)
    return found if found is not None else str(natural(value))


def _look_behind(draft: Draft, end: int) -> None:
    """Bytes after the last storage: nothing reads them but a second loader."""
    size = draft.source.size
    for _ in range(MOST_STACKED):
        if end >= size:
            return
        if not is_binary_pickle(draft.source.read_at(end, 2)):
            draft.flaw("trailing-bytes", f"{size - end:,} bytes follow the last storage", end)
            return
        draft.flaw("second-pickle", "another pickle follows the last storage", end)
        reading = pickle_at(draft, end)
        end += reading.end
        if not reading.complete:
            return
