"""Files in place, asked about by hash: many in one request, and not again the next day."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.makers import library, models
from tests.makers.caches import write_diskcache
from tests.makers.trees import picture_of
from tests.world import World, sha256


@pytest.fixture
def folder(world: World) -> Path:
    made = world.root / "mine"
    made.mkdir()
    (made / "a.safetensors").write_bytes(library.civitai_files()[13])
    (made / "b.safetensors").write_bytes(models.safetensors(models.small_lora(), 99))
    return made


def asked(world: World) -> list[str]:
    return [f"{hit.method} {hit.path}" for hit in world.civitai_server.hits if "by-hash" in hit.path]


def test_all_hashes_go_out_in_one_request_and_known_ones_in_a_second(world: World, folder: Path) -> None:
    world.good("add", "--in-place", "--look-up", str(folder))
    assert asked(world) == ["POST /api/v1/model-versions/by-hash/ids", "POST /api/v1/model-versions/by-hash"]
    (shown,) = world.good("show", "a").data
    assert (shown["artifact"]["title"], shown["artifact"]["origin"]) == ("Ink Brush for 1.5", "civitai:1002@10021")


def test_what_was_asked_is_not_asked_again(world: World, folder: Path) -> None:
    world.good("add", "--in-place", "--look-up", str(folder))
    before = len(asked(world))
    world.good("sync", "--look-up")
    assert len(asked(world)) == before


def test_listing_alone_reads_no_payload_and_asks_nobody(world: World, folder: Path) -> None:
    added = world.good("add", "--in-place", "--no-hash", str(folder)).data
    assert [one["sha256"] for one in added] == ["", ""]
    assert world.civitai_server.hits == []
    rows = world.good("ls").data["rows"]
    assert {(row["name"], row["kind"], row["sha256"]) for row in rows} == {("a", "lora", ""), ("b", "lora", "")}
    (shown,) = world.good("show", "a").data
    assert (shown["hashed"], shown["path"]) == (False, str(folder / "a.safetensors"))
    assert world.good("sync").data["hashed"] == 2
    assert {row["sha256"] for row in world.good("ls").data["rows"]} == {
        sha256(path.read_bytes()) for path in folder.iterdir()
    }


def test_a_sidecar_is_a_hint_from_the_first_look_on(world: World, folder: Path) -> None:
    (folder / "b.civitai.info").write_text(
        '{"id": 5, "modelId": 4, "name": "v3", "model": {"name": "Fog", "type": "LORA"}, "trainedWords": ["fog"]}'
    )
    world.good("add", "--in-place", "--no-hash", str(folder))
    (shown,) = world.good("show", "b").data
    assert shown["artifact"]["title"] == "Fog v3"
    assert shown["trigger_words"] == ["fog"]


def test_a_look_up_that_fails_is_a_warning_and_is_tried_again(world: World, folder: Path) -> None:
    world.civitai_server.close()
    result = world.good("add", "--in-place", "--look-up", str(folder))
    assert any("was not asked" in warning for warning in result.document["warnings"])
    with world.house() as house:
        assert len(house.book.unasked("civitai", [sha256(library.civitai_files()[13])])) == 1


def test_a_trojan_is_known_from_the_first_look_on(world: World, a1111: Path) -> None:
    path = a1111 / "models/Stable-diffusion/gift.ckpt"
    path.write_bytes(models.trojan())
    result = world.good("add", "--in-place", "--no-hash", str(path))
    assert result.document["warnings"]
    (shown,) = world.good("show", "gift").data
    assert shown["verdict"]["outcome"] not in ("clean", "clean-with-notes")


@pytest.mark.parametrize("database", [False, True])
def test_what_a_webui_has_hashed_before_is_a_hint_from_the_first_look_on(
    world: World, a1111: Path, database: bool
) -> None:
    path, when = a1111 / "models/Stable-diffusion/big.safetensors", 1_700_000_000.25
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(models.safetensors(models.small_checkpoint(), 3))
    os.utime(path, (when, when))
    digest = sha256(path.read_bytes())
    entry = {"checkpoint/big.safetensors": {"mtime": when, "sha256": digest}}
    if database:
        write_diskcache(a1111, "hashes", entry)
    else:
        (a1111 / "cache.json").write_text(json.dumps({"hashes": entry}))
    before = picture_of(a1111)
    (added,) = world.good("add", "--in-place", "--no-hash", str(a1111 / "models")).data
    assert added["sha256"] == ""  # a hint is no proof
    (shown,) = world.good("show", f"sha256:{digest}").data
    assert (shown["artifact"]["name"], shown["hashed"]) == (added["name"], False)
    assert picture_of(a1111) == before
