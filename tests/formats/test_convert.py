from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as save_safetensors

from sdkeep.formats.contents import Container
from sdkeep.formats.convert import WRITER_FORMAT, ConvertOptions, layout_of, plan, write_safetensors
from sdkeep.formats.look import look
from sdkeep.formats.safetensors import ALIGNMENT, read_header
from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.ground.errors import CannotConvert, DiskFull, FormatError, NotWritable, StoreError, WouldOverwrite
from sdkeep.ground.events import Event, Moved, Said, Started, Stop, Stopped
from sdkeep.ground.kinds import Precision
from tests.makers.looking import Convert, Loaded, seen
from tests.makers.torchfiles import (
    DTYPES,
    EVIL,
    flat,
    mapping,
    members,
    pickled,
    raw,
    rezipped,
    sample,
    saved,
    storage,
    tensor,
    text,
    torch_zip,
)  # fmt: skip
from tests.makers.zips import Rec, make_zip

T = torch.arange(4.0)


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(expected)
    for name, wanted in expected.items():
        assert found[name].dtype is wanted.dtype, name
        assert found[name].shape == wanted.shape, name
        assert raw(found[name]) == raw(wanted), name


# Bytes


VALUES = {
    "every dtype": {str(dtype): sample(dtype, 5, 3) for dtype in DTYPES},
    "empty and scalar": {"e": torch.zeros(0, 3), "s": torch.tensor(2.5), "i": torch.tensor(7)},
    "transposed": {"t": sample(torch.float32, 7, 5).t(), "p": sample(torch.float16, 2, 3, 4, 5).permute(3, 1, 0, 2)},
    "expanded": {"e": T.expand(3, 4), "one": torch.tensor(1.0).expand(2, 2)},
    "sliced": {"a": sample(torch.int64, 20)[3:11], "b": sample(torch.float32, 9, 9)[2:5, ::3]},
    "tied": {"a": T, "b": T, "c": T[1:]},
    "strided scalar": {"a": T[2]},
    "parameters": {"a": torch.nn.Parameter(T)},
    "channels last": {"a": sample(torch.float32, 2, 3, 4, 5).to(memory_format=torch.channels_last)},
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("case", VALUES, ids=str)
def test_every_byte_is_that_of_torch(case: str, legacy: bool, loaded: Loaded) -> None:
    data = saved(VALUES[case], legacy=legacy)
    found = loaded(data)
    same(found, VALUES[case])
    if not (legacy and case == "every dtype"):  # torch cannot load what it saves there
        same(found, torch.load(io.BytesIO(data), weights_only=True))


@pytest.mark.parametrize("case", VALUES, ids=str)
def test_compressed_members_convert_alike(case: str, loaded: Loaded) -> None:
    same(loaded(rezipped(saved(VALUES[case]), compress=True)), VALUES[case])


def test_large_tensors_of_every_kind_convert(loaded: Loaded) -> None:
    """Beyond every buffer: copied by the kernel, put together in blocks, unpacked."""
    big = sample(torch.float32, 1500, 1100)
    value = {"plain": big, "turned": big.t(), "cut": big[:, 3:900:7], "wide": torch.arange(3).expand(700_000, 3)}
    value["deep"] = big.reshape(15, 100, 11, 100).permute(3, 0, 2, 1)
    same(loaded(saved(value)), value)
    same(loaded(rezipped(saved(value), compress=True), name="again"), value)


def big_endian(data: bytes) -> bytes:
    """As a big-endian machine would have saved it: every number turned round, and said so."""
    parts = members(data)
    parts["archive/byteorder"] = b"big"
    for name in parts:
        if name.startswith("archive/data/"):
            parts[name] = b"".join(parts[name][at : at + 4][::-1] for at in range(0, len(parts[name]), 4))
    return make_zip([Rec(name, part) for name, part in parts.items()])


def test_big_endian_numbers_are_turned_round(loaded: Loaded) -> None:
    value = {"a": sample(torch.float32, 5, 3), "t": sample(torch.int32, 4, 2).t(), "s": torch.tensor(1.5)}
    data = big_endian(saved(value))
    same(loaded(data), value)
    same(loaded(data, name="again"), torch.load(io.BytesIO(data), weights_only=True))


def test_an_unknown_byte_order_is_taken_for_little(loaded: Loaded) -> None:
    data = saved({"a": T}).replace(b"little", b"middle")
    assert "byteorder-unknown" in {flaw.rule for flaw in seen(data).flaws}
    same(loaded(data), {"a": T})


def test_packed_four_bit_floats_count_twice() -> None:
    call = (
        b"ctorch._utils\n_rebuild_tensor_v3\n("
        + storage("0", "UntypedStorage", 16)
        + b"K\x00(K\x08K\x02t(K\x02K\x01t\x89}"
    )
    contents = seen(torch_zip(pickled(mapping(a=call + b"ctorch\nfloat4_e2m1fn_x2\ntR"))))
    assert [(p.slot.dtype, p.slot.shape, p.slot.length) for p in plan(contents).pieces] == [("F4", (8, 4), 16)]


# Order, header, determinism


def test_the_payload_is_that_of_the_reference_serialiser(convert: Convert) -> None:
    value = VALUES["every dtype"] | {"a.scalar": torch.tensor(1.0), "z": torch.zeros(2, 2)}
    ours, theirs = convert(saved(value)).path.read_bytes(), save_safetensors(value)
    assert ours[_payload(ours) :] == theirs[_payload(theirs) :]


def _payload(data: bytes) -> int:
    return read_header(BytesSource(data)).data_start


def test_the_payload_begins_aligned(convert: Convert) -> None:
    for count in (1, 2, 3):
        path = convert(saved({str(n): T for n in range(count)}), name=str(count)).path
        with FileSource(path) as source:
            assert read_header(source).data_start % ALIGNMENT == 0


GOLDEN = "3117f1329c67f07a482979280bbc8c2c6084fec23babe017d25074d8585f369b"


def test_the_same_input_and_options_give_the_same_file(convert: Convert) -> None:
    value = {"b": T, "a": T.half(), "n": {"x": T.long()}}
    once = convert(saved(value), name="one").path.read_bytes()
    assert convert(saved(value), name="two").path.read_bytes() == once
    assert convert(saved(value, legacy=True), name="three").path.read_bytes() == once
    assert convert(rezipped(saved(value)), name="four").path.read_bytes() == once


def test_the_writer_format_has_not_changed_unannounced(convert: Convert) -> None:
    """When this digest changes, raise WRITER_FORMAT."""
    call = mapping(
        b=tensor(storage("0"), (2, 2), (2, 1)), a=tensor(storage("1", "HalfStorage", 8), (8,)), name=text("x")
    )
    data = torch_zip(pickled(call), storages=(bytes(range(16)), bytes(range(16, 32))))
    written = convert(data, ConvertOptions(metadata={"title": "tést"}))
    assert (WRITER_FORMAT, hashlib.sha256(written.path.read_bytes()).hexdigest()) == (1, GOLDEN)


def test_plain_values_become_metadata(convert: Convert) -> None:
    value = {
        "state_dict": {"a": T},
        "epoch": 3,
        "name": "x",
        "done": True,
        "best": None,
        "loss": 0.25,
        "layers": [1, 2],
    }
    written = convert(saved(value), ConvertOptions(metadata={"epoch": "4", "extra": "é"}))
    with safe_open(written.path, "pt") as file:
        found = file.metadata()
    assert found == written.metadata == {
        "epoch": "4", "name": "x", "done": "true", "loss": "0.25", "layers": "[1, 2]", "extra": "é", "format": "pt",
        "sdkeep.writer": str(WRITER_FORMAT),
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/home/me/x.ckpt", "C:\\Users\\me", "~/x", "\\\\server\\x", "file:///x"])
def test_paths_of_whoever_trained_it_are_left_out(path: str, convert: Convert) -> None:
    assert "where" not in convert(saved({"a": T, "where": path, "name": "a/b"})).metadata


def test_a_lone_surrogate_in_a_value_does_not_stop_the_conversion(convert: Convert) -> None:
    data = torch_zip(pickled(mapping(a=tensor(storage("0")), name=text("x\ud800"))))
    assert convert(data).metadata["name"] == "x?"


def test_safetensors_keep_their_metadata(convert: Convert) -> None:
    data = save_safetensors({"a": T, "b": T.half()}, {"ss_x": "1", "sshs_model_hash": "ab", "format": "np"})
    assert convert(data).metadata == {
        "ss_x": "1", "sshs_model_hash": "ab", "format": "np", "sdkeep.writer": "1",
    }  # fmt: skip


def test_a_payload_digest_that_no_longer_fits_is_dropped(convert: Convert) -> None:
    data = save_safetensors({"a": T}, {"sshs_model_hash": "ab", "modelspec.hash_sha256": "0x1", "title": "x"})
    written = convert(data, ConvertOptions(Precision.FP16))
    assert set(written.metadata) == {"title", "format", "sdkeep.writer"}


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (("tensor",), "tensor"),
        (("emb_params",), "embedding"),
        (("0", "1", "2"), "list"),
        (("0", "2"), ""),
        (("768.0.linear.0.weight", "320.1.linear.0.bias"), "hypernetwork"),
        (("64.0.linear.0.weight", "64.1.linear.0.bias"), "hypernetwork"),
        (("768.2.linear.0.weight",), ""),
        (("a.weight",), ""),
        ((), ""),
    ],
)
def test_layouts_are_told_by_names(names: tuple[str, ...], layout: str) -> None:
    assert layout_of(names) == layout


