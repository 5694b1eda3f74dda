from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sdkeep.ground.errors import LayoutError, NotPlaceable
from sdkeep.ground.kinds import Family, Kind
from sdkeep.layouts.folders import Installed
from sdkeep.layouts.place import PlaceFacts, Target, check_template, plan_place
from sdkeep.layouts.shelf import stems
from sdkeep.store.names import safe_stem, stem_key
from tests.makers.webuis import make_webui, register

SHA = "0123456789abcdef" * 4
LORA = PlaceFacts(Kind.LORA, "detail", ".safetensors", SHA, Family.SDXL, "Pony", "some one", "12345")


def free(stem: str) -> bool:
    return False


def a1111(root: Path, template: str = "") -> Installed:
    return register(make_webui(root, "a1111"), "a1111", template)


def facts(kind: Kind, stem: str = "name", extension: str = ".safetensors") -> PlaceFacts:
    return PlaceFacts(kind, stem, extension, SHA)


def planned(here: Installed, what: PlaceFacts) -> Target:
    return plan_place(here, what, free, safe_stem)


@pytest.mark.parametrize(
    "id, kind, extension, path",
    [
        ("a1111", Kind.CHECKPOINT, ".safetensors", "models/Stable-diffusion/name.safetensors"),
        ("a1111", Kind.LYCORIS, ".safetensors", "models/Lora/name.safetensors"),
        ("a1111", Kind.EMBEDDING, ".pt", "embeddings/name.pt"),
        ("a1111", Kind.HYPERNETWORK, ".PT", "models/hypernetworks/name.pt"),
        ("a1111", Kind.UPSCALER, ".pth", "models/ESRGAN/name.pth"),
        ("forge", Kind.UPSCALER, ".safetensors", "models/ESRGAN/name.safetensors"),
        ("forge", Kind.TEXT_ENCODER, ".gguf", "models/text_encoder/name.gguf"),
        ("comfyui", Kind.DIFFUSION_MODEL, ".safetensors", "models/diffusion_models/name.safetensors"),
        ("comfyui", Kind.LYCORIS, ".safetensors", "models/loras/name.safetensors"),
    ],
)
def test_each_kind_goes_where_its_webui_looks(tmp_path: Path, id: str, kind: Kind, extension: str, path: str) -> None:
    target = planned(register(make_webui(tmp_path, id), id), facts(kind, extension=extension))
    assert target.path == tmp_path / path
    assert target.notes == ()


@pytest.mark.parametrize(
    "kind, extension, needs",
    [
        (Kind.HYPERNETWORK, ".safetensors", ".pt"),
        (Kind.UPSCALER, ".safetensors", ".pth"),
        (Kind.LORA, ".bin", ".safetensors"),
    ],
)
def test_an_extension_that_is_not_listed_is_refused_with_one_that_is(
    tmp_path: Path, kind: Kind, extension: str, needs: str
) -> None:
    with pytest.raises(NotPlaceable) as caught:
        planned(a1111(tmp_path), facts(kind, extension=extension))
    assert caught.value.needs == needs
    assert needs in caught.value.why


@pytest.mark.parametrize("kind", [Kind.TEXT_ENCODER, Kind.WILDCARDS, Kind.UNKNOWN, Kind.OTHER])
def test_a_kind_without_a_place_is_refused_with_a_reason(tmp_path: Path, kind: Kind) -> None:
    with pytest.raises(NotPlaceable) as caught:
        planned(a1111(tmp_path), facts(kind, extension=".txt"))
    assert caught.value.why
    assert caught.value.needs == ""


@pytest.mark.parametrize(
    "template, below",
    [
        ("", ""),
        ("{base}", "Pony"),
        ("{base}/{creator}", "Pony/some one"),
        ("{family}/{kind}", "sdxl/lora"),
        ("sets/{base} by {creator}", "sets/Pony by some one"),
    ],
)
def test_a_template_makes_sub_folders(tmp_path: Path, template: str, below: str) -> None:
    assert planned(a1111(tmp_path, template), LORA).below == below


