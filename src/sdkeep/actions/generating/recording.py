"""The models of a picture: their hashes as the WebUIs write them, and the picture's row in the catalogue."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.actions.generating.adapters import Found
from sdkeep.actions.house import House
from sdkeep.formats.digests import digest_file
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.record import Generation, UsedModel

if TYPE_CHECKING:
    from sdkeep.diffusion.jobs import Job

_ASKED = frozenset({DigestKind.SHA256, DigestKind.AUTOV3})


@dataclass(frozen=True, slots=True)
class Model:
    """A file that a picture was made with. `payload` is the digest over the tensors alone, where there is one."""

    role: str
    name: str
    sha256: str
    path: str
    weight: float | None = None
    payload: str = ""

    @property
    def short(self) -> str:
        """The hash as AUTOMATIC1111 writes it for this role."""
        if self.role in ("lora", "hypernetwork"):
            return (self.payload or self.sha256)[:12]
        return self.sha256[: 12 if self.role == "embedding" else 10]


def summed(house: House, one: Found, role: str, weight: float | None = None) -> Model:
    """An adapter with its digests: from the catalogue where it is in it, else from its bytes."""
    artifact = one.artifact
    if artifact is not None and artifact.sha256:
        known = {digest.kind: digest.value for digest in house.book.digests_of(artifact.sha256)}
        if DigestKind.AUTOV3 in known or one.path.suffix != ".safetensors":
            payload = known.get(DigestKind.AUTOV3, "")
            return Model(role, one.name, artifact.sha256, str(one.path), weight, payload)
    found = {digest.kind: digest.value for digest in digest_file(one.path, _ASKED, stop=house.stop)}
    return Model(
        role, one.name, found[DigestKind.SHA256], str(one.path), weight, found.get(DigestKind.AUTOV3, "")
    )  # fmt: skip


def hashes(models: Mapping[str, Model], adapters: tuple[Model, ...]) -> dict[str, str]:
    """The settings of the infotext that name models: which belong before `Clip skip`, and hash lists behind it."""
    loras = [one for one in adapters if one.role == "lora"]
    embeddings = [one for one in adapters if one.role == "embedding"]
    found = {
        "Model hash": models["model"].short,
        "Model": Path(models["model"].name).stem,
        "VAE hash": models["vae"].short if "vae" in models else "",
        "VAE": models["vae"].name if "vae" in models else "",
        "Refiner": f"{Path(models['refiner'].name).stem} [{models['refiner'].short}]" if "refiner" in models else "",
        "Lora hashes": _listed(loras),
        "TI hashes": _listed(embeddings),
    }
    return {key: value for key, value in found.items() if value}


def _listed(models: list[Model]) -> str:
    return ", ".join(f"{one.name.translate(_APART)}: {one.short}" for one in models)


_APART = str.maketrans("", "", ",:")


def record(house: House, path: Path, texts: tuple[str, str, str], job: Job, models: tuple[Model, ...]) -> None:
    """Keep a picture in the catalogue; `texts` are its prompt, negative prompt and infotext."""
    prompt, negative, infotext = texts
    settings: dict[str, object] = {
        "sampler": job.sampler, "schedule": job.schedule, "steps": job.steps, "cfg": job.cfg, "rng": str(job.rng),
        "clip_skip": job.clip_skip,
    }  # fmt: skip
    used = tuple(UsedModel(one.role, one.name, one.sha256, one.weight) for one in models)
    house.book.put_generation(
        Generation(
            str(path.absolute()),
            hashlib.sha256(path.read_bytes()).hexdigest(),
            prompt,
            negative,
            infotext,
            settings,
            str(job.seed),
            *_size(path),
            used,
            house.now(),
        )
    )


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.size
