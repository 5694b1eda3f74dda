"""A remote file as a source: the right bytes, in few requests, within limits."""

from __future__ import annotations

import io
import threading
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.demo.server import Fault, Request, Response, SampleServer, Trouble, file_response, redirect
from sdkeep.ground.errors import HubDown, HubError, HubGarbled, NotByRanges, NotOnHub
from sdkeep.ground.source import Source
from sdkeep.net.client import Web
from sdkeep.net.ranges import HttpSource, RangeLimits
from tests.net.conftest import DATA

HASTE = RangeLimits(sleep=lambda seconds: None)


def at(server: SampleServer, web: Web, path: str = "/file") -> HttpSource:
    return HttpSource(web, server.url + path, limits=HASTE)


def test_it_is_a_source(server: SampleServer, web: Web) -> None:
    source: Source = at(server, web, "/file?token=sekret")
    assert source.size == len(DATA)
    assert source.name == server.url + "/file?token=***"


def test_it_reads_what_a_file_would_read(server: SampleServer, web: Web) -> None:
    anywhere = st.tuples(st.integers(0, len(DATA) + 10), st.integers(0, 300_000))

    @settings(max_examples=40)
    @given(st.lists(anywhere, min_size=1, max_size=6))
    def check(reads: list[tuple[int, int]]) -> None:
        source = at(server, web)
        for offset, length in reads:
            assert source.read_at(offset, length) == DATA[offset : offset + length]
        assert source.size == len(DATA)

    check()


def test_a_header_takes_one_request(server: SampleServer, web: Web) -> None:
    source = at(server, web)
    assert source.read_at(0, 8) == DATA[:8]
    assert source.read_at(8, 200_000) == DATA[8:200_008]
    assert source.requests == len(server.hits) == 1
    assert source.fetched == server.hits[0].sent == 256 * 1024


def test_only_ranges_are_asked_never_the_head(server: SampleServer, web: Web) -> None:
    assert at(server, web).size == len(DATA)
    assert [(hit.method, bool(hit.range)) for hit in server.hits] == [("GET", True)]


def test_a_zip_is_listed_and_its_pickle_read_in_few_requests(server: SampleServer, web: Web) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", DATA[:100_000])
        for index in range(700):
            file.writestr(f"archive/data/{index}", DATA[index : index + 30_000])
    body = archive.getvalue()
    server.route(lambda request: file_response(body, request))
    source = at(server, web, "/model.ckpt")

    class Remote(io.RawIOBase):
        place = 0

        def seek(self, offset: int, whence: int = 0) -> int:
            self.place = offset + (0, self.place, source.size)[whence]
            return self.place

        def tell(self) -> int:
            return self.place

        def seekable(self) -> bool:
            return True

        def readable(self) -> bool:
            return True

        def readall(self) -> bytes:
            return self.read(source.size - self.place)

        def read(self, size: int = -1) -> bytes:
            data = source.read_at(self.place, source.size - self.place if size < 0 else size)
            self.place += len(data)
            return data

    with zipfile.ZipFile(Remote()) as remote:  # type: ignore[arg-type]
        assert len(remote.namelist()) == 701
        assert remote.read("archive/data.pkl") == DATA[:100_000]
    assert source.requests <= 3
    assert source.fetched < 1_000_000 < len(body)


def test_reading_on_takes_ever_larger_steps(server: SampleServer, web: Web) -> None:
    big = DATA * 20
    server.route(lambda request: file_response(big, request))
    source = at(server, web, "/big")
    for offset in range(0, len(big), 50_000):
        assert source.read_at(offset, 50_000) == big[offset : offset + 50_000]
    assert source.requests <= 12
    assert source.fetched == len(big)


def test_a_file_smaller_than_the_read_ahead_takes_one_request(server: SampleServer, web: Web) -> None:
    server.route(lambda request: file_response(b"tiny", request))
    source = at(server, web, "/tiny")
    assert (source.read_at(0, 100), source.read_at(2, 1), source.read_at(4, 1), source.size) == (b"tiny", b"n", b"", 4)
    assert source.requests == 1


