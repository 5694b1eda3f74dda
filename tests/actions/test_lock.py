"""A set of models as code: written down to the byte on one machine, matched on another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.makers import library, models
from tests.world import World, sha256

MINE = models.safetensors(models.small_lora(), 73)
PROJECT = """# what the comic needs
[settings]
format = "safetensors"

[models]
ink = "civitai:1002@10021"  # the brush
old = { ref = "civitai:1003", kind = "checkpoint" }
"""


@pytest.fixture
def project(world: World) -> Path:
    folder = world.root / "work"
    (folder / "sdkeep.toml").write_text(PROJECT)
    return folder


def lock_of(project: Path) -> dict[str, object]:
    said = json.loads((project / "sdkeep.lock").read_text())
    assert said["sdkeep-lock"] == 1
    return dict(said["models"])


def clean_machine(world: World) -> None:
    """Forget everything but the project."""
    for path in world.home.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_lock_holds_exact_versions_bytes_sizes_licences_and_sources(world: World, project: Path) -> None:
    world.good("lock")
    ink = lock_of(project)["ink"]
    assert isinstance(ink, dict)
    (file,) = ink["files"]
    assert (ink["release"], ink["asked"]) == ("civitai:1002@10021", {"ref": "civitai:1002@10021"})
    assert (file["sha256"], file["size"]) == (sha256(world.file(13)), len(world.file(13)))
    assert file["url"].startswith(world.civitai_server.url)
    assert ink["licence"]


def test_locking_twice_writes_the_same_and_asks_nobody(world: World, project: Path) -> None:
    world.good("lock")
    before, hits = (project / "sdkeep.lock").read_bytes(), len(world.civitai_server.hits)
    states = {one["state"] for one in world.good("lock").data["models"]}
    assert states == {"kept"}
    assert ((project / "sdkeep.lock").read_bytes(), len(world.civitai_server.hits)) == (before, hits)
    world.good("lock", "--update-all")
    assert (project / "sdkeep.lock").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda text: text + 'more = "civitai:1004"\n', "new"),
        (lambda text: text.replace("10021", "10022"), "changed"),
        (lambda text: text.replace('ink = "civitai:1002@10021"', ""), "dropped"),
    ],
    ids=["new", "changed", "dropped"],
)
def test_check_tells_when_the_lock_is_stale(world: World, project: Path, change: object, state: str) -> None:
    world.good("lock")
    assert world.good("lock", "--check").data["stale"] is False
    assert callable(change)
    (project / "sdkeep.toml").write_text(change(PROJECT))
    result = world.json("lock", "--check")
    assert result.status == 1
    assert state in {one["state"] for one in result.data["models"]}


def test_another_machine_matches_from_the_hub(world: World, a1111: Path, project: Path) -> None:
    world.good("lock")
    clean_machine(world)
    world.good("ui", "add", str(a1111))
    assert world.json("sync", "--locked", "--dry-run").status == 1
    done = world.good("sync", "--locked").data
    assert [one["outcome"] for one in done["files"]] == ["taken", "taken"]
    assert (a1111 / "models/Lora/ink.safetensors").read_bytes() == world.file(13)
    again = world.good("sync", "--locked").data
    assert [one["outcome"] for one in again["files"]] == ["here", "here"]


@pytest.mark.parametrize("how", ["home", "store", "http"])
def test_another_machine_matches_from_a_neighbour_without_any_hub(
    world: World, project: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The neighbour has fetched and converted; the new machine is given the converted file as it is."""
    world.good("get", "civitai:1002@10021", "civitai:1003", "--kind", "checkpoint")
    world.good("lock")
    neighbour = world.root / "neighbour"
    shutil.copytree(world.home, neighbour)
    clean_machine(world)
    downloads = len(world.downloads())
    if how == "http":
        with serving(neighbour / "store") as address:
            done = world.good("sync", "--locked", "--from", address).data
    else:
        monkeypatch.setenv("SDKEEP_OFFLINE", "1")
        done = world.good("sync", "--locked", "--from", str(neighbour if how == "home" else neighbour / "store")).data
    assert [one["outcome"] for one in done["files"]] == ["taken", "taken"]
    assert len(world.downloads()) == downloads
    assert sha256(world.file(13)) in world.blobs()
    monkeypatch.setenv("SDKEEP_OFFLINE", "1")
    assert {one["outcome"] for one in world.good("sync", "--locked").data["files"]} == {"here"}


