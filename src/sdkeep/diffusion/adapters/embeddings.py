"""Textual inversions from files of every form they are shared in.

AUTOMATIC1111's `.pt`, kohya's `emb_params`, diffusers' learned concepts, SDXL's pairs, pictures.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from sdkeep.diffusion.adapters.opened import Opened
from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.conditioning import Embedding
from sdkeep.diffusion.networks.config import ClipConfig
from sdkeep.formats.extract import BARE
from sdkeep.ground.errors import FormatError, WrongFamily
from sdkeep.ground.kinds import Family
from sdkeep.ground.text import one_line
from sdkeep.weights.adapters.fitting import Asked, wrong_family

_PAIR = ("clip_l", "clip_g")
_WIDTHS = {768: "clip_l", 1280: "clip_g"}
"""The text towers of SDXL by width, for pairs under other names (`emb` and `emb2`)."""
_FAMILIES = {768: Family.SD1, 1024: Family.SD2, 1280: Family.SDXL_REFINER}
"""Which family has a lone text tower of this width."""


def load_embedding(path: Path, model: Model, name: str = "") -> Embedding:
    """The embedding in a file, fit for the text towers of `model`; a prompt calls it `name`, else by the file's stem.

    Raises `WrongFamily` for vectors of another width, `FormatError` for what is no embedding.
    """
    with Opened(path, name) as file:
        vectors = _vectors(file)
        widths = tuple(tower.width for tower in model.config.text)
        chosen = _for_towers(vectors, model)
        if chosen is None:
            raise _misfit(file, vectors, widths, model.config.family)
        return Embedding(file.name, chosen)


def _vectors(file: Opened) -> dict[str, Tensor]:
    """Vectors (n, width) by `clip_l` and `clip_g`, or a lone tensor under whatever name the file gives it."""
    shapes = {key: shape for key, shape in file.shapes.items() if 1 <= len(shape) <= 2 and shape[-1] > 1}
    by_width = {shape[-1]: key for key, shape in shapes.items()}
    if set(_PAIR) & shapes.keys():
        keys = {part: part for part in _PAIR if part in shapes}
    elif len(shapes) == 2 and by_width.keys() == _WIDTHS.keys():
        keys = {part: by_width[width] for width, part in _WIDTHS.items()}
    elif len(file.shapes) == len(shapes) == 1 and BARE not in shapes:
        keys = {key: key for key in shapes}
    else:
        held = ", ".join(f"`{one_line(key)}` {list(shape)}" for key, shape in list(file.shapes.items())[:3])
        raise FormatError(
            f"`{file.name}` is no embedding that can be used",
            f"one named tensor of vectors is needed, or a pair of the widths 768 and 1280; it holds {held}",
            f"sdkeep show '{file.path}'",
            rule="not-an-embedding",
        )
    found = {part: file.tensor(key).float().reshape(-1, shapes[key][-1]) for part, key in keys.items()}
    if any(not vector.isfinite().all() for vector in found.values()):
        what = f"`{file.name}` cannot be used"
        raise FormatError(what, "its vectors hold NaN or infinity", "get the file again", rule="embedding-not-finite")
    return found


def _for_towers(vectors: dict[str, Tensor], model: Model) -> tuple[Tensor, ...] | None:
    """The vectors of each tower in their order; None where they do not fit."""
    towers = model.config.text
    if set(vectors) & set(_PAIR):
        keys = ["clip_l" if isinstance(tower, ClipConfig) else "clip_g" for tower in towers]
        paired = model.config.family in (Family.SDXL, Family.SDXL_REFINER)
        chosen = [vectors[key] for key in keys if key in vectors] if paired else []
    else:
        chosen = list(vectors.values())
    counts = {len(vector) for vector in chosen}
    widths = [vector.shape[1] for vector in chosen]
    return tuple(chosen) if widths == [tower.width for tower in towers] and len(counts) == 1 else None


def _misfit(file: Opened, vectors: dict[str, Tensor], widths: tuple[int, ...], family: Family) -> WrongFamily:
    found = [vector.shape[1] for vector in vectors.values()]
    made_for = Family.SDXL if set(vectors) & set(_PAIR) else _FAMILIES.get(found[0], Family.UNKNOWN)
    asked = Asked(file.name, "embedding", made_for)
    counts = {len(vector) for vector in vectors.values()}
    if len(counts) > 1:
        why = f"its two parts have {' and '.join(map(str, sorted(counts)))} vectors, and must have as many each"
    else:
        theirs, ours = (" and ".join(map(str, numbers)) for numbers in (found, widths))
        why = f"its vectors have {theirs} numbers, the text encoder takes {ours}"
    return wrong_family(asked, family, why)