def test_an_empty_file_is_empty(server: SampleServer, web: Web) -> None:
    server.route(lambda request: file_response(b"", request))
    source = at(server, web, "/empty")
    assert (source.read_at(0, 10), source.size) == (b"", 0)


def test_a_broken_read_is_repeated(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.CUT, at=100), Fault(Trouble.STATUS, after=1), Fault(Trouble.WRONG_RANGE, after=2))
    assert at(server, web).read_at(300_000, 5000) == DATA[300_000:305_000]


def test_a_server_that_ignores_ranges_is_read_from_its_beginning(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.IGNORE_RANGE, times=None))
    source = at(server, web)
    assert source.read_at(0, 1000) == DATA[:1000]
    assert source.fetched < 400_000
    assert source.read_at(900_000, 1000) == DATA[900_000:901_000]


def test_a_server_that_ignores_ranges_is_not_read_to_a_deep_end(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.IGNORE_RANGE, times=None))
    source = HttpSource(web, server.url + "/file", limits=RangeLimits(bytes=500_000))
    source.read_at(0, 8)
    with pytest.raises(NotByRanges, match="looked into from afar"):
        source.read_at(900_000, 8)


def test_limits_hold(server: SampleServer, web: Web) -> None:
    few = HttpSource(web, server.url + "/file", limits=RangeLimits(requests=2))
    few.read_at(0, 1)
    few.read_at(900_000, 1)
    with pytest.raises(NotByRanges) as caught:
        few.read_at(500_000, 1)
    assert "2 requests" in caught.value.why
    little = HttpSource(web, server.url + "/file", limits=RangeLimits(bytes=300_000))
    little.read_at(0, 1)
    with pytest.raises(NotByRanges):
        little.read_at(300_000, 300_000)


def test_a_file_that_changes_while_it_is_read_is_told(server: SampleServer, web: Web) -> None:
    source = at(server, web)
    source.read_at(0, 8)
    server.misbehave(Fault(Trouble.CHANGED, times=None))
    with pytest.raises(HubGarbled, match="changed"):
        source.read_at(900_000, 8)


def test_the_signed_address_is_used_again_until_it_expires(server: SampleServer, web: Web) -> None:
    count = iter(range(100))

    def signing(request: Request) -> Response | None:
        return redirect(f"/file?sig={next(count)}") if request.path == "/canonical" else None

    server.route(signing)
    server.misbehave(Fault(Trouble.EXPIRED, "/file", uses=2))
    source = at(server, web, "/canonical")
    for offset in (0, 900_000, 500_000):
        assert source.read_at(offset, 100) == DATA[offset : offset + 100]
    assert [hit.path.split("?")[0] for hit in server.hits].count("/canonical") == 2


def test_a_missing_file_is_looked_for_at_its_other_address(server: SampleServer, web: Web) -> None:
    source = HttpSource(web, server.url + "/gone", limits=HASTE, fallbacks=(server.url + "/file",))
    assert source.read_at(5, 5) == DATA[5:10]
    with pytest.raises(NotOnHub):
        at(server, web, "/gone").read_at(0, 1)


def test_refusals_and_dead_servers_are_errors(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=1, status=401))
    with pytest.raises(HubError) as caught:
        at(server, web).read_at(0, 1)
    assert caught.value.code == "needs-login"
    with pytest.raises(HubDown):
        HttpSource(web, "http://127.0.0.1:1/x", limits=HASTE).read_at(0, 1)


def test_negative_offsets_are_a_bug(server: SampleServer, web: Web) -> None:
    with pytest.raises(ValueError, match="count from 0"):
        at(server, web).read_at(-1, 5)


def test_it_is_shared_between_threads(server: SampleServer, web: Web) -> None:
    source = at(server, web)
    right: list[bool] = []

    def read(offset: int) -> None:
        right.append(source.read_at(offset, 70_000) == DATA[offset : offset + 70_000])

    threads = [threading.Thread(target=read, args=(offset,)) for offset in range(0, 900_000, 100_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 9
