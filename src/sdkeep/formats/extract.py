"""The tensors of a pickled model by name, out of the abstract values its pickle builds.

Names are dotted paths. The wrappers that training code puts around a state dict are taken off the way WebUIs do it:
`state_dict` first, else the one of `WRAPPERS` that holds the tensors. Other layouts get names that can be undone:

    768 -> (state dict, state dict)   a hypernetwork: `768.0.linear.0.weight`, `768.1. ...`
    [tensor, tensor, ...]             `0`, `1`, ...
    tensor                            `tensor`
    string_to_param -> {"*": tensor}  an embedding: `emb_params`, the name the WebUIs read
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sdkeep.formats.abstract import Pairs, attributes, get, mapping, sequence, set_items, text
from sdkeep.formats.contents import Flaw, Tensor
from sdkeep.formats.pickled.values import CallNode, DictNode, GlobalNode, ListNode, SetNode, TupleNode, Value
from sdkeep.formats.tensors import Locate, TensorReader, is_tensor

Scalar = str | int | float | bool | None

WRAPPERS = ("state_dict", "params_ema", "params-ema", "params", "model", "net", "module")
"""Keys that hold the state dict in known training code, in the order the upscaler loaders of the WebUIs try them."""

BARE = "tensor"
EMBEDDING = "emb_params"

_VECTORS = "string_to_param"

_MOST_DEPTH = 64
_MOST_TENSORS = 500_000
_MOST_VALUES = 20_000_000
_MOST_UNWRAPS = 4
_MOST_TEXT = 4096
_MOST_LIST = 256


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a pickle holds: tensors in its own order, plain values beside them, what was left out and why."""

    tensors: tuple[Tensor, ...] = ()
    extras: dict[str, Scalar] = field(default_factory=dict)
    flaws: tuple[Flaw, ...] = ()
    notes: tuple[str, ...] = ()


def extract(root: Value, locate: Locate) -> Extraction:
    """Everything in `root` that a converted file keeps. `locate` finds the record of a storage key."""
    reader = TensorReader(locate)
    if is_tensor(root):
        return Extraction((reader.read(root, BARE),), {}, tuple(reader.flaws), ("one bare tensor, without a name",))
    bearing = _Bearing(root)
    notes: list[str] = []
    extras: dict[str, Scalar] = {}
    body = _unwrap(root, bearing, extras, notes)
    tensors: list[Tensor] = []
    for name, value in _named(body, bearing, reader.flaws):
        tensors.append(reader.read(value, name))
    if bearing.cut:
        reader.flaws.append(Flaw("budget-values", "the pickle builds more values than are looked through"))
    if _is_embedding(root, body, bearing) and len(tensors) == 1:
        tensors = [replace(tensors[0], name=EMBEDDING)]
    return Extraction(tuple(tensors), extras, tuple(reader.flaws), tuple(notes))


def _children(value: Value) -> list[tuple[Value, Value]]:
    """Named parts of a value: dict pairs, list items, and for objects their attributes or a module's own tensors."""
    if isinstance(value, GlobalNode) or not isinstance(value, ListNode | DictNode | TupleNode | SetNode | CallNode):
        return []
    pairs = mapping(value)
    if pairs is not None:
        return pairs
    items = sequence(value)
    if items is not None:
        return list(enumerate(items))
    found = attributes(value)
    if found is None:
        return []
    return _module_parts(found.pairs) if found.module else found.pairs


def _module_parts(pairs: Pairs) -> Pairs:
    """What `state_dict()` of a pickled module would list: parameters, buffers that persist, then its sub-modules."""
    transient = {text(item) for item in set_items(get(pairs, "_non_persistent_buffers_set"))}
    buffers = [(name, item) for name, item in mapping(get(pairs, "_buffers")) or [] if text(name) not in transient]
    return [*(mapping(get(pairs, "_parameters")) or []), *buffers, *(mapping(get(pairs, "_modules")) or [])]


