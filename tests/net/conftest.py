"""A misbehaving server, an impatient client, and a staging folder."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdkeep.demo.server import Request, Response, SampleServer, file_response
from sdkeep.net.client import Web, WebPolicy
from sdkeep.net.retry import RetryPolicy
from sdkeep.net.transfer import Fetched, TransferOptions, Wanted, transfer

HASTE = RetryPolicy(attempts=4, first=0.0, most=0.0, patience=1.0)
QUICK = TransferOptions(retry=HASTE, reserve=0, checkpoint=0.0, slow_time=0.3, give_up=5.0)
SPLIT = TransferOptions(
    retry=HASTE, reserve=0, checkpoint=0.0, split_from=256 * 1024, grain=64 * 1024, slow_time=0.3, give_up=5.0
)

DATA = random.Random(7).randbytes(1_000_003)
SHA256 = hashlib.sha256(DATA).hexdigest()

Fetch = Callable[..., Fetched]


@pytest.fixture
def server() -> Iterator[SampleServer]:
    """Serves `DATA` below /file, with a strong ETag."""

    def model(request: Request) -> Response | None:
        return file_response(DATA, request) if request.path.startswith("/file") else None

    with SampleServer() as server:
        server.route(model)
        yield server
        assert server.errors == []


@pytest.fixture(scope="session")
def web() -> Iterator[Web]:
    policy = WebPolicy(connect_timeout=2, read_timeout=2, retry=HASTE)
    with Web(policy, sleep=lambda seconds: None) as web:
        yield web


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    return tmp_path / "staging"


@pytest.fixture
def fetch(server: SampleServer, web: Web, staging: Path) -> Fetch:
    """Transfer `DATA` with its published size and digest, and quick options; each of them can be given otherwise."""

    def fetch(
        path: str = "/file", *, size: int | None = len(DATA), sha256: str | None = SHA256, **more: object
    ) -> Fetched:
        options = more.pop("options", QUICK)
        wanted = {"url": server.url + path, "name": "model.safetensors", "size": size, "sha256": sha256}
        for name in ("fallbacks", "kind_is_model", "key"):
            if name in more:
                wanted[name] = more.pop(name)
        return transfer(web, Wanted(**wanted), staging, options=options, **more)  # type: ignore[arg-type]

    return fetch
