"""The workbench of a generation: one pipeline at a time, opened when its files are first wanted."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sdkeep.actions.generating.adapters import Found
from sdkeep.actions.generating.applying import Applying
from sdkeep.actions.generating.finding import BASE, REFINER, VAE, Chosen, opened
from sdkeep.actions.generating.recording import Model
from sdkeep.actions.house import House
from sdkeep.actions.ingredients import Ingredient

if TYPE_CHECKING:
    from sdkeep.diffusion.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Machine:
    """What to compute on; empty words mean what suits."""

    device: str = ""
    dtype: str = ""
    low_memory: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """The adapters that prompts name: networks by how they are called, and embeddings."""

    networks: Mapping[tuple[str, str], Found]
    embeddings: tuple[Found, ...]


@dataclass(slots=True)
class Bench:
    """Opens checkpoints as they are wanted; what was open before is closed, for two need twice the memory."""

    house: House
    machine: Machine
    strict: bool
    cast: Cast
    device: str = ""
    _held: ExitStack = field(default_factory=ExitStack)
    _at: dict[str, Ingredient] | None = None
    _pipeline: Pipeline | None = None
    _models: dict[str, dict[str, Model]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def models(self, known: Mapping[str, Ingredient]) -> dict[str, Model]:
        """The checkpoint and its companions by role, with their SHA-256."""
        from sdkeep.actions.ingredients import hashed

        key = "\n".join(f"{role}:{one.path}" for role, one in known.items())
        if key not in self._models:
            whole = hashed(self.house, list(known.values()))
            self._models[key] = {
                role: Model(role, one.name, one.sha256, str(one.path)) for role, one in zip(known, whole, strict=True)
            }
        return self._models[key]

    def pipeline(self, known: dict[str, Ingredient]) -> Pipeline:
        """The pipeline for these files."""
        if self._pipeline is None or known != self._at:
            self._held.close()
            self._pipeline = None
            self._pipeline = self._opened(self._held.enter_context(opened(self.house, known)))
            self._at = known
        return self._pipeline

    def _opened(self, chosen: Chosen) -> Pipeline:
        from sdkeep.diffusion.adapters.embeddings import load_embedding
        from sdkeep.diffusion.checkpoint import Opening, open_checkpoint
        from sdkeep.diffusion.choosing import device_called, format_called, memory_called
        from sdkeep.diffusion.pipeline import Pipeline

        self.device = device_called(self.machine.device)
        opening = Opening(
            self.device, format_called(self.machine.dtype), memory_called(self.device, low=self.machine.low_memory),
            chosen.weights(VAE), chosen.weights(BASE),
        )  # fmt: skip
        model = open_checkpoint(chosen.model.weights, opening)
        path = chosen.weights(REFINER)
        refiner = open_checkpoint(path, replace(opening, vae=None, base=None)) if path else None
        embeddings = {one.name: load_embedding(one.path, model, one.name) for one in self.cast.embeddings}
        applying = Applying(self.house, model, self.cast.networks, self.strict)
        return Pipeline(model, embeddings, applying.within, refiner)
