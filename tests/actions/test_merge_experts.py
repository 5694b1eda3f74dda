"""Two experts made one: what each of them knows, the merged model knows, as an independent reader of digits sees it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from sdkeep.diffusion.checkpoint import open_checkpoint
from sdkeep.diffusion.jobs import Job
from sdkeep.diffusion.pipeline import Pipeline
from tests.makers.judge import WORDS, diversity, judge
from tests.world import World

SAMPLES = Path(str(files("sdkeep"))) / "demo" / "models"
COUNT = 2
PLAIN = tuple(range(10))
LOWER = (1, 2, 3, 4, 0, 5, 6, 7, 8, 9)
UPPER = (0, 1, 2, 3, 4, 6, 7, 8, 9, 5)
BOTH = (*LOWER[:5], *UPPER[5:])
LOW, HIGH = slice(0, 5), slice(5, 10)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(path: Path) -> list[list[int]]:
    """What is read in the pictures of each word."""
    pipeline = Pipeline(open_checkpoint(path))
    jobs = [
        Job(f"a photo of a {word}", size=(32, 32), sampler="DDIM", steps=7, cfg=2.0, count=COUNT, batch=COUNT, seed=7)
        for word in WORDS
    ]
    rows = [[made.picture for made in pipeline.run(job)] for job in jobs]
    assert diversity(rows) > 0.2
    return [judge().reads(row) for row in rows]


def share(read: list[list[int]], meant: tuple[int, ...], words: slice) -> float:
    """How many of the pictures of these words show what is meant (0 to 1)."""
    right = [one == digit for row, digit in zip(read[words], meant[words], strict=True) for one in row]
    return sum(right) / len(right)


def test_the_difference_of_one_expert_added_to_another_makes_an_expert_of_both(world: World) -> None:
    """`lower` counts on by one among zero to four, `upper` among five to nine; neither knows of the other's half."""
    work, digits = world.root / "work", str(SAMPLES / "digits.safetensors")
    for name in ("lower", "upper"):
        world.good("merge", digits, "--lora", str(SAMPLES / f"{name}.safetensors"), "-o", f"{name}.safetensors")
    how = ("--method", "add-difference", "--alpha", "1", "-o", "both.safetensors")
    world.good("merge", "lower.safetensors", "upper.safetensors", digits, *how)

    lower, upper, both = (drawn(work / f"{name}.safetensors") for name in ("lower", "upper", "both"))
    assert share(lower, LOWER, LOW) >= 0.8 and share(lower, PLAIN, HIGH) >= 0.8
    assert share(upper, UPPER, HIGH) >= 0.8 and share(upper, PLAIN, LOW) >= 0.8
    assert share(both, BOTH, LOW) >= 0.7 and share(both, BOTH, HIGH) >= 0.7
    assert share(both, PLAIN, LOW) <= 0.2 and share(both, PLAIN, HIGH) <= 0.2
