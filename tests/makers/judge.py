"""An independent reader of digits: a support vector machine on scikit-learn's own pictures, which sees no network.

Pictures are cut around their ink and pooled to 10x10, so that it does not matter where a digit stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.svm import SVC

Grey = NDArray[np.float64]
"""A picture from 0 (background) to 1 (ink)."""

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SIDE, _EVERY = 10, 6


@dataclass(frozen=True)
class Judge:
    """The machine, how often it is right on digits that it was not trained on, and those digits' spread.

    `spread` is the mean deviation of a pixel within a class.
    """

    machine: SVC
    accuracy: float
    spread: float

    def reads(self, pictures: Sequence[Image.Image]) -> list[int]:
        """The digit that each picture shows."""
        found = self.machine.predict([pooled(grey(one)).ravel() for one in pictures])
        return [int(digit) for digit in found]

    def share(self, pictures: Sequence[Image.Image], digits: Sequence[int] | int) -> float:
        """How many of the pictures show what they should (0 to 1)."""
        wanted = [digits] * len(pictures) if isinstance(digits, int) else list(digits)
        return float(np.mean([a == b for a, b in zip(self.reads(pictures), wanted, strict=True)]))


@cache
def judge() -> Judge:
    """The judge, trained in a second or two; asserts that it can be trusted."""
    bunch = load_digits()
    seen = np.array([pooled(drawn(one / 16)) for one in bunch.images])
    rows = seen.reshape(len(seen), -1)
    out = np.arange(len(rows)) % _EVERY == 0
    machine = SVC(gamma="scale", C=10.0).fit(rows[~out], bunch.target[~out])
    held, truth = rows[out], bunch.target[out]
    accuracy = float(np.mean(machine.predict(held) == truth))
    assert accuracy >= 0.97, accuracy
    return Judge(machine, accuracy, spread_of([held[truth == digit] for digit in range(10)]))


def drawn(small: Grey) -> Grey:
    """An 8x8 digit at 24x24 in the middle of 32x32."""
    large = Image.fromarray((small * 255).astype(np.uint8)).resize((24, 24), Image.Resampling.BICUBIC)
    canvas = np.zeros((32, 32))
    canvas[4:28, 4:28] = np.asarray(large, dtype=np.float64) / 255
    return canvas


def grey(picture: Image.Image) -> Grey:
    """White on black as 0 to 1."""
    return np.asarray(picture.convert("L"), dtype=np.float64) / 255


def pooled(ink: Grey) -> Grey:
    """The square around the ink, as 10x10 means."""
    mask = ink > 0.35 * max(float(ink.max()), 1e-6)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return np.zeros((_SIDE, _SIDE))
    side = int(max(rows[-1] - rows[0], columns[-1] - columns[0])) + 3
    top, left = (int(ends[0] + ends[-1] + 1 - side) // 2 for ends in (rows, columns))
    cut = Image.fromarray((ink * 255).astype(np.uint8)).crop((left, top, left + side, top + side))
    return np.asarray(cut.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64) / 255


def spread_of(classes: Sequence[Grey]) -> float:
    """The mean over classes and pixels of the deviation within a class; 0 when all of a class look alike."""
    return float(np.mean([rows.std(axis=0).mean() for rows in classes if len(rows) > 1]))


def diversity(by_class: Sequence[Sequence[Image.Image]]) -> float:
    """The spread of pictures by class, as a share of that of real digits."""
    return spread_of([np.array([pooled(grey(one)).ravel() for one in ones]) for ones in by_class]) / judge().spread


def slant(picture: Image.Image) -> float:
    """How far the ink moves to the right per pixel upwards; 0 stands upright."""
    ink = grey(picture) ** 2
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    whole = ink.sum() + 1e-9
    y, x = y - (ink * y).sum() / whole, x - (ink * x).sum() / whole
    return float(-(ink * x * y).sum() / ((ink * y * y).sum() + 1e-9))


def unslanted(picture: Image.Image) -> Image.Image:
    """The picture pushed upright, for the judge who knows upright digits."""
    by, middle = slant(picture), picture.height / 2
    matrix = (1.0, -by, by * middle, 0.0, 1.0, 0.0)
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
