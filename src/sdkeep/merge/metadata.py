"""What a merged file says of itself: its recipe, also in AUTOMATIC1111's words, and what the primary model claims."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from sdkeep.formats.tolerant import parsed
from sdkeep.merge.parents import Opened
from sdkeep.merge.recipe import METADATA, Recipe, Step, canonical, finite, to_json

WRITER = 1
"""Raised whenever the bytes of the same merge change; kept in the file as `sdkeep.writer`."""

_INHERITED = (
    "modelspec.architecture", "modelspec.implementation", "modelspec.prediction_type", "modelspec.predict_key",
    "modelspec.resolution", "modelspec.encoder_layer",
)  # fmt: skip
_WEBUI_NAMES = {
    "weighted-sum": "Weighted sum", "add-difference": "Add difference", "no-interpolation": "No interpolation",
}  # fmt: skip
_SLOTS = ("primary", "secondary", "tertiary")
_OLD_START, _OLD_LENGTH = 0x100000, 0x10000


def metadata_for(recipe: Recipe, parents: Mapping[int, Opened], models: Sequence[int]) -> dict[str, str]:
    """The `__metadata__` of the result."""
    primary = parents[models[0]].metadata
    found = {key: primary[key] for key in _INHERITED if key in primary}
    found["format"] = "pt"
    found["sdkeep.writer"] = str(WRITER)
    found[METADATA] = to_json(recipe)
    found["sd_merge_recipe"] = canonical(_webui_recipe(recipe, models))
    found["sd_merge_models"] = canonical(_webui_models(recipe, parents))
    return found


def _webui_recipe(recipe: Recipe, models: Sequence[int]) -> dict[str, object]:
    """AUTOMATIC1111's fields; of a graph, its last method."""
    last = recipe.steps[-1]
    method = last.method if isinstance(last, Step) else "no-interpolation"
    alpha = last.numbers.get("alpha") if isinstance(last, Step) else None
    output = recipe.output
    hashes = {f"{slot}_model_hash": None for slot in _SLOTS} | {
        f"{slot}_model_hash": recipe.parents[place].sha256 for slot, place in zip(_SLOTS, models, strict=False)
    }
    return {
        "type": "webui" if output.compat == "a1111" else "sdkeep",
        **hashes,
        "interp_method": _WEBUI_NAMES.get(method, method),
        "multiplier": alpha.base if alpha and not alpha.blocks and not alpha.keys else None,
        "save_as_half": output.precision == "fp16",
        "custom_name": "",
        "config_source": 3,
        "bake_in_vae": recipe.parents[output.vae].name if output.vae is not None else "None",
        "discard_weights": output.discard,
    }


def _webui_models(recipe: Recipe, parents: Mapping[int, Opened]) -> dict[str, object]:
    """Every model that took part, and what each of them was merged from, as far back as their metadata tell."""
    found: dict[str, object] = {}
    for place, opened in parents.items():
        parent = recipe.parents[place]
        older = parsed(opened.metadata.get("sd_merge_models"))
        found |= {key: value for key, value in older.items() if key not in found} if isinstance(older, dict) else {}
        found[parent.sha256] = {
            "name": parent.name,
            "legacy_hash": hashlib.sha256(opened.source.read_at(_OLD_START, _OLD_LENGTH)).hexdigest()[:8],
            "sd_merge_recipe": finite(parsed(opened.metadata.get("sd_merge_recipe"))),
        }
    return _as_table(finite(found))


def _as_table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
