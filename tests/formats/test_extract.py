from __future__ import annotations

import io
import pickle
from collections import OrderedDict, defaultdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.contents import Contents
from tests.makers.looking import Loaded, rules, seen
from tests.makers.torchfiles import (
    DTYPES,
    flat,
    mapping,
    pickled,
    sample,
    saved,
    storage,
    tensor,
    text,
    torch_zip,
    whole,
)  # fmt: skip

T = torch.arange(4.0)


def names(value: object, *, legacy: bool = False) -> list[str]:
    return [t.name for t in seen(saved(value, legacy=legacy)).tensors]


LAYOUTS = {
    "flat": ({"a.b": T, "c": T}, ["a.b", "c"]),
    "state_dict": ({"state_dict": {"a": T}, "epoch": 1}, ["a"]),
    "state_dict beside optimizer": ({"optimizer": {"m": T}, "state_dict": {"a": T}}, ["a"]),
    "state_dict beside a tensor": ({"state_dict": {"a": T}, "best": T}, ["a"]),
    "model": ({"model": {"a": T}, "epoch": 1}, ["a"]),
    "params_ema before params": ({"params": {"a": T}, "params_ema": {"b": T}}, ["b"]),
    "module": ({"module": {"a": T}}, ["a"]),
    "wrapped twice": ({"state_dict": {"model": {"a": T}}}, ["a"]),
    "model among tensors is a name": ({"model": {"a": T}, "b": T}, ["model.a", "b"]),
    "params that is a tensor": ({"params": T}, ["params"]),
    "unknown wrapper": ({"g_ema": {"a": T}, "d": {"b": T}}, ["g_ema.a", "d.b"]),
    "list": ([T, T], ["0", "1"]),
    "tuple": ((T,), ["0"]),
    "bare": (T, ["tensor"]),
    "hypernetwork": ({768: ({"linear.0.weight": T}, {"linear.0.weight": T}), "step": 1},
                     ["768.0.linear.0.weight", "768.1.linear.0.weight"]),
    "embedding": ({"string_to_token": {"*": 265}, "string_to_param": {"*": T}, "name": "x"}, ["emb_params"]),
    "embedding of two words": ({"string_to_param": {"*": T, "@": T}}, ["*", "@"]),
    "embedding with token tensors": ({"string_to_token": {"*": T[0]}, "string_to_param": {"*": T}}, ["emb_params"]),
    "concept": ({"<birb>": T}, ["<birb>"]),
    "sdxl embedding": ({"clip_l": T, "clip_g": T}, ["clip_l", "clip_g"]),
    "ordered": (OrderedDict(a=T, b=OrderedDict(c=T)), ["a", "b.c"]),
    "nothing": ({"a": 1}, []),
    "key order is the file's": ({"z": T, "a": T}, ["z", "a"]),
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("case", LAYOUTS, ids=str)
def test_tensors_get_the_names_that_webuis_expect(case: str, legacy: bool) -> None:
    value, expected = LAYOUTS[case]
    assert names(value, legacy=legacy) == expected


def test_what_is_left_out_is_noted() -> None:
    contents = seen(saved({"state_dict": {"a": T}, "optimizer": [T], "ema": {"b": T}}))
    assert contents.notes == ("took the tensors of `state_dict` and left out `optimizer`, `ema`",)


def test_an_embedding_in_a_parameter_dict_is_read() -> None:
    value = {
        "string_to_token": {"*": torch.tensor(265)},
        "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(T)}),
    }
    assert names(value) == ["emb_params"]


def test_a_pickled_module_gives_its_state_dict() -> None:
    class Inner(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(T)
            self.register_buffer("kept", T * 2)
            self.register_buffer("dropped", T, persistent=False)

    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    module.add_module("inner", Inner())
    Inner.__module__, Inner.__qualname__ = __name__, "Inner"
    globals()["Inner"] = Inner
    contents = seen(saved({"model": module}))
    assert {t.name for t in contents.tensors} == set(module.state_dict())


def test_shared_values_keep_one_storage() -> None:
    contents = seen(saved({"a": T, "b": T, "c": T[1:3]}))
    assert len({t.storage for t in contents.tensors}) == 1
    assert [t.start for t in contents.tensors] == [0, 0, 1]


def test_views_keep_their_strides() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    contents = seen(saved({"t": base.t(), "e": T.expand(2, 4), "s": base[:, ::2], "c": base}))
    assert [t.strides for t in contents.tensors] == [(1, 4), (0, 1), (4, 2), None]


def test_strides_of_single_dimensions_do_not_count() -> None:
    odd = torch.as_strided(T, (1, 4, 1), (77, 1, 99))
    assert seen(saved({"a": odd})).tensors[0].strides is None


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_recognised(dtype: torch.dtype, legacy: bool, loaded: Loaded) -> None:
    value = {"a": sample(dtype, 3, 2)}
    found = loaded(saved(value, legacy=legacy))
    assert found["a"].dtype is dtype
    assert found["a"].view(torch.uint8).tolist() == value["a"].view(torch.uint8).tolist()


def test_keys_that_are_no_text_are_spelt_and_flagged() -> None:
    contents = seen(saved({1.5: T, None: T, True: T, (1, 2): T, 3: T}))
    assert [t.name for t in contents.tensors] == ["1.5", "None", "True", "<TupleNode>", "3"]
    assert rules(contents) == {"key-not-text"}


def test_a_default_dict_is_a_dict() -> None:
    assert names(defaultdict(list, a=T)) == ["a"]


def test_a_later_equal_key_wins_in_the_earlier_place() -> None:
    twice = (
        b"}(" + text("a") + tensor(storage("0")) + text("b") + whole(1) + text("a") + tensor(storage("1"), (2,)) + b"u"
    )
    contents = seen(torch_zip(pickled(twice), storages=(b"\0" * 16, b"\0" * 16)))
    assert [(t.name, t.shape) for t in contents.tensors] == [("a", (2,))]


def test_a_dict_in_itself_ends() -> None:
    loop: dict[str, object] = {"a": T}
    loop["self"] = loop
    contents = seen(saved(loop))
    assert "budget-depth" in rules(contents)
    assert contents.tensors[0].name == "a"


def test_a_doubling_tree_over_one_tensor_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.extract._MOST_TENSORS", 1000)
    tree: object = T
    for _ in range(40):
        tree = [tree, tree]
    contents = seen(saved({"a": tree}))
    assert len(contents.tensors) == 1000
    assert "budget-tensors" in rules(contents)


def test_a_doubling_tree_without_a_tensor_costs_nothing() -> None:
    tree: object = 1
    for _ in range(60):
        tree = [tree, tree]
    assert names({"a": T, "b": tree}) == ["a"]


def test_too_many_values_are_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.extract._MOST_VALUES", 100)
    assert "budget-values" in rules(seen(saved({"a": T, "b": list(range(1000))})))


def one(call: bytes, numel: int = 4, stored: int = 16) -> Contents:
    return seen(torch_zip(pickled(mapping(a=call)), storages=(b"\0" * stored,)))


S = storage("0")
META = b"}(" + text("conj") + b"\x88u"
UNREADABLE = {
    "beyond the storage": (tensor(S, (5,)), "tensor-out-of-bounds"),
    "offset beyond": (tensor(S, (4,), start=1), "tensor-out-of-bounds"),
    "stride beyond": (tensor(S, (4,), (2,)), "tensor-out-of-bounds"),
    "huge": (tensor(S, (1 << 62, 4), (0, 1)), "tensor-too-large"),
    "negative length": (tensor(S, (-1,)), "tensor-malformed"),
    "negative offset": (tensor(S, (1,), start=-1), "tensor-malformed"),
    "negative stride": (tensor(S, (2,), (-1,)), "tensor-malformed"),
    "shape and strides differ": (tensor(S, (2, 2), (1,)), "tensor-malformed"),
    "too many dimensions": (tensor(S, (1,) * 65, (1,) * 65), "tensor-malformed"),
    "missing storage": (tensor(storage("7")), "storage-missing"),
    "short storage": (tensor(storage("0", numel=5)), "storage-truncated"),
    "no storage": (tensor(whole(3)), "storage-unknown"),
    "storage of another class": (tensor(storage("0", "Tensor")), "storage-unknown"),
    "storage by text": (tensor(b"P0\n"), "storage-unknown"),
    "negative storage": (tensor(storage("0", numel=-4)), "storage-unknown"),
    "conjugate view": (tensor(S, extra=META), "tensor-lazy"),
    "too few arguments": (b"ctorch._utils\n_rebuild_tensor_v2\n(" + S + b"tR", "tensor-malformed"),
    "sparse": (b"ctorch._utils\n_rebuild_sparse_tensor\n(" + whole(0) + b")tR", "tensor-sparse"),
    "quantized": (b"ctorch._utils\n_rebuild_qtensor\n(" + storage("0", "QInt8Storage") + b"tR", "tensor-quantized"),
    "nested": (b"ctorch._utils\n_rebuild_nested_tensor\n)R", "tensor-nested"),
    "subclass": (b"ctorch._utils\n_rebuild_wrapper_subclass\n)R", "tensor-subclass"),
    "meta": (b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\n(K\x02t(K\x01t\x89tR", "tensor-meta"),
    "unknown dtype": (
        b"ctorch._utils\n_rebuild_tensor_v3\n(" + storage("0", "UntypedStorage", 16) + whole(0)
        + b"(K\x02t(K\x01t\x89}ctorch\nfloat3\ntR", "tensor-dtype",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE, ids=str)
def test_a_tensor_that_does_not_fit_has_no_span_and_a_flaw(case: str) -> None:
    call, rule = UNREADABLE[case]
    contents = one(call)
    assert [t.name for t in contents.tensors] == ["a"]
    assert contents.tensors[0].span is None
    flaw = next(flaw for flaw in contents.flaws if flaw.rule == rule)
    assert flaw.member == "a"


def test_a_meta_tensor_keeps_dtype_and_shape() -> None:
    meta = one(UNREADABLE["meta"][0]).tensors[0]
    assert (meta.dtype, meta.shape) == ("F32", (2,))


def test_one_storage_under_two_dtypes_is_refused() -> None:
    call = mapping(a=tensor(storage("0")), b=tensor(storage("0", "IntStorage")))
    contents = seen(torch_zip(pickled(call)))
    assert "storage-dtype-conflict" in rules(contents)
    assert [t.span is None for t in contents.tensors] == [False, True]


def test_a_storage_class_counts_by_its_name_as_for_torch() -> None:
    call = tensor(storage("0").replace(b"ctorch\nFloat", b"ctorch.cuda\nFloat"))
    assert one(call).tensors[0].dtype == "F32"


def test_an_empty_tensor_needs_no_record() -> None:
    contents = seen(torch_zip(pickled(mapping(a=tensor(storage("9", numel=0), (0,)))), storages=()))
    assert rules(contents) == set()
    assert contents.tensors[0].span is not None


def test_parameters_and_typed_wrappers_are_taken_off() -> None:
    inner = tensor(S)
    parameter = b"ctorch._utils\n_rebuild_parameter\n(" + inner + b"\x88}tR"
    typed = b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n" \
        b"(" + S + whole(0) + b"(K\x04t(K\x01t\x89}t" + b"}tR"  # fmt: skip
    contents = seen(torch_zip(pickled(mapping(a=parameter, b=typed))))
    assert rules(contents) == set()
    assert [t.shape for t in contents.tensors] == [(4,), (4,)]


def test_a_wrapper_without_a_tensor_is_no_tensor() -> None:
    assert one(b"ctorch._utils\n_rebuild_parameter\n(" + whole(1) + b"\x88}tR").tensors == ()


def test_legacy_views_count_from_their_root() -> None:
    view = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + whole(8)
    view += b"(" + text("v") + whole(2) + whole(4) + b"ttQ"
    contents = seen(torch_zip(pickled(mapping(a=tensor(view, (3,), start=1))), storages=(b"\0" * 32,)))
    assert contents.tensors[0].start == 3
    beyond = seen(torch_zip(pickled(mapping(a=tensor(view, (4,), start=1))), storages=(b"\0" * 32,)))
    assert rules(beyond) == {"tensor-out-of-bounds"}


def numpy_saved(array: bytes, dtype: bytes = b"float32") -> bytes:
    return (
        b"ctorch._utils\n_rebuild_device_tensor_from_numpy\n("
        + array
        + b"ctorch\n"
        + dtype
        + b"\n"
        + text("mps:0")
        + b"\x89tR"
    )


def test_a_tensor_saved_by_way_of_numpy_is_read(loaded: Loaded) -> None:
    array = pickle.dumps(torch.tensor([[1.0, 2.5], [-3.0, 4.0]]).numpy(), 2)[2:-1]
    found = loaded(torch_zip(pickled(mapping(a=numpy_saved(array)))))
    assert found["a"].tolist() == [[1.0, 2.5], [-3.0, 4.0]]


def test_a_fortran_array_is_turned_round(loaded: Loaded) -> None:
    array = pickle.dumps(torch.arange(6.0).reshape(2, 3).numpy().copy(order="F"), 2)[2:-1]
    assert loaded(torch_zip(pickled(mapping(a=numpy_saved(array)))))["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_big_endian_array_is_turned_round(loaded: Loaded) -> None:
    array = pickle.dumps(torch.arange(3.0).numpy().astype(">f4"), 2)[2:-1]
    assert loaded(torch_zip(pickled(mapping(a=numpy_saved(array)))))["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("array", "dtype", "rule"),
    [
        (whole(1), b"float32", "tensor-malformed"),
        (pickle.dumps(torch.zeros(2).numpy(), 2)[2:-1], b"float16", "tensor-recast"),
        (
            pickle.dumps(torch.zeros(2).numpy(), 2)[2:-1].replace(b"K\x02\x85", b"K\x03\x85"),
            b"float32",
            "tensor-malformed",
        ),
    ],
)
def test_an_array_that_does_not_fit_is_flawed(array: bytes, dtype: bytes, rule: str) -> None:
    assert rules(one(numpy_saved(array, dtype))) == {rule}


LEAVES = [T, torch.zeros(0), torch.tensor(3), sample(torch.bfloat16, 2, 3), sample(torch.float32, 4, 3).t()]
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0."), min_size=1, max_size=6)
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: (
        st.dictionaries(WORDS, inner, max_size=4)
        | st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(0, 999), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(TREES, st.booleans())
def test_any_tree_of_tensors_has_the_names_of_its_paths(tree: object, legacy: bool) -> None:
    expected = dict(flat({"top": tree}))
    contents = seen(saved({"top": tree}, legacy=legacy))
    assert {t.name for t in contents.tensors} == set(expected)
    reference = torch.load(io.BytesIO(saved({"top": tree})), weights_only=True)
    assert {t.name: t.shape for t in contents.tensors} == {name: tuple(v.shape) for name, v in flat(reference)}
