from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as save_safetensors

from sdkeep.formats.contents import Container
from sdkeep.formats.look import look
from sdkeep.formats.pickled.values import EventKind, GlobalNode
from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.ground.events import Stop, Stopped
from tests.makers.looking import rules, seen
from tests.makers.torchfiles import (
    EVIL,
    mapping,
    members,
    pickled,
    rezipped,
    saved,
    storage,
    tensor,
    text,
    torch_zip,
)  # fmt: skip
from tests.makers.zips import Rec, deflated, make_zip

PLAIN = pickled(mapping(a=tensor(storage("0"))))


def imported(data: bytes) -> set[str]:
    """Every name the pickles in a file ask for."""
    events = (event for pickle_ in seen(data).pickles for event in pickle_.reading.events)
    return {e.target.dotted for e in events if e.kind is EventKind.IMPORT and isinstance(e.target, GlobalNode)}


class Counting(BytesSource):
    """Counts what a remote file would cost."""

    reads = 0
    bytes = 0

    def read_at(self, offset: int, length: int) -> bytes:  # type: ignore[valid-type]
        self.reads += 1
        self.bytes += length
        return super().read_at(offset, length)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_what_torch_saves_has_no_flaws(legacy: bool) -> None:
    contents = seen(saved({"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(0)}, legacy=legacy))
    assert contents.flaws == ()
    assert [(t.name, t.dtype, t.shape) for t in contents.tensors] == [("a", "F32", (2, 3)), ("b", "F32", (0,))]
    assert contents.unread


def test_plain_values_beside_the_tensors_are_extras() -> None:
    value = {
        "epoch": 3, "global_step": 70_000, "pytorch-lightning_version": "1.4", "done": True, "loss": 0.5, "best": None,
        "nan": float("nan"), "layers": [1, 2, 1], "deep": {"x": 1}, "state_dict": {"a": torch.zeros(1)},
    }  # fmt: skip
    extras = seen(saved(value)).extras
    assert extras == {
        "epoch": 3, "global_step": 70_000, "pytorch-lightning_version": "1.4", "done": True, "loss": 0.5, "best": None,
        "nan": "nan", "layers": "[1, 2, 1]",
    }  # fmt: skip


def test_a_safetensors_header_becomes_contents() -> None:
    contents = seen(save_safetensors({"a": torch.zeros(2)}, {"k": "v"}))
    assert (contents.container, contents.metadata, contents.flaws) == (Container.SAFETENSORS, {"k": "v"}, ())


def test_an_unreadable_safetensors_header_is_a_flaw() -> None:
    contents = seen(save_safetensors({"a": torch.zeros(2)})[:30])
    assert contents.container is Container.SAFETENSORS
    assert rules(contents) == {"header-short"}


# The reader that torch uses and the one that scanners use must see the same bytes.


def test_both_of_two_pickles_with_one_name_are_interpreted() -> None:
    data = torch_zip(PLAIN, Rec("archive/data.pkl", EVIL))
    contents = seen(data)
    assert "duplicate-member" in rules(contents)
    assert "os.system" in imported(data) or "posix.system" in imported(data)
    assert [p.member for p in contents.pickles] == ["archive/data.pkl"] * 2


def torch_reads(data: bytes) -> object:
    return torch.load(io.BytesIO(data), weights_only=True)


@pytest.mark.parametrize(
    "names", [("data.pkl", "data.pkl"), ("DATA.PKL", "data.pkl"), ("data.pkl", "Data.Pkl")], ids=str
)
@pytest.mark.parametrize("more", range(4))
def test_the_tensors_are_those_of_the_pickle_that_torch_would_load(names: tuple[str, str], more: int) -> None:
    one, two = pickled(mapping(one=tensor(storage("0")))), pickled(mapping(two=tensor(storage("0"))))
    records = [Rec(f"archive/{names[0]}", one), Rec("archive/data/0", b"\0" * 16), Rec(f"archive/{names[1]}", two)]
    records += [Rec(f"archive/data/{9 - place}", b"") for place in range(more)]
    data = make_zip([*records, Rec("archive/version", b"3\n")])
    contents = seen(data)
    assert [t.name for t in contents.tensors] == list(torch_reads(data))  # type: ignore[call-overload]
    assert rules(contents) & {"duplicate-member", "case-variant-member"}
    assert len(contents.pickles) == 2


def test_a_wrong_checksum_is_seen_though_torch_does_not_mind() -> None:
    records = [Rec("archive/data.pkl", PLAIN, crc=1), Rec("archive/data/0", b"\0" * 16), Rec("archive/version", b"3\n")]
    data = make_zip(records)
    assert list(torch_reads(data)) == ["a"]  # type: ignore[call-overload]
    assert "crc-mismatch" in rules(seen(data))


def test_a_local_name_that_differs_is_seen_though_torch_does_not_mind() -> None:
    records = [Rec("archive/data.pkl", PLAIN, local={"name": b"archive/data.pkz"}), Rec("archive/data/0", b"\0" * 16),
               Rec("archive/version", b"3\n")]  # fmt: skip
    assert "local-name-mismatch" in rules(seen(make_zip(records)))


@pytest.mark.parametrize("name", ["archive/extra.pkl", "archive/EXTRA.PKL", "other/data.pkl", "archive/x", "x.pkl\0y"])
def test_a_stray_pickle_is_interpreted(name: str) -> None:
    assert imported(torch_zip(PLAIN, Rec(name, EVIL))) & {"os.system", "posix.system"}


def test_a_stray_compressed_pickle_is_interpreted() -> None:
    assert imported(torch_zip(PLAIN, deflated("archive/x", EVIL))) & {"os.system", "posix.system"}


def test_a_second_pickle_in_one_member_is_interpreted() -> None:
    data = torch_zip(PLAIN + EVIL)
    assert "second-pickle" in rules(seen(data))
    assert imported(data) & {"os.system", "posix.system"}


def test_bytes_behind_a_member_s_pickle_are_a_flaw() -> None:
    assert "bytes-after-pickle" in rules(seen(torch_zip(PLAIN + b"junk")))


def test_a_pickle_in_front_of_a_zip_is_read_and_so_is_the_zip() -> None:
    data = EVIL + rezipped(saved({"a": torch.zeros(2)}))
    contents = seen(data)
    assert contents.container is Container.PICKLE
    assert "two-containers" in rules(contents)
    assert len(contents.pickles) == 2


def test_a_zip_behind_safetensors_is_read() -> None:
    data = save_safetensors({"a": torch.zeros(2)}) + torch_zip(EVIL)
    contents = seen(data)
    assert contents.container is Container.SAFETENSORS
    assert {"two-containers", "trailing-bytes"} <= rules(contents)
    assert imported(data) & {"os.system", "posix.system"}
    assert [t.name for t in contents.tensors] == ["a"]


def test_a_zip_behind_noise_is_a_zip_with_a_flaw() -> None:
    contents = seen(b"\1\2\3\4\5\6\7\0" * 8 + rezipped(saved({"a": torch.zeros(2)})))
    assert contents.container is Container.TORCH_ZIP
    assert {"two-containers", "prefix-bytes"} <= rules(contents)


def test_torchscript_is_recognised_and_its_pickles_are_read() -> None:
    class Module(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    out = io.BytesIO()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Module()), out)
    contents = seen(out.getvalue())
    assert contents.container is Container.TORCHSCRIPT
    assert {p.member.rpartition("/")[2] for p in contents.pickles} >= {"data.pkl", "constants.pkl"}


def test_a_root_that_is_not_the_first_member_s_is_not_torch_s() -> None:
    contents = seen(make_zip([Rec("other/x", b""), Rec("archive/data.pkl", EVIL)]))
    assert contents.container is Container.ZIP
    assert len(contents.pickles) == 1


# Files from before torch 1.6


def legacy(*parts: bytes, tail: bytes = b"") -> bytes:
    magic, protocol = pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)
    system = pickle.dumps({"protocol_version": 1001, "little_endian": True}, 2)
    whole = [magic, protocol, system, PLAIN, pickle.dumps(["0"], 2)]
    for place, part in enumerate(parts):
        if part:
            whole[place] = part
    return b"".join(whole) + (4).to_bytes(8, "little") + b"\0" * 16 + tail


LEGACY_PLAIN = pickled(
    mapping(a=tensor(b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x04NtQ"))
)


def test_a_legacy_file_by_hand_has_no_flaws() -> None:
    contents = seen(legacy(b"", b"", b"", LEGACY_PLAIN))
    assert (contents.container, rules(contents)) == (Container.TORCH_LEGACY, set())
    assert [t.name for t in contents.tensors] == ["a"]


@pytest.mark.parametrize("place", [1, 2, 3, 4], ids=["protocol", "sys_info", "object", "keys"])
def test_every_pickle_of_a_legacy_file_is_interpreted(place: int) -> None:
    parts = [b""] * 5
    parts[place] = EVIL
    assert imported(legacy(*parts)) & {"os.system", "posix.system"}


def test_a_pickle_behind_the_last_storage_is_interpreted() -> None:
    data = legacy(b"", b"", b"", LEGACY_PLAIN, tail=EVIL)
    assert "second-pickle" in rules(seen(data))
    assert imported(data) & {"os.system", "posix.system"}


def test_junk_behind_the_last_storage_is_a_flaw() -> None:
    assert "trailing-bytes" in rules(seen(legacy(b"", b"", b"", LEGACY_PLAIN, tail=b"junk")))


def test_a_magic_number_that_is_called_for_is_a_flaw() -> None:
    magic = b"\x80\x02c__builtin__\nint\n(\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19tR."
    contents = seen(legacy(magic, b"", b"", LEGACY_PLAIN))
    assert contents.container in (Container.PICKLE, Container.TORCH_LEGACY)
    assert len(contents.pickles) >= 4


LEGACY_FLAWS = {
    "protocol": ([b"", pickle.dumps(1002, 2)], "legacy-protocol"),
    "sys_info": ([b"", b"", pickle.dumps([1], 2)], "legacy-front"),
    "keys": ([b"", b"", b"", LEGACY_PLAIN, pickle.dumps("0", 2)], "legacy-keys"),
    "unused key": ([b"", b"", b"", LEGACY_PLAIN, pickle.dumps(["9"], 2)], "legacy-keys"),
    "listed twice": ([b"", b"", b"", LEGACY_PLAIN, pickle.dumps(["0", "0"], 2)], "storage-truncated"),
}


@pytest.mark.parametrize("case", LEGACY_FLAWS, ids=str)
def test_a_legacy_file_out_of_form_is_flawed(case: str) -> None:
    parts, rule = LEGACY_FLAWS[case]
    assert rule in rules(seen(legacy(*parts)))


def test_a_legacy_file_cut_in_its_storages_loses_them() -> None:
    contents = seen(saved({"a": torch.zeros(100)}, legacy=True)[:-8])
    assert "storage-truncated" in rules(contents)
    assert contents.tensors[0].span is None


def test_a_legacy_file_cut_in_its_pickles_is_short() -> None:
    assert "legacy-short" in rules(seen(saved({"a": torch.zeros(100)}, legacy=True)[:120]))


def test_a_big_endian_writer_is_only_a_note() -> None:
    contents = seen(legacy(b"", b"", pickle.dumps({"little_endian": False}, 2), LEGACY_PLAIN))
    assert any("big-endian" in note for note in contents.notes)
    assert not contents.tensors[0].big_endian


# Other containers


def test_stacked_bare_pickles_are_all_read() -> None:
    contents = seen(pickle.dumps({"a": 1}, 2) * 3)
    assert [p.offset for p in contents.pickles] == [0, *(p.offset for p in contents.pickles[1:])]
    assert len(contents.pickles) == 3
    assert contents.extras == {"a": 1}


def test_junk_between_bare_pickles_ends_the_reading_with_a_flaw() -> None:
    assert "bytes-after-pickle" in rules(seen(pickle.dumps([1], 2) + b"junk" + EVIL))


def test_a_great_many_bare_pickles_are_not_all_read() -> None:
    contents = seen(b"\x80\x02N." * 200)
    assert "too-many-pickles" in rules(contents)
    assert contents.unread


def test_an_old_torch_tar_is_told_from_other_tars_and_its_pickles_are_read() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in {"storages": pickle.dumps(0, 2), "tensors": pickle.dumps(0, 2), "pickle": EVIL}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    contents = seen(out.getvalue())
    assert contents.container is Container.TORCH_TAR
    assert [m.name for m in contents.members] == ["storages", "tensors", "pickle"]
    assert imported(out.getvalue()) & {"os.system", "posix.system"}


def test_a_damaged_tar_is_a_flaw() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    data = out.getvalue()[:512] + b"\xff" * 512
    assert "tar-damaged" in rules(seen(data))


def gguf(*, version: int = 3, cut: int = 0) -> bytes:
    def words(word: str) -> bytes:
        return len(word).to_bytes(8, "little") + word.encode()

    pairs = words("general.architecture") + b"\x08\0\0\0" + words("flux")
    pairs += words("n") + b"\x04\0\0\0" + (7).to_bytes(4, "little")
    pairs += words("list") + b"\x09\0\0\0" + b"\x04\0\0\0" + (2).to_bytes(8, "little") + bytes(8)
    row = (
        words("a.weight")
        + b"\x02\0\0\0"
        + (64).to_bytes(8, "little")
        + (3).to_bytes(8, "little")
        + b"\x02\0\0\0"
        + bytes(8)
    )
    data = b"GGUF" + version.to_bytes(4, "little") + (1).to_bytes(8, "little") + (3).to_bytes(8, "little") + pairs + row
    return data[: len(data) - cut]


def test_a_gguf_header_lists_its_tensors() -> None:
    contents = seen(gguf())
    assert contents.metadata == {"general.architecture": "flux", "n": "7"}
    assert [(t.name, t.dtype, t.shape) for t in contents.tensors] == [("a.weight", "q4_0", (3, 64))]
    assert contents.flaws == ()


@pytest.mark.parametrize(("data", "rule"), [(gguf(cut=9), "header-short"), (gguf(version=9), "header-unreadable")])
def test_a_broken_gguf_header_is_a_flaw(data: bytes, rule: str) -> None:
    assert rules(seen(data)) == {rule}


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def test_a_numpy_array_of_objects_hides_a_pickle_that_is_read() -> None:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    contents = seen(out.getvalue())
    assert contents.container is Container.NUMPY
    assert len(contents.pickles) == 1


def test_a_numpy_array_of_numbers_holds_no_pickle() -> None:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    assert seen(out.getvalue()).pickles == ()


def test_an_npz_member_of_objects_is_read() -> None:
    out = io.BytesIO()
    np.savez(out, a=np.array([{"a": 1}], dtype=object), b=np.zeros(2))
    contents = seen(out.getvalue())
    assert contents.container is Container.NUMPY_ZIP
    assert len(contents.pickles) == 1


# Cost


def test_a_remote_checkpoint_costs_few_reads() -> None:
    data = saved({f"layer.{number}": torch.zeros(1000) for number in range(500)})
    source = Counting(data)
    contents = look(source, thorough=False)
    assert len(contents.tensors) == 500
    assert contents.flaws == ()
    assert source.reads <= 10
    assert source.bytes < 400_000


def test_a_remote_look_says_that_spans_are_missing() -> None:
    contents = look(BytesSource(saved({"a": torch.zeros(3)})), thorough=False)
    assert contents.tensors[0].span is None
    assert contents.tensors[0].shape == (3,)
    assert contents.unread


def test_an_archive_of_compressed_members_is_read() -> None:
    data = rezipped(saved({"a": torch.arange(100.0)}), compress=True)
    contents = seen(data)
    assert contents.flaws == ()
    assert contents.tensors[0].span is not None
    assert contents.tensors[0].span.compressed > 0


def test_a_stop_is_heard() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        look(BytesSource(saved({"a": torch.zeros(3)})), stop=stop)


def test_a_pickle_beyond_the_limit_is_named_as_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.torchzip.MOST_PICKLE", 50)
    contents = seen(torch_zip(PLAIN))
    assert {"member-too-large", "no-data-pickle"} <= rules(contents)
    assert "archive/data.pkl" in contents.unread


def test_a_bare_pickle_beyond_the_limit_is_named_as_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.draft.MOST_PICKLE", 1 << 20)
    contents = seen(pickle.dumps([b"x" * (1 << 21), 1], 3))
    assert "pickle-too-large" in rules(contents)
    assert contents.unread


def test_a_pickle_longer_than_the_first_window_is_read_whole() -> None:
    contents = seen(pickle.dumps({"a": 1, "b": b"x" * (3 << 20)}, 4))
    assert contents.pickles[0].reading.complete
    assert not contents.pickles[0].reading.problems


SAMPLES = [
    saved({"a": torch.zeros(3), "b": [torch.ones(2)]}),
    saved({"a": torch.zeros(3)}, legacy=True),
    rezipped(saved({"a": torch.zeros(3)}), compress=True),
    save_safetensors({"a": torch.zeros(3)}, {"k": "v"}),
    torch_zip(PLAIN, Rec("archive/data.pkl", EVIL)),
    pickle.dumps({"a": [1, {"b": 2}]}, 4) * 2,
    gguf(),
    EVIL + torch_zip(PLAIN),
    gzip.compress(EVIL),
    make_zip([deflated("inner.zip", torch_zip(EVIL)), Rec("a.npy", _npy(np.array([{"a": 1}], dtype=object)))]),
    _npy(np.arange(6.0)),
]


def test_a_directory_that_points_before_the_file_is_a_flaw() -> None:
    data = saved({"a": torch.zeros(3)})
    for cut in (1, 47, 580):  # bytes missing in front: every offset of the directory is then too large for its place
        contents = seen(data[:4] + data[4 + cut :])
        assert rules(contents) & {"local-header-missing", "prefix-bytes"}


def test_offsets_that_no_file_reaches_are_read_as_nothing(tmp_path: Path) -> None:
    wide = b"\1\0\x08\0" + b"\xff" * 8
    data = bytearray(make_zip([Rec("m/data.pkl", PLAIN, central_extra=wide)]))
    at = data.index(b"PK\x01\x02") + 42
    data[at : at + 4] = b"\xff" * 4
    path = tmp_path / "far.pt"
    path.write_bytes(data)
    with FileSource(path) as source:
        assert "local-header-missing" in rules(look(source))


def test_two_directories_are_both_read_when_torch_and_python_differ_on_which_counts() -> None:
    inner = torch_zip(PLAIN)
    end = inner.rindex(b"PK\x05\x06")
    start = int.from_bytes(inner[end + 16 : end + 20], "little")
    front = make_zip([Rec("archive/data.pkl", EVIL), Rec("archive/version", b"3\n")])
    front_end = front.rindex(b"PK\x05\x06")
    front_start = int.from_bytes(front[front_end + 16 : front_end + 20], "little")
    # Python takes the directory that ends where the end record begins; torch the one at the offset that it states
    length = end - start
    torn = bytearray(front[:front_end] + inner[:end] + inner[end:])
    at = len(torn) - 22
    torn[at + 16 : at + 20] = front_start.to_bytes(4, "little")
    assert length >= front_end - front_start
    assert imported(bytes(torn)) & {"os.system", "posix.system"}
    assert "prefix-bytes" in rules(seen(bytes(torn)))


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), st.data())
def test_no_damage_makes_look_fail(sample: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sample)
    match data.draw(st.sampled_from(["flip", "cut", "splice"])):
        case "flip":
            for _ in range(data.draw(st.integers(1, 8))):
                damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        case "cut":
            del damaged[data.draw(st.integers(0, len(damaged))) :]
        case _:
            at = data.draw(st.integers(0, len(damaged)))
            damaged[at:at] = data.draw(st.binary(max_size=40))
    contents = seen(bytes(damaged))
    assert contents.size == len(damaged)


@given(st.binary(max_size=1000))
def test_any_bytes_can_be_looked_at(data: bytes) -> None:
    assert seen(data).size == len(data)


def test_members_are_listed_with_their_places() -> None:
    data = saved({"a": torch.arange(4.0)})
    contents = seen(data)
    for member in contents.members:
        assert data[member.offset : member.offset + member.size] == members(data)[member.name]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [m.name for m in contents.members] == archive.namelist()


def test_a_thousand_pickles_over_the_same_bytes_are_not_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.draft.MOST_PICKLES", 20)
    contents = seen(torch_zip(PLAIN, *(Rec(f"archive/{number}.pkl", b"N.") for number in range(50))))
    assert len(contents.pickles) == 20
    assert "budget-pickles" in rules(contents)
    assert "archive/49.pkl" in contents.unread


def test_bombs_of_pickles_are_not_all_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.draft.MOST_UNPACKED", 100_000)
    bombs = [deflated(f"archive/{number}.pkl", b"\x80\x02" + b"(" * 60_000) for number in range(5)]
    assert "budget-pickles" in rules(seen(torch_zip(PLAIN, *bombs)))


def test_stacked_pickles_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.draft.MOST_OPCODES", 10)
    contents = seen(pickle.dumps([1, 2, 3], 2) * 9)
    assert len(contents.pickles) < 9
    assert "budget-pickles" in rules(contents)
