"""Progress bars take the screen only while something is going on."""

from __future__ import annotations

import io

import pytest

from sdkeep.cli.output import Look, Mode, Out
from sdkeep.cli.progress import reporting
from sdkeep.ground.events import Ended, Moved, Said, Started


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_screen_is_taken_by_the_first_job_and_left_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    screen, said = Terminal(), io.StringIO()
    out = Out(Look(Mode.HUMAN, colour=False), said, said)
    with reporting(out, screen, bars=True, events=False) as report:
        report(Said("info", "a word before"))
        assert screen.getvalue() == ""
        for job in ("a", "b"):
            report(Started(job, f"job {job}", 10))
            report(Moved(job, 5))
        report(Ended("a"))
        report(Ended("b"))
        left = screen.getvalue()
        assert "job a" in left
        assert left.rindex("\x1b[?25h") > left.rindex("\x1b[?25l"), "the cursor is back"
        report(Ended("b"))
        report(Said("info", "a word after"))
        assert screen.getvalue() == left
    assert said.getvalue() == "a word before\na word after\n"


def test_a_job_that_was_never_ended_gives_the_screen_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Terminal()
    out = Out(Look(Mode.HUMAN, colour=False), screen, screen)
    with reporting(out, screen, bars=True, events=False) as report:
        report(Started("a", "job a", 10))
    assert screen.getvalue().rindex("\x1b[?25h") > screen.getvalue().rindex("\x1b[?25l")
