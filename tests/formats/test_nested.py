"""Pickles in files inside files: whatever is around them, each is found, named and read, or said not to have been."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable

import pytest
import torch

from sdkeep.audit.scan import scan
from sdkeep.formats.contents import Container
from sdkeep.formats.look import look
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Basis, Outcome
from tests.makers.looking import rules, seen
from tests.makers.torchfiles import EVIL, saved, torch_zip
from tests.makers.zips import Rec, deflated, make_zip

BENIGN = saved({"a": torch.zeros(3)})
PACKERS: dict[str, tuple[Callable[[bytes], bytes], Container]] = {
    "gzip": (gzip.compress, Container.GZIP),
    "zlib": (zlib.compress, Container.ZLIB),
    "bzip2": (bz2.compress, Container.BZIP2),
    "xz": (lzma.compress, Container.XZ),
    "lzma": (lambda data: lzma.compress(data, lzma.FORMAT_ALONE), Container.XZ),
}


def tar(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def outcome(data: bytes, basis: Basis = Basis.WHOLE) -> Outcome:
    return scan(BytesSource(data, "sample"), basis=basis).outcome


@pytest.mark.parametrize("packer", PACKERS)
def test_what_is_compressed_is_unpacked_and_looked_at(packer: str) -> None:
    pack, container = PACKERS[packer]
    assert seen(pack(EVIL)).container is container
    assert outcome(pack(EVIL)) is Outcome.DANGEROUS
    assert outcome(pack(BENIGN)) is Outcome.UNSUPPORTED


def test_a_second_compressed_stream_is_read_on() -> None:
    half = len(EVIL) // 2
    assert outcome(gzip.compress(EVIL[:half]) + gzip.compress(EVIL[half:])) is Outcome.DANGEROUS


def test_a_compressed_bomb_is_unpacked_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.packed.MOST_INSIDE", 3 << 20)
    contents = seen(gzip.compress(bytes(64 << 20)))
    assert "nested-too-large" in rules(contents)
    assert contents.members[0].size <= 5 << 20
    assert outcome(gzip.compress(EVIL + bytes(8 << 20))) is Outcome.DANGEROUS


@pytest.mark.parametrize("packer", PACKERS)
def test_a_compressed_stream_that_is_cut_or_damaged_is_never_clean(packer: str) -> None:
    packed = PACKERS[packer][0](BENIGN)
    for data in (packed[: len(packed) // 2], packed[:40] + b"\xff" * 20 + packed[60:], packed + b"junk"):
        assert not scan(BytesSource(data)).outcome.placeable


@pytest.mark.parametrize("wrap", [lambda data: data, gzip.compress], ids=["bare", "gzip"])
@pytest.mark.parametrize("form", [Rec, deflated], ids=["stored", "deflated"])
def test_a_zip_in_a_zip_is_looked_into(form: Callable[[str, bytes], Rec], wrap: Callable[[bytes], bytes]) -> None:
    data = make_zip([form("a/inner.bin", wrap(torch_zip(EVIL)))])
    assert outcome(data) is Outcome.DANGEROUS
    assert seen(data).pickles[-1].member.startswith("a/inner.bin!")


def test_an_archive_hidden_in_a_torch_zip_is_looked_into() -> None:
    assert (
        outcome(torch_zip(b"\x80\x02}.", Rec("archive/more.zip", make_zip([Rec("x.pkl", EVIL)])))) is Outcome.DANGEROUS
    )


def test_places_in_a_stored_inner_file_are_those_of_the_whole_file() -> None:
    data = make_zip([Rec("outer", make_zip([Rec("x.pkl", EVIL)]))])
    finding = scan(BytesSource(data)).findings[0]
    assert finding.file_offset is not None
    assert finding.offset is not None
    assert data[finding.file_offset - finding.offset :].startswith(EVIL)
    assert finding.member == "outer!x.pkl"


def test_places_in_a_compressed_inner_file_count_from_the_pickle() -> None:
    finding = scan(BytesSource(gzip.compress(make_zip([Rec("x.pkl", EVIL)])))).findings[0]
    assert (finding.member, finding.file_offset) == ("(unpacked)!x.pkl", None)
    assert finding.offset is not None and finding.offset < len(EVIL)


def test_nesting_ends_somewhere_and_says_so() -> None:
    data = EVIL
    for _ in range(6):
        data = make_zip([Rec("next", data if data is not EVIL else torch_zip(EVIL))])
    contents = seen(data)
    assert "nested-too-deep" in rules(contents)
    assert contents.unread
    assert not outcome(data).placeable


@pytest.mark.parametrize("magic", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\0"], ids=["7z", "rar"])
def test_an_inner_archive_that_is_not_read_leaves_the_file_undecided(magic: bytes) -> None:
    data = torch_zip(b"\x80\x02}.", Rec("archive/more", magic + bytes(40)))
    assert "nested-unread" in rules(seen(data))
    assert outcome(data) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("inner", [EVIL, torch_zip(EVIL), gzip.compress(EVIL), tar(deep=EVIL)],
                         ids=["pickle", "zip", "gzip", "tar"])  # fmt: skip
def test_members_of_a_tar_are_looked_into(inner: bytes) -> None:
    assert outcome(tar(readme=b"hello", model=inner)) is Outcome.DANGEROUS
    assert outcome(tar(readme=b"hello", model=BENIGN)) is Outcome.UNSUPPORTED


def test_a_tar_of_too_many_members_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.formats.tarball._MOST_MEMBERS", 2)
    assert "budget-members" in rules(seen(tar(a=b"1", b=b"2", c=EVIL)))


@pytest.mark.parametrize("data", [gzip.compress(BENIGN), tar(a=BENIGN)], ids=["gzip", "tar"])
def test_from_afar_what_is_inside_is_left_unread_and_named(data: bytes) -> None:
    contents = look(BytesSource(data), thorough=False)
    assert not contents.pickles
    assert contents.unread or "nested-unread" in rules(contents)
    assert not outcome(data, Basis.RANGES).placeable