def test_what_a_template_does_not_know_leaves_no_folder(tmp_path: Path) -> None:
    assert planned(a1111(tmp_path, "{base}/{creator}"), facts(Kind.LORA)).below == ""


@pytest.mark.parametrize(
    "template", ["../{base}", "/{base}", "{base}/../..", "C:/{base}", "{bas}", "~/{base}", "a\\..\\b"]
)
def test_a_template_that_leads_out_or_is_misspelt_is_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(LayoutError):
        check_template(template)
    with pytest.raises(LayoutError):
        planned(a1111(tmp_path, template), LORA)


def test_a_taken_name_gets_the_release_then_the_hash(tmp_path: Path) -> None:
    here, taken = a1111(tmp_path), {"detail"}
    for expected in ("detail-v12345", "detail-01234567", "detail-0123456789abcdef", f"detail-{SHA}"):
        target = plan_place(here, LORA, taken.__contains__, safe_stem)
        assert target.stem == expected
        assert "is taken" in target.notes[0]
        taken.add(expected)
    with pytest.raises(NotPlaceable):
        plan_place(here, LORA, taken.__contains__, safe_stem)


def test_a_name_differing_only_in_case_anywhere_below_the_kind_is_taken(tmp_path: Path) -> None:
    here = a1111(tmp_path)
    (tmp_path / "models/Lora/old").mkdir()
    (tmp_path / "models/Lora/old/DETAIL.pt").touch()
    found = stems(here.folders[Kind.LORA], here.layout.shelves[Kind.LORA], stem_key)
    target = plan_place(here, LORA, lambda stem: stem_key(stem) in found, safe_stem)
    assert target.stem == "detail-v12345"


def test_a_checkpoint_is_never_given_a_name_that_means_vae(tmp_path: Path) -> None:
    assert planned(a1111(tmp_path), facts(Kind.CHECKPOINT, "photo.vae")).file_name == "photo-vae.safetensors"
    assert planned(a1111(tmp_path), facts(Kind.VAE, "photo.vae")).file_name == "photo.vae.safetensors"


def test_a_name_that_means_something_else_is_avoided(tmp_path: Path) -> None:
    assert planned(a1111(tmp_path), facts(Kind.HYPERNETWORK, "None", ".pt")).stem == "None-01234567"


def test_an_unsafe_name_is_changed_and_said(tmp_path: Path) -> None:
    target = planned(a1111(tmp_path), facts(Kind.LORA, "a/b:c"))
    assert target.stem == "a_b_c"
    assert "no safe file name" in target.notes[0]


@pytest.mark.parametrize("bad", ["../x", "a/b", "", ".x", "x.", "a\0"])
def test_a_cleaner_that_does_not_clean_is_stopped(tmp_path: Path, bad: str) -> None:
    with pytest.raises(LayoutError, match="no safe file name"):
        plan_place(a1111(tmp_path), LORA, free, lambda text, longest: bad)


words = st.text(max_size=40) | st.sampled_from(["..", "../..", "/", "\\", "C:", ".", "", "NUL", "a" * 400, "é" * 200])


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(stem=words, base=words, creator=words, release=words, taken=st.booleans())
@example(stem="x", base="..", creator="..\\..", release="../..", taken=True)
def test_no_outside_text_leads_out_of_the_folder(stem: str, base: str, creator: str, release: str, taken: bool) -> None:
    here = OUTSIDE
    what = PlaceFacts(Kind.LORA, stem, ".safetensors", SHA, Family.SDXL, base, creator, release)
    first: list[str] = []
    target = plan_place(here, what, lambda name: taken and not first and not first.append(name), safe_stem)
    assert Path(target.path).resolve().is_relative_to(Path("/ui/models/Lora"))
    assert len(target.file_name.encode()) <= 200
    assert len(Path(target.below).parts) <= 2
    again = PlaceFacts(Kind.LORA, target.stem, ".safetensors", SHA, Family.SDXL, base, creator, release)
    assert plan_place(here, again, free, safe_stem).stem == target.stem


OUTSIDE = register(Path("/ui"), "a1111", "{base}/{creator}")
