from __future__ import annotations

import pytest

from sdkeep.demo.server import SampleServer
from sdkeep.net.client import Web
from sdkeep.net.probe import answers


def test_somebody_who_listens_answers_and_nobody_does_not() -> None:
    with SampleServer() as server:
        assert answers(server.url)
    assert not answers(server.url)


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "http://127.0.0.1:99999", "http://[::"])
def test_what_is_no_address_does_not_answer(url: str) -> None:
    assert not answers(url)


def test_a_question_that_changes_something_is_sent_once_even_when_it_fails() -> None:
    with SampleServer() as server, Web() as web:
        assert web.ask("DELETE", f"{server.url}/x").status == 404
        assert web.ask("POST", f"{server.url}/y", {"a": 1}).status == 404
        assert [(hit.method, hit.path) for hit in server.hits] == [("DELETE", "/x"), ("POST", "/y")]
