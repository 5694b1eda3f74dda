"""Other metadata on the same tensors: what may be written, and that the payload stays as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from sdkeep.formats.relabel import LONGEST_KEY, edit_of, relabelled, write_relabelled
from sdkeep.formats.safetensors import read_header
from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.ground.errors import FormatError, UsageError, WouldOverwrite
from tests.makers import models

HEADER = {"b": (3, 2), "a": (4,), "empty": (0, 2)}


def rewritten(data: bytes, metadata: dict[str, str], out: Path) -> bytes:
    source = BytesSource(data)
    write_relabelled(source, replace(read_header(source), metadata=metadata), out)
    return out.read_bytes()


def payload(data: bytes) -> bytes:
    return data[8 + int.from_bytes(data[:8], "little") :]


def test_the_payload_and_every_tensor_stay_as_they_were(tmp_path: Path) -> None:
    data = models.safetensors(HEADER, 7, {"old": "1"})
    made = rewritten(data, {"new": "é\n2"}, tmp_path / "x.safetensors")
    assert payload(made) == payload(data)
    with safe_open(tmp_path / "x.safetensors", "pt") as opened:
        assert opened.metadata() == {"new": "é\n2"}
        assert set(opened.keys()) == set(HEADER)
        assert [tuple(opened.get_tensor(name).shape) for name in HEADER] == list(HEADER.values())


def test_all_metadata_may_go(tmp_path: Path) -> None:
    made = rewritten(models.safetensors(HEADER, 7, {"old": "1"}), {}, tmp_path / "x.safetensors")
    assert read_header(BytesSource(made)).metadata == {}


def test_a_flawed_file_is_not_written_anew(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="flawed"):
        rewritten(models.safetensors(HEADER, 7) + b"trailing", {"a": "b"}, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(WouldOverwrite):
        rewritten(models.safetensors(HEADER, 7), {"a": "b"}, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "pair",
    [
        "__metadata__=x", "__proto__=x", "=x", " a=x", "a =x", "a\x1b[31m=x", "a\u202eb=x",
        "k" * (LONGEST_KEY + 1) + "=x",
        "sdkeep.edited_from=x", "sshs_model_hash=" + "0" * 64, "modelspec.hash_sha256=0x00", "format=pickle", "a=\x00",
        "a=\x1b]0;owned\x07", "a=\udcff", "no equals sign",
    ],
)  # fmt: skip
def test_what_could_deceive_or_break_a_reader_is_refused(pair: str) -> None:
    with pytest.raises(UsageError):
        edit_of((pair,))


def test_a_key_cannot_be_set_twice_nor_set_and_taken_away() -> None:
    with pytest.raises(UsageError, match="twice"):
        edit_of(("a=1", "a=2"))
    with pytest.raises(UsageError, match="taken away"):
        edit_of(("a=1",), ("a",))


def test_a_value_may_hold_equals_signs_and_be_empty() -> None:
    assert edit_of(("a=b=c", "d=")).put == {"a": "b=c", "d": ""}


def test_hashes_of_the_payload_stay_and_the_one_of_the_training_keys_goes_with_them() -> None:
    before = {"ss_tag_frequency": "{}", "sshs_model_hash": "x", "sshs_legacy_hash": "y", "modelspec.hash_sha256": "z"}
    after, notes = relabelled(before, edit_of((), ("ss_tag_frequency", "nothing")))
    assert after == {"sshs_model_hash": "x", "modelspec.hash_sha256": "z"}
    assert len(notes) == 2
    assert relabelled(before, edit_of(("modelspec.title=T",)))[0] == before | {"modelspec.title": "T"}


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=200), max_size=6))
def test_whatever_may_be_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, wanted: dict[str, str]) -> None:
    try:
        edit = edit_of(tuple(f"{key}={text}" for key, text in wanted.items()))
    except UsageError:
        return
    out = tmp_path_factory.mktemp("out") / "x.safetensors"
    after, _ = relabelled({}, edit)
    rewritten(models.safetensors(HEADER, 3), after, out)
    with FileSource(out) as source:
        assert read_header(source).metadata == after
