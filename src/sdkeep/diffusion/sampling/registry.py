"""Samplers and schedules by name: AUTOMATIC1111's list, its aliases, the old names that held both.

And the nearest known one.

Source: AUTOMATIC1111 1.10, `modules/sd_samplers_kdiffusion.py`, `sd_samplers_timesteps.py`, `sd_samplers_lcm.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from sdkeep.diffusion.sampling import classic, dpm, dpmpp, extra, stepping
from sdkeep.diffusion.sampling.run import Denoise, Run
from sdkeep.diffusion.sampling.schedules import SCHEDULES, Named
from sdkeep.diffusion.sampling.stepping import Predict, Walk
from sdkeep.diffusion.sampling.unipc import unipc
from sdkeep.ground.errors import UsageError

Thing = TypeVar("Thing")
Levelled = Callable[[Denoise, Tensor, Tensor, Run], Tensor]
Stepped = Callable[[Predict, Tensor, Walk, Run], Tensor]


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampler as it is named, and how it wants to be run.

    `levelled` samplers walk noise levels, `stepped` ones the network's timesteps: one of the two is set. `schedule`
    is what `Automatic` means for it. `drops_penultimate` runs one step more and leaves the last level but one out.
    `calls` is how often it asks the network in a step. `brownian` noise comes from a path, `ensd` says that the seed
    offset applies.
    """

    name: str
    levelled: Levelled | None = None
    stepped: Stepped | None = None
    aliases: tuple[str, ...] = ()
    schedule: str = "Uniform"
    drops_penultimate: bool = False
    brownian: bool = False
    ensd: bool = False
    calls: int = 1
    eta: float = 1.0
    free: bool = False


SAMPLERS: tuple[Sampler, ...] = (
    Sampler("DPM++ 2M", dpmpp.dpmpp_2m, aliases=("k_dpmpp_2m",), schedule="Karras"),
    Sampler("DPM++ SDE", dpmpp.dpmpp_sde, aliases=("k_dpmpp_sde",), schedule="Karras", brownian=True, calls=2),
    Sampler("DPM++ 2M SDE", dpmpp.dpmpp_2m_sde, aliases=("k_dpmpp_2m_sde",), schedule="Exponential", brownian=True),
    Sampler(
        "DPM++ 2M SDE Heun",
        dpmpp.dpmpp_2m_sde_heun,
        aliases=("k_dpmpp_2m_sde_heun",),
        schedule="Exponential",
        brownian=True,
    ),
    Sampler("DPM++ 2S a", dpmpp.dpmpp_2s_ancestral, aliases=("k_dpmpp_2s_a",), schedule="Karras", ensd=True, calls=2),
    Sampler(
        "DPM++ 3M SDE",
        dpmpp.dpmpp_3m_sde,
        aliases=("k_dpmpp_3m_sde",),
        schedule="Exponential",
        drops_penultimate=True,
        brownian=True,
    ),
    Sampler("Euler a", classic.euler_ancestral, aliases=("k_euler_a", "k_euler_ancestral"), ensd=True),
    Sampler("Euler", classic.euler, aliases=("k_euler",)),
    Sampler("LMS", classic.lms, aliases=("k_lms",)),
    Sampler("Heun", classic.heun, aliases=("k_heun",), calls=2),
    Sampler("DPM2", classic.dpm_2, aliases=("k_dpm_2",), schedule="Karras", drops_penultimate=True, calls=2),
    Sampler(
        "DPM2 a",
        classic.dpm_2_ancestral,
        aliases=("k_dpm_2_a",),
        schedule="Karras",
        drops_penultimate=True,
        ensd=True,
        calls=2,
    ),
    Sampler("DPM fast", dpm.dpm_fast, aliases=("k_dpm_fast",), ensd=True, free=True),
    Sampler("DPM adaptive", dpm.dpm_adaptive, aliases=("k_dpm_ad",), ensd=True, calls=3, free=True),
    Sampler("Restart", extra.restart, aliases=("restart",), schedule="Karras", calls=2),
    Sampler("DDIM", stepped=stepping.ddim, aliases=("ddim",), eta=0.0, free=True),
    Sampler("DDIM CFG++", stepped=stepping.ddim_cfgpp, aliases=("ddim_cfgpp",), eta=0.0, free=True),
    Sampler("PLMS", stepped=stepping.plms, aliases=("plms",), eta=0.0, free=True),
    Sampler("UniPC", stepped=unipc, aliases=("unipc",), eta=0.0, free=True),
    Sampler("LCM", extra.lcm, aliases=("k_lcm",), free=True),
)
"""In AUTOMATIC1111's order. `free` ones take no schedule: they have levels of their own."""

_SAMPLERS = {word: one for one in SAMPLERS for word in (one.name, *one.aliases)}
_SCHEDULES = {word: one for one in SCHEDULES for word in (one.name, *one.aliases)}
_ENDINGS = _SCHEDULES | {"ka": _SCHEDULES["Karras"], "exp": _SCHEDULES["Exponential"]}
"""What an old name may end with; the short ones are those of AUTOMATIC1111's aliases (`k_dpmpp_2m_ka`)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A sampler and a schedule; `automatic` says that the sampler's own preference decided."""

    sampler: Sampler
    schedule: Named
    automatic: bool = False


def choose(sampler: str, schedule: str = "Automatic") -> Chosen:
    """Find both by name or alias, in any case; `DPM++ 2M Karras` means `DPM++ 2M` with `Karras`.

    Raises `UsageError` with the nearest names for an unknown one.
    """
    known = _by_name(sampler, _SAMPLERS)
    if known is None:
        known, named = _old_name(sampler)
        if known is None:
            raise _unknown("sampler", sampler, [one.name for one in SAMPLERS])
        schedule = schedule if _plain(schedule) not in ("automatic", "") else named
    asked = _by_name(schedule or "Automatic", _SCHEDULES)
    if asked is None:
        raise _unknown("schedule", schedule, [one.name for one in SCHEDULES])
    if asked.schedule is not None:
        return Chosen(known, asked)
    preferred = next(one for one in SCHEDULES if one.name == known.schedule)
    return Chosen(known, preferred, automatic=True)


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name.strip().casefold())


def _by_name(name: str, known: dict[str, Thing]) -> Thing | None:
    return {_plain(word): one for word, one in known.items()}.get(_plain(name))


def _old_name(name: str) -> tuple[Sampler | None, str]:
    """The sampler in a name that ends with a schedule's, as infotext before AUTOMATIC1111 1.9 has it."""
    plain = _plain(name)
    for word, schedule in _ENDINGS.items():
        ending = _plain(word)
        if plain.endswith(f" {ending}"):
            found = _by_name(plain.removesuffix(f" {ending}"), _SAMPLERS)
            if found is not None:
                return found, schedule.name
    return None, ""


def _unknown(what: str, name: str, known: list[str]) -> UsageError:
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.4)]
    return UsageError(
        f"`{name}` is no {what} that is known here",
        f"the nearest are {', '.join(f'`{one}`' for one in near)}" if near else f"known are {', '.join(known)}",
        f'`--{what} "{(near or known)[0]}"`',
    )
