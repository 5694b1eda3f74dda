"""Parts handed out: every byte to exactly one connection."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sdkeep.net.segments import Board, Part


def test_gaps_are_handed_out_in_order() -> None:
    board = Board([(0, 10), (20, 30)], grain=4)
    first, second = board.take(), board.take()
    assert first is not None
    assert second is not None
    assert [(part.position, part.stop) for part in (first, second)] == [(0, 10), (20, 30)]
    assert board.take() is None


def test_a_large_remainder_is_halved_only_when_that_is_allowed_and_worth_it() -> None:
    board = Board([(0, None)], grain=10)
    first = board.take()
    assert first is not None
    assert board.take() is None
    board.bound(100)
    assert (first.stop, board.room) == (100, False)
    board.divisible = True
    second = board.take()
    assert second is not None
    assert (first.stop, second.position, second.stop) == (50, 50, 100)
    first.position, second.position = 35, 85
    assert board.take() is None


def test_what_is_laid_down_waits_for_the_next() -> None:
    board = Board([(0, 10)], grain=4)
    part = board.take()
    assert part is not None
    part.position = 7
    board.release(part)
    assert (board.room, board.unfinished) == (True, True)
    again = board.take()
    assert again is not None
    again.position = 10
    board.release(again)
    assert not board.unfinished


@given(st.integers(1, 500), st.integers(1, 40), st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60)), max_size=60))
def test_every_byte_is_fetched_once_whoever_works_when(size: int, grain: int, steps: list[tuple[int, int]]) -> None:
    board = Board([(0, size)], grain)
    board.divisible = True
    hands: dict[int, Part] = {}
    fetched: list[int] = []

    def work(worker: int, most: int) -> None:
        part = hands.get(worker) or board.take()
        if part is None:
            return
        hands[worker] = part
        stop = min(part.position + most, part.stop or 0)
        fetched.extend(range(part.position, stop))
        part.position = stop
        if part.complete or most % 7 == 0:
            board.release(hands.pop(worker))

    for worker, most in steps:
        work(worker, most)
    while board.unfinished:
        for worker in range(6):
            work(worker, 61)
    assert sorted(fetched) == list(range(size))
