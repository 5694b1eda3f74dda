"""Addresses: what is shown, who gets a token, where redirects may lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.errors import HubError
from sdkeep.net.address import authority, check, is_loopback, is_signed, redact, redirected, with_params

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://civitai.com/api/download/models/1?fileId=2", "https://civitai.com/api/download/models/1?fileId=2"),
        ("https://civitai.com/x?token=abc&type=Model", "https://civitai.com/x?token=***&type=Model"),
        ("https://user:pass@host.test/x#frag", "https://host.test/x"),
        (
            "https://r2.test/f?X-Amz-Expires=86400&X-Amz-Credential=a%2Fb&X-Amz-Signature=c",
            "https://r2.test/f?X-Amz-Expires=***&X-Amz-Credential=***&X-Amz-Signature=***",
        ),
        (
            "https://cf.test/f?Expires=1&Policy=p&Signature=s&Key-Pair-Id=k",
            "https://cf.test/f?Expires=***&Policy=***&Signature=***&Key-Pair-Id=***",
        ),
        (
            "https://h.test/?ACCESS_TOKEN=x&client_secret=y&api_key=z&page=3",
            "https://h.test/?ACCESS_TOKEN=***&client_secret=***&api_key=***&page=3",
        ),
        ("http://[bad", "(an unreadable address)"),
        ("http://h.test:99999999/x", "(an unreadable address)"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(
    st.text(st.characters(exclude_characters="?")),
    st.sampled_from(["token", "X-Amz-Signature", "sig", "apikey", "Policy"]),
)
def test_no_value_of_a_secret_parameter_survives(text: str, name: str) -> None:
    assert "s3kr1t" not in redact(f"https://h.test/{text}?{name}=s3kr1t")
    redact(text)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://Civitai.com/x", "civitai.com"),
        ("https://civitai.com:443/x", "civitai.com"),
        ("https://civitai.com:8443/x", "civitai.com:8443"),
        ("http://civitai.com/x", "civitai.com:80"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("https://civitai.com.evil.test/x", "civitai.com.evil.test"),
        ("https://civitai.com@evil.test/x", "evil.test"),
        ("http://[::1]:80/", "[::1]:80"),
    ],
)
def test_a_token_is_bound_to_host_and_port(url: str, name: str) -> None:
    assert authority(url) == name


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_is_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.evil.test", "10.0.0.1", "", "127.0.0.1.nip.io"])
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not is_loopback(host)


def test_signed_storage_is_recognised() -> None:
    assert is_signed("https://r2.test/f?x-amz-signature=1")
    assert is_signed("https://cf.test/f?Policy=1")
    assert not is_signed("https://civitai.com/api/download/models/1?fileId=2")


@pytest.mark.parametrize(
    "url", ["https://h.test/x", "http://127.0.0.1:1/x", "http://localhost/x", "http://mirror.lan/x"]
)
def test_encrypted_local_and_listed_addresses_may_be_asked(url: str) -> None:
    check(url, frozenset({"mirror.lan"}))


@pytest.mark.parametrize(
    ("before", "location"),
    [
        ("https://h.test/a", "http://h.test/b"),
        ("https://h.test/a", "http://127.0.0.1:8188/upload"),
        ("https://h.test/a", "https://localhost/b"),
        ("https://h.test/a", "file:///etc/passwd"),
        ("https://h.test/a", "http://[bad"),
        ("http://127.0.0.1:1/a", "http://h.test/b"),
    ],
)
def test_a_redirect_that_leads_astray_is_refused(before: str, location: str) -> None:
    with pytest.raises(HubError):
        redirected(before, location, NONE)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://cdn.test/x?a=1", "https://cdn.test/x?a=1"),
        ("/b", "https://h.test/b"),
        ("//cdn.test/x", "https://cdn.test/x"),
        (" c ", "https://h.test/p/c"),
    ],
)
def test_a_redirect_is_resolved(location: str, target: str) -> None:
    assert redirected("https://h.test/p/a", location, NONE) == target


def test_parameters_join_those_that_are_there() -> None:
    assert (
        with_params("https://h.test/x?a=1", {"b": ["2", "3"], "c": "ä &"})
        == "https://h.test/x?a=1&b=2&b=3&c=%C3%A4%20%26"
    )
    assert with_params("https://h.test/x", {}) == "https://h.test/x"
