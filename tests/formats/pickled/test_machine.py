"""The abstract machine against the real pickler's output, and against everything that breaks unpicklers."""

from __future__ import annotations

import collections
import pickle
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.pickled.budget import Budget
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.opcodes import OPCODES
from sdkeep.formats.pickled.values import (
    CallNode,
    DictNode,
    EventKind,
    GlobalNode,
    ListNode,
    PersistentNode,
    Reading,
    SetNode,
    TupleNode,
    UnknownNode,
    Value,
)
from tests.makers.pickles import Assembler, assemble, calling, frame_divergence

PROTOCOLS = range(6)
_PYTHON_2 = {"builtins.set": set, "builtins.frozenset": frozenset, "builtins.bytes": bytes}


def concrete(value: Value) -> object:
    """Plain Python data out of nodes; protocols below 3 write sets and bytes as calls."""
    match value:
        case ListNode():
            return [concrete(item) for item in value.items]
        case TupleNode():
            return tuple(concrete(item) for item in value.items)
        case DictNode():
            return {concrete(key): concrete(item) for key, item in value.pairs}
        case SetNode():
            return (frozenset if value.frozen else set)(concrete(item) for item in value.items)
        case CallNode(callable=GlobalNode() as name, args=TupleNode() as args):
            given_ = [concrete(item) for item in args.items]
            if name.dotted == "_codecs.encode":
                return str(given_[0]).encode(str(given_[1]))
            return _PYTHON_2[name.dotted](*given_)
        case _:
            return value


constants = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**3000), max_value=2**3000)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[]))
    | st.binary()
)
hashable = st.recursive(constants, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)
plain = st.recursive(
    constants | st.sets(hashable, max_size=4) | st.frozensets(hashable, max_size=4),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(hashable, inner),
    max_leaves=25,
)


