"""A hash looked for: the catalogue, Civitai, archives, neighbours, repositories that are known."""

from __future__ import annotations

import pytest

from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.exchange import Request, Response, file_response
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


def test_a_neighbour_may_be_an_address_and_gets_no_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    data = world.file(INK)
    digest, headers = sha256(data), list[dict[str, str]]()

    def answer(request: Request) -> Response | None:
        headers.append(dict(request.headers))
        if request.path != f"/store/blobs/sha256/{digest[:2]}/{digest}":
            return Response(404, {}, b"")
        return file_response(data, request)

    with SampleServer() as near:
        near.route(answer)
        monkeypatch.setenv("SDKEEP_NEIGHBOURS", f"{world.root / 'nowhere'},{near.url}")
        monkeypatch.setenv("CIVITAI_API_TOKEN", "secret-token")
        world.good("get", "civitai:1002@10021", "--no-preview", "--no-place")
    assert world.downloads() == []
    assert digest in world.blobs()
    assert headers
    assert not any("secret-token" in str(one) for one in headers)


def test_a_neighbour_that_is_down_or_lies_costs_a_warning(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with SampleServer() as near:
        near.route(lambda request: file_response(b"something else of no use", request))
        monkeypatch.setenv("SDKEEP_NEIGHBOURS", near.url)
        result = world.good("get", "civitai:1002@10021", "--no-preview", "--no-place")
    assert result.document["warnings"] or world.downloads()
    assert sha256(world.file(INK)) in world.blobs()


def test_a_hash_that_is_not_here_is_shown_from_the_first_place_that_knows_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = sha256(world.file(INK))
    with SampleServer() as archive:
        archive.route(SampleCivitai(library.civitai_records(), library.civitai_files()))
        monkeypatch.setenv("SDKEEP_CIVITAI_URL", _empty(world))
        assert world.json("show", f"sha256:{digest}").codes == ["not-on-hub"]
        monkeypatch.setenv("SDKEEP_ARCHIVES", archive.url)
        for ref in (f"sha256:{digest}", digest[:10]):
            (shown,) = world.good("show", ref).data
            assert shown["release"]["model_name"] == "Ink Brush"
    assert world.good("ls").data["rows"] == []


@pytest.mark.parametrize("flags", [("--look-up",), ("--in-place", "--look-up")])
def test_what_is_taken_in_is_looked_up_at_archives_too(
    world: World, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    path = world.root / "renamed.safetensors"
    path.write_bytes(world.file(INK))
    with SampleServer() as archive:
        archive.route(SampleCivitai(library.civitai_records(), library.civitai_files()))
        monkeypatch.setenv("SDKEEP_CIVITAI_URL", _empty(world))
        monkeypatch.setenv("SDKEEP_ARCHIVES", archive.url)
        world.good("add", *flags, str(path))
    (shown,) = world.good("show", "renamed").data
    assert shown["artifact"]["title"] == "Ink Brush for 1.5"


@pytest.mark.parametrize("flags", [("--look-up",), ("--in-place", "--look-up")])
def test_hugging_face_is_asked_only_about_repositories_that_are_known(world: World, flags: tuple[str, ...]) -> None:
    main = library.repositories()["ada/castle-lora"]
    data = main.branches["v2/beta"]["weights/castle_beta.safetensors"]
    file = main.files["castle_lora.safetensors"]
    assert isinstance(data, bytes)
    assert isinstance(file, bytes)
    path = world.root / "found-somewhere.safetensors"
    path.write_bytes(file)
    world.good("add", *flags, str(path))
    assert world.hf_server.hits == []
    world.good("get", "hf:ada/castle-lora@v2%2Fbeta/weights/castle_beta.safetensors", "--no-place", "--no-preview")
    (got,) = world.good("get", f"sha256:{sha256(data)}", "--no-place").data
    assert got["files"][0]["already_here"]
    other = world.root / "second-name.safetensors"
    other.write_bytes(file)
    world.good("rm", "found-somewhere", "--yes")
    asked = len(world.hf_server.hits)
    world.good("add", "--look-up", str(other))
    assert len(world.hf_server.hits) > asked
    with world.house() as house:
        release = house.book.release_of(sha256(file))
    assert release is not None
    assert (release.hub, release.model_id) == ("huggingface", "ada/castle-lora")