class _Bearing:
    """Which values have a tensor somewhere below them. Each value is visited once, however often it is shared."""

    def __init__(self, root: Value) -> None:
        self.cut = False
        self._children: dict[int, list[tuple[Value, Value]]] = {}
        self._bearers: dict[int, list[tuple[Value, Value]]] = {}
        self._bearing: set[int] = set()
        self._survey(root)
        for mark in self._bearing & self._children.keys():
            self._bearers[mark] = [pair for pair in self._children[mark] if pair[1] in self]

    def __contains__(self, value: Value) -> bool:
        return id(value) in self._bearing

    def children(self, value: Value) -> list[tuple[Value, Value]]:
        """The named parts that have a tensor below them."""
        return self._bearers.get(id(value), [])

    def others(self, value: Value) -> list[tuple[Value, Value]]:
        """The named parts that have none."""
        return [(key, child) for key, child in self._children.get(id(value), []) if child not in self]

    def _survey(self, root: Value) -> None:
        parents: dict[int, list[int]] = {id(root): []}
        queue, found, seen = [root], [], 0
        while queue:
            value = queue.pop()
            if is_tensor(value):
                found.append(id(value))
                continue
            parts = _children(value)
            self._children[id(value)] = parts
            seen += len(parts)
            if seen > _MOST_VALUES:
                self.cut = True
                break
            for _, child in parts:
                if isinstance(child, str | bytes | int | float) or child is None:
                    continue
                if id(child) not in parents:
                    parents[id(child)] = []
                    queue.append(child)
                parents[id(child)].append(id(value))
        while found:
            mark = found.pop()
            if mark not in self._bearing:
                self._bearing.add(mark)
                found.extend(parents.get(mark, ()))


def _unwrap(root: Value, bearing: _Bearing, extras: dict[str, Scalar], notes: list[str]) -> Value:
    """The value that is the state dict, with the plain values met on the way put into `extras`."""
    body = root
    for _ in range(_MOST_UNWRAPS):
        pairs = bearing.children(body)
        _collect(bearing.others(body), extras)
        wrapper = _wrapper(pairs) if mapping(body) is not None else None
        if wrapper is None:
            break
        left = [_key_text(key) for key, _ in pairs if text(key) != wrapper]
        if left:
            notes.append(f"took the tensors of `{wrapper}` and left out {_listed(left)}")
        body = get(pairs, wrapper)
    return body


def _wrapper(pairs: Pairs) -> str | None:
    """The key whose value is the state dict, None when these pairs are the state dict themselves."""
    nested = {text(key) for key, value in pairs if not is_tensor(value)}
    if _VECTORS in nested:
        return _VECTORS
    found = next((key for key in WRAPPERS if key in nested), None)
    return found if found == "state_dict" or len(nested) == len(pairs) else None


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _collect(pairs: Pairs, extras: dict[str, Scalar]) -> None:
    for key, value in pairs:
        name = text(key)
        if name is None or len(name) > _MOST_TEXT or len(extras) >= _MOST_LIST:
            continue
        if _is_plain(value):
            extras.setdefault(name, _scalar(value))
        elif isinstance(value, ListNode | TupleNode) and _is_plain_list(value):
            extras.setdefault(name, json.dumps([_scalar(item) for item in value.items]))


def _is_plain_list(value: ListNode | TupleNode) -> bool:
    return 0 < len(value.items) <= _MOST_LIST and all(map(_is_plain, value.items))


def _is_plain(value: Value) -> bool:
    """Whether a value is a scalar of reasonable size."""
    if isinstance(value, str):
        return len(value) <= _MOST_TEXT
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 63)


def _scalar(value: Value) -> Scalar:
    """A plain value as it is; infinity and NaN, which JSON lacks, as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if isinstance(value, str | int) else None


def _named(body: Value, bearing: _Bearing, flaws: list[Flaw]) -> Iterator[tuple[str, Value]]:
    """Every tensor below `body` with its dotted path, depth first, in the pickle's order."""
    stack: list[tuple[str, Value, int]] = [("", body, 0)]
    found = 0
    while stack:
        path, value, depth = stack.pop()
        if is_tensor(value):
            found += 1
            if found > _MOST_TENSORS:
                flaws.append(Flaw("budget-tensors", f"more than {_MOST_TENSORS:,} tensors; the rest was not read"))
                return
            yield path, value
        elif depth >= _MOST_DEPTH:
            flaws.append(
                Flaw("budget-depth", f"`{path[:80]}`: nested deeper than {_MOST_DEPTH} levels", member=path[:80])
            )
        else:
            for key, child in reversed(bearing.children(value)):
                name = _key_text(key)
                if not isinstance(key, str | int | bytes) or isinstance(key, bool):
                    flaws.append(
                        Flaw("key-not-text", f"`{path}`: a key is no text but {name}", member=path, grave=False)
                    )
                stack.append((f"{path}.{name}" if path else name, child, depth + 1))


def _key_text(key: Value) -> str:
    found = text(key)
    if found is not None:
        return found
    if isinstance(key, GlobalNode):
        return key.dotted
    return str(key) if isinstance(key, int | float) or key is None else f"<{type(key).__name__}>"


def _is_embedding(root: Value, body: Value, bearing: _Bearing) -> bool:
    """Whether the tensors are a textual inversion's vectors; a single one goes under the name WebUIs read."""
    return get(bearing.children(root), _VECTORS) is body
