"""Tokens: kept private, shown to their own hub alone, and written nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import CIVITAI_KEY, HF_KEY, World


def _everything(world: World) -> bytes:
    files = [path for path in world.root.rglob("*") if path.is_file() and path.name != "tokens.json"]
    return b"\n".join(path.read_bytes() for path in files)


def test_a_token_is_stored_checked_used_and_forgotten(world: World) -> None:
    world.civitai.token = CIVITAI_KEY
    done = world.good("auth", "login", "civitai", stdin=CIVITAI_KEY + "\n").data
    assert done["account"] == "sample-user"
    assert Path(done["kept_in"]).stat().st_mode & 0o777 == 0o600
    world.good("get", "civitai:1002@10021")
    assert world.good("auth", "logout", "civitai").data["forgotten"] is True
    assert world.good("auth", "logout", "civitai").data["forgotten"] is False
    assert world.json("get", "civitai:1001").codes == ["needs-login"]


def test_a_wrong_token_is_not_kept(world: World) -> None:
    world.civitai.token = CIVITAI_KEY
    result = world.json("auth", "login", "civitai", stdin="some-other-token-0000")
    assert (result.status, result.codes) == (4, ["needs-login"])
    assert "some-other" not in result.stdout + result.stderr
    assert {one["masked"] for one in world.good("auth", "status").data} == {""}


def test_a_wrong_token_does_not_cost_the_good_one(world: World) -> None:
    world.civitai.token = CIVITAI_KEY
    world.good("auth", "login", "civitai", stdin=CIVITAI_KEY)
    assert world.json("auth", "login", "civitai", stdin="some-other-token-0000").status == 4
    assert any(one["masked"] for one in world.good("auth", "status").data)


@pytest.mark.parametrize("stdin", ["", "  \n", "two words", "x\x1b[31m"])
def test_what_is_no_token_is_refused_without_being_quoted(world: World, stdin: str) -> None:
    result = world.json("auth", "login", "hf", stdin=stdin)
    assert result.status == 2
    assert not stdin.strip() or stdin not in result.stdout


def test_an_unknown_hub_is_an_error(world: World) -> None:
    assert world.json("auth", "login", "github", stdin="x").codes == ["usage"]


def test_a_token_never_reaches_output_log_catalogue_or_a_foreign_host(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.civitai.token = CIVITAI_KEY
    monkeypatch.setenv("HF_TOKEN", HF_KEY)
    world.good("auth", "login", "civitai", stdin=CIVITAI_KEY)
    said = ""
    for command in (
        ("get", "civitai:1001", "hf:ada/gated", "civitai:1007", "-v", "--debug", "--json-events"),
        ("search", "castle", "--debug"),
        ("auth", "status", "-v"),
        ("doctor", "-v"),
        ("config", "list"),
        ("config", "get", "civitai_token"),
        ("config", "set", "hf_token", HF_KEY),
        ("show", "civitai:1002", "--json"),
        ("auth", "login", "hf", "--debug"),
        ("get", "civitai:424242", "--debug", "--json"),
    ):
        result = world.run(*command)
        said += result.stdout + result.stderr
    for key in (CIVITAI_KEY, HF_KEY):
        assert key not in said
        assert key.encode() not in _everything(world)
    for server, key in ((world.civitai_server, HF_KEY), (world.hf_server, CIVITAI_KEY)):
        assert all(key not in str(hit.headers) and key not in hit.path for hit in server.hits)
    assert all(CIVITAI_KEY not in hit.path for hit in world.civitai_server.hits)


def test_a_token_is_not_sent_to_a_plain_address(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", HF_KEY)
    monkeypatch.setenv("CIVITAI_API_TOKEN", CIVITAI_KEY)
    from sdkeep.demo.server import SampleServer

    with SampleServer() as stranger:
        world.run("get", f"{stranger.url}/x.safetensors")
        assert stranger.hits
        assert all("authorization" not in hit.headers for hit in stranger.hits)


def test_a_token_that_others_can_read_is_not_used(world: World) -> None:
    world.civitai.token = CIVITAI_KEY
    world.good("auth", "login", "civitai", stdin=CIVITAI_KEY)
    (world.home / "tokens.json").chmod(0o644)
    result = world.good("auth", "status")
    assert any("chmod 600" in warning for warning in result.document["warnings"])
    assert world.json("get", "civitai:1002@10021").status == 4
