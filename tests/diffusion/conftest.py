"""Tiny models of every family that read real prompts, on one thread so that sums are taken in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from sdkeep.diffusion.checkpoint import Model, open_checkpoint

if TYPE_CHECKING:
    from tests.makers.tinymodels import Tiny

REAL_VOCABULARY = 49408
Paired = tuple["Tiny", Model]


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Paired]:
    """`paired(family, channels=4)`: the networks by diffusers and transformers, and as opened by us."""
    from tests.makers.tinymodels import save, tiny  # diffusers takes its time

    known: dict[tuple[str, int, str], Paired] = {}

    def get(family: str, channels: int = 4, prediction: str = "") -> Paired:
        key = (family, channels, prediction)
        if key not in known:
            theirs = tiny(family, channels=channels, vocab=REAL_VOCABULARY)
            path: Path = tmp_path_factory.mktemp("tiny") / f"{family}.safetensors"
            metadata = {"modelspec.prediction_type": prediction} if prediction else None
            known[key] = theirs, open_checkpoint(save(path, theirs.weights(), metadata))
        return known[key]

    return get


@pytest.fixture(scope="session")
def sd1(paired: Callable[..., Paired]) -> Model:
    return paired("sd1")[1]
