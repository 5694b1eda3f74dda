from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from sdkeep.catalogue.foreign import foreign_rows
from sdkeep.ground.digest import DigestKind
from sdkeep.layouts.caches import CacheHint, read_caches
from tests.makers.caches import write_diskcache
from tests.makers.trees import picture_of
from tests.makers.webuis import make_webui, register

SHA = "ab" * 32
WHEN = 1_700_000_000.25


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = make_webui(tmp_path / "ui", "a1111")
    for name in ("Stable-diffusion/sub/big.safetensors", "Lora/ink.safetensors", "Lora/old.pt", "hypernetworks/h.pt"):
        path = made / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"w")
        os.utime(path, (WHEN, WHEN))
    return made


def hints(root: Path, id: str = "a1111") -> list[CacheHint]:
    return list(read_caches(register(root, id), foreign_rows))


def write_cache(root: Path, sections: dict[str, dict[str, object]]) -> None:
    (root / "cache.json").write_text(json.dumps(sections))


def test_titles_lead_back_to_paths(root: Path) -> None:
    entry = {"mtime": WHEN, "sha256": SHA}
    write_cache(
        root,
        {
            "hashes": {"checkpoint/sub/big.safetensors": entry, "lora/old": entry, "hypernet/h": entry, "vae": entry},
            "hashes-addnet": {"lora/ink": entry, "lora/old": entry},
        },
    )
    found = {(hint.path.name, hint.digest.kind): hint.digest.value for hint in hints(root)}
    assert found == {
        ("big.safetensors", DigestKind.SHA256): SHA,
        ("old.pt", DigestKind.SHA256): SHA,
        ("h.pt", DigestKind.SHA256): SHA,
        ("ink.safetensors", DigestKind.AUTOV3): SHA[:12],
    }


@pytest.mark.parametrize("mtime", [WHEN - 1, WHEN + 1, "now", None, float("nan")])
def test_a_file_of_another_time_gets_no_hint_even_an_older_one(root: Path, mtime: object) -> None:
    write_cache(root, {"hashes": {"checkpoint/sub/big.safetensors": {"mtime": mtime, "sha256": SHA}}})
    assert hints(root) == []


def test_two_files_of_one_stem_get_no_hint(root: Path) -> None:
    (root / "models/Lora/sub").mkdir()
    (root / "models/Lora/sub/old.ckpt").write_bytes(b"w")
    write_cache(root, {"hashes": {"lora/old": {"mtime": WHEN, "sha256": SHA}}})
    assert hints(root) == []


def test_the_database_of_newer_versions_is_read_without_touching_a_byte(root: Path) -> None:
    write_diskcache(root, "hashes", {"checkpoint/sub/big.safetensors": {"mtime": WHEN, "sha256": SHA}})
    write_diskcache(root, "hashes-addnet", {"lora/ink": {"mtime": WHEN, "sha256": SHA}})
    before = picture_of(root)
    assert {hint.source for hint in hints(root)} == {"cache/hashes", "cache/hashes-addnet"}
    assert picture_of(root) == before


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("trapped",)


def test_a_pickle_in_the_database_is_never_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    trap = {"mtime": WHEN, "sha256": SHA, "x": Trap()}
    write_diskcache(root, "hashes", {"checkpoint/sub/big.safetensors": trap, "lora/old": b"\x80\x05junk"})
    assert hints(root) == []
    assert not (root / "trapped").exists()


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\0" + b"junk" * 500, b"{", b"[1]", b'{"hashes": [1]}'])
def test_a_broken_cache_says_nothing(root: Path, data: bytes) -> None:
    (root / "cache/hashes").mkdir(parents=True)
    (root / "cache/hashes/cache.db").write_bytes(data)
    (root / "cache.json").write_bytes(data)
    assert hints(root) == []


@pytest.mark.parametrize(
    "title", ["checkpoint/../../outside.safetensors", "lora/../x", "checkpoint/", "", "/etc/passwd"]
)
def test_a_title_cannot_lead_out_of_the_folders(root: Path, title: str) -> None:
    outside = root / "outside.safetensors"
    outside.write_bytes(b"w")
    os.utime(outside, (WHEN, WHEN))
    write_cache(root, {"hashes": {title: {"mtime": WHEN, "sha256": SHA}}})
    assert hints(root) == []


def test_the_lora_managers_table_is_read_where_it_lies_in_its_folder(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "comfy", "comfyui")
    lora = root / "models/loras/ink.safetensors"
    lora.write_bytes(b"weights")
    os.utime(lora, (WHEN, WHEN))
    file = root / "custom_nodes/ComfyUI-Lora-Manager/cache/model/default.sqlite"
    file.parent.mkdir(parents=True)
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE models (model_type TEXT, file_path TEXT, size INTEGER, modified REAL, sha256 TEXT)"
        )
        rows = [("lora", str(lora), 7, WHEN, SHA), ("lora", str(lora), 8, WHEN, SHA), ("lora", "x", 7, WHEN, SHA)]
        connection.executemany("INSERT INTO models VALUES (?, ?, ?, ?, ?)", rows)
    connection.close()
    (found,) = hints(root, "comfyui")
    assert (found.path, found.size, found.source) == (lora, 7, "LoRA Manager")
