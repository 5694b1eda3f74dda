"""From a picture to its models: what is here, what is fetched, what cannot be named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.world import World

INK_15 = 13


def picture(path: Path, parameters: str | None) -> Path:
    texts = PngInfo()
    if parameters is not None:
        texts.add_text("parameters", parameters)
    Image.new("RGB", (8, 8)).save(path, pnginfo=texts)
    return path


def made_with(digest: str) -> str:
    return (
        "a castle <lora:ink:0.7>\nNegative prompt: blurry\n"
        f'Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 8x8, Lora hashes: "ink: {digest}"'
    )


def test_a_picture_says_how_it_was_made(world: World, tmp_path: Path) -> None:
    shown = world.good("show", str(picture(tmp_path / "a.png", made_with("0123456789")))).document["data"][0]
    assert (shown["tool"], shown["prompt"], shown["negative"]) == ("a1111", "a castle <lora:ink:0.7>", "blurry")
    assert shown["settings"]["Sampler"] == "Euler a"
    assert [(need["kind"], need["name"], need["weight"]) for need in shown["needs"]] == [("lora", "ink", 0.7)]


def test_what_a_picture_needs_is_fetched_by_its_hash_and_then_known_to_be_here(world: World, tmp_path: Path) -> None:
    digest = hashlib.sha256(world.file(INK_15)).hexdigest()[:10]
    path = str(picture(tmp_path / "a.png", made_with(digest)))
    first = world.good("get", "--from-image", path, "--no-preview").document["data"]
    assert first["needs"][0]["here"] == ""
    assert first["got"][0]["files"][0]["sha256"].startswith(digest)
    second = world.good("get", "--from-image", path).document["data"]
    assert second["needs"][0]["here"] == first["got"][0]["files"][0]["name"]
    assert second["needs"][0]["by"] == "hash"
    assert second["got"] == []


def test_a_need_without_a_hash_is_a_warning(world: World, tmp_path: Path) -> None:
    path = str(picture(tmp_path / "a.png", "x <lora:nobody:1>\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1"))
    answer = world.good("get", "--from-image", path)
    assert "nobody" in answer.document["warnings"][0]


@pytest.mark.parametrize("parameters", [None, ""])
def test_a_picture_that_says_nothing_is_an_error_that_helps(
    world: World, tmp_path: Path, parameters: str | None
) -> None:
    result = world.json("get", "--from-image", str(picture(tmp_path / "a.png", parameters)))
    assert result.status == 2
    assert result.document["errors"][0]["code"] == "format"
    assert "sdkeep show" in result.document["errors"][0]["next"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_without_parameters_is_said_to_tell_nothing(world: World, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bare{suffix}"
    Image.new("RGB", (8, 8)).save(path)
    (shown,) = world.good("show", str(path)).data
    assert "does not say how it was made" in shown["notes"][-1]
    assert world.json("get", "--from-image", str(path)).status == 2


def test_what_is_only_called_a_picture_is_said_to_be_none(world: World, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    assert "no PNG" in world.good("show", str(tmp_path / "text.png")).data[0]["notes"][-1]
