"""Embeddings in pictures: recognised in both places, read as JSON, and never more than data."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from sdkeep.audit.scan import scan
from sdkeep.formats.contents import Container
from sdkeep.formats.identify import identify
from sdkeep.formats.source import BytesSource
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.verdict import Outcome
from tests.makers.looking import Loaded, seen
from tests.makers.picture_embeddings import embedding, in_pixels, png, with_text

VECTORS = [[place / 7 - row for place in range(768)] for row in range(2)]


@pytest.mark.parametrize("write", [with_text, in_pixels], ids=["text", "pixels"])
def test_an_embedding_in_a_picture_is_recognised_and_clean(write: object, loaded: Loaded) -> None:
    data = write(embedding(VECTORS))  # type: ignore[operator]
    contents = seen(data)
    assert contents.container is Container.PNG
    assert contents.extras == {"name": "cat-toy", "step": 7}
    assert any("JSON" in note for note in contents.notes)
    identity = identify(contents)
    assert (identity.kind, identity.family) == (Kind.EMBEDDING, Family.SD1)
    assert scan(BytesSource(data)).outcome is Outcome.CLEAN
    assert torch.equal(loaded(data)["emb_params"], torch.tensor(VECTORS))


@pytest.mark.parametrize(
    "data",
    [
        b"no json", b"[]", b'{"string_to_param": 3}',
        json.dumps({"string_to_param": {"*": {"TORCHTENSOR": "x"}}}).encode(),
        json.dumps({"string_to_param": {"*": {"TORCHTENSOR": [[1], [1, 2]]}}}).encode(), b"[" * 100_000,
        b'{"string_to_param": {"*": {"TORCHTENSOR": [NaN, 1e999]}}}',
    ],
    ids=range(7),
)  # fmt: skip
@pytest.mark.parametrize("write", [with_text, in_pixels], ids=["text", "pixels"])
def test_what_is_no_embedding_is_noted_and_nothing_more(write: object, data: bytes) -> None:
    contents = seen(write(data))  # type: ignore[operator]
    assert contents.tensors == ()
    assert [flaw.rule for flaw in contents.flaws] == ["embedding-unreadable"]


def test_text_that_is_no_base64_is_noted() -> None:
    data = png(Image.new("RGB", (4, 4)), sd_ti_embedding="a")
    assert [flaw.rule for flaw in seen(data).flaws] == ["embedding-unreadable"]


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 2, 3), (255, 255, 255), (16, 16, 16)], ids=str)
def test_an_ordinary_picture_holds_none(colour: tuple[int, int, int]) -> None:
    contents = seen(png(Image.new("RGB", (32, 32), colour)))
    assert (contents.tensors, contents.flaws, contents.notes) == ((), (), ())


def test_two_black_columns_alone_make_no_embedding() -> None:
    image = Image.new("RGB", (32, 32), (1, 2, 3))
    for column in (8, 20):
        image.paste((0, 0, 0), (column, 0, column + 1, 32))
    image.paste((16, 16, 16), (0, 0, 1, 1))
    assert seen(png(image)).tensors == ()
    image.paste((0, 0, 0), (20, 0, 21, 32))
    assert seen(png(image.crop((0, 0, 29, 32)))).tensors == ()


def test_a_broken_picture_is_no_failure() -> None:
    data = in_pixels(embedding(VECTORS))
    assert seen(data[: len(data) // 2]).tensors == ()
