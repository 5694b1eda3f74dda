"""The workbench of a generation: one pipeline at a time, opened when its files are first wanted."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sdkeep.actions.generating.adapters import Found
from sdkeep.actions.generating.applying import Applying, role_of
from sdkeep.actions.generating.finding import BASE, MODEL, REFINER, VAE, Chosen, opened
from sdkeep.actions.generating.recording import Model
from sdkeep.actions.house import House
from sdkeep.actions.ingredients import Ingredient
from sdkeep.formats.selection import Component
from sdkeep.ground.errors import WrongFamily

if TYPE_CHECKING:
    from sdkeep.diffusion.checkpoint import Model as ModelOpened
    from sdkeep.diffusion.conditioning import Embedding
    from sdkeep.diffusion.pipeline import Pipeline
    from sdkeep.diffusion.upscaling import Enlarge


@dataclass(frozen=True, slots=True)
class Machine:
    """What to compute on; empty words mean what suits."""

    device: str = ""
    dtype: str = ""
    low_memory: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """The small models of a run: networks by how prompts call them, embeddings, and upscalers by their names."""

    networks: Mapping[tuple[str, str], Found]
    embeddings: tuple[Found, ...]
    upscalers: Mapping[str, Found] = field(default_factory=dict)

    @property
    def everyone(self) -> tuple[tuple[str, Found], ...]:
        """All of them, each with what it is for."""
        named = [(role_of(kind), one) for (kind, _), one in self.networks.items()]
        return (
            *named,
            *(("embedding", one) for one in self.embeddings),
            *(("upscaler", one) for one in self.upscalers.values()),
        )


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
    _enlarge: dict[str, Enlarge] = field(default_factory=dict)

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
        from sdkeep.diffusion.mending import opening

        if self._pipeline is None or known != self._at:
            self._held.close()
            self._pipeline = None
            with opening(known[MODEL].name):
                self._pipeline = self._opened(self._held.enter_context(opened(self.house, known)))
            self._at = known
        return self._pipeline

    def _opened(self, chosen: Chosen) -> Pipeline:
        from sdkeep.diffusion.checkpoint import EVERYTHING, Opening, open_checkpoint
        from sdkeep.diffusion.choosing import device_called, format_called, memory_called
        from sdkeep.diffusion.pipeline import Pipeline, Refiner

        self.device = device_called(self.machine.device)
        opening = Opening(
            self.device, format_called(self.machine.dtype), memory_called(self.device, low=self.machine.low_memory),
            chosen.weights(VAE), chosen.weights(BASE),
        )  # fmt: skip
        model = open_checkpoint(chosen.model.weights, opening)
        applying = Applying(self.house, model, self.cast.networks, self.strict)
        refiner, path = None, chosen.weights(REFINER)
        if path:
            opening = replace(opening, vae=None, base=None, needs=EVERYTHING - {Component.VAE})
            second = open_checkpoint(path, opening)
            lenient = Applying(self.house, second, self.cast.networks, lenient=True)
            refiner = Refiner(second, self._embeddings(second, lenient=True), lenient.within)
        return Pipeline(model, self._embeddings(model), applying.within, refiner, self._upscalers())

    def _embeddings(self, model: ModelOpened, *, lenient: bool = False) -> dict[str, Embedding]:
        """Those that prompts name; with `lenient` without the ones that were made for another kind of model."""
        from sdkeep.diffusion.adapters.embeddings import load_embedding

        found = {}
        for one in self.cast.embeddings:
            try:
                found[one.name] = load_embedding(one.path, model, one.name)
            except WrongFamily:
                if not lenient:
                    raise
        return found

    def _upscalers(self) -> dict[str, Enlarge]:
        if self.cast.upscalers and not self._enlarge:
            from sdkeep.diffusion.upscaler_networks import open_upscaler

            self._enlarge = {name: open_upscaler(one.path, self.device) for name, one in self.cast.upscalers.items()}
        return self._enlarge
