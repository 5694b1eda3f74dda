"""Many files looked at: what a layout was found to be before holds for the next file, and for nothing else."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from sdkeep.actions.examine import Examined, Examiner, examine
from tests.makers import models


def write(path: Path, metadata: dict[str, str], seed: int, more: bytes = b"") -> Path:
    """A small adapter under these metadata, as the reference library writes it."""
    data = models.safetensors(models.small_lora(), seed)
    length = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + length])
    table.pop("__metadata__", None)
    head = json.dumps({"__metadata__": metadata, **table}, separators=(",", ":")).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data[8 + length :] + more)
    return path


def same(one: Examined, other: Examined) -> bool:
    facts = ("container", "size", "metadata", "extras", "flaws", "unread", "notes")
    return all(
        [
            *(getattr(one, name) == getattr(other, name) for name in ("path", "size", "identity", "verdict")),
            *(getattr(one.contents, name) == getattr(other.contents, name) for name in facts),
        ]
    )


@pytest.fixture
def examiner(tmp_path: Path) -> Examiner:
    """One that has met the layout."""
    made = Examiner()
    made.examine(write(tmp_path / "first.safetensors", {"ss_base_model_version": "sd_v1"}, 1))
    return made


def test_the_second_file_of_a_layout_is_told_as_the_first(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "b.safetensors", {"ss_output_name": "b", "ss_base_model_version": "sdxl_base_v1-0"}, 2)
    wanted = examine(path)
    monkeypatch.setattr("sdkeep.actions.examine.look", lambda *_, **__: pytest.fail("the header was read"))
    assert same(examiner.examine(path), wanted)


@pytest.mark.parametrize(
    "more", [b"x", models.archive(a=b"a"), models.trojan()], ids=["a byte", "a zip", "a pickle in a zip"]
)
def test_what_hides_behind_a_known_layout_is_found(tmp_path: Path, examiner: Examiner, more: bytes) -> None:
    path = write(tmp_path / "b.safetensors", {"a": "b"}, 2, more)
    seen = examiner.examine(path)
    assert same(seen, examine(path))
    assert str(seen.verdict.outcome) != "clean"


def test_a_zip_within_the_size_of_a_known_layout_is_found(tmp_path: Path, examiner: Examiner) -> None:
    path = write(tmp_path / "b.safetensors", {"a": "b"}, 2)
    hidden = models.archive(a=b"a")
    path.write_bytes(path.read_bytes()[: -len(hidden)] + hidden)
    assert same(examiner.examine(path), examine(path))
    assert str(examine(path).verdict.outcome) == "suspicious"


def test_a_flawed_layout_is_read_each_time(tmp_path: Path) -> None:
    examiner = Examiner()
    for number in range(2):
        path = write(tmp_path / f"{number}.safetensors", {"a": str(number)}, number, b"more")
        assert same(examiner.examine(path), examine(path))


def test_metadata_that_lie_elsewhere_in_the_header_are_not_lost(tmp_path: Path) -> None:
    examiner = Examiner()
    for number in range(3):
        entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
        head = json.dumps({"a": entry, "__metadata__": {"ss_output_name": "same"}}).encode()
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(struct.pack("<Q", len(head)) + head + bytes([number] * 8))
        assert same(examiner.examine(path), examine(path))
        assert examiner.examine(path).contents.metadata == {"ss_output_name": "same"}


@pytest.mark.corpus
def test_every_real_file_is_told_as_by_itself(corpus: Path) -> None:
    """Twice each: the second time from its layout."""
    examiner = Examiner()
    files = sorted(path for path in corpus.rglob("*.safetensors") if path.is_file())
    assert files
    for path in [*files, *files]:
        assert same(examiner.examine(path), examine(path)), path
