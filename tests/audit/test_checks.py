"""Each argument check: what honest writers give passes, its neighbour does not."""

from __future__ import annotations

import pytest

from sdkeep.audit.checks import CHECKS, STATE_CHECKS, Bench, Exhausted, named, plain_state, storage
from sdkeep.audit.policy import load_policy
from sdkeep.formats.pickled.values import (
    CallNode,
    DictNode,
    GlobalNode,
    ListNode,
    PersistentNode,
    SetNode,
    TupleNode,
    UnknownNode,
    Value,
)


def name(dotted: str) -> GlobalNode:
    module, _, last = dotted.rpartition(".")
    return GlobalNode(module, last, 0)


def call(dotted: str, *arguments: Value) -> CallNode:
    return CallNode(name(dotted), TupleNode(arguments), None, "REDUCE", 0)


def row(*items: Value) -> TupleNode:
    return TupleNode(items)


RECORD = PersistentNode(row("storage", name("torch.FloatStorage"), "0", "cpu", 4), 0)
HOOKS = call("collections.OrderedDict")
HOOKED = call("collections.OrderedDict")
HOOKED.pairs.append((1, name("acme.hook")))
REBUILT = call("torch._utils._rebuild_tensor_v2", RECORD, 0, row(4), row(1), False, HOOKS)
SIZE = call("torch.Size", row(2, 3))
DTYPE = call("numpy.dtype", "f8", False, True)
LATIN = call("_codecs.encode", "x", "latin1")
CLEAR = ("torch.float8_e4m3fn",)

PASSING: list[tuple[str, tuple[Value, ...]]] = [
    (
        "plain",
        (None, True, 1, 1.5, "a", b"b", ListNode([row(1)]), DictNode([("k", SetNode([1]))]), name("torch.float16")),
    ),
    ("plain", (call("builtins.set", ListNode([1])), LATIN)),
    ("nothing", ()),
    ("ordered-dict", (ListNode([ListNode(["k", REBUILT])]),)),
    ("tensor", (RECORD, 0, row(4), row(1))),
    ("tensor", (RECORD, 0, SIZE, row(1), False, HOOKS, name(CLEAR[0]), DictNode())),
    ("tensor", (RECORD, 0, row(), row(), False, None)),
    ("tensor", (RECORD, 0, row(), row(), False, call("collections.OrderedDict", ListNode()))),
    ("parameter", (REBUILT, True, HOOKS)),
    ("parameter", (REBUILT, True, HOOKS, DictNode([("tag", 1)]))),
    ("rebuild", (call("torch.serialization._get_layout", "torch.sparse_coo"), row(REBUILT, ListNode([RECORD, 1])))),
    (
        "from-type",
        (name("torch._utils._rebuild_parameter"), name("torch.Tensor"), row(REBUILT, True, HOOKS), DictNode()),
    ),
    ("latin1", ("x", "latin1")),
    ("raw-bytes", ()),
    ("raw-bytes", (b"x",)),
    ("raw-bytes", (ListNode([1, 2]),)),
    ("factory", ()),
    ("factory", (None,)),
    ("factory", (name("builtins.list"), DictNode([("a", 1)]))),
    ("reconstructor", (name("argparse.Namespace"), name("builtins.object"), None)),
    ("numpy-array", (name("numpy.ndarray"), row(0), LATIN)),
    ("numpy-buffer", (b"12345678", DTYPE, row(1), "C")),
    ("numpy-scalar", (DTYPE, LATIN)),
    ("numpy-scalar", (call("numpy.dtypes.Float64DType"), b"12345678")),
    ("numpy-dtype", ("<U12", False, True)),
]

