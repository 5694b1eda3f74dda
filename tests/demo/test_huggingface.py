"""The sample Hugging Face answers as the real one does, over a socket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sdkeep.demo.huggingface import SampleHuggingFace, SampleRepo
from sdkeep.demo.server import SampleServer

WEIGHTS = bytes(range(256)) * 10
BOOK = {"hf_ada": "ada", "hf_bob": "bob"}


class Client:
    """Plain requests without redirects followed, so that each answer is seen as it is."""

    def __init__(self, server: SampleServer) -> None:
        self.server = server

    def get(self, path: str, token: str = "", method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        sent = {**headers, **({"authorization": f"Bearer {token}"} if token else {})}
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def json(self, path: str, token: str = "") -> object:
        status, _, body = self.get(path, token)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture
def hub(tmp_path: Path) -> SampleHuggingFace:
    big = tmp_path / "big.ckpt"
    big.write_bytes(WEIGHTS[::-1])
    repos = {
        "ada/one": SampleRepo(
            files={"a.safetensors": WEIGHTS, "sub/deep/config.json": b"{}", "big.ckpt": big, "README.md": b"hi"},
            branches={"dev": {"b.safetensors": b"dev"}},
            tags=("lora",),
            card={"base_model": "x/y", "license": "mit"},
            downloads=5,
        ),
        "ada/two": SampleRepo(files={"c.bin": b"c"}, downloads=9),
        "bob/gated": SampleRepo(files={"g.safetensors": b"g"}, gated="manual", members=frozenset({"bob"})),
        "bob/private": SampleRepo(files={"p.safetensors": b"p"}, private=True, members=frozenset({"bob"})),
        "bob/off": SampleRepo(files={"o.safetensors": b"o"}, disabled=True),
    }
    return SampleHuggingFace(repos, BOOK, {"old/name": "ada/one"}, page=2)


@pytest.fixture
def client(hub: SampleHuggingFace) -> Iterator[Client]:
    with SampleServer() as server:
        server.route(hub.handle)
        yield Client(server)
        assert not server.errors


def test_metadata_has_sizes_and_hashes_only_when_asked(client: Client, hub: SampleHuggingFace) -> None:
    plain = client.json("/api/models/ada/one")
    assert isinstance(plain, dict)
    assert plain["sha"] == hub.commit("ada/one")
    assert {"rfilename": "README.md"} in plain["siblings"]
    full = client.json("/api/models/ada/one?blobs=true")
    assert isinstance(full, dict)
    sibling = next(s for s in full["siblings"] if s["rfilename"] == "a.safetensors")
    assert sibling["lfs"]["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert sibling["size"] == len(WEIGHTS)
    assert "lfs" not in next(s for s in full["siblings"] if s["rfilename"] == "README.md")
    assert {"license:mit", "base_model:x/y", "base_model:adapter:x/y", "safetensors"} <= set(full["tags"])


def test_a_revision_can_be_a_branch_or_a_commit(client: Client, hub: SampleHuggingFace) -> None:
    commit = hub.commit("ada/one", "dev")
    for revision in ("dev", commit):
        answer = client.json(f"/api/models/ada/one/revision/{revision}")
        assert isinstance(answer, dict)
        assert (answer["sha"], answer["siblings"]) == (commit, [{"rfilename": "b.safetensors"}])


def test_a_tree_lists_folders_and_lfs_oids(client: Client) -> None:
    flat = client.json("/api/models/ada/one/tree/main")
    assert isinstance(flat, list)
    assert {entry["path"]: entry["type"] for entry in flat} == {
        "README.md": "file", "a.safetensors": "file", "big.ckpt": "file", "sub": "directory"
    }  # fmt: skip
    deep = client.json("/api/models/ada/one/tree/main?recursive=true")
    assert isinstance(deep, list)
    assert {entry["path"] for entry in deep} > {"sub", "sub/deep", "sub/deep/config.json"}
    assert next(e for e in deep if e["path"] == "a.safetensors")["lfs"]["oid"] == hashlib.sha256(WEIGHTS).hexdigest()
    inner = client.json("/api/models/ada/one/tree/main/sub?recursive=true")
    assert isinstance(inner, list)
    assert [entry["path"] for entry in inner] == ["sub/deep", "sub/deep/config.json"]


def test_a_large_file_is_behind_a_signed_address(client: Client, hub: SampleHuggingFace) -> None:
    status, headers, body = client.get("/ada/one/resolve/main/a.safetensors", method="HEAD")
    assert (status, body) == (302, b"")
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    assert headers["x-linked-size"] == str(len(WEIGHTS))
    assert headers["x-linked-etag"] == f'"{digest}"'
    assert headers["x-repo-commit"] == hub.commit("ada/one")
    place = urlsplit(headers["location"])
    assert "X-Amz-Signature=" in place.query
    status, headers, body = client.get(f"{place.path}?{place.query}", Range="bytes=5-9")
    assert (status, body) == (206, WEIGHTS[5:10])
    assert headers["content-range"] == f"bytes 5-9/{len(WEIGHTS)}"
    assert client.get(f"{place.path}?{place.query}", token="hf_ada")[0] == 400, "storage refuses a token"
    assert client.get(place.path)[0] == 403, "and an address without a signature"


def test_a_file_on_disk_is_served_alike(client: Client) -> None:
    _, headers, _ = client.get("/ada/one/resolve/main/big.ckpt")
    place = urlsplit(headers["location"])
    assert client.get(f"{place.path}?{place.query}")[2] == WEIGHTS[::-1]


def test_a_small_file_comes_directly(client: Client) -> None:
    status, headers, body = client.get("/ada/one/resolve/main/README.md")
    assert (status, body) == (200, b"hi")
    assert headers["etag"]


@pytest.mark.parametrize(
    ("path", "token", "status", "code"),
    [
        ("/api/models/no/such", "", 401, "RepoNotFound"),
        ("/api/models/no/such", "hf_ada", 404, "RepoNotFound"),
        ("/api/models/bob/private", "", 401, "RepoNotFound"),
        ("/api/models/bob/private", "hf_ada", 404, "RepoNotFound"),
        ("/api/models/bob/private", "hf_bob", 200, ""),
        ("/api/models/ada/one", "hf_wrong", 401, ""),
        ("/api/models/ada/one/revision/v9", "", 404, "RevisionNotFound"),
        ("/api/models/ada/one/tree/main/none", "", 404, "EntryNotFound"),
        ("/ada/one/resolve/main/none.ckpt", "", 404, "EntryNotFound"),
        ("/ada/one/resolve/v9/a.safetensors", "", 404, "RevisionNotFound"),
        ("/bob/gated/resolve/main/g.safetensors", "", 401, "GatedRepo"),
        ("/bob/gated/resolve/main/g.safetensors", "hf_ada", 403, "GatedRepo"),
        ("/bob/gated/resolve/main/g.safetensors", "hf_bob", 302, ""),
        ("/api/models/bob/gated", "", 200, ""),
        ("/bob/off/resolve/main/o.safetensors", "", 403, ""),
        ("/api/whoami-v2", "", 401, ""),
        ("/api/whoami-v2", "hf_ada", 200, ""),
        ("/lfs/" + "0" * 64 + "?X-Amz-Signature=" + "0" * 16, "", 404, ""),
        ("/something/else", "", 404, ""),
    ],
)
def test_statuses_and_error_codes(client: Client, path: str, token: str, status: int, code: str) -> None:
    seen, headers, _ = client.get(path, token)
    assert (seen, headers.get("x-error-code", "")) == (status, code)


def test_a_renamed_repository_redirects_with_its_query(client: Client) -> None:
    status, headers, _ = client.get("/api/models/old/name?blobs=true")
    assert (status, headers["location"]) == (307, "/api/models/ada/one?blobs=true")
    assert client.get("/old/name/resolve/main/README.md")[2] == b"hi"


def test_search_has_pages_that_lead_to_each_other(client: Client) -> None:
    status, headers, body = client.get("/api/models?sort=downloads&full=true")
    assert status == 200
    assert [hit["id"] for hit in json.loads(body)] == ["ada/two", "ada/one"]
    assert json.loads(body)[0]["siblings"] == [{"rfilename": "c.bin"}]
    link = headers["link"]
    assert link.endswith('; rel="next"')
    place = urlsplit(link[1 : link.index(">")])
    status, headers, body = client.get(f"{place.path}?{place.query}")
    assert {hit["id"] for hit in json.loads(body)} == {"bob/gated", "bob/off"}
    assert "link" not in headers


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("search=one", ["ada/one"]),
        ("author=ada&sort=downloads", ["ada/two", "ada/one"]),
        ("filter=lora&filter=base_model:x/y", ["ada/one"]),
        ("filter=lora&filter=nothing", []),
        ("pipeline_tag=text-classification", []),
        ("limit=1&sort=downloads", ["ada/two"]),
        ("author=bob&search=private", []),
    ],
)
def test_search_filters(client: Client, query: str, names: list[str]) -> None:
    hits = client.json(f"/api/models?{query}")
    assert isinstance(hits, list)
    assert [hit["id"] for hit in hits] == names
    assert all("siblings" not in hit and "cardData" not in hit for hit in hits)


def test_nothing_can_be_written(client: Client) -> None:
    assert client.get("/api/models/ada/one", method="DELETE")[0] == 404
