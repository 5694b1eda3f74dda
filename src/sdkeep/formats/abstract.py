"""Ways to look at the abstract values of a pickle: as numbers, texts, sequences, mappings, objects."""

from __future__ import annotations

from dataclasses import dataclass

from sdkeep.formats.pickled.values import CallNode, DictNode, GlobalNode, ListNode, SetNode, TupleNode, Value

Pairs = list[tuple[Value, Value]]

_MAPPINGS = frozenset({
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict", "__builtin__.dict",
})  # fmt: skip
_NEW = frozenset({"copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__", "copy_reg.__newobj__"})


def called(value: Value) -> str:
    """`module.name` of what made this value, empty for what no call made.

    An object made by way of `copyreg` is said to be made by its class.
    """
    if not isinstance(value, CallNode) or not isinstance(value.callable, GlobalNode):
        return ""
    maker = value.callable.dotted
    if maker in _NEW:
        arguments = sequence(value.args)
        if arguments and isinstance(arguments[0], GlobalNode):
            return arguments[0].dotted
    return maker


def sequence(value: Value) -> list[Value] | None:
    """The items of a tuple, list or `torch.Size`, None for anything else."""
    if isinstance(value, ListNode):
        return value.items
    if isinstance(value, TupleNode):
        return list(value.items)
    if called(value) == "torch.Size" and isinstance(value, CallNode):
        inner = sequence(value.args)
        return sequence(inner[0]) if inner else []
    if isinstance(value, CallNode) and value.items and not value.pairs:
        return value.items
    return None


def naturals(value: Value) -> tuple[int, ...] | None:
    """A sequence of whole numbers from 0 to 2**63 - 1, None for anything else."""
    items = sequence(value)
    if items is None or len(items) > 64:
        return None
    numbers = tuple(item for item in items if type(item) is int and 0 <= item < 1 << 63)
    return numbers if len(numbers) == len(items) else None


def natural(value: Value) -> int | None:
    """A whole number from 0 to 2**63 - 1, None for anything else; `True` is no number."""
    return value if type(value) is int and 0 <= value < 1 << 63 else None


def text(value: Value) -> str | None:
    """A text, or ASCII bytes as Python 2 wrote them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes) and value.isascii():
        return value.decode("ascii")
    return None


def mapping(value: Value) -> Pairs | None:
    """The pairs of a dict or dict-like object in Python's order, a later pair in place of an earlier equal key."""
    if isinstance(value, DictNode):
        return _last_wins(value.pairs)
    if not isinstance(value, CallNode):
        return None
    if called(value) in _MAPPINGS:
        return _last_wins([*_initial(value), *value.pairs])
    return _last_wins(value.pairs) if value.pairs else None


def _initial(call: CallNode) -> Pairs:
    """What a mapping was called with: `OrderedDict([[key, value], ...])` in old files, else nothing."""
    pairs: Pairs = []
    for argument in sequence(call.args) or []:
        if isinstance(argument, DictNode):
            pairs.extend(argument.pairs)
        for item in sequence(argument) or []:
            pair = sequence(item)
            if pair and len(pair) == 2:
                pairs.append((pair[0], pair[1]))
    return pairs


def _last_wins(pairs: Pairs) -> Pairs:
    found: dict[object, tuple[Value, Value]] = {}
    for key, value in pairs:
        identity = key if isinstance(key, str | bytes | int | float) or key is None else _key_identity(key)
        found[identity] = (found[identity][0] if identity in found else key, value)
    return list(found.values())


def _key_identity(key: Value) -> tuple[str, object]:
    return ("global", key.dotted) if isinstance(key, GlobalNode) else ("node", id(key))


def get(pairs: Pairs, key: str) -> Value:
    """The value under `key`, None when there is none."""
    return next((value for name, value in pairs if text(name) == key), None)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What BUILD laid on an object; `module` when it is the state of a torch module."""

    pairs: Pairs
    module: bool


def attributes(value: Value) -> Attributes | None:
    """The attributes of an object, None for what has none."""
    if not isinstance(value, CallNode) or not value.states:
        return None
    pairs: Pairs = []
    for state in value.states:
        for part in state.items if isinstance(state, TupleNode) else (state,):
            pairs.extend(mapping(part) or [])
    pairs = _last_wins(pairs)
    return Attributes(pairs, any(text(key) in ("_parameters", "_modules") for key, _ in pairs))


def set_items(value: Value) -> list[Value]:
    """The items of a set, given as a set or as the call `set([...])`."""
    if isinstance(value, SetNode):
        return value.items
    if isinstance(value, CallNode) and called(value).endswith((".set", ".frozenset")):
        arguments = sequence(value.args)
        return (sequence(arguments[0]) or []) if arguments else []
    return []
