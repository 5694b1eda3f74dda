"""How large the second pass is."""

from __future__ import annotations

import pytest
import torch

from sdkeep.diffusion.hires import Target, target
from sdkeep.diffusion.jobs import Hires


@pytest.mark.parametrize(
    ("hires", "wanted"),
    [
        (Hires(2.0), Target((1024, 1536))),
        (Hires(1.3), Target((665, 998))),
        (Hires(size=(1024, 0)), Target((1024, 1536))),
        (Hires(size=(0, 768)), Target((512, 768))),
        (Hires(size=(1024, 1024)), Target((1024, 1536), (0, 64))),
        (Hires(size=(512, 1024)), Target((682, 1024), (21, 0))),
    ],
)
def test_a_side_follows_the_other_and_a_shape_is_kept_by_cutting(hires: Hires, wanted: Target) -> None:
    assert target((512, 768), hires) == wanted


def test_the_cut_takes_the_middle() -> None:
    latents = torch.arange(7.0).expand(1, 1, 7, 7)
    assert Target((56, 56), (3, 0)).cropped(latents)[0, 0, 0].tolist() == [1, 2, 3, 4]
    assert Target((56, 56), (0, 2)).cropped(latents).shape == (1, 1, 5, 7)