FAILING: list[tuple[str, tuple[Value, ...]]] = [
    ("plain", (name("acme.x"),)),
    ("plain", (ListNode([UnknownNode("?", 0)]),)),
    ("plain", (call("acme.x"),)),
    ("plain", (call("builtins.range", 1 << 40),)),
    ("nothing", (1,)),
    ("ordered-dict", (1,)),
    ("ordered-dict", (ListNode(), ListNode())),
    ("tensor", (RECORD, 0, row(4))),
    ("tensor", (RECORD,) * 9),
    ("tensor", (REBUILT, 0, row(4), row(1))),
    ("tensor", (RECORD, -1, row(4), row(1))),
    ("tensor", (RECORD, True, row(4), row(1))),
    ("tensor", (RECORD, 0, row("4"), row(1))),
    ("tensor", (RECORD, 0, row(*[1] * 65), row(1))),
    ("tensor", (RECORD, 0, row(4), row(1), False, HOOKED)),
    ("tensor", (RECORD, 0, row(4), row(1), False, call("collections.OrderedDict", 1, 2))),
    ("tensor", (RECORD, 0, row(4), row(1), False, HOOKS, name("acme.x"))),
    ("parameter", (RECORD, True)),
    ("parameter", (REBUILT,)),
    ("parameter", (REBUILT, True, HOOKED)),
    ("parameter", (REBUILT, True, HOOKS, 7)),
    ("rebuild", (row(name("acme.x")),)),
    ("from-type", (name("torch._utils._rebuild_parameter"), name("torch.Tensor"), ListNode(), None)),
    ("from-type", (name("builtins.set"), name("torch.Tensor"), row(), None)),
    ("from-type", (name("torch._utils._rebuild_parameter"), name("acme.Tensor"), row(REBUILT, True), None)),
    ("from-type", (name("torch._utils._rebuild_parameter"), name("torch.Tensor"), row(), None)),
    ("latin1", ("x", "utf-7")),
    ("latin1", (b"x", "latin1")),
    ("raw-bytes", (5,)),
    ("raw-bytes", (call("builtins.int", "99999999999"),)),
    ("raw-bytes", (b"x", name("acme.x"))),
    ("raw-bytes", (call("acme.x"),)),
    ("factory", (name("acme.x"),)),
    ("factory", (None, 1, 2)),
    ("reconstructor", (name("argparse.Namespace"), name("acme.x"), None)),
    ("reconstructor", (name("argparse.Namespace"), name("builtins.object"), call("acme.x"))),
    ("numpy-array", (name("numpy.memmap"), row(0), b"b")),
    ("numpy-array", (name("numpy.ndarray"), row(-1), b"b")),
    ("numpy-array", (name("numpy.ndarray"), row(0), b"O")),
    ("numpy-scalar", (DTYPE, ListNode())),
    ("numpy-scalar", (b"f8", b"12345678")),
    ("numpy-scalar", (call("numpy.dtype", "O8", False, True), b"12345678")),
    ("numpy-buffer", (b"12345678", DTYPE, row(1))),
    ("numpy-buffer", (ListNode(), DTYPE, row(1), "C")),
    ("numpy-buffer", (b"12345678", call("numpy.dtype", "O8", False, True), row(1), "C")),
    ("numpy-buffer", (b"12345678", DTYPE, row(-1), "C")),
    ("numpy-buffer", (b"12345678", DTYPE, row(1), "A")),
    ("numpy-dtype", ("O4",)),
    ("numpy-dtype", ("V",)),
    ("numpy-dtype", ()),
    ("numpy-dtype", (name("numpy.float64"),)),
    ("numpy-dtype", ("f8", "x")),
]


def bench() -> Bench:
    return Bench(load_policy())


@pytest.mark.parametrize(("check", "arguments"), PASSING)
def test_what_honest_writers_give_passes(check: str, arguments: tuple[Value, ...]) -> None:
    assert CHECKS[check](arguments, bench()) == ""


@pytest.mark.parametrize(("check", "arguments"), FAILING)
def test_anything_else_says_why_it_does_not(check: str, arguments: tuple[Value, ...]) -> None:
    why = CHECKS[check](arguments, bench())
    assert why and why[0].islower() and not why.endswith(".")


ARRAY = (1, row(2), DTYPE, False, b"1234567812345678")
FLAGS: tuple[Value, ...] = (3, "<", None, None, None, -1, -1, 0)


def with_(items: tuple[Value, ...], place: int, value: Value) -> TupleNode:
    return TupleNode((*items[:place], value, *items[place + 1 :]))


def test_the_state_of_an_array_is_numbers_only() -> None:
    check = STATE_CHECKS["numpy-array"]
    assert check(TupleNode(ARRAY), bench(), None) == ""
    for state in (
        None, row(1, 2), with_(ARRAY, 0, "x"), with_(ARRAY, 1, row(-1)), with_(ARRAY, 2, "O"), with_(ARRAY, 3, "x"),
        with_(ARRAY, 4, ListNode([1])),
    ):  # fmt: skip
        assert check(state, bench(), None)


def test_objects_of_an_array_are_values_and_never_bytes() -> None:
    check, state = STATE_CHECKS["numpy-array"], with_(ARRAY, 2, call("numpy.dtype", "O8", False, True))
    assert check(with_(state.items, 4, ListNode([1, None])), bench(), None) == ""
    assert "pointers" in check(state, bench(), None)


