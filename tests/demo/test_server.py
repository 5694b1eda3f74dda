"""The sample server: honest HTTP, then each trouble it can make."""

from __future__ import annotations

import gzip
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdkeep.demo.server import (
    Fault,
    Request,
    Response,
    SampleServer,
    Trouble,
    file_response,
    json_response,
)

DATA = bytes(range(256)) * 400


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer() as server:
        server.route(lambda request: file_response(DATA, request) if request.path == "/file" else None)
        yield server


def ask(server: SampleServer, path: str = "/file", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_a_file_is_served_whole_with_a_strong_etag(server: SampleServer) -> None:
    status, headers, body = ask(server)
    assert (status, body) == (200, DATA)
    assert headers["etag"].startswith('"')
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=102000-", 102000, 102400),
        ("bytes=102000-999999", 102000, 102400),
        ("bytes=-100", 102300, 102400),
    ],
)
def test_a_range_is_served_exactly(server: SampleServer, asked: str, start: int, stop: int) -> None:
    status, headers, body = ask(server, range=asked)
    assert (status, body) == (206, DATA[start:stop])
    assert headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"


def test_a_range_past_the_end_is_not_satisfiable(server: SampleServer) -> None:
    status, headers, body = ask(server, range=f"bytes={len(DATA)}-")
    assert (status, body) == (416, b"")
    assert headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("asked", ["bytes=9-3", "bytes=-", "items=1-2", "bytes=0-1,4-5"])
def test_a_range_that_makes_no_sense_is_ignored(server: SampleServer, asked: str) -> None:
    assert ask(server, range=asked)[0] == 200


def test_if_range_with_the_current_etag_keeps_the_range_and_another_drops_it(server: SampleServer) -> None:
    etag = ask(server)[1]["etag"]
    assert ask(server, range="bytes=5-9", if_range=etag)[0] == 206
    assert ask(server, range="bytes=5-9", if_range='"other"')[0] == 200


def test_a_weak_etag_never_matches_if_range(server: SampleServer) -> None:
    server.route(lambda request: file_response(DATA, request, etag='W/"w"'))
    assert ask(server, "/weak", range="bytes=5-9", if_range='W/"w"')[0] == 200


def test_a_file_on_disk_is_served_by_ranges(server: SampleServer, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    server.route(lambda request: file_response(path, request, filename="Ünï.safetensors"))
    status, headers, body = ask(server, "/disk", range="bytes=300-70000")
    assert (status, body) == (206, DATA[300:70001])
    assert "filename*=UTF-8''%C3%9Cn%C3%AF.safetensors" in headers["content-disposition"]


def test_handlers_are_asked_in_order_and_nobody_means_404(server: SampleServer) -> None:
    server.route(lambda request: json_response({"q": request.param("q")}) if request.path == "/api" else None)
    assert ask(server, "/api?q=a%20b")[2] == b'{"q": "a b"}'
    assert ask(server, "/nothing")[0] == 404


def test_every_request_is_remembered(server: SampleServer) -> None:
    ask(server, "/file?x=1", range="bytes=0-9", authorization="Bearer t")
    (hit,) = server.hits
    assert (hit.method, hit.path, hit.range, hit.status, hit.sent) == ("GET", "/file?x=1", "bytes=0-9", 206, 10)
    assert hit.headers["authorization"] == "Bearer t"


def test_a_connection_is_kept_alive(server: SampleServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/file")
        assert connection.getresponse().read() == DATA
        assert connection.sock is not None
        ports.add(connection.sock.getsockname())
    connection.close()
    assert len(ports) == 1


def test_a_handler_that_raises_is_answered_with_500_and_kept(server: SampleServer) -> None:
    def broken(request: Request) -> Response | None:
        raise RuntimeError("broken handler")

    server.route(broken)
    assert ask(server, "/broken")[0] == 500
    assert str(server.errors[0]) == "broken handler"


def test_a_cut_promises_more_than_it_sends(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.CUT, at=1000))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(server)
    assert caught.value.partial == DATA[:1000]
    assert ask(server)[2] == DATA  # once only


def test_a_reset_is_a_reset(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.RESET, at=50_000))
    with pytest.raises(ConnectionResetError):
        ask(server)