@given(plain, st.sampled_from(PROTOCOLS))
def test_plain_data_come_back_as_they_were_dumped(data: object, protocol: int) -> None:
    reading = read_pickle(pickle.dumps(data, protocol))
    assert reading.complete and not reading.problems
    assert concrete(reading.root) == data
    assert repr(concrete(reading.root)) == repr(data) or isinstance(data, (set, frozenset, dict, list, tuple))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_big_objects_between_frames_are_no_mismatch(protocol: int) -> None:
    data = [1, b"y" * 100_000, "z" * 100_000, list(range(70_000)), 2]
    reading = read_pickle(pickle.dumps(data, protocol))
    assert not reading.problems
    assert concrete(reading.root) == data


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_shared_list_stays_one_node(protocol: int) -> None:
    shared: list[object] = []
    root = read_pickle(pickle.dumps([shared, shared], protocol)).root
    assert isinstance(root, ListNode) and root.items[0] is root.items[1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_list_that_holds_itself_is_read(protocol: int) -> None:
    cyclic: list[object] = []
    cyclic.append((cyclic,))
    root = read_pickle(pickle.dumps(cyclic, protocol)).root
    assert isinstance(root, ListNode) and isinstance(root.items[0], TupleNode)
    assert root.items[0].items[0] is root


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ordered_dict_is_a_call_that_collects_its_pairs(protocol: int) -> None:
    root = read_pickle(pickle.dumps(collections.OrderedDict(a=1, b=2), protocol)).root
    assert isinstance(root, CallNode) and isinstance(root.callable, GlobalNode)
    assert root.callable.dotted == "collections.OrderedDict"
    assert root.pairs == [("a", 1), ("b", 2)] or protocol == 0


def test_the_table_has_every_opcode_of_the_standard_library_under_its_name() -> None:
    import pickletools

    ours = {(opcode.code, opcode.name, opcode.protocol) for opcode in OPCODES}
    assert ours == {(ord(opcode.code), opcode.name, opcode.proto) for opcode in pickletools.opcodes}
    assert len(OPCODES) == 68


def one(code: bytes, protocol: int = 2) -> Value:
    reading = read_pickle(assemble(protocol).raw(code).stop())
    assert reading.complete, reading.problems
    return reading.root


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (b"I00\n", False),
        (b"I01\n", True),
        (b"I1\n", 1),
        (b"I001\n", 1),
        (b"I010\n", 8),
        (b"I0x1f\n", 31),
        (b"I -7\n", -7),
        (b"I1_000\n", 1000),
        (b"I0b11\n", 3),
        (b"I99999999999999999999\n", 99999999999999999999),
        (b"L12L\n", 12),
        (b"L12\n", 12),
        (b"L-0x10L\n", -16),
        (b"F1.5\n", 1.5),
        (b"F-.5e3\n", -500.0),
        (b"Finf\n", float("inf")),
        (b"S'a'\n", "a"),
        (b'S"a\'b"\n', "a'b"),
        (b"S'\\x41\\n\\101\\q\\''\n", "A\nA\\q'"),
        (b"S'\\377'\n", b"\xff"),
        (b"Vb\\u00e9\\U0001f600\n", "bé😀"),
        (b"V\xe9\n", "é"),
        (b"\x8a\x00", 0),
        (b"\x8a\x01\xff", -1),
        (b"\x8b\x02\x00\x00\x00\x00\x80", -32768),
        (b"T\x01\x00\x00\x00a", "a"),
        (b"U\x01a", "a"),
        (b"X\x03\x00\x00\x00\xed\xa0\x80", "\ud800"),
        (b"\x8d" + struct.pack("<Q", 1) + b"a", "a"),
        (b"\x8e" + struct.pack("<Q", 1) + b"a", b"a"),
        (b"\x96" + struct.pack("<Q", 1) + b"a", b"a"),
        (b"G?\xf0\x00\x00\x00\x00\x00\x00", 1.0),
        (b"M\x01\x02", 513),
    ],
)
def test_literals_are_read_as_the_c_unpickler_reads_them(code: bytes, value: Value) -> None:
    found = one(code)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "code",
    [
        b"I\n",
        b"I1x\n",
        b"I\xb2\n",
        b"L\n",
        b"L5000" + b"0" * 5000 + b"\n",
        b"F1e999\n",
        b"F1_0\n",
        b"F 1\n",
        b"Sa\n",
        b"S'a\n",
        b"S'a\"\n",
        b"S'\\x4'\n",
        b"S'\\'\n",
        b"V\\u12\n",
        b"X\x01\x00\x00\x00\xff",
        b"c\n\n",
        b"c\xff\nb\n",
        b"cos\n\n",
        b"P\xff\n",
        b"Ng-1\n",
        b"Np-1\n",
        b"Npx\n",
    ],
)
def test_a_broken_literal_is_a_problem(code: bytes) -> None:
    assert [problem.rule for problem in read_pickle(b"\x80\x02" + code + b".").problems] == ["bad-literal"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("truncated", b""),
        ("truncated", b"N"),
        ("truncated", b"X\x05\x00\x00\x00ab."),
        ("truncated", b"I5"),
        ("truncated", b"K"),
        ("truncated", b"\x8c"),
        ("stack-underflow", b"."),
        ("no-mark", b"0N."),
        ("stack-underflow", b"2."),
        ("stack-underflow", b"\x85."),
        ("stack-underflow", b"N\x86."),
        ("stack-underflow", b"(o."),
        ("stack-underflow", b"R."),
        ("stack-underflow", b"a."),
        ("stack-underflow", b"N(q\x00."),
        ("stack-underflow", b"N(K\x01RN."),
        ("no-mark", b"t."),
        ("no-mark", b"N1."),
        ("no-memo", b"h\x00."),
        ("no-memo", b"g7\n."),
        ("odd-items", b"(Nd."),
        ("odd-items", b"}(Nu."),
        ("unknown-opcode", b"\xff."),
        ("bad-protocol", b"\x80\x06N."),
        ("bad-size", b"\x8b\xff\xff\xff\xff."),
        ("bad-size", b"T\xff\xff\xff\xff."),
    ],
)
def test_a_program_that_cannot_go_on_ends_with_its_problem(rule: str, code: bytes) -> None:
    reading = read_pickle(code)
    assert not reading.complete and reading.root is None
    assert reading.problems[-1].rule == rule


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("stack-not-empty", b"NN."),
        ("stack-not-empty", b"(N."),
        ("memo-overwritten", b"K\x01q\x00K\x02q\x00."),
        ("out-of-band", b"\x97."),
        ("frame-truncated", b"\x95\xff\x00\x00\x00\x00\x00\x00\x00N."),
    ],
)
def test_an_oddity_is_a_problem_and_the_reading_goes_on(rule: str, code: bytes) -> None:
    reading = read_pickle(code)
    assert reading.complete
    assert rule in [problem.rule for problem in reading.problems]


def test_writing_the_same_value_to_a_memo_entry_again_is_no_problem() -> None:
    assert not read_pickle(b"K\x01q\x00q\x00.").problems


def events(reading: Reading) -> list[tuple[EventKind, str, int]]:
    return [(event.kind, event.opcode, event.offset) for event in reading.events]


