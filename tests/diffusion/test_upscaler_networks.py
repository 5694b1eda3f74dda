"""Networks that enlarge, by way of the real spandrel where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sdkeep.diffusion.upscaler_networks import open_upscaler
from sdkeep.ground.errors import FormatError
from tests.makers.esrgan import esrgan

spandrel = pytest.importorskip("spandrel", reason="the extra `upscale` is not installed")


def gradient(width: int, height: int) -> Image.Image:
    return Image.merge(
        "RGB", [Image.linear_gradient("L").rotate(turn).resize((width, height)) for turn in (0, 90, 180)]
    )


def by_spandrel(weights: Mapping[str, torch.Tensor], picture: Image.Image) -> npt.NDArray[np.float32]:
    found = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(weights))
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        enlarged: torch.Tensor = found(pixels)[0].clamp(0, 1) * 255
    return enlarged.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("form", ["legacy.pth", "zip.pth", "plain.safetensors"])
def test_a_network_of_any_form_enlarges_as_spandrel_does(tmp_path: Path, form: str) -> None:
    weights, path = esrgan(), tmp_path / form
    if form == "plain.safetensors":
        save_file(weights, path)
    elif form == "zip.pth":
        torch.save({"params_ema": weights}, path)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=False)
    picture = gradient(24, 16)
    found = open_upscaler(path)(picture, 2.0)
    assert found.size == (96, 64)
    assert np.abs(np.asarray(found, dtype=np.float32) - by_spandrel(weights, picture)).max() <= 1


def test_what_spandrel_does_not_know_is_no_upscaler(tmp_path: Path) -> None:
    save_file({"some.weight": torch.zeros(3, 3)}, tmp_path / "odd.safetensors")
    with pytest.raises(FormatError, match="no upscaler"):
        open_upscaler(tmp_path / "odd.safetensors")