def test_shared_numbers_are_noted() -> None:
    assert "share their numbers" in plan(seen(saved(VALUES["tied"]))).notes[-1]


# Precision


@pytest.mark.parametrize("source", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("precision", "target"),
    [(Precision.FP16, torch.float16), (Precision.BF16, torch.bfloat16), (Precision.FP32, torch.float32)],
)
def test_numbers_are_cast_as_torch_does(
    source: torch.dtype, precision: Precision, target: torch.dtype, loaded: Loaded
) -> None:
    value = {"a": sample(source, 4000), "t": sample(source, 30, 20).t()}
    found = loaded(saved(value), ConvertOptions(precision))
    for name in value:
        wanted = value[name].to(target)
        assert found[name].dtype is target
        assert torch.equal(found[name].isnan(), wanted.isnan())
        assert torch.equal(found[name].nan_to_num(), wanted.nan_to_num())


def test_whole_numbers_and_small_floats_are_not_cast(loaded: Loaded) -> None:
    value = {"i": T.long(), "b": T > 1, "f8": sample(torch.float8_e4m3fn, 4), "c": sample(torch.complex64, 2)}
    same(loaded(saved(value), ConvertOptions(Precision.FP16)), value)


def test_numbers_that_become_infinite_are_reported(tmp_path: Path) -> None:
    said: list[Event] = []
    source = BytesSource(saved({"a": torch.tensor([1e6, float("inf")]), "b": torch.tensor([float("inf")])}))
    written = write_safetensors(
        source, plan(look(source), ConvertOptions(Precision.FP16)), tmp_path / "o", report=said.append
    )
    assert written.overflowed == ("a",)
    assert [event.level for event in said if isinstance(event, Said)] == ["warning"]


