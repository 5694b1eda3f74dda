"""Downloads against a server that does everything wrong: one promise a test, named after the fault it answers."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sdkeep.demo.server import Fault, Request, Response, SampleServer, Trouble, file_response, redirect, text_response
from sdkeep.ground.digest import EMPTY_SHA256
from sdkeep.ground.errors import (
    DigestMismatch,
    DiskFull,
    EarlyAccess,
    HubDown,
    HubError,
    InUse,
    KeepError,
    NeedsLogin,
    NotAModel,
    NotOnHub,
    RateLimited,
    RegionBlocked,
    Stalled,
    TransferError,
    Truncated,
)
from sdkeep.ground.events import Ended, Event, Moved, Started, Stop, Stopped
from sdkeep.net.client import Answer, Web
from sdkeep.net.journal import load
from sdkeep.net.transfer import TransferOptions, Wanted, claim, forget, transfer
from tests.makers.people import as_nobody, public_folder
from tests.net.conftest import DATA, HASTE, QUICK, SHA256, SPLIT, Fetch

EITHER = pytest.mark.parametrize("options", [QUICK, SPLIT], ids=["one-connection", "several"])


def parts(staging: Path, suffix: str = "part") -> list[Path]:
    return sorted(staging.glob(f"*.{suffix}"))


def sent(server: SampleServer) -> int:
    return sum(hit.sent for hit in server.hits)


# --- the good day


@EITHER
def test_a_download_arrives_whole_and_stays_in_staging(
    fetch: Fetch, staging: Path, server: SampleServer, options: TransferOptions
) -> None:
    fetched = fetch(options=options)
    assert fetched.path.parent == staging
    assert fetched.path.read_bytes() == DATA
    assert (fetched.size, fetched.sha256, fetched.url_host) == (len(DATA), SHA256, "127.0.0.1")
    assert fetched.etag.startswith('"')
    assert fetched.resumed_from == 0
    assert sent(server) < len(DATA) * 2


def test_a_small_file_takes_one_request(fetch: Fetch, server: SampleServer) -> None:
    fetch()
    assert [hit.range for hit in server.hits] == ["bytes=0-"]


def test_a_large_file_is_shared_between_connections(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.SLOW, times=None, seconds=0.005))
    assert fetch(options=SPLIT).path.read_bytes() == DATA
    assert len(server.hits) > 1


def test_nothing_published_is_needed(fetch: Fetch) -> None:
    fetched = fetch(size=None, sha256=None)
    assert (fetched.path.read_bytes(), fetched.sha256) == (DATA, SHA256)


def test_the_hasher_sees_the_file_in_order(fetch: Fetch, server: SampleServer) -> None:
    hasher = hashlib.blake2b()
    server.misbehave(Fault(Trouble.SLOW, times=None, seconds=0.005))
    fetched = fetch(options=SPLIT, hasher=hasher)
    assert fetched.hashed
    assert hasher.digest() == hashlib.blake2b(DATA).digest()


def test_progress_is_reported_as_a_level(fetch: Fetch) -> None:
    events: list[Event] = []
    fetch(report=events.append)
    assert events[0] == Started(SHA256, "model.safetensors", len(DATA))
    assert events[-2:] == [Moved(SHA256, len(DATA)), Ended(SHA256)]


@pytest.mark.parametrize("name", ["plain.safetensors", 'quo"te.pt', "Ünïcode 模型.ckpt", "../../etc/passwd"])
def test_the_servers_file_name_is_told_raw(fetch: Fetch, server: SampleServer, name: str) -> None:
    server.route(lambda request: file_response(DATA, request, filename=name))
    assert fetch("/named").name == name


def test_configuration_may_be_json(fetch: Fetch, server: SampleServer) -> None:
    server.route(lambda request: file_response(b'{"error_margin": 1}', request, content_type="application/json"))
    fetched = fetch("/config.json", size=None, sha256=None, kind_is_model=False)
    assert fetched.path.read_bytes() == b'{"error_margin": 1}'


def test_an_empty_configuration_is_a_file_and_an_empty_model_is_none(fetch: Fetch, server: SampleServer) -> None:
    server.route(lambda request: file_response(b"", request))
    assert fetch("/empty", size=None, sha256=None, kind_is_model=False).sha256 == EMPTY_SHA256
    with pytest.raises(Truncated):
        fetch("/nothing", size=None, sha256=None)


def test_the_journal_goes_only_after_the_file_has_left(fetch: Fetch, staging: Path, tmp_path: Path) -> None:
    fetched = fetch()
    forget(staging, SHA256)
    assert parts(staging, "json")
    fetched.path.rename(tmp_path / "committed")
    forget(staging, SHA256)
    assert not parts(staging, "json")


# --- 1, 3: connections that end early


@EITHER
@pytest.mark.parametrize("trouble", [Trouble.RESET, Trouble.CUT])
def test_1_3_a_broken_connection_is_resumed_where_it_broke(
    fetch: Fetch, server: SampleServer, trouble: Trouble, options: TransferOptions
) -> None:
    server.misbehave(*(Fault(trouble, after=n, at=100_000 * n + 5_000) for n in range(3)))
    assert fetch(options=options).path.read_bytes() == DATA
    assert sent(server) <= len(DATA) + 4 * 512 * 1024  # what sockets had buffered


def test_3_a_body_cut_short_is_never_committed(fetch: Fetch, server: SampleServer, staging: Path) -> None:
    server.misbehave(Fault(Trouble.CUT, at=1000), Fault(Trouble.CUT, after=1, times=None, at=0))
    with pytest.raises(Truncated) as caught:
        fetch()
    assert "1,000 of 1,000,003 bytes" in caught.value.why
    assert len(server.hits) == HASTE.attempts
    (journal,) = parts(staging, "json")
    assert load(journal).done == ((0, 1000),)  # type: ignore[union-attr]


def test_progress_forgives_past_failures(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.CUT, times=12, at=70_000))
    assert fetch().path.read_bytes() == DATA
    assert len(server.hits) == 13


@EITHER
def test_a_later_run_goes_on_where_the_first_stopped(
    fetch: Fetch, server: SampleServer, options: TransferOptions
) -> None:
    server.misbehave(Fault(Trouble.CUT, at=600_000), Fault(Trouble.STATUS, after=1, times=None, status=500))
    with pytest.raises(KeepError):
        fetch(options=options)
    server.behave()
    before = sent(server)
    fetched = fetch(options=options)
    assert fetched.path.read_bytes() == DATA
    assert fetched.resumed_from >= 500_000
    assert sent(server) - before <= len(DATA) - fetched.resumed_from + 512 * 1024  # what sockets hold at a split


# --- 2: silence


@EITHER
def test_2_a_stalled_connection_is_replaced(fetch: Fetch, server: SampleServer, options: TransferOptions) -> None:
    server.misbehave(Fault(Trouble.STALL, at=200_000, seconds=60))
    begun = time.monotonic()
    assert fetch(options=options).path.read_bytes() == DATA
    assert time.monotonic() - begun < 5


def test_2_a_server_that_always_stalls_is_given_up(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STALL, times=None, at=0, seconds=60))
    with pytest.raises(Stalled):
        fetch(options=replace(QUICK, give_up=0.8, slow_time=0.2))


# --- 4: no length


def test_4_without_a_length_the_published_size_tells_a_cut(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.NO_LENGTH, at=300_000))
    assert fetch(sha256=None).path.read_bytes() == DATA


def test_4_without_any_length_the_published_digest_must_agree(
    fetch: Fetch, server: SampleServer, staging: Path
) -> None:
    server.misbehave(Fault(Trouble.IGNORE_RANGE, times=None), Fault(Trouble.NO_LENGTH, at=300_000))
    with pytest.raises(DigestMismatch):
        fetch(size=None)
    assert fetch(size=None).path.read_bytes() == DATA


def test_4_without_length_and_digest_it_is_refused(fetch: Fetch, server: SampleServer, staging: Path) -> None:
    server.misbehave(Fault(Trouble.IGNORE_RANGE, times=None), Fault(Trouble.NO_LENGTH, times=None))
    with pytest.raises(TransferError, match="does not say how long"):
        fetch(size=None, sha256=None)
    assert all(part.stat().st_size == 0 for part in parts(staging))


def test_a_file_longer_than_published_is_refused(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.IGNORE_RANGE, times=None), Fault(Trouble.NO_LENGTH, times=None))
    with pytest.raises(Truncated, match="longer"):
        fetch(size=len(DATA) - 10, sha256=None)


def test_a_length_other_than_published_is_refused_before_writing(fetch: Fetch, staging: Path) -> None:
    with pytest.raises(Truncated, match="another length"):
        fetch(size=len(DATA) + 1)
    assert all(part.stat().st_size == 0 for part in parts(staging))


# --- 5, 6, 7: ranges


@EITHER
def test_5_the_whole_file_in_answer_to_a_range_lands_at_its_place(
    fetch: Fetch, server: SampleServer, options: TransferOptions
) -> None:
    server.misbehave(Fault(Trouble.CUT, at=400_000), Fault(Trouble.IGNORE_RANGE, after=1, times=None))
    assert fetch(options=options).path.read_bytes() == DATA


def test_5_a_server_without_ranges_is_read_in_one_go(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.IGNORE_RANGE, times=None))
    assert fetch(options=SPLIT).path.read_bytes() == DATA
    assert len(server.hits) == 1


@pytest.mark.parametrize("trouble", [Trouble.WRONG_RANGE, Trouble.MULTIPART])
def test_6_another_range_than_asked_is_rejected_and_asked_anew(
    fetch: Fetch, server: SampleServer, trouble: Trouble
) -> None:
    server.misbehave(Fault(Trouble.CUT, at=400_000), Fault(trouble, after=1, times=2))
    assert fetch(sha256=None).path.read_bytes() == DATA
    assert server.hits[0].sent == 400_000


def test_6_a_total_that_changes_under_the_same_etag_is_rejected(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.CUT, at=400_000), Fault(Trouble.WRONG_TOTAL, after=1))
    assert fetch(size=None, sha256=None).path.read_bytes() == DATA


def test_6_a_server_that_never_sends_the_right_range_is_an_error(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.WRONG_RANGE, times=None))
    with pytest.raises(TransferError, match="garbles"):
        fetch()


def test_7_a_complete_partial_file_is_verified_without_asking(fetch: Fetch, server: SampleServer) -> None:
    fetch()
    asked = len(server.hits)
    fetched = fetch()
    assert (fetched.path.read_bytes(), fetched.resumed_from) == (DATA, len(DATA))
    assert len(server.hits) == asked


def test_7_a_range_refused_at_the_start_is_asked_as_a_whole(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.NOT_SATISFIABLE, times=None, ranged=True))
    assert fetch().path.read_bytes() == DATA


def test_7_a_server_that_refuses_everything_is_an_error(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.NOT_SATISFIABLE, times=None))
    with pytest.raises(TransferError, match="does not send"):
        fetch()


# --- 8: another version


@EITHER
def test_8_a_file_that_changes_on_the_way_is_fetched_anew_never_mixed(
    fetch: Fetch, server: SampleServer, options: TransferOptions
) -> None:
    server.misbehave(Fault(Trouble.CUT, at=500_000), Fault(Trouble.CHANGED, after=1, times=None))
    new = DATA.translate(bytes((value + 1) % 256 for value in range(256)))
    hasher = hashlib.sha256()
    fetched = fetch(sha256=None, options=options, hasher=hasher)
    assert fetched.path.read_bytes() == new
    assert fetched.hashed == (hasher.hexdigest() == fetched.sha256)


def test_8_a_file_that_changed_between_runs_is_fetched_anew(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.CUT, at=500_000), Fault(Trouble.STATUS, after=1, times=4, status=500))
    with pytest.raises(HubDown):
        fetch(sha256=None)
    server.misbehave(Fault(Trouble.CHANGED, times=None))
    fetched = fetch(sha256=None)
    assert fetched.path.read_bytes() == DATA.translate(bytes((value + 1) % 256 for value in range(256)))
    assert fetched.resumed_from == 0


def test_8_a_file_that_never_stays_the_same_is_given_up(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(*(Fault(Trouble.CHANGED, after=n, times=None) for n in range(20)))
    server.misbehave(Fault(Trouble.CUT, times=None, at=300_000))
    with pytest.raises(TransferError, match="changes while"):
        fetch(sha256=None)


def test_8_without_digest_and_validator_nothing_is_resumed(fetch: Fetch, server: SampleServer) -> None:
    server.route(lambda request: file_response(DATA, request, etag=""))
    server.misbehave(Fault(Trouble.CUT, at=500_000))
    assert fetch("/bare", sha256=None).path.read_bytes() == DATA
    assert server.hits[0].sent == 500_000
    assert server.hits[-1].range == "bytes=0-"


# --- 9: expired addresses


def signing(server: SampleServer) -> None:
    """Route /canonical to a new signed address each time."""
    count = iter(range(1000))

    def resolve(request: Request) -> Response | None:
        if request.path == "/canonical":
            return redirect(f"/signed?X-Amz-Signature={next(count)}")
        return file_response(DATA, request) if request.path == "/signed" else None

    server.route(resolve)


def test_9_each_attempt_asks_the_hub_for_a_new_address(fetch: Fetch, server: SampleServer) -> None:
    signing(server)
    server.misbehave(Fault(Trouble.EXPIRED, "/signed", uses=1), Fault(Trouble.CUT, "/signed", times=8, at=90_000))
    assert fetch("/canonical").path.read_bytes() == DATA


def test_9_an_address_that_is_expired_already_is_not_counted_as_a_failure(fetch: Fetch, server: SampleServer) -> None:
    signing(server)
    server.misbehave(Fault(Trouble.CUT, "/signed", at=500_000))
    denied = iter([True] * HASTE.excuses)

    def expired(request: Request) -> Response | None:
        if request.path == "/signed" and request.headers["range"] != "bytes=0-" and next(denied, False):
            return text_response("<Error><Code>ExpiredRequest</Code></Error>", 403, "application/xml")
        return None

    server._handlers.insert(0, expired)
    fetched = fetch("/canonical")
    assert fetched.path.read_bytes() == DATA
    assert sent(server) < len(DATA) + 64 * 1024


def test_9_an_address_that_always_is_expired_is_an_error_in_the_end(fetch: Fetch, server: SampleServer) -> None:
    signing(server)
    server.misbehave(Fault(Trouble.EXPIRED, "/signed", uses=0))
    with pytest.raises(HubError) as caught:
        fetch("/canonical")
    assert caught.value.url.endswith("/signed?X-Amz-Signature=***")


# --- 11, 12: something else than the file


@pytest.mark.parametrize("trouble", [Trouble.LOGIN_PAGE, Trouble.JSON_ERROR])
def test_11_a_page_or_an_error_text_is_refused_before_anything_is_written(
    fetch: Fetch, server: SampleServer, staging: Path, trouble: Trouble
) -> None:
    server.misbehave(Fault(trouble, times=None))
    with pytest.raises(NotAModel) as caught:
        fetch()
    assert "sdkeep auth login" in caught.value.next
    assert all(part.stat().st_size == 0 for part in parts(staging))
    assert len(server.hits) == 1


@pytest.mark.parametrize("body", [b"\n<!DOCTYPE html><p>hello", b'{"error": "no"} and more', b"<HTML><body>......"])
def test_11_a_page_that_claims_to_be_binary_is_refused_by_its_first_bytes(
    fetch: Fetch, server: SampleServer, body: bytes
) -> None:
    server.route(lambda request: file_response(body, request))
    with pytest.raises(NotAModel):
        fetch("/page", size=None, sha256=None)


def test_11_a_redirect_to_a_login_page_means_a_login_is_missing(fetch: Fetch, server: SampleServer) -> None:
    def site(request: Request) -> Response | None:
        if request.path == "/login":
            return text_response("<html>who are you?</html>", 200, "text/html")
        return redirect("/login?returnUrl=x&reason=download-auth") if request.path == "/guarded" else None

    server.route(site)
    with pytest.raises(NeedsLogin):
        fetch("/guarded")


def test_12_a_compressed_weight_is_refused_and_asked_anew(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.GZIP))
    assert fetch().path.read_bytes() == DATA
    assert all(hit.headers["accept-encoding"] == "identity" for hit in server.hits)
    server.misbehave(Fault(Trouble.GZIP, times=None))
    with pytest.raises(TransferError, match="garbles"):
        fetch(key="other")


# --- 13: busy, gone, refused


@pytest.mark.parametrize("status", [429, 503, 500, 520])
def test_13_a_busy_server_is_asked_again(fetch: Fetch, server: SampleServer, status: int) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=3, status=status, seconds=0.01))
    assert fetch().path.read_bytes() == DATA


def test_13_retry_after_is_obeyed(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STATUS, status=429, seconds=0.4))
    begun = time.monotonic()
    fetch()
    assert time.monotonic() - begun >= 0.4


def test_13_a_wish_longer_than_our_patience_ends_it(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=None, status=429, seconds=3600))
    with pytest.raises(RateLimited) as caught:
        fetch()
    assert caught.value.after == 3600
    assert len(server.hits) == 1


def test_13_a_missing_file_is_looked_for_at_its_other_address(fetch: Fetch, server: SampleServer) -> None:
    fetched = fetch("/gone", fallbacks=(server.url + "/also-gone", server.url + "/file"))
    assert fetched.path.read_bytes() == DATA


def test_13_a_file_missing_everywhere_is_not_on_the_hub(fetch: Fetch, server: SampleServer) -> None:
    with pytest.raises(NotOnHub) as caught:
        fetch("/gone", fallbacks=(server.url + "/also-gone",))
    assert "no such thing" in caught.value.why


def test_a_refusal_is_explained_by_the_hub(fetch: Fetch, server: SampleServer) -> None:
    def explain(answer: Answer) -> KeepError:
        assert answer.json() == {"error": "scripted 403"}
        return EarlyAccess("this file is early access")

    server.misbehave(Fault(Trouble.STATUS, times=None, status=403))
    with pytest.raises(EarlyAccess):
        fetch(options=replace(QUICK, resolve_error=explain))
    assert len(server.hits) == 1


def test_a_blocked_region_is_told_at_once(fetch: Fetch, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=None, status=451))
    with pytest.raises(RegionBlocked):
        fetch()


def test_a_server_that_serves_one_connection_at_a_time_still_serves_the_file(
    fetch: Fetch, server: SampleServer
) -> None:
    def one_at_a_time(request: Request) -> Response:
        if any(hit.status == 206 and not hit.over for hit in server.hits):
            return Response(503)
        return file_response(DATA, request)

    server.route(one_at_a_time)
    server.misbehave(Fault(Trouble.SLOW, times=None, seconds=0.005))
    patient = replace(HASTE, first=0.2, most=0.2)
    assert fetch("/narrow", options=replace(SPLIT, retry=patient)).path.read_bytes() == DATA
    assert {hit.status for hit in server.hits} == {206, 503}


# --- 14, 15: wrong bytes


@EITHER
def test_14_a_flipped_bit_is_found_and_the_file_put_aside(
    fetch: Fetch, server: SampleServer, staging: Path, options: TransferOptions
) -> None:
    server.misbehave(Fault(Trouble.FLIP, at=77_777))
    with pytest.raises(DigestMismatch) as caught:
        fetch(options=options)
    assert caught.value.expected == SHA256
    assert (parts(staging), len(parts(staging, "bad"))) == ([], 1)
    fetched = fetch(options=options)
    assert (fetched.path.read_bytes(), fetched.resumed_from) == (DATA, 0)


def test_15_a_wrong_published_digest_is_one_clear_answer(fetch: Fetch, server: SampleServer) -> None:
    with pytest.raises(DigestMismatch) as caught:
        fetch(sha256=EMPTY_SHA256)
    assert (caught.value.expected, caught.value.found, caught.value.status) == (EMPTY_SHA256, SHA256, 1)
    assert len(server.hits) == 1


# --- 19: the disk


def test_19_no_room_is_told_before_anything_is_written(fetch: Fetch, staging: Path) -> None:
    with pytest.raises(DiskFull) as caught:
        fetch(options=replace(QUICK, reserve=1 << 60))
    assert caught.value.needed > caught.value.free
    assert all(part.stat().st_size == 0 for part in parts(staging))


# --- 21, 23: others, and stopping


def test_21_a_second_download_of_the_same_file_is_refused(fetch: Fetch, staging: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def holder() -> None:
        with claim(staging, SHA256):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=holder)
    thread.start()
    entered.wait(10)
    with pytest.raises(InUse):
        fetch()
    leave.set()
    assert fetch(options=replace(QUICK, lock_wait=10)).path.read_bytes() == DATA
    thread.join()


def test_21_who_holds_the_claim_may_transfer(fetch: Fetch, staging: Path) -> None:
    with claim(staging, SHA256):
        assert fetch().size == len(DATA)
        assert fetch().size == len(DATA)


def test_23_a_stop_is_obeyed_at_once_and_what_arrived_counts(fetch: Fetch, server: SampleServer, staging: Path) -> None:
    stop = Stop()
    server.misbehave(Fault(Trouble.STALL, at=500_000, seconds=60))

    def report(event: Event) -> None:
        if isinstance(event, Moved) and event.done == 500_000:
            stop.ask()

    begun = time.monotonic()
    with pytest.raises(Stopped):
        fetch(stop=stop, report=report, options=replace(QUICK, slow_time=60, checkpoint=60))
    assert time.monotonic() - begun < 3
    fetched = fetch()
    assert (fetched.path.read_bytes(), fetched.resumed_from) == (DATA, 500_000)


def test_23_a_stop_while_waiting_to_retry_is_obeyed_at_once(fetch: Fetch, server: SampleServer) -> None:
    stop = Stop()
    patient = replace(HASTE, first=60.0, most=60.0)
    server.misbehave(Fault(Trouble.CUT, times=None, at=0))
    threading.Timer(0.2, stop.ask).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        fetch(stop=stop, options=replace(QUICK, retry=patient))
    assert time.monotonic() - begun < 3


# --- what lies in staging already


def test_bytes_that_no_journal_vouches_for_do_not_count(fetch: Fetch, staging: Path) -> None:
    staging.mkdir()
    (staging / f"{SHA256}.part").write_bytes(b"x" * 600_000)
    fetched = fetch()
    assert (fetched.path.read_bytes(), fetched.resumed_from) == (DATA, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1, "done": [[5, 2]]}'])
def test_a_journal_that_makes_no_sense_vouches_for_nothing(fetch: Fetch, staging: Path, text: str) -> None:
    staging.mkdir()
    (staging / f"{SHA256}.part").write_bytes(b"x" * len(DATA))
    (staging / f"{SHA256}.json").write_text(text)
    assert fetch().path.read_bytes() == DATA


def test_a_mirror_goes_on_where_the_first_address_stopped_when_a_digest_proves_it(
    fetch: Fetch, server: SampleServer
) -> None:
    server.route(lambda request: file_response(DATA, request, etag='"mirror"') if request.path == "/mirror" else None)
    server.misbehave(Fault(Trouble.CUT, at=500_000), Fault(Trouble.STATUS, after=1, times=4, status=500))
    with pytest.raises(HubDown):
        fetch()
    fetched = fetch("/mirror")
    assert (fetched.path.read_bytes(), fetched.resumed_from) == (DATA, 500_000)


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "x" * 200])
def test_a_key_is_a_plain_file_name(key: str) -> None:
    if key:
        with pytest.raises(ValueError, match="cannot name"):
            Wanted("https://x.test/", key=key)
    else:
        assert Wanted("https://x.test/").key.startswith("url-")


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_folder_that_cannot_be_written_is_told(web: Web) -> None:
    with public_folder() as folder:
        folder.chmod(0o555)

        def fetch() -> None:
            with pytest.raises(KeepError) as caught:
                transfer(web, Wanted("http://127.0.0.1:1/x"), folder / "staging")
            assert caught.value.code == "not-writable"

        as_nobody(fetch)
        folder.chmod(0o755)
        assert not list(folder.iterdir())


def test_a_dead_server_is_told_after_retries(web: Web, staging: Path) -> None:
    with pytest.raises(HubDown) as caught:
        transfer(web, Wanted("http://127.0.0.1:1/x?token=sekret"), staging, options=QUICK)
    assert "sekret" not in f"{caught.value} {caught.value.why} {caught.value.url}"
