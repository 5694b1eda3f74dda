from __future__ import annotations

import re

import pytest

from sdkeep.ground import errors
from sdkeep.ground.errors import (
    Ambiguous,
    DigestMismatch,
    DiskFull,
    EarlyAccess,
    HubError,
    KeepError,
    RateLimited,
    tree,
)

STATUSES = {1, 2, 3, 4}


OURS = [kind for kind in tree() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_every_error_owns_a_kebab_code_a_status_and_a_sentence(kind: type[KeepError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert kind.status in STATUSES
    assert kind.__doc__


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in OURS]
    assert len(codes) == len(set(codes))


def test_the_drawing_names_every_error_of_its_module() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or "")) | {"KeepError"}
    assert drawn == {kind.__name__ for kind in OURS}


def test_facts_stay_fields() -> None:
    assert DigestMismatch("x", "aa", "bb").why == "published aa, received bb"
    assert DiskFull("x", 2000, 1000).needed == 2000
    assert "1,000 are free" in DiskFull("x", 2000, 1000).why
    assert Ambiguous("x", ("a", "b")).candidates == ("a", "b")
    assert RateLimited("x", after=3.0).after == 3.0
    assert EarlyAccess("x", until="2026-12-01").until == "2026-12-01"
    assert HubError("x", url="https://h/", http=500).http == 500