def test_a_stall_is_silence_in_the_middle(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STALL, at=1000, seconds=0.3))
    begun = time.monotonic()
    assert ask(server)[2] == DATA
    assert time.monotonic() - begun >= 0.3


def test_closing_does_not_wait_for_a_stall() -> None:
    begun = time.monotonic()
    with SampleServer() as server:
        server.route(lambda request: file_response(DATA, request))
        server.misbehave(Fault(Trouble.STALL, at=10, seconds=60))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/file")
        connection.getresponse().read(10)
    connection.close()
    assert time.monotonic() - begun < 5


def test_no_length_ends_with_the_connection(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.NO_LENGTH, at=777))
    _, headers, body = ask(server)
    assert "content-length" not in headers
    assert body == DATA[:777]


def test_a_flip_changes_one_byte(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.FLIP, at=70_000))
    body = ask(server)[2]
    assert [index for index, (a, b) in enumerate(zip(body, DATA, strict=True)) if a != b] == [70_000]


def test_gzip_comes_uninvited(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.GZIP))
    _, headers, body = ask(server, accept_encoding="identity")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == DATA


def test_range_troubles(server: SampleServer) -> None:
    whole = len(DATA)
    server.misbehave(
        Fault(Trouble.IGNORE_RANGE),
        Fault(Trouble.WRONG_RANGE, after=1),
        Fault(Trouble.WRONG_TOTAL, after=2),
        Fault(Trouble.NOT_SATISFIABLE, after=3),
        Fault(Trouble.MULTIPART, after=4),
    )
    answers = [ask(server, range="bytes=10-19") for _ in range(6)]
    assert [status for status, _, _ in answers] == [200, 206, 206, 416, 206, 206]
    assert answers[1][1]["content-range"] == f"bytes 11-19/{whole}"
    assert answers[2][1]["content-range"] == f"bytes 10-19/{whole + 1}"
    assert answers[4][1]["content-type"].startswith("multipart/byteranges")
    assert answers[5][2] == DATA[10:20]


def test_a_changed_file_has_other_bytes_and_another_etag(server: SampleServer) -> None:
    etag = ask(server)[1]["etag"]
    server.misbehave(Fault(Trouble.CHANGED, times=None))
    status, headers, body = ask(server, range="bytes=0-9", if_range=etag)
    assert status == 200
    assert headers["etag"] != etag
    assert len(body) == len(DATA)
    assert body != DATA
    assert ask(server, range="bytes=3-9")[2] == body[3:10]


def test_an_address_expires_after_its_uses_and_a_new_one_works(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.EXPIRED, uses=2))
    assert [ask(server, "/file?sig=1")[0] for _ in range(3)] == [200, 200, 403]
    assert b"ExpiredRequest" in ask(server, "/file?sig=1")[2]
    assert ask(server, "/file?sig=2")[0] == 200


def test_answers_that_replace_the_file(server: SampleServer) -> None:
    server.misbehave(
        Fault(Trouble.LOGIN_PAGE),
        Fault(Trouble.JSON_ERROR, after=1),
        Fault(Trouble.STATUS, after=2, status=429, seconds=7),
        Fault(Trouble.REDIRECT, after=3, to="http://127.0.0.1:1/elsewhere"),
    )
    page, error, busy, moved, file = (ask(server) for _ in range(5))
    assert (page[0], page[1]["content-type"]) == (200, "text/html; charset=utf-8")
    assert (error[0], error[1]["content-type"]) == (200, "application/json; charset=utf-8")
    assert (busy[0], busy[1]["retry-after"]) == (429, "7")
    assert (moved[0], moved[1]["location"]) == (307, "http://127.0.0.1:1/elsewhere")
    assert file[2] == DATA


def test_a_fault_strikes_only_its_path_and_kind_of_request(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.LOGIN_PAGE, "/other"), Fault(Trouble.STATUS, ranged=True, status=500))
    assert ask(server)[2] == DATA
    assert ask(server, range="bytes=0-1")[0] == 500
    server.misbehave(Fault(Trouble.LOGIN_PAGE, times=None))
    server.behave()
    assert ask(server)[2] == DATA
