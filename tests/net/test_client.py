"""The HTTP client: whom it tells a token, what it follows, what it makes of failures."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator

import pytest

from sdkeep.demo.server import (
    Fault,
    Request,
    Response,
    SampleServer,
    Trouble,
    file_response,
    json_response,
    redirect,
    text_response,
)
from sdkeep.ground.errors import BadSetting, HubDown, HubError, HubGarbled, KeepError, RateLimited, RegionBlocked
from sdkeep.net.client import Web, WebPolicy
from sdkeep.net.retry import RetryPolicy
from tests.net.conftest import DATA, HASTE

TOKEN = "sekret-0123456789"


@pytest.fixture
def elsewhere() -> Iterator[SampleServer]:
    with SampleServer() as server:
        server.route(lambda request: json_response({"seen": "elsewhere"}))
        yield server


def bound(server: SampleServer, **more: object) -> Web:
    policy = WebPolicy(tokens={f"127.0.0.1:{server.port}": TOKEN}, retry=HASTE, **more)  # type: ignore[arg-type]
    return Web(policy, sleep=lambda seconds: None)


def words(error: KeepError) -> str:
    return f"{error} {error.what} {error.why} {error.next} {getattr(error, 'url', '')} {error!r}"


def test_an_answer_has_status_headers_body_and_address(server: SampleServer, web: Web) -> None:
    server.route(lambda request: json_response({"q": request.query}, 404))
    answer = web.get(server.url + "/api?a=1", params={"types": ["LORA", "LoCon"], "tag": "ä b"})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {"q": {"a": ["1"], "types": ["LORA", "LoCon"], "tag": ["ä b"]}}


def test_it_names_itself_and_no_browser(server: SampleServer, web: Web) -> None:
    web.get(server.url + "/file")
    agent = server.hits[0].headers["user-agent"]
    assert agent.startswith("sdkeep/")
    assert not [word for word in ("mozilla", "chrome", "safari", "firefox", "opera", "edge") if word in agent.lower()]


@pytest.mark.parametrize("agent", ["Mozilla/5.0 sdkeep", "sdkeep (Edge)", "sdkeep\n"])
def test_a_user_agent_that_hubs_take_for_a_browser_is_refused(agent: str) -> None:
    with pytest.raises(BadSetting):
        WebPolicy(user_agent=agent)


def test_json_is_posted(server: SampleServer, web: Web) -> None:
    server.route(lambda request: json_response({"method": request.method, "got": request.body.decode()}))
    answer = web.post_json(server.url + "/by-hash", ["ab", "cd"])
    assert answer.json() == {"method": "POST", "got": '["ab", "cd"]'}
    assert server.hits[0].headers["content-type"] == "application/json"


def test_small_answers_may_be_compressed_and_files_never_are(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.GZIP, times=None))
    assert web.get(server.url + "/file").body == DATA
    with web.open(server.url + "/file") as stream:
        assert gzip.decompress(stream.read(2_000_000)) == DATA
    assert server.hits[1].headers["accept-encoding"] == "identity"


def test_no_cookie_is_kept(server: SampleServer, web: Web) -> None:
    server.route(lambda request: Response(200, {"set-cookie": "session=1; path=/"}))
    web.get(server.url + "/cookie")
    web.get(server.url + "/cookie")
    assert "cookie" not in server.hits[1].headers


# --- tokens


def test_10_a_token_goes_to_its_own_host(server: SampleServer) -> None:
    with bound(server) as web:
        web.get(server.url + "/file")
    assert server.hits[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_10_a_token_never_goes_to_another_host_or_port(server: SampleServer, elsewhere: SampleServer) -> None:
    server.misbehave(Fault(Trouble.REDIRECT, times=None, to=elsewhere.url + "/x"))
    with bound(server) as web:
        web.get(elsewhere.url + "/direct")
        web.get(server.url + "/file")
        web.post_json(server.url + "/file", {})
        web.get(server.url.replace("127.0.0.1", "localhost") + "/file")
        with web.open(server.url + "/file", headers={"Authorization": "Bearer from the caller"}):
            pass
    assert len(elsewhere.hits) == 5
    assert all("authorization" not in hit.headers for hit in elsewhere.hits)
    assert "authorization" not in server.hits[2].headers  # localhost is another name


def test_10_a_token_does_not_come_back_after_a_detour(server: SampleServer, elsewhere: SampleServer) -> None:
    server.misbehave(Fault(Trouble.REDIRECT, to=elsewhere.url + "/x"))
    elsewhere.misbehave(Fault(Trouble.REDIRECT, to=server.url + "/file"))
    with bound(server) as web:
        assert web.get(server.url + "/file").body == DATA
    assert "authorization" not in server.hits[1].headers


def test_10_a_token_never_goes_to_a_signed_address(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.REDIRECT, to=server.url + "/file?X-Amz-Signature=abc"))
    with bound(server) as web:
        web.get(server.url + "/file")
    assert "authorization" not in server.hits[1].headers


def test_10_a_redirect_on_the_same_host_keeps_the_token(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.REDIRECT, to="/file?renamed=1"))
    with bound(server) as web:
        web.get(server.url + "/start")
    assert server.hits[1].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Trouble.STATUS, times=None, status=429, seconds=99),
        Fault(Trouble.STATUS, times=None, status=503),
        Fault(Trouble.STATUS, times=None, status=451),
        Fault(Trouble.CUT, times=None, at=10),
        Fault(Trouble.REDIRECT, times=None, to="/again"),
        Fault(Trouble.REDIRECT, times=None, to="http://[bad"),
        Fault(Trouble.REDIRECT, times=None, to="ftp://x/"),
        Fault(Trouble.REDIRECT, times=None, to="http://example.com/?sig=" + TOKEN),
    ],
    ids=lambda fault: f"{fault.trouble}-{fault.status}-{fault.to[:12]}",
)
def test_10_no_error_tells_a_token_or_a_signature(server: SampleServer, fault: Fault) -> None:
    server.misbehave(fault)
    with bound(server) as web, pytest.raises(KeepError) as caught:
        web.get(f"{server.url}/file?token={TOKEN}&Signature={TOKEN}")
    assert TOKEN not in words(caught.value)
    assert TOKEN not in repr(web.policy)


def test_10_a_token_that_breaks_headers_is_refused_unseen() -> None:
    with pytest.raises(BadSetting) as caught:
        WebPolicy(tokens={"civitai.com": TOKEN + "\nx: y"})
    assert TOKEN not in words(caught.value)


# --- redirects


def test_ten_redirects_are_followed_and_not_eleven(server: SampleServer, web: Web) -> None:
    def count_down(request: Request) -> Response:
        left = int(request.param("n"))
        return redirect(f"/r?n={left - 1}") if left else text_response("there")

    server.route(count_down)
    assert web.get(server.url + "/r?n=10").text == "there"
    with pytest.raises(HubError, match="circles"):
        web.get(server.url + "/r?n=11")


def test_a_post_that_is_sent_elsewhere_becomes_a_get_or_stays_a_post(server: SampleServer, web: Web) -> None:
    server.route(lambda request: text_response(f"{request.method} {request.body.decode()}"))
    server.misbehave(Fault(Trouble.REDIRECT, to="/there"))
    assert web.post_json(server.url + "/x", 1).text == "POST 1"
    server._handlers.insert(0, lambda request: redirect("/there", 303) if request.path == "/see-other" else None)
    assert web.post_json(server.url + "/see-other", 1).text == "GET "


@pytest.mark.parametrize(
    "url", ["http://civitai.com/x", "ftp://civitai.com/x", "file:///etc/passwd", "civitai.com", ""]
)
def test_an_address_that_is_not_encrypted_or_none_is_refused(web: Web, url: str) -> None:
    with pytest.raises(HubError):
        web.get(url)


# --- failures


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 522])
def test_a_busy_server_is_asked_again(server: SampleServer, web: Web, status: int) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=3, status=status))
    assert web.get(server.url + "/file").body == DATA


@pytest.mark.parametrize("trouble", [Trouble.CUT, Trouble.RESET])
def test_an_answer_that_breaks_off_is_asked_again(server: SampleServer, web: Web, trouble: Trouble) -> None:
    server.misbehave(Fault(trouble, times=3, at=500))
    assert web.get(server.url + "/file").body == DATA


def test_after_retries_a_server_error_is_told_with_its_status(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=None, status=502))
    with pytest.raises(HubDown) as caught:
        web.get(server.url + "/file")
    assert caught.value.http == 502
    assert len(server.hits) == HASTE.attempts


def test_too_many_requests_are_told_with_the_servers_wish(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=None, status=429, seconds=120))
    with pytest.raises(RateLimited) as caught:
        web.get(server.url + "/file")
    assert caught.value.after == 120
    assert len(server.hits) == 1


def test_retries_wait_as_told(server: SampleServer) -> None:
    waits: list[float] = []
    policy = WebPolicy(retry=RetryPolicy(attempts=4, first=1, most=3))
    server.misbehave(Fault(Trouble.STATUS, status=503, seconds=7), Fault(Trouble.STATUS, after=1, times=2))
    with Web(policy, sleep=waits.append) as web:
        web.get(server.url + "/file")
    assert waits[0] == 7
    assert 1 <= waits[1] <= 2
    assert 1.5 <= waits[2] <= 3


def test_a_region_block_is_told_without_retry(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.STATUS, times=None, status=451))
    with pytest.raises(RegionBlocked) as caught:
        web.get(server.url + "/file")
    assert (caught.value.status, len(server.hits)) == (4, 1)


def test_other_statuses_are_the_callers_business(server: SampleServer, web: Web) -> None:
    for status in (400, 401, 403, 404, 410, 418):
        server.misbehave(Fault(Trouble.STATUS, f"/{status}", status=status))
        assert web.get(f"{server.url}/{status}").status == status


def test_silence_is_a_dead_hub(server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STALL, times=None, at=0, seconds=30))
    policy = WebPolicy(read_timeout=0.1, retry=RetryPolicy(attempts=2, first=0))
    begun = time.monotonic()
    with Web(policy) as web, pytest.raises(HubDown, match="does not answer"):
        web.get(server.url + "/file")
    assert time.monotonic() - begun < 3


def test_an_answer_without_end_is_cut(server: SampleServer) -> None:
    with Web(WebPolicy(answer_limit=10_000)) as web, pytest.raises(HubGarbled, match="without end"):
        web.get(server.url + "/file")


def test_a_compressed_bomb_is_cut(server: SampleServer) -> None:
    server.route(lambda request: Response(200, {"content-encoding": "gzip"}, gzip.compress(bytes(30_000_000))))
    with Web(WebPolicy(answer_limit=1_000_000)) as web, pytest.raises(HubGarbled, match="without end"):
        web.get(server.url + "/bomb")


def test_garbled_compression_is_told(server: SampleServer, web: Web) -> None:
    server.route(lambda request: Response(200, {"content-encoding": "gzip"}, b"not gzip at all"))
    with pytest.raises(HubGarbled):
        web.get(server.url + "/garbled")


def test_a_page_where_json_should_be_is_told(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.LOGIN_PAGE))
    with pytest.raises(HubGarbled) as caught:
        web.get(server.url + "/api").json()
    assert "<!DOCTYPE html>" in caught.value.why


def test_a_proxy_is_used_and_its_password_never_told() -> None:
    with SampleServer() as proxy:
        proxy.route(lambda request: text_response(f"proxied {request.path}"))
        policy = WebPolicy(
            proxy=f"http://user:{TOKEN}@127.0.0.1:{proxy.port}", plain_hosts=frozenset({"hub.test"}), retry=HASTE
        )
        with Web(policy) as web:
            assert web.get("http://hub.test/x").status == 200
        assert "proxy-authorization" in proxy.hits[0].headers
        assert TOKEN not in repr(policy)


def test_this_machine_is_never_asked_through_a_proxy(server: SampleServer) -> None:
    with Web(WebPolicy(proxy="http://127.0.0.1:1")) as web:
        assert web.get(server.url + "/file").body == DATA


@pytest.mark.parametrize("policy", [WebPolicy(proxy="nonsense://x"), WebPolicy(ca="/nowhere/at/all.pem")])
def test_a_setting_that_cannot_be_used_is_told(policy: WebPolicy) -> None:
    with pytest.raises(BadSetting):
        Web(policy)


def test_a_stream_can_be_broken_off_from_another_thread(server: SampleServer, web: Web) -> None:
    server.misbehave(Fault(Trouble.STALL, at=100_000, seconds=30))
    begun = time.monotonic()
    with web.open(server.url + "/file") as stream:
        threading.Timer(0.1, stream.abort).start()
        with pytest.raises(HubDown):
            stream.read(len(DATA))
    assert time.monotonic() - begun < 1.5


def test_a_client_is_shared_between_threads(server: SampleServer, web: Web) -> None:
    server.route(lambda request: file_response(DATA[: int(request.param("n"))], request))
    sizes: list[bool] = []

    def ask(n: int) -> None:
        sizes.append(len(web.get(f"{server.url}/n?n={n}").body) == n)

    threads = [threading.Thread(target=ask, args=(n * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [True] * 8
