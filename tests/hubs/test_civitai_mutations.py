"""Answers with any part of them replaced by anything: the worst that may come of it is `HubGarbled`."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.errors import HubGarbled
from sdkeep.ground.model import Model
from sdkeep.hubs.civitai.wire import read_model, read_page
from tests.makers.civitai import SITE, old_model, records

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([2**70, -1, 1e308, "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def spots(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every part of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(spot for key, part in inner for spot in spots(part, (*at, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    value = copy.copy(value)
    value[path[0]] = replaced(value[path[0]], path[1:], by)
    return value


WHOLE = [old_model(), *records()]


@given(data=st.data())
def test_no_mutation_of_an_answer_raises_anything_but_garbled(data: st.DataObject) -> None:
    answer: Any = data.draw(st.sampled_from(WHOLE))
    for _ in range(data.draw(st.integers(1, 3))):
        answer = replaced(answer, data.draw(st.sampled_from(spots(answer))), data.draw(junk))
    try:
        model = read_model(answer, SITE)
        page = read_page({"items": [answer], "metadata": answer}, SITE)
    except HubGarbled:
        return
    assert isinstance(model, Model)
    assert len(page.models) == 1
    for release in model.releases:
        release.raw.encode()
        release.name.encode()
        assert all(file.url.startswith("https://civitai.com/api/download/models/") for file in release.files)