def test_the_state_of_a_dtype_has_no_fields_and_no_pointers() -> None:
    check = STATE_CHECKS["numpy-dtype"]
    assert check(TupleNode(FLAGS), bench(), DTYPE) == ""
    for state in (
        None, row(1), with_(FLAGS, 1, "?"), with_(FLAGS, 4, DictNode([("a", 1)])), with_(FLAGS, 4, row("a")),
        with_(FLAGS, 7, 63), with_(FLAGS, 7, 1), with_(FLAGS, 5, name("acme.x")),
    ):  # fmt: skip
        assert check(state, bench(), DTYPE), state


def test_flags_and_size_of_a_dtype_are_those_of_its_code() -> None:
    check = STATE_CHECKS["numpy-dtype"]
    objects, text = call("numpy.dtype", "O8", False, True), call("numpy.dtype", "U4", False, True)
    assert check(with_(FLAGS, 7, 63), bench(), objects) == ""
    assert check(with_(with_(FLAGS, 5, 16).items, 7, 8), bench(), text) == ""
    for state, target in (
        (with_(FLAGS, 7, 63), DTYPE), (with_(FLAGS, 7, 8), objects), (with_(FLAGS, 7, 0), objects),
        (with_(FLAGS, 5, 1 << 20), text), (with_(FLAGS, 5, -1), text),
    ):  # fmt: skip
        assert check(state, bench(), target)


def record(*fields: tuple[str, Value, Value], size: int = 12, flags: int = 16) -> TupleNode:
    described = DictNode([(key, row(dtype, at)) for key, dtype, at in fields])
    return row(3, "|", None, row(*(key for key, _, _ in fields)), described, size, 1, flags)


I4, F8 = call("numpy.dtype", "i4", False, True), call("numpy.dtype", "f8", False, True)


def test_a_record_has_numbers_inside_it_and_nothing_else() -> None:
    check, target = STATE_CHECKS["numpy-dtype"], call("numpy.dtype", "V12", False, True)
    array = row(3, "|", row(I4, row(3)), None, None, 12, 4, 0)
    for state in (record(("a", I4, 0), ("b", F8, 4)), row(3, "|", None, None, None, 12, 1, 0), array):
        assert check(state, bench(), target) == ""
    objects = call("numpy.dtype", "O8", False, True)
    for state in (
        record(("a", I4, 0), size=16), record(("a", I4, 0), flags=63), record(("a", I4, 0), flags=17),
        record(("a", F8, 8)), record(("a", I4, -1)), record(("a", objects, 0)), record(("a", "i4", 0)),
        with_(record(("a", I4, 0)).items, 3, None), with_(record(("a", I4, 0)).items, 3, row("a", "b")),
        with_(array.items, 2, row(F8, row(3))), with_(array.items, 2, row(I4, row(-3))), with_(array.items, 2, row(I4)),
        with_(array.items, 3, row("a")), with_(record(("a", I4, 0)).items, 6, name("acme.x")),
    ):  # fmt: skip
        assert check(state, bench(), target), state


def test_a_plain_state_names_no_special_attribute() -> None:
    assert plain_state(None, bench()) == plain_state(DictNode([("a", REBUILT)]), bench()) == ""
    assert plain_state(row(None, DictNode([("slot", 1)])), bench()) == ""
    for state in (
        7,
        row(1, 2),
        DictNode([(1, 2)]),
        DictNode([("__setstate__", 1)]),
        row(None, DictNode([("__class__", 1)])),
    ):
        assert plain_state(state, bench())


def test_a_storage_reference_has_one_form() -> None:
    assert storage(RECORD.pid, bench()) == ""
    parts = ("storage", name("torch.FloatStorage"), "0", "cpu", 4)
    assert storage(TupleNode((*parts, None)), bench()) == ""
    assert storage(TupleNode((*parts, row("v", 0, 1))), bench()) == ""
    for pid in (
        "storage", row("module", name("torch.FloatStorage")), with_(parts, 0, "other"),
        with_(parts, 1, name("acme.FloatStorage")),
        with_(parts, 1, name("torch.float16")), with_(parts, 2, None), with_(parts, 3, 1), with_(parts, 4, -1),
        TupleNode((*parts, name("acme.x"))),
    ):  # fmt: skip
        assert storage(pid, bench())


def test_a_dotted_name_is_no_key_of_the_policy() -> None:
    assert named(GlobalNode("torch", "_utils._rebuild_parameter", 0)) == "torch:_utils._rebuild_parameter"
    assert named("os.system") == ""


def test_checking_is_paid_for() -> None:
    poor = Bench(load_policy(), steps=10)
    with pytest.raises(Exhausted):
        CHECKS["plain"]((ListNode([1] * 20),), poor)
    with pytest.raises(Exhausted):
        plain_state(DictNode([("a", 1)] * 20), Bench(load_policy(), steps=10))
