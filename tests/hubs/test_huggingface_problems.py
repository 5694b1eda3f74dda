"""What each refusal of Hugging Face is read as: the error code first, since one status means many things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.errors import (
    DownloadDisabled,
    Gated,
    HubDown,
    HubError,
    KeepError,
    NeedsLogin,
    NotOnHub,
    RateLimited,
)
from sdkeep.hubs.huggingface.problems import explain, storage_refusal
from sdkeep.net.client import Answer

FILE = "https://huggingface.co/ada/mix/resolve/main/sub/mix.ckpt"
MODEL = "https://huggingface.co/api/models/ada/mix"


def answer(status: int, code: str = "", said: str = "", url: str = FILE, **headers: str) -> Answer:
    return Answer(status, {"x-error-code": code, "x-error-message": said, **headers}, b"", url)


@pytest.mark.parametrize(
    ("seen", "signed_in", "kind", "why"),
    [
        (answer(401, "GatedRepo"), False, Gated, "needs an account"),
        (answer(401, "GatedRepo"), True, Gated, "token was not accepted"),
        (answer(403, "GatedRepo"), True, Gated, "has not been let in"),
        (answer(401, "RepoNotFound", "Invalid username or password."), False, NotOnHub, "both alike"),
        (answer(404, "RepoNotFound"), True, NotOnHub, "your account may not see it"),
        (answer(404, url=MODEL), False, NotOnHub, "private"),
        (answer(404, "RevisionNotFound"), False, NotOnHub, "no branch"),
        (answer(404, "EntryNotFound"), False, NotOnHub, "at `main`"),
        (answer(404), False, NotOnHub, "at `main`"),
        (answer(401, "", "Invalid credentials in Authorization header"), True, NeedsLogin, "expired"),
        (answer(401, "RepoNotFound", "Invalid credentials in Authorization header"), True, NeedsLogin, "expired"),
        (answer(401), False, NeedsLogin, "no token was sent"),
        (answer(403), False, NeedsLogin, "no token was sent"),
        (answer(401, url="https://huggingface.co/api/whoami-v2"), False, NeedsLogin, "no token was sent"),
        (answer(403, "", "Missing scope: repo.read"), True, NeedsLogin, "Missing scope"),
        (answer(403), True, NeedsLogin, "fine-grained"),
        (answer(403, "", "Access to this resource is disabled."), True, DownloadDisabled, "switched it off"),
        (answer(429, **{"retry-after": "9"}), False, RateLimited, "slow down"),
        (answer(503), False, HubDown, "503"),
        (answer(400, "", "bad filter", "https://huggingface.co/api/models?filter=x"), False, HubError, "bad filter"),
        (answer(418), False, HubError, "418"),
    ],
)
def test_a_refusal_becomes_one_error_with_a_next_step(
    seen: Answer, signed_in: bool, kind: type[KeepError], why: str
) -> None:
    error = explain(seen, signed_in)
    assert type(error) is kind
    assert why in f"{error.what}; {error.why}"
    assert error.next


def test_a_rate_limit_in_hugging_face_s_own_header_is_read() -> None:
    error = explain(answer(429, ratelimit='"api";r=0;t=55'), False)
    assert isinstance(error, RateLimited)
    assert error.after == 55


def test_the_file_and_its_revision_are_named() -> None:
    assert explain(answer(404, "EntryNotFound"), False).what == "`ada/mix` has no file `sub/mix.ckpt`"
    branch = answer(404, "RevisionNotFound", url="https://huggingface.co/api/models/ada/mix/revision/refs%2Fpr%2F1")
    assert explain(branch, False).what == "`ada/mix` has no revision `refs/pr/1`"


def test_the_page_of_a_mirror_is_the_mirror_s() -> None:
    seen = answer(403, "GatedRepo", url="https://mirror.example:8443/ada/mix/resolve/main/x.ckpt")
    assert "https://mirror.example:8443/ada/mix" in explain(seen, True).next


def test_signed_storage_is_told_from_the_hub() -> None:
    seen = Answer(403, {}, b"<Error/>", "https://cdn.example/lfs/x?X-Amz-Signature=secret")
    error = storage_refusal(seen)
    assert isinstance(error, HubDown)
    assert "cdn.example" in error.why
    assert "secret" not in f"{error.what}{error.why}{error.next}{error.url}"
    assert isinstance(storage_refusal(Answer(503, {}, b"", "https://cdn.example/x")), HubDown)


def test_what_a_server_says_cannot_move_the_cursor() -> None:
    error = explain(answer(403, "", "a\x1b]0;title\x07b\x1b[2J\n" + "c" * 500), True)
    assert "\x1b" not in error.why
    assert "\n" not in error.why
    assert len(error.why) <= 200


@given(
    st.integers(400, 599),
    st.sampled_from(["", "GatedRepo", "RepoNotFound", "RevisionNotFound", "EntryNotFound", "Other"]),
    st.text(max_size=30),
    st.sampled_from([FILE, MODEL, "https://huggingface.co/", "https://huggingface.co/%0a/%1b/resolve/%0d/x", ""]),
    st.booleans(),
)
def test_any_refusal_is_some_error_of_ours(status: int, code: str, said: str, url: str, signed_in: bool) -> None:
    error = explain(answer(status, code, said, url), signed_in)
    assert isinstance(error, HubError)
    assert error.next
    assert "\n" not in error.what
