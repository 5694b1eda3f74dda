"""Every refusal of Civitai, told apart, over a real socket where a socket can make it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.demo.server import Request, Response, SampleServer, json_response, text_response
from sdkeep.ground.errors import (
    AccessError,
    DownloadDisabled,
    EarlyAccess,
    HubDown,
    HubError,
    HubGarbled,
    KeepError,
    NeedsLogin,
    NotAModel,
    NotOnHub,
    RateLimited,
    RegionBlocked,
)
from sdkeep.ground.ref import CivitaiRef
from sdkeep.hubs.civitai.client import Civitai
from sdkeep.hubs.civitai.errors import api_error, download_error
from sdkeep.net.client import Answer, Web
from tests.makers.civitai import answer

PAGE = b"<!DOCTYPE html><html><body>We are down for maintenance</body></html>"
KEY = "civitai.com/user/account"


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer() as server:
        yield server


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(sleep=lambda _: None) as web:
        yield web


def answering(server: SampleServer, response: Response) -> None:
    server.route(lambda request: response)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (json_response({"error": "Unauthorized"}, 401), NeedsLogin),
        (json_response({"error": "You do not have access"}, 403), AccessError),
        (Response(403, {"content-type": "text/html", "cf-ray": "1"}, PAGE), HubDown),
        (json_response({"error": "No model with id 5"}, 404), NotOnHub),
        (json_response({"error": "archived"}, 410), DownloadDisabled),
        (json_response({"error": "too many pages, use cursors instead"}, 429), RateLimited),
        (json_response({"error": "no", "code": "REGION_BLOCKED"}, 451), RegionBlocked),
        (json_response({"error": "bad sort"}, 400), HubError),
        (json_response({"error": "An unexpected error occurred"}, 500), HubDown),
        (json_response({"error": "Model search is temporarily overloaded"}, 503), HubDown),
        (text_response(PAGE.decode(), 503, "text/html"), HubDown),
        (text_response(PAGE.decode(), 200, "text/html"), HubDown),
        (Response(200, {"content-type": "application/json"}, b'{"id": 5'), HubGarbled),
        (Response(200, {"content-type": "application/json"}, b""), HubGarbled),
        (Response(200, {"content-type": "application/json"}, b"[" * 100_000), HubGarbled),
        (json_response({"hello": 1}), HubGarbled),
    ],
)
def test_each_answer_of_the_api_means_one_error(
    server: SampleServer, web: Web, response: Response, error: type[KeepError]
) -> None:
    answering(server, response)
    with pytest.raises(error) as caught:
        Civitai(web, server.url).model(CivitaiRef(5))
    assert type(caught.value) is error
    assert not caught.value.what.endswith(".")


def test_a_404_does_not_call_the_model_deleted(server: SampleServer, web: Web) -> None:
    answering(server, json_response({"error": "No model with id 5"}, 404))
    with pytest.raises(NotOnHub) as caught:
        Civitai(web, server.url).model(CivitaiRef(5))
    assert "does not mean that it was deleted" in caught.value.why
    assert caught.value.http == 404


def test_a_refused_key_leads_to_the_page_where_keys_are_made(server: SampleServer, web: Web) -> None:
    answering(server, json_response({"error": "Unauthorized"}, 401))
    with pytest.raises(NeedsLogin) as caught:
        Civitai(web, server.url).whoami()
    assert "sdkeep auth login civitai" in caught.value.next
    assert KEY in caught.value.next


LOGIN_SAID = {"error": "Unauthorized", "message": "The creator of this asset requires you to be logged in"}
DISABLED = {"error": "Unauthorized", "message": "The creator of this asset has disabled downloads on this file"}
EARLY = {"error": "Early Access", "deadline": "2026-09-01T00:00:00.000Z", "message": "This asset is in Early Access."}
EXPIRED = b"<?xml version='1.0'?><Error><Code>ExpiredRequest</Code></Error>"


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (answer(401, LOGIN_SAID), NeedsLogin),
        (answer(401, b""), NeedsLogin),
        (answer(401, DISABLED), DownloadDisabled),
        (answer(403, EARLY), EarlyAccess),
        (answer(403, {"error": "Early Access"}), EarlyAccess),
        (answer(403, {"error": "You do not have access to download this file"}), AccessError),
        (answer(403, EXPIRED), HubDown),
        (answer(403, PAGE, content_type="text/html", server="cloudflare", cf_ray="1"), HubDown),
        (answer(404, {"error": "File not found"}), NotOnHub),
        (answer(410, {"error": "Model archived, not available for download"}), DownloadDisabled),
        (answer(429, {"error": "unusual amount of downloading"}, retry_after="120"), RateLimited),
        (answer(451, {"error": "no"}), RegionBlocked),
        (answer(400, {"error": "Invalid type"}), HubError),
        (answer(502, PAGE), HubDown),
        (answer(200, LOGIN_SAID), NeedsLogin),
        (answer(200, DISABLED), DownloadDisabled),
        (answer(200, {"hello": "world"}), NotAModel),
        (answer(307, b"", location="https://[broken"), HubError),
        (answer(307, b"", location="/login?returnUrl=x"), NeedsLogin),
        (answer(307, b"", location="https://civitai.com/login?reason=download-auth"), NeedsLogin),
        (answer(200, PAGE, url="https://civitai.com/login?returnUrl=%2F"), NeedsLogin),
        (answer(200, PAGE, url="https://civitai.com/model-versions/5"), NotAModel),
    ],
)
def test_each_answer_of_a_download_means_one_error(refusal: Answer, error: type[KeepError]) -> None:
    found = download_error(refusal)
    assert type(found) is error
    assert found.why
    assert found.next


@given(st.integers(200, 599), st.binary(max_size=60) | st.sampled_from([PAGE, EXPIRED, b"[" * 9999, b'{"error": 1}']))
def test_any_answer_at_all_means_some_error_with_its_three_parts(status: int, body: bytes) -> None:
    for error in (download_error(answer(status, body)), api_error(answer(status, body), "it")):
        assert error.what
        assert error.why
        assert error.next


def test_early_access_says_until_when() -> None:
    error = download_error(answer(403, EARLY))
    assert isinstance(error, EarlyAccess)
    assert error.until == "2026-09-01T00:00:00Z"
    assert "2026-09-01" in error.why


def test_the_quota_says_how_long_to_wait() -> None:
    error = download_error(answer(429, {"error": "unusual amount of downloading"}, retry_after="120"))
    assert isinstance(error, RateLimited)
    assert error.after == 120
    assert "unusual amount" in error.why


def test_the_hubs_words_are_cleaned_and_the_signature_is_not_shown() -> None:
    said = {"message": "no\x1b[31m red\nline"}
    error = api_error(answer(401, said, url="https://civitai.com/x?token=secret"), "model 5")
    assert error.why == "no red line"
    assert isinstance(error, HubError)
    assert "secret" not in error.url


def test_a_login_page_after_a_followed_redirect_is_a_missing_key(server: SampleServer, web: Web) -> None:
    @server.route
    def handler(request: Request) -> Response:
        if request.path == "/login":
            return text_response(PAGE.decode(), 200, "text/html")
        return Response(307, {"location": "/login?returnUrl=%2F"})

    assert isinstance(download_error(web.get(f"{server.url}/api/download/models/5")), NeedsLogin)
