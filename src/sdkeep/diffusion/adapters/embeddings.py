"""Textual inversions from files of every form they are shared in.

AUTOMATIC1111's `.pt`, kohya's `emb_params`, diffusers' learned concepts, SDXL's pairs, pictures.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from sdkeep.diffusion.adapters.fitting import Asked, wrong_family
from sdkeep.diffusion.adapters.opened import Opened
from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.conditioning import Embedding
from sdkeep.diffusion.networks.config import ClipConfig
from sdkeep.ground.errors import FormatError, WrongFamily
from sdkeep.ground.kinds import Family

_PAIR = ("clip_l", "clip_g")
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
    if set(_PAIR) & shapes.keys():
        shapes = {key: shapes[key] for key in _PAIR if key in shapes}
    elif len(shapes) != 1 or len(file.shapes) > 1:
        raise FormatError(
            f"`{file.name}` is no embedding that can be used",
            f"one tensor of vectors is needed, or a pair `clip_l` and `clip_g`; it has {len(file.shapes)} tensors",
            f"sdkeep show '{file.path}'",
            rule="not-an-embedding",
        )
    found = {key: file.tensor(key).float().reshape(-1, shape[-1]) for key, shape in shapes.items()}
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
