"""What of a picture's own parameters is honoured, by AUTOMATIC1111's names for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdkeep.actions.generating.repeating import Repeated, repeated
from tests.world import World

BASE = "Steps: 4, Sampler: Euler a, CFG scale: 2, Seed: 9, Size: 32x32, Model: digits"


def picture(pairs: str = "", prompt: str = "a photo of a seven", base: str = BASE) -> Path:
    chunks = PngInfo()
    chunks.add_text("parameters", f"{prompt}\n{base}{', ' if pairs else ''}{pairs}")
    path = Path("theirs.png")
    Image.new("RGB", (32, 32)).save(path, pnginfo=chunks)
    return path


def read(world: World, pairs: str = "", given: tuple[str, ...] = (), **how: str) -> Repeated:
    with world.house() as house:
        return repeated(house, picture(pairs, **how), given)


HIRES = "Denoising strength: 0.4, Hires upscale: 1.5, "


@pytest.mark.parametrize(
    ("pairs", "option", "value"),
    [
        (HIRES + "Hires upscaler: Lanczos", "hires_upscaler", "Lanczos"),
        (HIRES + "Hires steps: 7", "hires_steps", 7),
        (HIRES + "Hires sampler: DPM++ 2M", "hires_sampler", "DPM++ 2M"),
        (HIRES + "Hires schedule type: Karras", "hires_schedule", "Karras"),
        (HIRES + 'Hires prompt: "a six, bold"', "hires_prompt", "a six, bold"),
        (HIRES + "Hires negative prompt: two", "hires_negative", "two"),
        (HIRES + "Hires CFG Scale: 3", "hires_cfg", 3.0),
        (HIRES, "hires_denoising", 0.4),
        ("Denoising strength: 0.4, Hires resize: 64x48", "hires_size", "64x48"),
        ("Denoising strength: 0.4, Hires upscaler: Latent", "hires", 2.0),
        ("Denoising strength: 0.4, First pass size: 16x16", "hires_size", "32x32"),
        ("Schedule type: Karras", "schedule", "Karras"),
        ("Schedule min sigma: 0.1", "schedule_min_sigma", 0.1),
        ("Schedule max sigma: 10", "schedule_max_sigma", 10.0),
        ("Schedule rho: 5", "schedule_rho", 5.0),
        ("Sigma churn: 4", "sigma_churn", 4.0),
        ("Sigma tmin: 0.2", "sigma_tmin", 0.2),
        ("Sigma tmax: 9", "sigma_tmax", 9.0),
        ("Sigma noise: 1.05", "sigma_noise", 1.05),
        ("Eta: 0.6", "eta", 0.6),
        ("SGM noise multiplier: True", "sgm_noise_multiplier", True),
        ("Discard penultimate sigma: True", "discard_penultimate_sigma", True),
        ("Pad conds: True", "pad_conds", True),
        ("NGMS: 0.4", "ngms", 0.4),
        ("Skip Early CFG: 0.1", "skip_early_cfg", 0.1),
        ("Beta schedule alpha: 0.5", "beta_schedule_alpha", 0.5),
        ("Conditional mask weight: 0.5", "mask_weight", 0.5),
        ("Noise multiplier: 1.1", "noise_multiplier", 1.1),
        ("Extra noise: 0.05", "extra_noise", 0.05),
        ("Refiner: digits [3eaec68f68], Refiner switch at: 0.7, Version: v1.10.1", "refiner_at", 0.7),
        ("Refiner: digits [3eaec68f68], Refiner switch at: 0.7, Version: v1.7.0", "refiner_by_steps", True),
        ("Tiling: True", "tiling", True),
        ("Emphasis: No norm", "emphasis", "No norm"),
        ("RNG: CPU", "rng", "CPU"),
    ],
)
def test_a_parameter_is_honoured_under_its_own_name(world: World, pairs: str, option: str, value: object) -> None:
    found = read(world, pairs)
    assert found.values[option] == value
    assert found.unhonoured == ()


@pytest.mark.parametrize(
    "pair",
    [
        "Face restoration: CodeFormer",
        "Token merging ratio: 0.5",
        "Hires checkpoint: other",
        "ADetailer model: face_yolov8n.pt",
        'ControlNet 0: "Module: canny"',
        "UniPC order: 2",
        "Noise Schedule: Zero Terminal SNR",
        "VAE Decoder: TAESD",
        "Old prompt editing timelines: True",
        "Steps: 100000",
        "Sampler: Euler Max",
        "Schedule type: Turbo",
        "Clip skip: 99",
        "Emphasis: Loud",
        "RNG: TPU",
        "Refiner switch at: 0.7",
    ],
)
def test_what_cannot_be_honoured_is_listed_under_its_own_name(world: World, pair: str) -> None:
    found = read(world, pair)
    assert [line.split(" (")[0] for line in found.unhonoured] == [pair.replace('"', "")]


def test_a_sampler_from_before_schedules_were_named_apart_keeps_the_networks_own_steps(world: World) -> None:
    old = "Steps: 4, Sampler: DPM++ 2M{}, CFG scale: 2, Seed: 9, Size: 32x32, Model: digits, Version: v1.6.0"
    assert read(world, base=old.format("")).values["schedule"] == "Uniform"
    assert "schedule" not in read(world, base=old.format(" Karras")).values


def test_a_size_that_latents_cannot_have_is_what_the_webui_made_of_it(world: World) -> None:
    found = read(world, base=BASE.replace("32x32", "38x47"))
    assert found.values["size"] == "32x40"


def test_an_old_hypernetwork_goes_into_the_prompt(world: World) -> None:
    found = read(world, "Hypernet: next, Hypernet strength: 0.5")
    assert found.prompt == "a photo of a seven<hypernet:next:0.5>"


def test_masks_count_only_where_one_is_given(world: World) -> None:
    pairs = "Denoising strength: 0.4, Mask blur: 2, Inpaint area: Only masked, Mask mode: Inpaint not masked"
    assert len(read(world, pairs).unhonoured) == 4
    found = read(world, pairs, given=("init", "mask"))
    assert found.unhonoured == ()
    assert (found.values["only_masked"], found.values["invert_mask"], found.values["mask_blur"]) == (True, True, 2)


def test_a_hires_picture_is_repeated_to_its_own_bytes(world: World) -> None:
    line = ("--steps", "3", "--seed", "3", "--size", "32x32", "--hires", "1.5", "--hires-upscaler", "Lanczos")
    more = ("--hires-sampler", "DDIM", "--hires-prompt", "a six", "--hires-cfg", "2", "--hires-steps", "3")
    knobs = ("--set", "Schedule rho: 5", "--set", "Sigma noise: 1.02", "--set", "Pad conds: True", "--set", "NGMS: 1")
    first = world.good("generate", "a five", "--model", "digits", *line, *more, *knobs, "-o", "out").data["pictures"][0]
    again = world.good("generate", "--from-image", first["path"], "--strict", "-o", "again").data["pictures"][0]
    assert again["infotext"] == first["infotext"]
    assert Path(again["path"]).read_bytes() == Path(first["path"]).read_bytes()


def test_an_upscaler_that_is_not_here_is_listed_and_pixels_are_enlarged_without(world: World) -> None:
    path = str(picture(HIRES + "Hires upscaler: 4x-UltraSharp"))
    done = world.good("generate", "--from-image", path, "-o", "out").data
    assert done["unhonoured"][0].startswith("Hires upscaler: 4x-UltraSharp (")
    assert "Hires upscaler: Lanczos" in done["pictures"][0]["infotext"]
    refused = world.json("generate", "--from-image", path, "--strict", "-o", "none")
    assert refused.codes == ["usage"]
    assert "4x-UltraSharp" in refused.document["errors"][0]["why"]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("Schedule roh: 5", "`Schedule rho`"),
        ("Schedule rho: much", "a number"),
        ("Schedule rho: -5", '`--set "Schedule rho: 0"`'),
        ("Pad conds: perhaps", "True or False"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_told(world: World, given: str, part: str) -> None:
    result = world.json("generate", "x", "--model", "digits", "--set", given, "-o", "out")
    error = result.document["errors"][0]
    assert result.status == 2
    assert part in " ".join((error["why"], error["next"]))


def test_hires_fix_of_an_impossible_size_is_left_out_whole(world: World) -> None:
    found = read(world, "Denoising strength: 0.5, Hires resize: 999999x1, Hires steps: 5, Hires upscaler: Lanczos")
    assert not [name for name in found.values if name.startswith("hires")]
    assert [line.split(":")[0] for line in found.unhonoured] == ["Hires resize", "Hires steps", "Hires upscaler"]
