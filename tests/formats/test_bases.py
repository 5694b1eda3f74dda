"""Base models by the names that hubs and trainers give them."""

from __future__ import annotations

import pytest

from sdkeep.formats import bases
from sdkeep.ground.kinds import Family


@pytest.mark.parametrize(
    ("name", "family", "version"),
    [
        ("SD 1.5", Family.SD1, "SD1"),
        ("sd 1.5 lcm", Family.SD1, "SD1"),
        ("SD 2.1 768", Family.SD2, "SD2"),
        ("SDXL 1.0", Family.SDXL, "SDXL"),
        ("Pony", Family.SDXL, "SDXL"),
        ("Illustrious", Family.SDXL, "SDXL"),
        ("NoobAI", Family.SDXL, "SDXL"),
        ("Pony V7", Family.AURAFLOW, "Unknown"),
        ("Flux.1 D", Family.FLUX1, "Unknown"),
        ("SD 3.5 Medium", Family.SD3, "Unknown"),
        ("sdxl_base_v1-0", Family.SDXL, "SDXL"),
        ("stabilityai/stable-diffusion-xl-base-1.0", Family.SDXL, "SDXL"),
        ("Wan Video 14B t2v", Family.WAN, "Unknown"),
        ("Kling", Family.UNKNOWN, "Unknown"),
    ],
)
def test_a_base_has_a_family_and_a_version(name: str, family: Family, version: str) -> None:
    base = bases.named(name)
    assert base is not None
    assert (base.family, base.sd_version) == (family, version)


def test_a_base_brings_its_licence_and_says_when_it_forbids_commercial_use() -> None:
    dev, schnell = bases.named("Flux.1 D"), bases.named("Flux.1 S")
    assert dev is not None
    assert schnell is not None
    assert (dev.licence.id, dev.commercial) == ("flux-1-dev-non-commercial-license", False)
    assert (schnell.licence.id, schnell.commercial) == ("apache-2.0", True)


def test_every_listed_base_answers_to_its_own_name() -> None:
    assert len(bases.names()) > 99
    assert all((base := bases.named(name)) is not None and base.name == name for name in bases.names())


def test_a_name_that_no_hub_uses_has_no_base() -> None:
    assert bases.named("Something Else 9") is None
    assert bases.family_of("Something Else 9") is Family.UNKNOWN


@pytest.mark.parametrize(
    ("name", "base"),
    [("ponyDiffusionV6XL_v6.safetensors", "Pony"), ("NoobAI-XL-v1.1", "NoobAI"), ("dreamshaper_8", None)],
)
def test_a_checkpoint_name_can_claim_its_base(name: str, base: str | None) -> None:
    found = bases.said_by(name)
    assert (found.name if found else None) == base
