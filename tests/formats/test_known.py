"""The known roots: names, hashes, mirrors, parents."""

from __future__ import annotations

import pytest

from sdkeep.formats import known
from sdkeep.ground.digest import Digest, DigestKind, sha256
from sdkeep.ground.kinds import Family
from sdkeep.ground.ref import UrlRef, WordRef, parse


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("sd14", Family.SD1),
        ("sd15", Family.SD1),
        ("sd15-inpainting", Family.SD1),
        ("sd20", Family.SD2),
        ("sd21", Family.SD2),
        ("sdxl", Family.SDXL),
        ("SDXL-Refiner", Family.SDXL_REFINER),
        ("sdxl-turbo", Family.SDXL),
        ("pony", Family.SDXL),
        ("flux-dev", Family.FLUX1),
    ],
)
def test_a_short_name_leads_to_a_model_that_can_be_fetched(name: str, family: Family) -> None:
    model = known.by_name(name)
    assert model is not None
    assert model.family is family
    assert model.refs


def test_a_confirmed_hash_proves_a_root() -> None:
    model = known.by_name("sd15")
    assert model is not None
    assert model.confirmed
    assert known.by_sha256(model.sha256.upper()) is model
    assert known.by_sha256(sha256(model.sha256)) is model


def test_an_unconfirmed_hash_proves_nothing() -> None:
    doubtful = [model for model in known.everything() if model.sha256 and not model.confirmed]
    assert doubtful
    assert all(known.by_sha256(model.sha256) is None for model in doubtful)


def test_every_name_belongs_to_one_model() -> None:
    names = [name for model in known.everything() for name in (*model.aliases, model.id)]
    assert len(names) == len(set(names))
    assert set(known.names()) == set(names)
    assert all(name == name.lower() and isinstance(parse(name), WordRef) for name in names)


def test_every_parent_is_known_and_comes_with_its_relation() -> None:
    for model in known.everything():
        assert not model.parent or known.by_name(model.parent) is not None, model.id
        assert bool(model.parent) == (model.relation is not None), model.id


def test_every_reference_can_be_parsed_and_the_dead_home_comes_last() -> None:
    for model in known.everything():
        for ref in model.refs:
            assert not isinstance(parse(ref), WordRef)
            assert not isinstance(parse(ref), UrlRef) or ref.startswith("https://")
        gone = ["runwayml/" in ref for ref in model.refs]
        assert gone == sorted(gone)


def test_the_ancestry_of_a_root_is_walked_to_its_end() -> None:
    model = known.by_name("sd15-inpainting")
    assert model is not None
    assert [parent.id for parent in known.ancestry(model)] == ["sd-v1-5-emaonly-ckpt", "sd-v1-2", "sd-v1-1"]


def test_ten_digits_and_places_lead_to_known_models() -> None:
    model = known.by_name("sd15")
    assert model is not None
    assert known.by_short(Digest(DigestKind.AUTOV2, model.sha256[:10])) == (model,)
    assert known.by_short(Digest(DigestKind.AUTOV1, model.sha256[:8])) == ()
    assert model in known.by_file_name("v1-5-pruned-emaonly.SAFETENSORS")
    assert model in known.in_repository("Stable-Diffusion-v1-5/stable-diffusion-v1-5")
    assert known.by_file_name("my-own.safetensors") == known.in_repository("me/mine") == ()


def test_names_that_are_not_known_have_no_model() -> None:
    assert known.by_name("sd99") is None
    assert known.by_sha256("0" * 64) is None
