"""Tensors as torch pickles them: calls of `torch._utils._rebuild_*` over persistent references to storages.

Nothing is called. Each call's arguments are read as facts and checked against the storage they point into; what does
not fit leaves a tensor without a span and a flaw that says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sdkeep.formats.abstract import called, mapping, natural, naturals, sequence, text
from sdkeep.formats.contents import Flaw, Span, Tensor
from sdkeep.formats.dtypes import NUMPY_NAMES, STORAGES, TORCH_NAMES, byte_length, count, item_size
from sdkeep.formats.pickled.values import CallNode, GlobalNode, PersistentNode, Value


@dataclass(frozen=True, slots=True)
class Record:
    """Where a storage's bytes lie: `span` is None when it was not looked up, `size` its length once unpacked."""

    span: Span | None
    size: int
    big_endian: bool = False


Locate = Callable[[str], Record | None]
"""Finds the record of a storage key."""

_PLAIN = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"}
_WRAPPERS = {
    "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
    "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.autograd.variable.Variable",
}  # fmt: skip
_TYPED = {
    "torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2",
    "torch.tensor._rebuild_from_type", "torch.tensor._rebuild_from_type_v2",
}  # fmt: skip
_NUMPY = {"torch._utils._rebuild_device_tensor_from_numpy", "torch._utils._rebuild_xla_tensor"}
_REFUSED = {
    "torch._utils._rebuild_qtensor": ("tensor-quantized", "it is quantized"),
    "torch._utils._rebuild_sparse_tensor": ("tensor-sparse", "it is sparse"),
    "torch._utils._rebuild_sparse_csr_tensor": ("tensor-sparse", "it is sparse"),
    "torch._utils._rebuild_nested_tensor": ("tensor-nested", "it is a nested tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": ("tensor-meta", "it has a shape and no numbers"),
    "torch._utils._rebuild_wrapper_subclass": ("tensor-subclass", "it is a wrapper of a class of its own"),
}
_RECONSTRUCT = {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"}
_MOST_WRAPS = 8


def is_tensor(value: Value) -> bool:
    """Whether a value is a tensor of any kind, readable or not."""
    name = called(value)
    if name in _PLAIN or name in _REFUSED or name in _NUMPY or name in _TYPED:
        return True
    return name in _WRAPPERS and _wrapped(value) is not None


def _arguments(value: Value) -> list[Value]:
    return (sequence(value.args) or []) if isinstance(value, CallNode) else []


def _wrapped(value: Value) -> Value:
    """The innermost call inside parameters and typed wrappers, None when there is no tensor in it."""
    for _ in range(_MOST_WRAPS):
        name, arguments = called(value), _arguments(value)
        if name in _WRAPPERS:
            inner = next((item for item in arguments if isinstance(item, CallNode) and called(item)), None)
            if inner is None:
                return None
            value = inner
        elif name in _TYPED and len(arguments) > 2 and isinstance(arguments[0], GlobalNode):
            value = CallNode(arguments[0], arguments[2], None, "REDUCE", arguments[0].offset)
        else:
            return value if name in _PLAIN or name in _REFUSED or name in _NUMPY else None
    return None


class _Unreadable(Exception):
    """A tensor that cannot be had, with the flaw's rule, the reason and what is known of its dtype and shape."""

    def __init__(self, rule: str, why: str, grave: bool = True, dtype: str = "", shape: tuple[int, ...] = ()) -> None:
        super().__init__(why)
        self.rule = rule
        self.why = why
        self.grave = grave
        self.dtype = dtype
        self.shape = shape


@dataclass(slots=True)
class TensorReader:
    """Reads tensor calls of one pickle; flaws collect here, and storages keep the dtype they were first named with."""

    locate: Locate
    flaws: list[Flaw] = field(default_factory=list)
    _dtypes: dict[str, str] = field(default_factory=dict)

    def read(self, value: Value, name: str) -> Tensor:
        """The tensor `value` describes, under `name`; without a span (and with a flaw) when its bytes cannot be had."""
        try:
            return self._read(value, name)
        except _Unreadable as problem:
            offset = value.offset if isinstance(value, CallNode) else None
            self.flaws.append(Flaw(problem.rule, f"`{name}`: {problem.why}", offset, name, problem.grave))
            return Tensor(name, problem.dtype or "unknown", problem.shape)

    def _read(self, value: Value, name: str) -> Tensor:
        inner = _wrapped(value)
        maker, arguments = called(inner), _arguments(inner)
        if maker in _REFUSED:
            raise _Unreadable(*_REFUSED[maker], False, *_known(maker, arguments))
        if maker in _NUMPY:
            return replace(_from_numpy(arguments), name=name)
        if maker in _PLAIN:
            return self._plain(name, maker, arguments)
        raise _Unreadable("tensor-malformed", "its wrapper holds no tensor that torch would rebuild")

    def _plain(self, name: str, maker: str, arguments: list[Value]) -> Tensor:
        if len(arguments) < 4:
            raise _Unreadable("tensor-malformed", "an argument is missing")
        storage = self._storage(arguments[0])
        start, shape, strides = natural(arguments[1]), naturals(arguments[2]), naturals(arguments[3])
        if start is None or shape is None or strides is None or len(shape) != len(strides):
            raise _Unreadable("tensor-malformed", "offset, shape or strides are no whole numbers", dtype=storage.dtype)
        dtype, extra = storage.dtype, arguments[6:7]
        if maker.endswith("_v3"):
            dtype, extra = torch_dtype(arguments[6] if len(arguments) > 6 else None), arguments[7:8]
        if extra and any(flag for _, flag in mapping(extra[0]) or []):
            raise _Unreadable("tensor-lazy", "it is a conjugate or negated view", False, dtype, shape)
        record = self._record(storage, dtype, shape)
        start += storage.start // (item_size(dtype) or 1) if maker.endswith("_v3") else storage.start
        _check_bounds(start, shape, strides, dtype, min(record.size, storage.length))
        return Tensor(
            name=name,
            dtype=dtype,
            shape=shape,
            span=record.span,
            storage=storage.key,
            start=start,
            strides=None if is_contiguous(shape, strides) else strides,
            big_endian=record.big_endian and (item_size(dtype) or 1) > 1,
        )

    def _storage(self, value: Value) -> _Storage:
        storage = read_storage(value)
        if storage is None:
            raise _Unreadable("storage-unknown", "it does not refer to a storage in a form that torch writes")
        known = self._dtypes.setdefault(storage.key, storage.dtype)
        if known != storage.dtype:
            raise _Unreadable(
                "storage-dtype-conflict",
                f"storage `{storage.key}` is named as {known} and as {storage.dtype}",
                dtype=storage.dtype,
            )
        return storage

    def _record(self, storage: _Storage, dtype: str, shape: tuple[int, ...]) -> Record:
        if item_size(dtype) is None:
            raise _Unreadable("tensor-dtype", f"its dtype `{dtype}` is unknown", False, dtype, shape)
        record = self.locate(storage.key)
        if record is None and (count(shape) == 0 or storage.whole == 0):
            return Record(Span(0, 0), 0)
        if record is None:
            raise _Unreadable("storage-missing", f"storage `{storage.key}` is not in the file", True, dtype, shape)
        if record.size < storage.whole:
            raise _Unreadable(
                "storage-truncated",
                f"storage `{storage.key}` has {record.size:,} of {storage.whole:,} bytes",
                True, dtype, shape,
            )  # fmt: skip
        return record


def _known(name: str, arguments: list[Value]) -> tuple[str, tuple[int, ...]]:
    """Dtype and shape of a tensor that is refused, as far as its call gives them away."""
    if name.endswith("_no_storage") and len(arguments) > 1:
        return torch_dtype(arguments[0]), naturals(arguments[1]) or ()
    if name.endswith("_qtensor") and len(arguments) > 2:
        storage = read_storage(arguments[0])
        return storage.dtype if storage else "", naturals(arguments[2]) or ()
    if name.endswith("_sparse_tensor") and len(arguments) > 1:
        parts = sequence(arguments[1]) or []
        return "", next((size for size in map(naturals, parts) if size), ())
    return "", ()


@dataclass(frozen=True, slots=True)
class _Storage:
    """A storage as a persistent id names it.

    `start`, in elements, is where the view of it begins and `length`, in bytes of the root, where it ends; `whole` is
    the root's length in bytes.
    """

    key: str
    dtype: str
    start: int
    length: int
    whole: int


def read_storage(value: Value) -> _Storage | None:
    """The storage behind a persistent reference: `("storage", class, key, location, numel[, view])`.

    Files before torch 1.6 add a view, `(key, offset, size)` in elements, or None.
    """
    if not isinstance(value, PersistentNode):
        return None
    parts = sequence(value.pid)
    if parts is None or not 5 <= len(parts) <= 6 or text(parts[0]) != "storage":
        return None
    dtype, key, numel = storage_dtype(parts[1]), text(parts[2]), natural(parts[4])
    if dtype is None or numel is None or (key is None and natural(parts[2]) is None):
        return None
    whole = byte_length(dtype, numel)
    if whole is None:
        return None
    key = key if key is not None else str(natural(parts[2]))
    view = sequence(parts[5]) if len(parts) == 6 else None
    if view is None:
        return _Storage(key, dtype, 0, whole, whole)
    start = natural(view[1]) if len(view) == 3 else None
    length = natural(view[2]) if len(view) == 3 else None
    item = item_size(dtype) or 1
    if start is None or length is None or (start + length) * item > whole:
        return None
    return _Storage(key, dtype, start, (start + length) * item, whole)


def storage_dtype(value: Value) -> str | None:
    """The dtype a storage class stands for, None when it is none of torch's."""
    return STORAGES.get(value.name) if isinstance(value, GlobalNode) else None


def torch_dtype(value: Value) -> str:
    """The dtype that `torch.<name>` is, else `unknown`."""
    if isinstance(value, GlobalNode) and value.module == "torch":
        return TORCH_NAMES.get(value.name, value.name)
    return "unknown"


def is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether elements follow each other in row-major order; strides of dimensions of length 1 do not matter."""
    if 0 in shape:
        return True
    expected = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != expected:
            return False
        expected *= length
    return True


def extent(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> int:
    """Elements from the first to behind the last one a view touches; 0 for an empty one."""
    if 0 in shape:
        return 0
    if strides is None:
        return count(shape)
    return 1 + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))


def _check_bounds(start: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: str, size: int) -> None:
    reach = extent(shape, strides)
    item = item_size(dtype) or 1
    if count(shape) * item >= 1 << 63:
        raise _Unreadable("tensor-too-large", "its shape overflows", True, dtype, shape)
    if reach and (start + reach) * item > size:
        raise _Unreadable(
            "tensor-out-of-bounds",
            f"it reaches byte {(start + reach) * item:,} of a storage of {size:,}",
            True, dtype, shape,
        )  # fmt: skip


def _from_numpy(arguments: list[Value]) -> Tensor:
    """A tensor saved by way of numpy, as Apple's and Google's devices do: the bytes are a literal in the pickle."""
    array = arguments[0] if arguments else None
    wanted = torch_dtype(arguments[1]) if len(arguments) > 1 else "unknown"
    if called(array) not in _RECONSTRUCT or not isinstance(array, CallNode) or not array.states:
        raise _Unreadable("tensor-malformed", "its numpy array is not in the form that numpy writes")
    state = sequence(array.states[-1]) or []
    if len(state) != 5 or naturals(state[1]) is None:
        raise _Unreadable("tensor-malformed", "its numpy array has no shape", dtype=wanted)
    shape, data, order = naturals(state[1]) or (), literal_bytes(state[4]), _numpy_dtype(state[2])
    if data is None or order is None or byte_length(order[0], count(shape)) != len(data):
        raise _Unreadable(
            "tensor-malformed", "its numpy array has not the bytes its shape asks for", True, wanted, shape
        )
    if order[0] != wanted:
        raise _Unreadable(
            "tensor-recast", f"its numbers are stored as {order[0]} and meant as {wanted}", False, wanted, shape
        )
    fortran = state[3] is True and len(shape) > 1
    strides = tuple(count(shape[:place]) for place in range(len(shape))) if fortran else None
    return Tensor("", wanted, shape, Span(0, len(data)), "", 0, strides, order[1], literal=data)


def _numpy_dtype(value: Value) -> tuple[str, bool] | None:
    """Our code and whether big-endian, of `numpy.dtype("f4", False, True)` with its BUILD state."""
    arguments = _arguments(value)
    if called(value) != "numpy.dtype" or not arguments or not isinstance(value, CallNode):
        return None
    name = text(arguments[0]) or ""
    state = sequence(value.states[-1]) if value.states else None
    order = text(state[1]) if state and len(state) > 1 else name[:1]
    code = NUMPY_NAMES.get(name.lstrip("<>|="))
    return (code, order == ">") if code else None


def literal_bytes(value: Value) -> bytes | None:
    """Bytes as a pickle spells them: themselves, or `_codecs.encode(text, "latin1")` under protocol 2."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, CallNode) and called(value) == "_codecs.encode":
        arguments = _arguments(value)
        if len(arguments) == 2 and isinstance(arguments[0], str) and text(arguments[1]) in ("latin1", "latin-1"):
            try:
                return arguments[0].encode("latin1")
            except UnicodeEncodeError:
                return None
    return None
