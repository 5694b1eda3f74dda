from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save as save_safetensors

from sdkeep.formats.contents import Container
from sdkeep.formats.sniff import sniff
from sdkeep.formats.source import BytesSource
from tests.makers.torchfiles import EVIL, saved
from tests.makers.zips import Rec, make_zip


def _npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.zeros(3))
    return out.getvalue()


def _npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


def _tar(format: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        info = tarfile.TarInfo("model.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    return out.getvalue()


def _v7_tar() -> bytes:
    """As Python wrote before it knew ustar: no magic, only a checksum."""
    block = bytearray(_tar(tarfile.USTAR_FORMAT)[:1024])
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


CASES = {
    "empty": (b"", Container.EMPTY),
    "safetensors": (save_safetensors({"a": torch.zeros(3)}), Container.SAFETENSORS),
    "torch-zip": (saved({"a": torch.zeros(3)}), Container.TORCH_ZIP),
    "torch-legacy": (saved({"a": torch.zeros(3)}, legacy=True), Container.TORCH_LEGACY),
    "torchscript": (make_zip([Rec("m/data.pkl", b"N."), Rec("m/constants.pkl", b").")]), Container.TORCHSCRIPT),
    "torchscript by code": (make_zip([Rec("m/data.pkl", b"N."), Rec("m/code/a.py", b"")]), Container.TORCHSCRIPT),
    "pickle 2": (pickle.dumps({"a": 1}, 2), Container.PICKLE),
    "pickle 5": (pickle.dumps({"a": 1}, 5), Container.PICKLE),
    "pickle 0": (pickle.dumps({"a": [1, 2]}, 0), Container.PICKLE),
    "pickle 1": (pickle.dumps(["a", 1], 1), Container.PICKLE),
    "broken pickle 0": (b"cos\nsystem\n(S'true'\ntR\xff", Container.PICKLE),
    "evil": (EVIL, Container.PICKLE),
    "zip": (make_zip([Rec("a.txt", b"a")]), Container.ZIP),
    "empty zip": (make_zip([]), Container.ZIP),
    "npz": (_npz(), Container.NUMPY_ZIP),
    "npy": (_npy(), Container.NUMPY),
    "tar": (_tar(tarfile.USTAR_FORMAT), Container.TAR),
    "gnu tar": (_tar(tarfile.GNU_FORMAT), Container.TAR),
    "old tar": (_v7_tar(), Container.TAR),
    "gzip": (gzip.compress(b"x"), Container.GZIP),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4rest", Container.SEVEN_ZIP),
    "rar": (b"Rar!\x1a\x07\x01\0", Container.RAR),
    "gguf": (b"GGUF\x03\0\0\0", Container.GGUF),
    "png": (b"\x89PNG\r\n\x1a\n\0\0", Container.PNG),
    "jpeg": (b"\xff\xd8\xff\xe0", Container.JPEG),
    "webp": (b"RIFF\0\0\0\0WEBPVP8 ", Container.WEBP),
    "html": (b"\n<!DOCTYPE html><html>", Container.HTML),
    "html with a mark": (b"\xef\xbb\xbf<html>", Container.HTML),
    "s3 error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', Container.HTML),
    "json": (b'{"error": "unauthorized"}', Container.JSON),
    "broken json": (b'{"error": ', Container.TEXT),
    "long json": (b"[" + b"1," * 4000 + b"1]", Container.JSON),
    "yaml": (b"# config\nmodel:\n  base_learning_rate: 1.0e-4\n", Container.YAML),
    "yaml with c": (b"checkpoint: foo\nbar: baz\n", Container.YAML),
    "text": (b"just some words", Container.TEXT),
    "long text": ("Grüße ".encode() * 2000, Container.TEXT),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", Container.LFS_POINTER),
    "noise": (b"\x01\x02\x03\x04\x05\x06\x07\x00\x11", Container.UNKNOWN),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_container_is_told_by_its_bytes(case: str) -> None:
    data, expected = CASES[case]
    assert sniff(BytesSource(data, "lies.safetensors")) is expected


def test_a_magic_number_by_way_of_protocol_0_is_still_torch() -> None:
    data = pickle.dumps(0x1950A86A20F9469CFC6C, 0) + pickle.dumps(1001, 0)
    assert sniff(BytesSource(data)) is Container.TORCH_LEGACY


def test_a_cut_zip_is_a_zip() -> None:
    assert sniff(BytesSource(saved({"a": torch.zeros(100)})[:300])) is Container.ZIP


def test_python_zips_of_torch_members_are_torch_zips() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("any/data.pkl", b"\x80\x02N.")
    assert sniff(BytesSource(out.getvalue())) is Container.TORCH_ZIP


WORDS = {
    "wildcards": b"cat\ndog\n",
    "a colour": b"crimson\n",
    "many wildcards": b"cat\ndog\n" * 3000,
    "a mention": b"cos\nsystem\n",
    "initials": b"N. Surname wrote this",
    "a smiley": b").\nthat was fun, all of it",
    "an option": b"I have\nN options.",
    "places": b"Paris\nLondon\n",
}


@pytest.mark.parametrize("case", WORDS)
def test_words_that_look_like_opcodes_are_text(case: str) -> None:
    assert sniff(BytesSource(WORDS[case])) is Container.TEXT


CALL = b"cos\nsystem\n(S'id'\ntR"
SPELT = {
    "an import and no more": b"cos\nsystem\n.",
    "a call that comes late": b"I1\n0" * 3000 + CALL + b".",
    "a call after words": b"cat\ndog\n" * 3000 + CALL + b".",
    "a call in a cut file": CALL,
    "bytes first": b"C!" + b" " * 33 + b"0" + CALL + b".",
    "long bytes first": b"B" + (40).to_bytes(4, "little") + b" " * 40 + b"0" + CALL + b".",
    "protocol 4 without saying so": b"\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
    "protocol 1 said": b"\x80\x01" + CALL + b".",
    "an extension code": b"\x82\x01)R.",
    "opcodes without end": b"I1\n0" * 400_000,
}


@pytest.mark.parametrize("case", SPELT)
def test_opcodes_that_look_like_words_are_a_pickle(case: str) -> None:
    assert sniff(BytesSource(SPELT[case])) is Container.PICKLE


@given(st.binary(max_size=2000))
def test_sniffing_never_fails(data: bytes) -> None:
    assert sniff(BytesSource(data)) in Container