def test_an_odd_precision_is_refused() -> None:
    with pytest.raises(CannotConvert, match="nf4"):
        plan(seen(saved({"a": T})), ConvertOptions(Precision.NF4))


# Old and odd writers


def rewritten(old: bytes, new: bytes) -> bytes:
    return torch_zip(pickled(mapping(a=tensor(storage("0"))).replace(old, new)))


ODD = {
    "saved on a graphics card": rewritten(text("cpu"), text("cuda:0")),
    "saved on a Mac": rewritten(text("cpu"), text("mps")),
    "rebuilt as before torch 0.4": rewritten(b"_rebuild_tensor_v2", b"_rebuild_tensor"),
    "an older version record": make_zip([
        Rec("archive/data.pkl", pickled(mapping(a=tensor(storage("0"))))), Rec("archive/data/0", T.numpy().tobytes()),
        Rec("archive/version", b"2\n"),
    ]),
    "gradients wanted": rewritten(b"\x89ccollections", b"\x88ccollections"),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD, ids=str)
def test_what_old_and_odd_writers_leave_converts(case: str, loaded: Loaded) -> None:
    found = loaded(ODD[case])["a"]
    assert (found.dtype, found.shape) == (torch.float32, (4,))


# Refusals


REFUSED = {
    "sparse": (saved({"key.x": torch.eye(2).to_sparse()}), "key.x"),
    "meta": (saved({"key.x": torch.zeros(2, device="meta")}), "key.x"),
    "complex128": (saved({"key.x": torch.zeros(2, dtype=torch.complex128)}), "key.x"),
    "conjugate": (saved({"key.x": torch.zeros(2, dtype=torch.complex64).conj()}), "key.x"),
    "reserved name": (saved({"__metadata__": T}), "__metadata__"),
    "nul": (saved({"a\0b": T}), "cannot be called"),
    "surrogate": (torch_zip(pickled(b"}(" + text("a\ud800") + tensor(storage("0")) + b"u")), "cannot be called"),
    "same name": (saved({"a": {"b": T}, "a.b": T}), "a.b"),
    "number and text": (saved({1: T, "1": T}), "`1`"),
    "truncated": (saved({"key.x": torch.zeros(100)}, legacy=True)[:-4], "key.x"),
    "empty": (saved({}), "no tensors"),
    "evil only": (EVIL, "no tensors"),
    "broken pickle": (torch_zip(pickled(mapping(a=tensor(storage("0"))))[:-1]), "no tensors"),
    "html": (b"<html>", "html"),
    "text": (b"hello", "text"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(16), "gguf"),
    "nothing": (b"", "empty"),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_cannot_be_expressed_is_refused_by_name(case: str) -> None:
    data, named = REFUSED[case]
    with pytest.raises(CannotConvert) as caught:
        plan(seen(data))
    assert named in caught.value.what
    assert caught.value.why


def test_quantized_tensors_are_refused_by_name() -> None:
    call = b"ctorch._utils\n_rebuild_qtensor\n(" + storage("0", "QInt8Storage") + b"tR"
    with pytest.raises(CannotConvert, match=r"key\.q") as caught:
        plan(seen(torch_zip(pickled(b"}(" + text("key.q") + call + b"u"))))
    assert caught.value.why == "`key.q`: it is quantized"


@pytest.mark.parametrize("container", [Container.TORCHSCRIPT, Container.TORCH_TAR])
def test_programs_and_ancient_forms_are_refused(container: Container) -> None:
    with pytest.raises(CannotConvert):
        plan(replace(seen(saved({"a": T})), container=container))


def test_a_file_seen_only_in_part_is_refused() -> None:
    with pytest.raises(CannotConvert) as caught:
        plan(look(BytesSource(saved({"a": T})), thorough=False))
    assert "in part" in caught.value.why


def test_a_view_that_repeats_one_number_for_ever_is_refused() -> None:
    data = torch_zip(pickled(mapping(a=tensor(storage("0"), (1 << 40,), (0,)))))
    with pytest.raises(CannotConvert, match="would grow"):
        plan(seen(data))


# Writing


def listing(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "model.safetensors"


def write(data: bytes, out: Path, **more: object) -> None:
    path = next(folder for folder in out.parents if folder.exists()).parent / "source"
    path.write_bytes(data)
    with FileSource(path) as source:
        write_safetensors(source, plan(look(source)), out, **more)  # type: ignore[arg-type]


BIG = saved({"a": torch.zeros(3 << 20), "b": torch.zeros(3 << 20)})


def test_nothing_is_overwritten(out: Path) -> None:
    out.write_bytes(b"mine")
    with pytest.raises(WouldOverwrite):
        write(saved({"a": T}), out)
    assert out.read_bytes() == b"mine"
    assert listing(out.parent) == [out.name]


def test_a_dangling_link_is_not_overwritten(out: Path) -> None:
    out.symlink_to("nowhere")
    with pytest.raises(WouldOverwrite):
        write(saved({"a": T}), out)


def test_a_name_taken_meanwhile_is_not_overwritten(out: Path) -> None:
    def take(event: Event) -> None:
        if isinstance(event, Started):
            out.write_bytes(b"mine")

    with pytest.raises(WouldOverwrite):
        write(saved({"a": T}), out, report=take)
    assert out.read_bytes() == b"mine"
    assert listing(out.parent) == [out.name]


def test_a_stop_leaves_nothing_behind(out: Path) -> None:
    stop = Stop()
    with pytest.raises(Stopped):
        write(BIG, out, stop=stop, report=lambda event: stop.ask() if isinstance(event, Moved) else None)
    assert listing(out.parent) == []


def test_a_full_disk_is_seen_before_a_byte_is_written(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 5))  # type: ignore[attr-defined]
    with pytest.raises(DiskFull) as caught:
        write(saved({"a": T}), out)
    assert (caught.value.free, listing(out.parent)) == (5, [])


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EROFS, NotWritable), (errno.EBADF, StoreError)]
)
@pytest.mark.parametrize("call", ["write", "copy_file_range", "fsync"])
def test_a_disk_that_says_no_is_translated(
    call: str, number: int, error: type[StoreError], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(error):
        write(BIG, out)
    assert listing(out.parent) == []


def test_a_kernel_that_cannot_copy_between_these_files_is_not_needed(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EXDEV, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    write(BIG, out)
    same(load_file(out), {"a": torch.zeros(3 << 20), "b": torch.zeros(3 << 20)})


def test_a_kernel_that_copies_nothing_is_not_waited_for(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    write(BIG, out)
    assert len(load_file(out)) == 2


def test_a_file_system_without_links_still_gets_the_file(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    write(saved({"a": T}), out)
    assert listing(out.parent) == [out.name]


def test_a_missing_folder_cannot_be_written(out: Path) -> None:
    with pytest.raises(NotWritable):
        write(saved({"a": T}), out.parent / "such" / "model.safetensors")


def test_a_file_left_by_a_crash_is_not_in_the_way(out: Path) -> None:
    (out.parent / f".{out.name}.{os.getpid()}-0.part").write_bytes(b"left")
    write(saved({"a": T}), out)
    assert out.exists()


def test_the_file_has_the_mode_of_any_new_file(out: Path) -> None:
    write(saved({"a": T}), out)
    beside = out.with_name("beside")
    beside.touch()
    assert out.stat().st_mode == beside.stat().st_mode


def test_a_hasher_sees_every_byte_in_order(out: Path) -> None:
    hasher = hashlib.sha256()
    write(BIG, out, hasher=hasher)
    assert hasher.hexdigest() == hashlib.sha256(out.read_bytes()).hexdigest()


def test_progress_ends_at_the_size_of_the_file(out: Path) -> None:
    events: list[Event] = []
    write(BIG, out, report=events.append)
    assert isinstance(events[0], Started)
    assert events[0].total == out.stat().st_size
    assert [event.done for event in events if isinstance(event, Moved)][-1] == out.stat().st_size


def test_a_source_cut_while_it_is_read_is_an_error(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(BIG)
    with FileSource(path) as source:
        planned = plan(look(source))
        os.truncate(path, 1 << 20)
        with pytest.raises(FormatError):
            write_safetensors(source, planned, out)
    assert listing(out.parent) == []


def test_a_packed_storage_that_lies_about_its_length_is_an_error(out: Path) -> None:
    call = pickled(mapping(a=tensor(storage("0", numel=200), (200,))))
    data = make_zip([Rec("m/data.pkl", call), Rec("m/data/0", b"x" * 700, method=8, size=800), Rec("m/version", b"3")])
    with pytest.raises(FormatError):
        write(data, out)
    assert listing(out.parent) == []


def test_a_dangerous_file_gives_up_its_tensors_all_the_same(loaded: Loaded) -> None:
    value = b"}(" + text("a") + tensor(storage("0")) + text("b") + b"cos\nsystem\n(" + text("true") + b"tRu"
    assert loaded(torch_zip(pickled(value)))["a"].tolist() == [0, 0, 0, 0]


LEAVES = st.builds(
    lambda dtype, shape, turned: sample(dtype, *shape).transpose(0, -1) if turned and shape else sample(dtype, *shape),
    st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3), st.booleans(),
)  # fmt: skip
TREES = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0."), min_size=1, max_size=8),
    LEAVES | st.lists(LEAVES, max_size=3),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60)
@given(TREES, st.sampled_from(["zip", "legacy", "deflated"]))
def test_any_tree_of_tensors_comes_through_byte_for_byte(tree: dict[str, object], form: str) -> None:
    expected = dict(flat({"top": tree}))
    if not expected or len(expected) < sum(1 for _ in flat({"top": tree})):
        return
    data = saved({"top": tree}, legacy=form == "legacy")
    data = rezipped(data, compress=True) if form == "deflated" else data
    with tempfile.TemporaryDirectory() as folder:
        source = BytesSource(data)
        written = write_safetensors(source, plan(look(source)), Path(folder) / "out")
        same(load_file(written.path), expected)
