from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

import pytest
import torch
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from sdkeep.formats.digests import ALL, Hasher, digest_file, digests_of
from sdkeep.formats.source import BytesSource
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import StoreError
from sdkeep.ground.events import Event, Moved, Stop, Stopped

K = DigestKind


def digests(data: bytes, kinds: frozenset[DigestKind] = ALL) -> dict[DigestKind, str]:
    return {digest.kind: digest.value for digest in digest_file(BytesSource(data), kinds)}


MODEL = save({"a": torch.arange(400_000.0)})
PAYLOAD = MODEL[8 + int.from_bytes(MODEL[:8], "little") :]


def test_all_digests_of_a_model_in_one_pass() -> None:
    assert digests(MODEL) == {
        K.SHA256: hashlib.sha256(MODEL).hexdigest(),
        K.BLAKE3: blake3(MODEL).hexdigest(),
        K.CRC32: f"{zlib.crc32(MODEL):08x}",
        K.AUTOV1: hashlib.sha256(MODEL[0x100000:0x110000]).hexdigest()[:8],
        K.AUTOV2: hashlib.sha256(MODEL).hexdigest()[:10],
        K.AUTOV3: hashlib.sha256(PAYLOAD).hexdigest()[:12],
        K.SSHS: hashlib.sha256(PAYLOAD).hexdigest(),
    }


@pytest.mark.parametrize("kind", sorted(ALL))
def test_a_digest_alone_is_that_among_all(kind: DigestKind) -> None:
    assert digests(MODEL, frozenset({kind})) == {kind: digests(MODEL)[kind]}


@settings(max_examples=40)
@given(st.integers(0, len(MODEL)), st.booleans())
def test_a_small_file_at_once_has_the_digests_of_one_in_pieces(length: int, model: bool) -> None:
    data = (MODEL if model else PAYLOAD)[:length]
    assert digests_of(data) == digest_file(BytesSource(data))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 200_000), max_size=12), st.booleans())
def test_the_size_of_the_pieces_does_not_matter(cuts: list[int], sized: bool) -> None:
    hasher = Hasher(ALL, len(MODEL) if sized else None)
    at = 0
    for cut in cuts:
        hasher.update(MODEL[at : at + cut])
        at += cut
    hasher.update(b"")
    hasher.update(MODEL[at:])
    assert {digest.kind: digest.value for digest in hasher.finish()} == digests(MODEL)


def test_single_bytes_at_the_front_are_enough_to_find_the_payload() -> None:
    small = save({"a": torch.arange(4.0)})
    hasher = Hasher()
    for place in range(len(small)):
        hasher.update(small[place : place + 1])
    assert hasher.finish() == digest_file(BytesSource(small))


@pytest.mark.parametrize("size", [0, 10, 1 << 20])
def test_a_short_file_has_no_autov1(size: int) -> None:
    assert K.AUTOV1 not in digests(bytes(size))


def test_one_byte_beyond_a_mebibyte_has_an_autov1() -> None:
    assert digests(bytes((1 << 20) + 1))[K.AUTOV1] == hashlib.sha256(b"\0").hexdigest()[:8]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        b"PK\x03\x04" + bytes(100),
        (500).to_bytes(8, "little") + b"{" + bytes(10),
        b"\xff" * 8 + b"{}",
        MODEL[:20],
    ],
    ids=["empty", "short", "zip", "cut header", "huge header", "cut model"],
)
def test_what_is_no_safetensors_has_no_autov3(data: bytes) -> None:
    assert K.AUTOV3 not in digests(data)


def test_a_header_without_payload_has_the_digest_of_nothing() -> None:
    data = (2).to_bytes(8, "little") + b"{}"
    assert digests(data)[K.AUTOV3] == hashlib.sha256(b"").hexdigest()[:12]


def test_a_path_is_read_with_progress(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(MODEL)
    events: list[Event] = []
    assert {d.kind: d.value for d in digest_file(tmp_path / "m", report=events.append)} == digests(MODEL)
    assert [event.done for event in events if isinstance(event, Moved)][-1] == len(MODEL)


def test_a_stop_is_heard() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        digest_file(BytesSource(MODEL), stop=stop)


@pytest.mark.corpus
def test_the_published_vectors_hold(corpus: Path) -> None:
    for row in json.loads((corpus / "hash_vectors" / "vectors.json").read_text()):
        path = corpus / "hash_vectors" / row["file"]
        found = digests(path.read_bytes() if path.exists() else b"model data")
        assert found[K.SHA256] == row["sha256"]
        assert found[K.AUTOV2] == row["AutoV2"].lower()
        assert found[K.CRC32] == row["CRC32"].lower()
        assert found[K.BLAKE3] == row["BLAKE3"].lower()
        assert found.get(K.AUTOV1, "e3b0c442") == row["AutoV1"].lower()
        assert found.get(K.AUTOV3) == row.get("AutoV3_12", "").lower() or "AutoV3_12" not in row


def test_a_large_file_hashed_by_several_threads_has_the_same_digests(tmp_path: Path) -> None:
    data = MODEL[: 8 + int.from_bytes(MODEL[:8], "little")] + bytes(range(251)) * 140_000
    path = tmp_path / "large.safetensors"
    path.write_bytes(data)
    found = {digest.kind: digest.value for digest in digest_file(path)}
    hasher = Hasher(ALL, len(data))
    hasher.update(data)
    assert found == {digest.kind: digest.value for digest in hasher.finish()}


@pytest.mark.parametrize("change", ["written to", "replaced", "removed"])
def test_a_file_that_changes_while_it_is_read_has_no_digest(tmp_path: Path, change: str) -> None:
    path = tmp_path / "growing.safetensors"
    path.write_bytes(MODEL)

    def meddle(event: Event) -> None:
        if not isinstance(event, Moved):
            return
        if change == "written to":
            path.write_bytes(MODEL + b"more")
        elif change == "replaced":
            (tmp_path / "other").write_bytes(MODEL)
            (tmp_path / "other").replace(path)
        else:
            path.unlink(missing_ok=True)

    with pytest.raises(StoreError, match="changed while it was read"):
        digest_file(path, report=meddle)
