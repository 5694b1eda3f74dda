"""Patience: how often, how long, and when past failures are forgiven."""

from __future__ import annotations

import pytest

from sdkeep.ground.errors import HubDown
from sdkeep.net.retry import Again, RetryPolicy, Tally, persist, retry_after

POLICY = RetryPolicy(attempts=4, first=1.0, most=5.0, patience=60.0, excuses=2)


def run(outcomes: list[Again | str], policy: RetryPolicy = POLICY, progress_at: int = -1) -> tuple[object, list[float]]:
    waits: list[float] = []
    tally = Tally(policy, jitter=lambda: 1.0)
    left = iter(enumerate(outcomes))

    def attempt() -> str:
        index, outcome = next(left)
        if index == progress_at:
            tally.progress()
        if isinstance(outcome, Again):
            raise outcome
        return outcome

    try:
        return persist(attempt, tally, waits.append), waits
    except HubDown as error:
        return error, waits


def no(after: float | None = None, excused: bool = False) -> Again:
    return Again(HubDown("no"), after, excused=excused)


def test_waits_double_up_to_a_cap() -> None:
    assert run([no(), no(), no(), "yes"]) == ("yes", [1.0, 2.0, 4.0])
    assert run([no()] * 5 + ["yes"], RetryPolicy(attempts=9, first=2, most=5))[1] == [2, 4, 5, 5, 5]


def test_the_last_error_is_raised_when_attempts_are_spent() -> None:
    error, waits = run([no()] * 9)
    assert isinstance(error, HubDown)
    assert len(waits) == POLICY.attempts - 1


def test_the_servers_wish_is_obeyed_up_to_patience() -> None:
    assert run([no(17.0), "yes"]) == ("yes", [17.0])
    error, waits = run([no(61.0), "yes"])
    assert (type(error), waits) == (HubDown, [])


def test_progress_starts_over() -> None:
    assert run([no(), no(), no(), no(), "yes"], progress_at=2) == ("yes", [1.0, 2.0, 1.0, 2.0])


def test_what_is_nobodys_fault_does_not_count_at_first() -> None:
    excused = [no(excused=True)] * POLICY.excuses
    assert run([*excused, no(), no(), no(), "yes"])[0] == "yes"
    assert isinstance(run([no(excused=True)] * 9)[0], HubDown)


def test_jitter_takes_up_to_half() -> None:
    tally = Tally(POLICY, jitter=lambda: 0.0)
    tally.failed(no())
    assert tally.delay == 0.5


def test_other_errors_pass_through() -> None:
    def attempt() -> str:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        persist(attempt, Tally(POLICY))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:00 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "٣"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_on_the_servers_clock(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