def test_popped_results_stay_events() -> None:
    reading = read_pickle(assemble(2).name("os", "system").string("id").tuple1().reduce().pop().none().stop())
    assert reading.root is None and reading.complete
    assert events(reading) == [(EventKind.IMPORT, "GLOBAL", 2), (EventKind.CALL, "REDUCE", 20)]


@pytest.mark.parametrize(
    ("code", "opcode"),
    [
        (assemble(2).mark().string("id").inst("os", "system"), "INST"),
        (assemble(2).mark().name("os", "system").string("id").obj(), "OBJ"),
        (assemble(2).name("os", "system").string("id").tuple1().newobj(), "NEWOBJ"),
        (assemble(4).name("os", "system").string("id").tuple1().empty_dict().newobj_ex(), "NEWOBJ_EX"),
        (assemble(2).name("os", "system").string("id").tuple1().reduce(), "REDUCE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_form_of_call_is_an_event(code: Assembler, opcode: str) -> None:
    reading = read_pickle(code.stop())
    (call,) = [event for event in reading.events if event.kind is EventKind.CALL]
    assert call.opcode == opcode
    assert isinstance(call.target, GlobalNode) and call.target.dotted == "os.system"
    assert isinstance(reading.root, CallNode) and reading.root.opcode == opcode


@pytest.mark.parametrize(
    ("opcode", "code"),
    [
        ("BUILD", b"Nb"),
        ("APPEND", b"Na"),
        ("APPENDS", b"(Ne"),
        ("ADDITEMS", b"(N\x90"),
        ("SETITEM", b"NNs"),
        ("SETITEMS", b"(NNu"),
    ],
)
def test_changing_what_is_no_container_of_the_pickle_is_an_event(opcode: str, code: bytes) -> None:
    reading = read_pickle(assemble(4).name("sys", "modules").raw(code).stop())
    event = reading.events[-1]
    assert (event.kind, event.opcode) == (EventKind.BUILD, opcode)
    assert isinstance(event.target, GlobalNode)


def test_changing_a_container_of_the_pickle_is_no_event() -> None:
    assert not read_pickle(b"\x80\x04](Ne}(NNu\x8f(N\x90\x87.").events


def test_extension_codes_and_persistent_ids_are_events() -> None:
    reading = read_pickle(assemble().ext1(7).pop().persid("x").pop().string("y").binpersid().stop())
    assert [event.kind for event in reading.events] == [EventKind.EXTENSION, EventKind.PERSISTENT, EventKind.PERSISTENT]
    assert isinstance(reading.events[0].target, UnknownNode)
    assert isinstance(reading.root, PersistentNode) and reading.root.pid == "y"


def test_a_name_that_is_worked_out_on_the_stack_is_an_event_with_an_unknown_target() -> None:
    code = assemble().call("builtins:str", "os").short("system").stack_global().string("id").tuple1().reduce()
    reading = read_pickle(code.stop())
    hidden = reading.events[2]
    assert hidden.opcode == "STACK_GLOBAL" and isinstance(hidden.target, UnknownNode)
    assert reading.events[3].kind is EventKind.CALL


@pytest.mark.parametrize(
    ("protocol", "old", "new"),
    [
        (2, ("__builtin__", "unicode"), "builtins.str"),
        (2, ("copy_reg", "_reconstructor"), "copyreg._reconstructor"),
        (0, ("cPickle", "loads"), "pickle.loads"),
        (2, ("__builtin__", "reduce"), "functools.reduce"),
        (3, ("__builtin__", "unicode"), "__builtin__.unicode"),
        (2, ("urllib2", "urlopen"), "urllib.request.urlopen"),
    ],
)
def test_python_2_names_are_renamed_below_protocol_3(protocol: int, old: tuple[str, str], new: str) -> None:
    root = read_pickle(assemble(protocol).name(*old).stop()).root
    assert isinstance(root, GlobalNode) and root.dotted == new


def test_broken_frames_are_read_both_ways() -> None:
    reading = read_pickle(frame_divergence())
    assert "frame-mismatch" in [problem.rule for problem in reading.problems]
    assert [event.opcode for event in reading.events] == ["GLOBAL", "REDUCE"]


@pytest.mark.parametrize(
    ("name", "body", "length"),
    [
        ("bytes", b"B" + struct.pack("<I", 20) + b"A" * 20, 5),
        ("short-text", b"\x8c\x14" + b"A" * 20, 3),
        ("module", b"cmacos\nsystem\n", 4),
        ("name", b"cos\nsystem\n", 7),
        ("line", b"Vhello world\n", 5),
        ("int", b"J" + struct.pack("<i", 7), 2),
        ("nested", b"N\x95\x02" + b"\0" * 7 + b"N0", 30),
        ("early-stop", b"N", 40),
    ],
)
def test_each_way_to_cross_a_frame_is_a_mismatch(name: str, body: bytes, length: int) -> None:
    data = assemble(5).frame(length).raw(body).stop() + b"." * 64
    assert "frame-mismatch" in [problem.rule for problem in read_pickle(data).problems], name


def test_a_line_that_crosses_its_frame_yields_the_name_of_either_reading() -> None:
    code = assemble(4).frame(4).raw(b"cmaXos\nsystem\n").stop()
    names = {event.target.dotted for event in read_pickle(code).events if isinstance(event.target, GlobalNode)}
    assert names == {"maXos.system", "os.system"}


@pytest.mark.parametrize(
    ("rule", "budget", "code"),
    [
        ("budget-opcodes", Budget(opcodes=10), b"N0" * 20 + b"N."),
        ("budget-depth", Budget(depth=100), b"(" * 5000 + b"."),
        ("budget-depth", Budget(depth=100), b"N" * 5000 + b"."),
        ("budget-memo", Budget(memo=3), b"Nr\xff\xff\xff\x7f."),
        ("budget-literal", Budget(literal=10), b"B\x0b\x00\x00\x00" + b"a" * 11 + b"."),
    ],
)
def test_a_costly_pickle_stops_at_the_budget(rule: str, budget: Budget, code: bytes) -> None:
    reading = read_pickle(code, budget=budget)
    assert not reading.complete
    assert reading.problems[-1].rule == rule


def test_the_clock_ends_a_long_reading() -> None:
    ticks = iter(range(100))
    reading = read_pickle(b"N0" * 20_000 + b"N.", budget=Budget(seconds=2, clock=lambda: next(ticks)))
    assert [problem.rule for problem in reading.problems] == ["budget-time"]


def test_a_pickle_of_exactly_the_budget_is_read() -> None:
    assert read_pickle(b"N0N.", budget=Budget(opcodes=4)).complete


@pytest.mark.parametrize("build", [lambda n: b"]" * n + b"a" * (n - 1) + b".", lambda n: b")" + b"\x85" * n + b"."])
def test_deep_nesting_neither_recurses_nor_raises(build: Callable[[int], bytes]) -> None:
    assert read_pickle(build(200_000)).complete


def test_doubling_costs_references_not_memory() -> None:
    code = b"\x80\x02]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(200)) + b"."
    reading = read_pickle(code, budget=Budget(opcodes=2000))
    assert reading.complete and reading.opcodes < 1300


def test_offsets_count_from_the_start_of_the_data_and_end_stands_behind_stop() -> None:
    data = b"junk!" + calling("os:system", "id") + b"tail"
    reading = read_pickle(data, 5)
    assert reading.end == len(data) - 4
    assert data[reading.events[0].offset : reading.events[0].offset + 1] == b"\x93"


@given(st.binary(max_size=200))
def test_random_bytes_never_raise(data: bytes) -> None:
    reading = read_pickle(data)
    assert reading.complete or reading.problems


MATERIAL = [
    pickle.dumps({"a": [1, 2.5, "x", b"y", (None, {3, 4})], "b": collections.OrderedDict(c=1)}, protocol)
    for protocol in PROTOCOLS
] + [calling("os:system", "id"), frame_divergence()]


@given(st.sampled_from(MATERIAL), st.data())
def test_mutations_never_raise(material: bytes, data: st.DataObject) -> None:
    code = bytearray(material)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(code) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "splice", "double"])):
            case "flip":
                code[at] = data.draw(st.integers(0, 255))
            case "cut":
                del code[at:]
            case "splice":
                code[at:at] = data.draw(st.sampled_from([bytes([opcode.code]) for opcode in OPCODES]))
            case "double":
                code[at:at] = code[:at]
        if not code:
            break
    reading = read_pickle(bytes(code), budget=Budget(opcodes=10_000))
    assert reading.complete or reading.problems


@given(
    st.lists(
        st.sampled_from([bytes([opcode.code]) for opcode in OPCODES] + [b"\n", b"\x01", b"a\n", b"os\n"]), max_size=40
    )
)
def test_programs_of_real_opcodes_never_raise(pieces: list[bytes]) -> None:
    reading = read_pickle(b"".join(pieces))
    assert reading.complete or reading.problems
