"""What a prompt names in angle brackets, applied to a model: `<lora:…>`, `<lyco:…>`, `<hypernet:…>`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdkeep.diffusion.adapters.applying import Evenly, Report, Strength, Wanted, applied
from sdkeep.diffusion.adapters.hypernetworks import (
    Hypernetwork,
    check_hypernetwork,
    context_transform,
    load_hypernetwork,
)
from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.prompt.networks import ExtraNetwork
from sdkeep.ground.errors import UsageError
from sdkeep.ground.text import one_line

LORAS = ("lora", "lyco")
"""Two words for the same: LyCORIS had an extension of its own once."""
HYPERNETWORK = "hypernet"


def evenly(network: ExtraNetwork) -> Strength:
    """The weights that a prompt gives, the same for all blocks."""
    return Evenly(network.text_weight, network.unet_weight)


def _unheard(_report: Report) -> None:
    """Nobody listens."""


@dataclass(slots=True, eq=False)
class Adapting:
    """Applies what prompts name to one model; a `pipeline.Adapt`.

    `find` gives the file of a network or raises an error that helps. `strength` reads a network's weights; where they
    may differ by block, it is the caller's. `heard` is told each time what came of it. Hypernetworks stay loaded.
    """

    model: Model
    find: Callable[[ExtraNetwork], Path]
    strength: Callable[[ExtraNetwork], Strength] = evenly
    strict: bool = False
    heard: Callable[[Report], None] = _unheard
    _loaded: dict[Path, Hypernetwork] = field(default_factory=dict)

    @contextmanager
    def __call__(self, networks: tuple[ExtraNetwork, ...]) -> Iterator[Report]:
        """The model with these networks until the context ends; errors are those of `applied` and `find`."""
        wanted, bending, warnings = self._sorted(networks)
        with applied(self.model, wanted, strict=self.strict) as report:
            whole = replace(report, warnings=(*report.warnings, *warnings))
            self.heard(whole)
            if not bending:
                yield whole
                return
            try:
                self.model.unet.set_context_transform(context_transform(bending))
                yield whole
            finally:
                self.model.unet.set_context_transform(None)

    def _sorted(
        self, networks: tuple[ExtraNetwork, ...]
    ) -> tuple[list[Wanted], list[tuple[Hypernetwork, float]], list[str]]:
        wanted: list[Wanted] = []
        bending: list[tuple[Hypernetwork, float]] = []
        warnings: list[str] = []
        for network in networks:
            if network.kind in LORAS:
                wanted.append(Wanted(self.find(network), self.strength(network), network.name))
            elif network.kind == HYPERNETWORK:
                one = self._hypernetwork(network)
                warnings += check_hypernetwork(one, self.model.config, strict=self.strict)
                bending.append((one, network.text_weight))
            else:
                word = one_line(f"<{network.kind}:{network.name}>")
                raise UsageError(
                    f"`{word}` names nothing that can be applied",
                    "known are `<lora:…>`, `<lyco:…>` and `<hypernet:…>`",
                    "leave it out of the prompt",
                )
        return wanted, bending, warnings

    def _hypernetwork(self, network: ExtraNetwork) -> Hypernetwork:
        path = self.find(network)
        if path not in self._loaded:
            self._loaded[path] = load_hypernetwork(path, network.name).to(self.model.device)
        return self._loaded[path]