def test_a_neighbour_s_wrong_bytes_are_never_taken(
    world: World, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.good("get", "civitai:1002@10021")
    (project / "sdkeep.toml").write_text('[models]\nink = "civitai:1002@10021"\n')
    world.good("lock")
    neighbour = world.root / "neighbour"
    shutil.copytree(world.home, neighbour)
    (blob,) = (path for path in neighbour.rglob("blobs/sha256/*/*") if path.is_file())
    blob.chmod(0o644)
    blob.write_bytes(b"\0" + blob.read_bytes()[1:])
    clean_machine(world)
    monkeypatch.setenv("SDKEEP_OFFLINE", "1")
    assert world.json("sync", "--locked", "--from", str(neighbour)).codes == ["digest-mismatch"]
    assert not list(world.home.rglob("blobs/sha256/*/*"))
    assert not [path for path in world.home.rglob("staging/*") if path.suffix != ".lock"]
    monkeypatch.delenv("SDKEEP_OFFLINE")
    (one,) = world.good("sync", "--locked", "--from", str(neighbour)).data["files"]
    assert one["source"].startswith(world.civitai_server.url)


def test_a_dangerous_file_is_refused_whatever_the_lock_says(world: World, project: Path) -> None:
    bad = next(data for data in library.civitai_files().values() if b"system" in data[:4000])
    digest = sha256(bad)
    store = world.root / "neighbour/store/blobs/sha256" / digest[:2]
    store.mkdir(parents=True)
    (store / digest).write_bytes(bad)
    (project / "sdkeep.toml").write_text("[models]\n")
    entry = {"asked": {"ref": "x"}, "files": [{"name": "a.pt", "sha256": digest, "size": len(bad)}]}
    (project / "sdkeep.lock").write_text(json.dumps({"sdkeep-lock": 1, "models": {"bad": entry}}))
    assert world.json("sync", "--locked", "--from", str(world.root / "neighbour")).codes == ["unsafe-file"]
    assert not list(world.home.rglob("blobs/sha256/*/*"))


def test_from_ui_keeps_the_comments_and_locks_what_lies_there(world: World, a1111: Path, project: Path) -> None:
    world.good("get", "civitai:1002@10021")
    mine = a1111 / "models/Lora/mine.safetensors"
    mine.write_bytes(MINE)
    world.good("add", "--in-place", str(mine))
    (project / "sdkeep.toml").write_text(PROJECT.replace('ink = "civitai:1002@10021"', 'other = "civitai:1004"'))
    done = world.good("lock", "--from-ui", "a1111").data
    assert sorted(done["added"]) == ["ink", "mine"]
    text = (project / "sdkeep.toml").read_text()
    assert "# what the comic needs" in text
    assert "civitai:1002@10021#13" in text
    assert f"sha256:{sha256(MINE)}" in text
    assert set(lock_of(project)) == {"ink", "mine"}
    states = {one["name"]: one["state"] for one in world.json("lock", "--check").data["models"]}
    assert (states["ink"], states["mine"], states["other"]) == ("kept", "kept", "new")


@pytest.mark.parametrize(
    "text",
    [
        "models = 3",
        "[models]\n'no name' = 'civitai:1'",
        "[models]\nx = 3",
        "[models]\nx = { reff = 'civitai:1' }",
        "[models]\nx = { ref = 'civitai:1', ui = 3 }",
        "[models]\nx = { ref = 'civitai:1', base = 3 }",
        "[models]\nx = { base = 'SD 1.5' }",
        "[models]\nx = { ref = 'civitai:1', civitai_url = 'https://evil.example' }",
        "[models",
    ],
)
def test_a_project_file_that_makes_no_sense_is_an_error(world: World, project: Path, text: str) -> None:
    (project / "sdkeep.toml").write_text(text)
    assert world.json("lock").codes == ["bad-setting"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"sdkeep-lock": 99}',
        '{"sdkeep-lock": 1, "models": {"x": {"files": [{"sha256": "../x"}]}}}',
        "\0",
    ],
)
def test_a_lock_that_makes_no_sense_is_an_error(world: World, project: Path, text: str) -> None:
    (project / "sdkeep.lock").write_text(text)
    assert world.json("sync", "--locked").codes == ["bad-setting"]


def serving(folder: Path):  # type: ignore[no-untyped-def]
    """A static web server over a folder, as anybody has one."""
    import contextlib
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    @contextlib.contextmanager
    def running():  # type: ignore[no-untyped-def]
        handler = functools.partial(Quiet, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()

    return running()


def test_files_come_where_their_webui_is_not_there_yet(world: World, project: Path) -> None:
    (project / "sdkeep.toml").write_text('[models]\nink = { ref = "civitai:1002@10021", ui = ["a1111"] }\n')
    world.good("lock")
    result = world.json("sync", "--locked")
    assert (result.status, result.codes) == (2, ["unknown-ui"])
    assert sha256(world.file(13)) in world.blobs()
    folder = world.ui("a1111")
    world.good("sync", "--locked")
    assert (folder / "models/Lora/ink.safetensors").is_file()
