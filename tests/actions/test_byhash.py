"""A hash looked for: the catalogue, Civitai, archives, neighbours, repositories that are known."""

from __future__ import annotations

import pytest

from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.server import SampleServer
from tests.makers import library
from tests.world import World, sha256

INK = 13


def test_what_is_here_is_not_asked_for(world: World) -> None:
    world.good("get", "civitai:1002@10021", "--no-place")
    before = len(world.civitai_server.hits)
    (got,) = world.good("get", sha256(world.file(INK)), "--no-place").data
    assert got["files"][0]["already_here"]
    assert len(world.civitai_server.hits) == before


def test_an_archive_is_asked_when_it_is_switched_on_and_the_hub_knows_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = sha256(world.file(INK))
    with SampleServer() as archive:
        archive.route(SampleCivitai(library.civitai_records(), library.civitai_files()))
        monkeypatch.setenv("SDKEEP_CIVITAI_URL", _empty(world))
        assert world.json("get", f"sha256:{digest}", "--dry-run").codes == ["not-on-hub"]
        monkeypatch.setenv("SDKEEP_ARCHIVES", archive.url)
        (got,) = world.good("get", f"sha256:{digest}", "--no-preview", "--no-place").data
        assert "says archive 127.0.0.1" in " ".join(got["why"])
        assert got["files"][0]["sha256"] == digest


def _empty(world: World) -> str:
    """A Civitai that knows nothing, on the same loopback."""
    world.hf_server.route(SampleCivitai((), {}))
    return world.hf_server.url


def test_a_neighbour_saves_the_download_and_is_not_trusted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    data = world.file(INK)
    digest = sha256(data)
    blob = world.root / "other" / "store" / "blobs" / "sha256" / digest[:2] / digest
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"something else")
    monkeypatch.setenv("SDKEEP_NEIGHBOURS", str(world.root / "other"))
    result = world.good("get", "civitai:1002@10021", "--no-preview", "--no-place")
    assert "passed over" in " ".join(result.document["warnings"])
    assert len(world.downloads()) > 0
    world.good("rm", "ink", "--yes")
    world.run("gc", "--yes")
    blob.write_bytes(data)
    before = len(world.downloads())
    world.good("get", "civitai:1002@10021", "--no-preview", "--no-place")
    assert len(world.downloads()) == before
    assert digest in world.blobs()
