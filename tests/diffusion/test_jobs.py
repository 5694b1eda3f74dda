"""Jobs that nobody could do, refused with what would be possible."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from sdkeep.diffusion.jobs import Hires, Inpaint, Job, Start, checked
from sdkeep.ground.errors import UsageError

JOB = Job("a cat")
PICTURE = Image.new("RGB", (8, 8))


@pytest.mark.parametrize(
    ("size", "offered"),
    [
        ((510, 512), "`--size 504x512` or `--size 512x512`"),
        ((0, 512), "`--size 8x512`"),
        ((513, 515), "`--size 512x512` or `--size 520x520`"),
        ((99999, 512), "`--size 1024x1024`, enlarged with `--hires 2`"),
    ],
)
def test_a_size_that_latents_cannot_have_is_refused_with_the_nearest(size: tuple[int, int], offered: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(replace(JOB, size=size))
    assert caught.value.next == offered


@pytest.mark.parametrize(
    ("job", "word"),
    [
        (replace(JOB, steps=0), "--steps 0"),
        (replace(JOB, cfg=float("nan")), "--cfg nan"),
        (replace(JOB, cfg=-1), "--cfg -1"),
        (replace(JOB, count=0), "--count 0"),
        (replace(JOB, variation=1.5), "--variation-strength 1.5"),
        (replace(JOB, refine_at=2.0), "--refiner-at 2"),
        (replace(JOB, seed=-1), "--seed -1"),
        (replace(JOB, vae_tile=-8), "--vae-tile -8"),
        (replace(JOB, resize_from=(-1, 8)), "--resize-from -1"),
        (replace(JOB, clip_skip=0), "--clip-skip 0"),
        (replace(JOB, start=Start(PICTURE, denoising=1.1)), "--denoising 1.1"),
        (replace(JOB, start=Start(PICTURE, inpaint=Inpaint(PICTURE, blur=-1))), "--mask-blur -1"),
        (replace(JOB, hires=Hires(scale=0.5)), "--hires 0.5"),
        (replace(JOB, hires=Hires(denoising=-0.1)), "--hires-denoising -0.1"),
        (replace(JOB, start=Start(PICTURE), hires=Hires()), "do not go together"),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_name(job: Job, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(job)
    assert word in caught.value.what
    assert caught.value.why and caught.value.next


def test_seeds_count_up_unless_variations_do() -> None:
    plain, varied = replace(JOB, seed=7), replace(JOB, seed=7, variation=0.2, variation_seed=3)
    assert [plain.seed_of(place) for place in range(3)] == [7, 8, 9]
    assert [varied.seed_of(place) for place in range(3)] == [7, 7, 7]
    assert [varied.variation_seed_of(place) for place in range(3)] == [3, 4, 5]
