"""What comes with the sample model does what it says, as an independent reader of digits sees it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image

from sdkeep.diffusion.adapters.applying import Evenly, Wanted, applied
from sdkeep.diffusion.adapters.embeddings import load_embedding
from sdkeep.diffusion.adapters.hypernetworks import context_transform, load_hypernetwork
from sdkeep.diffusion.checkpoint import Model, open_checkpoint
from sdkeep.diffusion.jobs import Job
from sdkeep.diffusion.pipeline import Pipeline
from tests.makers.judge import WORDS, judge, slant, unslanted

SAMPLES = Path(str(files("sdkeep"))) / "demo" / "models"
NAMES = ("digits", "slanted", "lucky", "next", "lower", "upper")

pytestmark = pytest.mark.skipif(
    not all((SAMPLES / f"{name}.safetensors").is_file() for name in NAMES),
    reason="the sample models are not there: python scripts/train_sample_model.py, then with --adapters",
)


@pytest.fixture(scope="module")
def digits() -> Model:
    return open_checkpoint(SAMPLES / "digits.safetensors")


def drawn(pipeline: Pipeline, words: tuple[str, ...], count: int = 2) -> list[Image.Image]:
    """So many pictures of each word, words one after another."""
    jobs = [
        Job(f"a photo of a {word}", size=(32, 32), sampler="DDIM", steps=7, cfg=2.0, count=count, batch=count, seed=7)
        for word in words
    ]
    return [made.picture for job in jobs for made in pipeline.run(job)]


def wanted(count: int = 2) -> list[int]:
    return [digit for digit in range(10) for _ in range(count)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_all_of_them_take_little_room() -> None:
    assert sum((SAMPLES / f"{name}.safetensors").stat().st_size for name in NAMES[1:]) < 300_000


def test_the_lora_leans_digits_to_the_right_and_to_the_left_below_nought(digits: Model) -> None:
    leaning, right = {}, {}
    for weight in (0.0, 1.0, -1.0):
        with applied(digits, [Wanted(SAMPLES / "slanted.safetensors", Evenly(weight, weight))]):
            pictures = drawn(Pipeline(digits), WORDS)
        leaning[weight] = mean([slant(picture) for picture in pictures])
        right[weight] = judge().share([unslanted(picture) for picture in pictures], wanted())
    assert leaning[1.0] > leaning[0.0] + 0.2
    assert leaning[-1.0] < leaning[0.0] - 0.1
    assert right[0.0] >= 0.9
    assert right[1.0] >= 0.75


def test_at_strength_nought_the_lora_changes_no_bit(digits: Model) -> None:
    plain = drawn(Pipeline(digits), ("three",))
    with applied(digits, [Wanted(SAMPLES / "slanted.safetensors", Evenly(0.0, 0.0))]):
        again = drawn(Pipeline(digits), ("three",))
    assert [picture.tobytes() for picture in plain] == [picture.tobytes() for picture in again]


@pytest.mark.parametrize("known", [True, False])
def test_the_embedding_makes_a_word_mean_seven(digits: Model, known: bool) -> None:
    lucky = load_embedding(SAMPLES / "lucky.safetensors", digits)
    pictures = drawn(Pipeline(digits, {"lucky": lucky} if known else {}), ("lucky",), 8)
    share = judge().share(pictures, 7)
    assert share >= 0.9 if known else share <= 0.5


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_the_hypernetwork_counts_on_by_one(digits: Model, strength: float) -> None:
    one = load_hypernetwork(SAMPLES / "next.safetensors")
    digits.unet.set_context_transform(context_transform([(one, strength)]))
    try:
        pictures = drawn(Pipeline(digits), WORDS)
    finally:
        digits.unet.set_context_transform(None)
    truth = wanted()
    assert judge().share(pictures, [(digit + int(strength)) % 10 for digit in truth]) >= 0.8
    assert judge().share(pictures, [(digit + int(1 - strength)) % 10 for digit in truth]) <= 0.2
