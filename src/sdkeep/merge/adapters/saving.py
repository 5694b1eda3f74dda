"""An adapter to a safetensors file: metadata in kohya's words, and the hashes that are kept inside the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from sdkeep.formats.output import Output, Sink
from sdkeep.formats.safetensors import Slot, build_header, in_file_order
from sdkeep.ground.events import Report, Stop, silent
from sdkeep.ground.kinds import Family
from sdkeep.weights.dtypes import code_of
from sdkeep.weights.rounding import to_bytes

_LEGACY_START, _LEGACY_LENGTH = 0x100000, 0x10000
_WORDS = {
    Family.SD1: ("sd_v1", "stable-diffusion-v1", "False"),
    Family.SD2: ("sd_v2", "stable-diffusion-v2-512", "True"),
    Family.SDXL: ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base", "False"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """An adapter in memory, ready to be written: tensors by key, metadata, and what a person should know of it."""

    tensors: Mapping[str, torch.Tensor]
    metadata: Mapping[str, str]
    ranks: Mapping[str, int] = field(default_factory=dict)
    lost: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())

    @property
    def rank(self) -> int:
        """The largest rank of a layer, 0 where nothing has one."""
        return max(self.ranks.values(), default=0)


@dataclass(frozen=True, slots=True)
class Origin:
    """How an adapter was made, as a JSON object that names its parents by digest, and for which family."""

    made_by: Mapping[str, object] = field(default_factory=dict)
    family: Family = Family.UNKNOWN


def described(origin: Origin, ranks: Mapping[str, int]) -> dict[str, str]:
    """The metadata of a new adapter whose scales are 1: kohya's minimum, ModelSpec's, and how it was made."""
    dims = set(ranks.values())
    dim = str(dims.pop()) if len(dims) == 1 else "Dynamic"
    metadata = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": dim,
        "ss_network_alpha": dim if dim == "Dynamic" else f"{float(dim)}",
        "modelspec.sai_model_spec": "1.0.0",
        "sdkeep.made_by": json.dumps(origin.made_by, sort_keys=True, separators=(",", ":")),
    }
    words = _WORDS.get(origin.family)
    if words:
        metadata["ss_base_model_version"], architecture, metadata["ss_v2"] = words
        metadata["modelspec.architecture"] = f"{architecture}/lora"
    return metadata


def hashed(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """`metadata` with the hashes that the additional-networks extension began and sd-scripts writes.

    `sshs_model_hash` is the SHA-256 of the payload. `sshs_legacy_hash` is eight digits of that of 64 KiB at 1 MiB, of
    the file as it would be with the training metadata (`ss_`) alone, written by the reference serialiser.
    """
    kept = {key: value for key, value in metadata.items() if not key.startswith("sshs_")}
    slots = _slots(tensors)
    whole, legacy = hashlib.sha256(), hashlib.sha256()
    at = _reference_header(slots, {key: value for key, value in kept.items() if key.startswith("ss_")})
    for slot in slots:
        data = to_bytes(tensors[slot.name])
        whole.update(data)
        first, last = _LEGACY_START - at, _LEGACY_START + _LEGACY_LENGTH - at
        legacy.update(data[max(first, 0) : max(last, 0)])
        at += len(data)
    return kept | {"sshs_model_hash": whole.hexdigest(), "sshs_legacy_hash": legacy.hexdigest()[:8]}


def _reference_header(slots: list[Slot], metadata: Mapping[str, str]) -> int:
    """Length in bytes of the front of a file as the reference serialiser writes it, padded to eight."""
    front = len(build_header(slots, metadata).rstrip(b" "))
    return front + -front % 8


def _slots(tensors: Mapping[str, torch.Tensor]) -> list[Slot]:
    return in_file_order(Slot(name, code_of(tensor.dtype), tuple(tensor.shape)) for name, tensor in tensors.items())


def write(
    made: Made, out: Path, *, report: Report = silent, stop: Stop | None = None, hasher: Sink | None = None
) -> int:
    """Write an adapter to `out`, which must not exist, whole or not at all; says how many bytes it has.

    The same tensors and metadata give the same bytes. Raises `WouldOverwrite`, `DiskFull`, `NotWritable`, `Stopped`.
    """
    slots = _slots(made.tensors)
    header = build_header(slots, hashed(made.tensors, made.metadata))
    size = len(header) + sum(slot.length for slot in slots)
    with Output(out, size, report, stop, hasher) as output:
        output.write(header)
        for slot in slots:
            output.write(bytes(to_bytes(made.tensors[slot.name])))
        output.commit()
    return size
