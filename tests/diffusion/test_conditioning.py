"""Prompts as contexts, against literal statements of the rules and against transformers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.conditioning import Embedding, Emphasis, Reader, TextOptions, labels_of
from sdkeep.diffusion.networks.unet import size_embedding
from sdkeep.diffusion.prompt.tokenizer import END, START, encode
from tests.diffusion.conftest import Paired
from tests.makers.tinypipelines import read as read_by_others
from tests.makers.tinypipelines import tokens

FAMILIES = ("sd1", "sd2", "sdxl", "sdxl-refiner")


def context(model: Model, *prompts: str, **options: object) -> Tensor:
    reader = Reader(model, TextOptions(**options))  # type: ignore[arg-type]
    return torch.stack([one.context for one in reader.read(prompts)])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_is_read_as_transformers_reads_it(paired: Callable[..., Paired], family: str) -> None:
    theirs, ours = paired(family)
    found, wanted = Reader(ours).read(["a photo of a castle"])[0], read_by_others(theirs, "a photo of a castle")
    assert torch.allclose(found.context, wanted.states[0], atol=1e-5)
    if wanted.pooled is not None:
        assert found.pooled is not None
        assert torch.allclose(found.pooled, wanted.pooled[0], atol=1e-5)


@pytest.mark.parametrize("skip", [2, 3])
def test_clip_skip_takes_an_earlier_state_behind_the_last_norm(paired: Callable[..., Paired], skip: int) -> None:
    theirs, ours = paired("sd1")
    tower = theirs.text[0]
    norm = getattr(tower, "text_model", tower).final_layer_norm
    with torch.no_grad():
        states = tower(tokens("a cat", END), output_hidden_states=True).hidden_states
        wanted = norm(states[-skip])
    assert torch.allclose(context(ours, "a cat", skip=skip), wanted, atol=1e-5)


def test_clip_skip_means_nothing_beyond_sd1(paired: Callable[..., Paired]) -> None:
    for family in ("sd2", "sdxl"):
        ours = paired(family)[1]
        assert torch.equal(context(ours, "a cat", skip=2), context(ours, "a cat"))


def weights_of(words: list[tuple[str, float]]) -> Tensor:
    values = [1.0] + [weight for text, weight in words for _ in encode(text)]
    return torch.tensor(values + [1.0] * (77 - len(values)))[:, None]


def test_emphasis_scales_each_token_and_keeps_the_mean_of_all(sd1: Model) -> None:
    plain = context(sd1, "a red cat", emphasis=Emphasis.IGNORE)[0]
    scaled = plain * weights_of([("a", 1.0), ("red", 1.3), ("cat", 1 / 1.1)])
    wanted = scaled * (plain.mean() / scaled.mean())
    assert torch.allclose(context(sd1, "a (red:1.3) [cat]")[0], wanted, atol=1e-5)
    assert torch.allclose(context(sd1, "a (red:1.3) [cat]", emphasis=Emphasis.NO_NORM)[0], scaled, atol=1e-5)
    assert torch.equal(context(sd1, "a (red:1.3) [cat]", emphasis=Emphasis.IGNORE)[0], plain)


def test_without_emphasis_brackets_are_words(sd1: Model) -> None:
    found = context(sd1, "a (cat:1.3)", emphasis=Emphasis.NONE)[0]
    ids = [START, *encode("a (cat:1.3)")]
    wanted = sd1.text[0](torch.tensor([ids + [END] * (77 - len(ids))])).last[0]
    assert torch.allclose(found, wanted, atol=1e-5)


def test_break_reads_two_texts_apart_and_puts_them_one_behind_the_other(sd1: Model) -> None:
    apart = [context(sd1, text)[0] for text in ("a cat", "in a car")]
    assert torch.allclose(context(sd1, "a cat BREAK in a car")[0], torch.cat(apart), atol=1e-5)


def test_a_long_prompt_is_read_in_pieces_of_75(sd1: Model) -> None:
    words = " ".join(["cat"] * 80)
    found = context(sd1, words)[0]
    assert torch.allclose(found[:77], context(sd1, " ".join(["cat"] * 75))[0], atol=1e-5)
    assert torch.allclose(found[77:], context(sd1, " ".join(["cat"] * 5))[0], atol=1e-5)


def test_the_pooled_text_of_sdxl_is_that_of_the_first_piece(paired: Callable[..., Paired]) -> None:
    ours = paired("sdxl")[1]
    first, alone = Reader(ours).read(["a cat BREAK a car"])[0], Reader(ours).read(["a cat"])[0]
    assert first.pooled is not None and alone.pooled is not None
    assert torch.allclose(first.pooled, alone.pooled, atol=1e-5)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_an_embedding_made_of_words_vectors_reads_as_those_words(paired: Callable[..., Paired], family: str) -> None:
    ours = paired(family)[1]
    ids = torch.tensor([encode("red castle")])
    vectors = tuple(tower.embed(ids)[0] for tower in ours.text)
    reader = Reader(ours, embeddings={"zzmine": Embedding("zzmine", vectors)})
    found = reader.read(["a photo of zzmine, at night"])[0].context
    assert torch.allclose(found, context(ours, "a photo of red castle, at night")[0], atol=1e-5)
    assert reader.used == {"zzmine"}
    assert not torch.allclose(context(ours, "a photo of zzmine, at night")[0], found, atol=1e-3)


def test_a_reader_remembers_until_it_is_told_to_forget(sd1: Model) -> None:
    reader = Reader(sd1)
    first = reader.read(["a cat"])
    assert reader.read(["a cat"]) is first
    reader.forget()
    assert reader.read(["a cat"]) is not first


def test_sdxl_is_told_the_pictures_size_and_the_refiner_its_worth(paired: Callable[..., Paired]) -> None:
    for family, numbers, of_negative in [
        ("sdxl", [48, 64, 0, 0, 48, 64], [48, 64, 0, 0, 48, 64]),
        ("sdxl-refiner", [48, 64, 0, 0, 6.0], [48, 64, 0, 0, 2.5]),
    ]:
        ours = paired(family)[1]
        encoded = Reader(ours).read(["a cat"])[0]
        for negative, wanted in ((False, numbers), (True, of_negative)):
            labels = labels_of(ours, encoded, (48, 64), negative=negative)
            assert labels is not None and encoded.pooled is not None
            assert torch.equal(labels[: len(encoded.pooled)], encoded.pooled)
            assert torch.equal(labels[len(encoded.pooled) :], size_embedding(torch.tensor([wanted]).float())[0])
