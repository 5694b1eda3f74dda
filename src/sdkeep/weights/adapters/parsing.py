"""An adapter's file taken apart: which tensors together change which layer, and how."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sdkeep.weights.adapters.values import Adapter, Algorithm, Entry, Naming, Part, Shape

_NAMED = r"(?:\.default(?:_\d+)?)?"  # PEFT writes the adapter's name, and drops it when it saves

_ENDINGS: tuple[tuple[str, str], ...] = (
    (r"[._]lora_(?:up|B)" + _NAMED + r"\.weight", "up"),
    (r"[._]lora_(?:down|A)" + _NAMED + r"\.weight", "down"),
    (r"\.lora_mid\.weight", "mid"),
    (r"\.lora_(?:up|B)" + _NAMED + r"\.bias", "up_bias"),
    (r"(?:\.lora|_lora|\.lora_linear_layer)\.up\.weight", "up"),
    (r"(?:\.lora|_lora|\.lora_linear_layer)\.down\.weight", "down"),
    (r":up", "up"),
    (r":down", "down"),
    (r"\.lora_magnitude_vector" + _NAMED + r"(?:\.weight)?", "magnitude"),
    (r"\.(dora_scale|alpha|scale|scalar|on_input|rescale|oft_blocks|oft_diag|diff|diff_b|w_norm|b_norm|ia3_l)", ""),
    (r"\.(hada_(?:w[12]_[ab]|t[12]))" + _NAMED, ""),
    (r"\.(lokr_(?:w[12](?:_[ab])?|t2))" + _NAMED, ""),
    (r"\.(a1|a2|b1|b2|bm)\.weight", ""),
    (r"\.bias_(indices|values|size)", "sparse_"),
    (r"\.(weight)", ""),
)
"""How a key can end, and the role that makes it; a captured word is (the end of) the role itself. First match wins."""

_ENDING = tuple((re.compile(f"(?:{text})$"), role) for text, role in _ENDINGS)

_ALGORITHMS: tuple[tuple[Algorithm, frozenset[str]], ...] = (
    (Algorithm.LORA, frozenset({"up", "down"})),
    (Algorithm.LOHA, frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"})),
    (Algorithm.LOKR, frozenset({"lokr_w1", "lokr_w2"})),
    (Algorithm.LOKR, frozenset({"lokr_w1_a", "lokr_w1_b", "lokr_w2"})),
    (Algorithm.LOKR, frozenset({"lokr_w1", "lokr_w2_a", "lokr_w2_b"})),
    (Algorithm.LOKR, frozenset({"lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"})),
    (Algorithm.GLORA, frozenset({"a1", "a2", "b1", "b2"})),
    (Algorithm.IA3, frozenset({"weight", "on_input"})),
    (Algorithm.IA3, frozenset({"ia3_l"})),
    (Algorithm.OFT, frozenset({"oft_blocks"})),
    (Algorithm.OFT, frozenset({"oft_diag"})),
    (Algorithm.DIFF, frozenset({"diff"})),
    (Algorithm.DIFF, frozenset({"w_norm"})),
)
"""The roles that make an algorithm."""

_SCALES = frozenset({"alpha", "scale", "scalar"})
_WITH: Mapping[Algorithm, frozenset[str]] = {
    Algorithm.LORA: frozenset({"mid", "dora_scale", "magnitude", "sparse_indices", "sparse_values", "sparse_size"}),
    Algorithm.LOHA: frozenset({"hada_t1", "hada_t2", "dora_scale"}),
    Algorithm.LOKR: frozenset({"lokr_t2", "dora_scale"}),
    Algorithm.GLORA: frozenset({"bm", "dora_scale"}),
    Algorithm.IA3: frozenset(),
    Algorithm.OFT: frozenset({"rescale", "dora_scale"}),
    Algorithm.DIFF: frozenset({"dora_scale"}),
}
"""The roles that may come along; scales always may."""

_BIASES = ("diff_b", "b_norm", "up_bias")

_KOHYA = re.compile(r"(?:lora|lycoris|oft)_(?:unet|te\d?|transformer|prior)?_?")
_INDEXED = re.compile(r"^(?:unet|text_encoder):\d+$")


def adapters_of(entries: Iterable[Entry], metadata: Mapping[str, str] | None = None) -> Adapter:
    """The parts of an adapter, in the order of their first keys; what fits none of them is left over.

    `metadata` is the file's own: diffusers writes PEFT's configuration there, which holds alpha and its rule.
    """
    groups: dict[str, dict[str, Entry]] = {}
    leftovers: list[str] = []
    for entry in entries:
        target, role = _split(entry.name)
        group = groups.setdefault(target, {}) if role else {}
        if not role or role in group or 0 in entry.shape:  # of rank 0, or cut
            leftovers.append(entry.name)
        else:
            group[role] = entry
    parts: list[Part] = []
    for target, group in groups.items():
        found = _parts(target, group)
        used = {key for part in found for key in part.keys.values()}
        parts += found
        leftovers += [entry.name for entry in group.values() if entry.name not in used]
    configured = _configured(metadata or {})
    return Adapter(tuple(map(configured.on, parts)), tuple(leftovers), _naming(parts))


def _split(key: str) -> tuple[str, str]:
    """The layer a key is about, and the tensor's role; the role is empty for what no adapter writes."""
    for pattern, role in _ENDING:
        matched = pattern.search(key)
        if matched:
            target = key[: matched.start()]
            return target, role + (matched[1] if pattern.groups else "")
    return key, ""


