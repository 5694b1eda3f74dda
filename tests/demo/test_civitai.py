"""The sample Civitai keeps the manners of the real one, the bad ones too."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.civitai_records import SampleFile, hashes
from sdkeep.demo.server import SampleServer
from sdkeep.net.client import Web, WebPolicy
from tests.makers.civitai import files, old_model, records, safetensors


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer() as server:
        server.route(SampleCivitai(records(), files(), token="key"))
        yield server


def ask(
    server: SampleServer, path: str, method: str = "GET", body: object = None, **headers: str
) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        sent = json.dumps(body).encode() if body is not None else None
        connection.request(method, path, sent, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        raw, kind = answer.read(), answer.getheader("content-type", "")
        parsed = json.loads(raw) if raw and "json" in kind else raw
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, parsed
    finally:
        connection.close()


KEY = {"authorization": "Bearer key"}


def test_a_download_goes_over_a_signed_address_that_refuses_a_key(server: SampleServer) -> None:
    status, headers, _ = ask(server, "/api/download/models/102?fileId=1022", **KEY)
    assert status == 307
    target = urlsplit(headers["location"])
    signed = f"{target.path}?{target.query}"
    assert ask(server, signed)[::2] == (200, safetensors(2))
    assert ask(server, signed, **KEY)[0] == 400
    assert ask(server, target.path)[0] == 403


def test_the_real_client_gets_the_file_without_leaking_its_key(server: SampleServer) -> None:
    with Web(WebPolicy(tokens={urlsplit(server.url).netloc: "key"})) as web:
        assert web.get(f"{server.url}/api/download/models/102?fileId=1022").body == safetensors(2)
    assert [("authorization" in hit.headers) for hit in server.hits] == [True, False]


@pytest.mark.parametrize(
    ("query", "data"),
    [("", 1), ("?type=Pruned%20Model", 2), ("?type=VAE", 3), ("?fileId=1024", 3)],
)
def test_without_an_id_the_main_file_or_the_first_that_fits_is_sent(
    server: SampleServer, query: str, data: int
) -> None:
    location = ask(server, f"/api/download/models/102{query}", **KEY)[1]["location"]
    target = urlsplit(location)
    assert ask(server, f"{target.path}?{target.query}")[2] == safetensors(data)


@pytest.mark.parametrize(
    ("path", "headers", "status", "said"),
    [
        ("/api/download/models/102", {}, 401, "logged in"),
        ("/api/download/models/102", {"authorization": "Bearer wrong"}, 401, "logged in"),
        ("/api/download/models/202", KEY, 401, "disabled downloads"),
        ("/api/download/models/203", KEY, 403, "Early Access"),
        ("/api/download/models/204", KEY, 403, "2026-09-01"),
        ("/api/download/models/301", KEY, 410, "archived"),
        ("/api/download/models/999", KEY, 404, "not found"),
        ("/api/download/models/102?fileId=9", KEY, 404, "File not found"),
        ("/api/v1/models/999", {}, 404, "No model with id 999"),
        ("/api/v1/model-versions/999", {}, 404, "Model not found"),
        ("/api/v1/model-versions/by-hash/00", {}, 404, "Model not found"),
        ("/api/v1/me", {}, 401, "Unauthorized"),
        ("/api/v1/models?query=a&page=2", {}, 400, "cursor"),
        ("/api/v1/models?limit=101", {}, 400, "limit"),
        ("/api/v1/models?favorites=false", {}, 401, "Unauthorized"),
        ("/elsewhere", {}, 404, "no such thing"),
    ],
)
def test_each_refusal_has_its_status_and_words(
    server: SampleServer, path: str, headers: dict[str, str], status: int, said: str
) -> None:
    found, _, body = ask(server, path, **headers)
    assert found == status
    assert said in json.dumps(body)


def test_a_browser_without_a_key_is_sent_to_the_login_page(server: SampleServer) -> None:
    status, headers, _ = ask(server, "/api/download/models/102", user_agent="Mozilla/5.0")
    assert (status, headers["location"].startswith("/login?")) == (307, True)
    assert b"<html" in ask(server, headers["location"])[2]


def test_head_is_refused_even_with_a_key(server: SampleServer) -> None:
    assert ask(server, "/api/download/models/102", "HEAD", **KEY)[0] == 401


def test_links_lead_back_to_the_host_that_was_asked(server: SampleServer) -> None:
    server.route(SampleCivitai([old_model()]))
    _, _, model = ask(server, "/api/v1/models/100")
    version = model["modelVersions"][0]
    assert version["files"][0]["downloadUrl"].startswith(f"{server.url}/api/download/models/102")
    status, headers, picture = ask(server, urlsplit(version["images"][0]["url"]).path)
    assert (status, headers["content-type"], picture[:4]) == (200, "image/png", b"\x89PNG")


def test_a_text_search_filters_late_so_that_pages_may_be_empty(server: SampleServer) -> None:
    _, _, first = ask(server, "/api/v1/models?query=ink&types=LORA&nsfw=true&limit=1")
    assert first["items"] == []
    cursor = first["metadata"]["nextCursor"]
    _, _, second = ask(
        server, f"/api/v1/models?query=ink&types=LORA&nsfw=true&limit=1&cursor={cursor}".replace("|", "%7C")
    )
    assert [item["name"] for item in second["items"]] == ["Ink Adult"]
    assert "nextCursor" not in second["metadata"]


def test_bulk_answers_keep_no_order_and_hold_nulls_and_repeats(server: SampleServer) -> None:
    known = hashes(safetensors(2))["SHA256"]
    _, _, found = ask(server, "/api/v1/model-versions/by-hash", "POST", [known, "0" * 64])
    assert found[0] is None
    assert found[1]["id"] == 102
    assert found[1]["files"][0]["downloadUrl"].startswith("https://undefined/")
    assert ask(server, "/api/v1/model-versions/by-hash", "POST", ["0" * 64] * 101)[0] == 400
    assert ask(server, "/api/v1/model-versions/by-hash", "POST", {"a": 1})[0] == 400
    assert ask(server, "/api/v1/model-versions/by-hash/ids", "POST", "x")[0] == 400


def test_recorded_answers_of_every_kind_can_be_served(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")
    alone = {"id": 71, "modelId": 8, "model": {"name": "Alone"}, "files": [{"id": 710, "name": "a"}]}
    with SampleServer() as server:
        server.route(SampleCivitai([{"items": [old_model()]}, alone], {700: b"bytes", 710: weights}))
        assert ask(server, "/api/v1/models/7")[2]["name"] == "Old one"
        assert ask(server, "/api/v1/model-versions/71")[2]["model"]["name"] == "Alone"
        assert ask(server, "/api/v1/enums")[2]["ModelType"] == ["TextualInversion"]
        for version, data in ((70, b"bytes"), (71, b"weights")):
            target = urlsplit(ask(server, f"/api/download/models/{version}")[1]["location"])
            assert ask(server, f"{target.path}?{target.query}")[2] == data


def test_the_hashes_of_a_file_are_those_that_the_hub_publishes() -> None:
    data = safetensors(2)
    found = hashes(data)
    assert set(found) == {"SHA256", "AutoV2", "CRC32", "BLAKE3", "AutoV3"}
    assert found["SHA256"].startswith(found["AutoV2"])
    assert set(hashes(b"x" * 0x110001)) == {"SHA256", "AutoV1", "AutoV2", "CRC32", "BLAKE3"}
    assert SampleFile(1, "a", data).type == "Model"
