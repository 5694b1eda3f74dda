"""What a prompt names, given to the model for as long as the prompt is at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdkeep.actions.generating.adapters import Adapters, Found
from sdkeep.actions.house import House
from sdkeep.ground.errors import UsageError, WrongFamily
from sdkeep.ground.text import one_line

if TYPE_CHECKING:
    from sdkeep.diffusion.adapters.applying import Wanted
    from sdkeep.diffusion.adapters.hypernetworks import Hypernetwork
    from sdkeep.diffusion.checkpoint import Model
    from sdkeep.diffusion.prompt.networks import ExtraNetwork

LORA_WORDS = frozenset({"lora", "lyco", "lycoris"})
HYPERNET = "hypernet"


@dataclass(slots=True)
class Applying:
    """Applies networks to one model; its method `within` is what the pipeline calls. What it warned of it says once.

    With `lenient` what was made for another kind of model is left out, as AUTOMATIC1111 leaves it out of a refiner.
    """

    house: House
    model: Model
    known: Mapping[tuple[str, str], Found]
    strict: bool = False
    lenient: bool = False
    _said: set[str] = field(default_factory=set)
    _hypernetworks: dict[str, Hypernetwork] = field(default_factory=dict)

    def within(self, networks: tuple[ExtraNetwork, ...]) -> AbstractContextManager[object]:
        """A context in which the model has these networks and no others."""
        return self._applied(networks) if networks else nullcontext()

    @contextmanager
    def _applied(self, networks: tuple[ExtraNetwork, ...]) -> Iterator[None]:
        from sdkeep.diffusion.adapters.applying import applied
        from sdkeep.diffusion.adapters.hypernetworks import context_transform

        networks = tuple(one for one in networks if not self.lenient or self._fits(one))
        bending = [(self._hypernetwork(one), one.text_weight) for one in networks if one.kind == HYPERNET]
        wanted = [self._wanted(one) for one in networks if one.kind in LORA_WORDS]
        with applied(self.model, wanted, strict=self.strict) as report:
            for warning in report.warnings:
                self._warn(warning)
            unet = self.model.unet
            unet.set_context_transform(context_transform(bending))
            try:
                yield
            finally:
                unet.set_context_transform(None)

    def _fits(self, one: ExtraNetwork) -> bool:
        from sdkeep.diffusion.adapters.applying import check_fits

        try:
            if one.kind == HYPERNET:
                self._hypernetwork(one)
            elif one.kind in LORA_WORDS:
                check_fits(self.model, self._wanted(one))
        except WrongFamily:
            self._warn(f"`{one_line(one.name)}` does not fit the refiner, which works without it")
            return False
        return True

    def _wanted(self, one: ExtraNetwork) -> Wanted:
        from sdkeep.diffusion.adapters.applying import Wanted
        from sdkeep.weights.adapters.strengths import Strength, block_weights

        blocks = block_weights(one.blocks) if one.blocks else {}
        strength = Strength(one.unet_weight, one.text_weight, blocks)
        return Wanted(self.known[key_of(one)].path, strength, one.name)

    def _hypernetwork(self, one: ExtraNetwork) -> Hypernetwork:
        if one.name not in self._hypernetworks:
            from sdkeep.diffusion.adapters.hypernetworks import check_hypernetwork, load_hypernetwork

            loaded = load_hypernetwork(self.known[key_of(one)].path, one.name)
            for warning in check_hypernetwork(loaded, self.model.config, strict=self.strict):
                self._warn(warning)
            self._hypernetworks[one.name] = loaded.to(self.model.device)
        return self._hypernetworks[one.name]

    def _warn(self, warning: str) -> None:
        if warning not in self._said:
            self._said.add(warning)
            self.house.warn(warning)


def role_of(kind: str) -> str:
    """What a network in a prompt is called in records."""
    return "hypernetwork" if kind == HYPERNET else "lora"


def key_of(one: ExtraNetwork) -> tuple[str, str]:
    """What a network is found by."""
    return (HYPERNET if one.kind == HYPERNET else "lora", one.name)


def resolved(house: House, adapters: Adapters, networks: list[ExtraNetwork]) -> dict[tuple[str, str], Found]:
    """The file of each network; a missing one is an error, a word that is no network here a warning."""
    found: dict[tuple[str, str], Found] = {}
    for one in networks:
        if one.kind in LORA_WORDS or one.kind == HYPERNET:
            if key_of(one) not in found:
                if not one.name:
                    raise UsageError(f"`<{one.kind}:>` names nothing", "a name belongs there", f"`<{one.kind}:NAME:1>`")
                found[key_of(one)] = adapters.called(key_of(one)[0], one.name)
        else:
            house.warn(f"`<{one_line(one.kind, 40)}:{one_line(one.name, 60)}>` means nothing here and is left out")
    return found