def _parts(target: str, group: Mapping[str, Entry]) -> list[Part]:
    """The changes to one layer: at most one of its weight and one of its bias."""
    found: list[Part] = []
    for algorithm, needed in _ALGORITHMS:
        if needed <= group.keys():
            roles = [role for role in group if role in needed | _WITH[algorithm] | _SCALES]
            found.append(_part(target, algorithm, {role: group[role] for role in roles}))
            if "ia3_l" in needed and _scales_outputs(group["ia3_l"].shape):
                found.append(_part(target, algorithm, {"ia3_l": group["ia3_l"]}, "bias"))
            break
    for role in _BIASES:
        if role in group and (role != "up_bias" or found):
            scales = _SCALES & group.keys() if role == "up_bias" else frozenset()
            entries = {name: group[name] for name in (role, *sorted(scales))}
            part = _part(target, Algorithm.DIFF, entries, "bias")
            if role == "up_bias" and "down" in group:  # the bias is scaled as the rest of the layer is
                part = replace(part, shapes={**part.shapes, "down": group["down"].shape})
            found.append(part)
    return found


def _scales_outputs(shape: Shape) -> bool:
    """Whether PEFT's IA3 factor can be one of outputs: it then scales the bias too, where there is one."""
    return shape[0] > 1 or len(shape) > 2


def _part(target: str, algorithm: Algorithm, entries: Mapping[str, Entry], parameter: str = "weight") -> Part:
    shapes: dict[str, Shape] = {role: entry.shape for role, entry in entries.items()}
    if algorithm is Algorithm.OFT and len(shapes.get("oft_blocks", ())) == 4:
        algorithm = Algorithm.BOFT
    return Part(target, algorithm, {role: entry.name for role, entry in entries.items()}, shapes, parameter)


def _naming(parts: list[Part]) -> Naming:
    votes: Counter[Naming] = Counter(map(_naming_of, parts))
    return votes.most_common(1)[0][0] if votes else Naming.UNKNOWN


def _naming_of(part: Part) -> Naming:
    key = next(iter(part.keys.values()))
    if _INDEXED.match(part.target):
        return Naming.INDEXED
    if _KOHYA.match(part.target) and "." not in part.target:
        return Naming.KOHYA
    if ".lora_A" in key or ".lora_B" in key or part.target.startswith("base_model."):
        return Naming.PEFT
    if "_lora.down" in key or "_lora.up" in key or ".lora." in key or ".lora_linear_layer." in key:
        return Naming.DIFFUSERS
    return Naming.DOTTED if "." in part.target else Naming.UNKNOWN


@dataclass(frozen=True, slots=True)
class _Configured:
    """PEFT's LoraConfig by tower, as diffusers keeps it in the header (`lora_adapter_metadata`)."""

    towers: Mapping[str, Mapping[str, object]]

    def on(self, part: Part) -> Part:
        """`part` with the alpha that its tower's configuration gives; one in the file itself goes first."""
        tower = next((name for name in self.towers if part.target.startswith(f"{name}.")), "")
        config = self.towers.get(tower, {})
        if not config or "alpha" in part.keys:
            return part
        patterns = config.get("alpha_pattern")
        alpha = config.get("lora_alpha")
        for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
            if part.target == pattern or part.target.endswith(f".{pattern}"):
                alpha = value
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
            return part
        return replace(part, alpha=float(alpha), root_rank=config.get("use_rslora") is True)


def _configured(metadata: Mapping[str, str]) -> _Configured:
    try:
        flat = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    except (ValueError, RecursionError):
        flat = {}
    towers: dict[str, dict[str, object]] = {}
    for key, value in flat.items() if isinstance(flat, dict) else ():
        tower, _, name = key.partition(".")
        towers.setdefault(tower, {})[name] = value
    return _Configured(towers)
