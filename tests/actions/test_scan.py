"""Scanning files, what lies beside them, and models that are still at their hubs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sdkeep.demo.exchange import Request, Response, file_response
from sdkeep.demo.server import SampleServer
from tests.makers import library, models
from tests.makers.sparse import full_ema, sparse_checkpoint
from tests.makers.torchfiles import EVIL, saved
from tests.world import World

GIB = 1 << 30
EVIL_VALUE = EVIL.removeprefix(b"\x80\x02").removesuffix(b".")


def serving(server: SampleServer, path: str, file: Path | bytes, *, ranges: bool = True) -> str:
    """Publish a file at a plain address."""

    def answer(request: Request) -> Response | None:
        if request.path != path:
            return None
        if ranges:
            return file_response(file, request)
        return Response(200, {"content-type": "application/octet-stream"}, file)

    server.route(answer)
    return server.url + path


# Files here


def test_the_configuration_beside_a_checkpoint_is_judged_with_it(world: World) -> None:
    Path("model.ckpt").write_bytes(saved({"a": torch.zeros(2)}))
    assert len(world.json("scan", "./model.ckpt").data) == 1
    Path("model.yaml").write_text("model:\n  target: os.system\n")
    result = world.json("scan", "./model.ckpt")
    assert result.status == 1
    model, config = result.data
    assert (model["verdict"]["outcome"], config["verdict"]["outcome"]) == ("clean", "suspicious")
    assert config["beside"] == model["path"]
    assert "configuration" in world.run("scan", "./model.ckpt").stdout


def test_the_configuration_beside_a_text_is_nobody_s(world: World) -> None:
    Path("notes.bin").write_bytes(b"just some words")
    Path("notes.yaml").write_text("target: os.system\n")
    assert len(world.json("scan", "./notes.bin").data) == 1


def test_full_reads_the_numbers_and_leaves_nothing_unread(world: World) -> None:
    data = saved({"a": torch.arange(5000.0)})
    Path("whole.ckpt").write_bytes(data)
    assert world.good("scan", "./whole.ckpt").data[0]["verdict"]["unread"]
    assert world.good("scan", "./whole.ckpt", "--full").data[0]["verdict"]["unread"] == []
    at = data.index(torch.arange(5000.0).numpy().tobytes()) + 400
    Path("hurt.ckpt").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert world.json("scan", "./hurt.ckpt").status == 0
    hurt = world.json("scan", "./hurt.ckpt", "--full")
    assert hurt.status == 2
    assert hurt.data[0]["verdict"]["findings"][0]["rule"] == "payload-crc"


# Files at a hub


@pytest.mark.parametrize(("more", "outcome", "status"), [(b"", "clean", 0), (EVIL_VALUE, "dangerous", 1)])
def test_eight_gigabytes_are_judged_by_a_mebibyte(
    world: World, tmp_path: Path, more: bytes, outcome: str, status: int
) -> None:
    path = sparse_checkpoint(tmp_path / "big.ckpt", full_ema(8 * GIB), more)
    assert path.stat().st_size > 7.9 * GIB
    url = serving(world.civitai_server, "/big.ckpt", path)
    result = world.json("scan", url)
    (scanned,) = result.data
    assert (result.status, scanned["verdict"]["outcome"]) == (status, outcome)
    assert scanned["verdict"]["basis"] == "ranges"
    assert any("tensor records" in part for part in scanned["verdict"]["unread"])
    identity = scanned["glance"]["identity"]
    assert (identity["kind"], identity["family"]) == ("checkpoint", "sd1")
    hits = [hit for hit in world.civitai_server.hits if hit.path == "/big.ckpt"]
    assert len(hits) == scanned["glance"]["requests"] <= 12
    assert sum(hit.sent for hit in hits) <= 1 << 20
    assert scanned["glance"]["fetched"] <= 1 << 20
    assert not world.blobs()


def test_what_needs_more_than_a_look_is_inconclusive_and_what_was_found_stays(world: World, tmp_path: Path) -> None:
    names = {f"layer.{place:06}" + "x" * 200: (4,) for place in range(8000)}
    url = serving(world.civitai_server, "/long.ckpt", sparse_checkpoint(tmp_path / "long.ckpt", names))
    result = world.json("scan", url)
    (scanned,) = result.data
    assert (result.status, scanned["verdict"]["outcome"]) == (2, "inconclusive")
    assert "budget-ranges" in [finding["rule"] for finding in scanned["verdict"]["findings"]]
    assert scanned["verdict"]["unread"]
    hits = [hit for hit in world.civitai_server.hits if hit.path == "/long.ckpt"]
    assert len(hits) <= 12
    assert sum(hit.sent for hit in hits) <= (1 << 20) + (64 << 10)


def test_a_server_without_ranges_leaves_a_large_file_undecided(world: World) -> None:
    data = saved({"a": torch.zeros(1 << 20)})
    result = world.json("scan", serving(world.civitai_server, "/whole.ckpt", data, ranges=False))
    assert (result.status, result.data[0]["verdict"]["outcome"]) == (2, "inconclusive")


def test_a_model_at_civitai_is_chosen_as_get_does_and_nothing_is_stored(world: World) -> None:
    result = world.json("scan", f"civitai:{library.CHECKPOINT}")
    assert result.status == 0
    assert result.data[0]["named"] == "castleMix_v2.safetensors"
    assert result.data[0]["glance"]["size"] == len(world.file(2))
    assert not world.blobs()
    assert "castle" not in world.run("ls").stdout


def test_a_trojan_at_civitai_is_seen_before_it_is_fetched(world: World) -> None:
    result = world.json("scan", f"civitai:{library.TROJAN}")
    assert (result.status, result.data[0]["verdict"]["outcome"]) == (1, "dangerous")
    assert not world.staged()


def test_a_model_at_hugging_face_is_looked_into(world: World) -> None:
    name = next(name for name, repo in library.repositories().items() if not (repo.gated or repo.private))
    result = world.json("scan", f"hf:{name}")
    assert result.data
    assert all(one["verdict"]["basis"] == "ranges" for one in result.data)


def test_a_look_says_what_it_cost_and_that_it_clears_nothing(world: World) -> None:
    said = world.run("scan", f"civitai:{library.CHECKPOINT}").stdout
    assert "requests" in said
    assert "never clear" in said


def test_what_is_not_there_is_the_hub_s_error(world: World) -> None:
    assert world.json("scan", "civitai:999999").codes == ["not-on-hub"]


def test_a_small_model_file_of_a_plain_address_is_looked_into(world: World) -> None:
    url = serving(world.civitai_server, "/a.safetensors", models.safetensors(models.small_checkpoint()))
    assert world.json("scan", url).data[0]["verdict"]["outcome"] == "clean"
