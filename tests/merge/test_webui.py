"""AUTOMATIC1111's merger, against its own formula stated word for word on whole models in memory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sdkeep.ground.errors import UsageError
from tests.makers import checkpoints
from tests.merge.conftest import merge_files, webui

Tensors = dict[str, torch.Tensor]
SKIPPED = "cond_stage_model.transformer.text_model.embeddings.position_ids"


def weighted_sum(theta0: torch.Tensor, theta1: torch.Tensor, alpha: float) -> torch.Tensor:
    return ((1 - alpha) * theta0) + (alpha * theta1)


def get_difference(theta1: torch.Tensor, theta2: torch.Tensor) -> torch.Tensor:
    return theta1 - theta2


def add_difference(theta0: torch.Tensor, theta1_2_diff: torch.Tensor, alpha: float) -> torch.Tensor:
    return theta0 + (alpha * theta1_2_diff)


def to_half(tensor: torch.Tensor, enable: bool) -> torch.Tensor:
    if enable and tensor.dtype == torch.float:
        return tensor.half()
    return tensor


def run_modelmerger(  # noqa: C901
    models: list[Tensors], interp_method: str, multiplier: float, save_as_half: bool, vae: Tensors | None, discard: str
) -> Tensors:
    """`modules/extras.py`, its lines in its order."""
    theta_func1, theta_func2 = {
        "weighted-sum": (None, weighted_sum),
        "add-difference": (get_difference, add_difference),
        "no-interpolation": (None, None),
    }[interp_method]
    theta_1 = dict(models[1]) if theta_func2 else None
    if theta_func1:
        theta_2 = models[2]
        for key in theta_1:
            if key == SKIPPED:
                continue
            if "model" in key:
                if key in theta_2:
                    t2 = theta_2.get(key, torch.zeros_like(theta_1[key]))
                    theta_1[key] = theta_func1(theta_1[key], t2)
                else:
                    theta_1[key] = torch.zeros_like(theta_1[key])
    theta_0 = {key: value.clone() for key, value in models[0].items()}
    for key in theta_0:
        if theta_1 and "model" in key and key in theta_1:
            if key == SKIPPED:
                continue
            a = theta_0[key]
            b = theta_1[key]
            if a.shape != b.shape and a.shape[0:1] + a.shape[2:] == b.shape[0:1] + b.shape[2:]:
                if a.shape[1] == 8 and b.shape[1] == 4:
                    theta_0[key][:, 0:4, :, :] = theta_func2(a[:, 0:4, :, :], b, multiplier)
                else:
                    assert a.shape[1] == 9 and b.shape[1] == 4
                    theta_0[key][:, 0:4, :, :] = theta_func2(a[:, 0:4, :, :], b, multiplier)
            else:
                theta_0[key] = theta_func2(a, b, multiplier)
            theta_0[key] = to_half(theta_0[key], save_as_half)
    if vae is not None:
        for key in vae:
            theta_0_key = "first_stage_model." + key
            if theta_0_key in theta_0:
                theta_0[theta_0_key] = to_half(vae[key], save_as_half)
    if save_as_half and not theta_func2:
        for key in theta_0:
            theta_0[key] = to_half(theta_0[key], save_as_half)
    if discard:
        for key in list(theta_0):
            if re.search(discard, key):
                theta_0.pop(key, None)
    return theta_0


def payload(path: Path) -> bytes:
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def agree(folder: Path, models: list[Tensors], method: str, multiplier: float = 0.3, *, half: bool = False,
          vae: Tensors | None = None, discard: str = "") -> None:  # fmt: skip
    expected = run_modelmerger(models, method, multiplier, half, vae, discard)
    save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")
    files = [checkpoints.write(folder / f"{place}.safetensors", content) for place, content in enumerate(models)]
    if vae is not None:
        files.append(checkpoints.write(folder / "vae.safetensors", vae))
    output = webui("fp16" if half else "", len(models) if vae is not None else None, discard)
    numbers = {} if method == "no-interpolation" else {"alpha": multiplier}
    out = folder / "ours.safetensors"
    merge_files(files, method, out, numbers, output=output)
    ours = checkpoints.read(out)
    assert {key: value.dtype for key, value in ours.items()} == {key: value.dtype for key, value in expected.items()}
    assert payload(out) == payload(folder / "expected.safetensors")


DTYPES = {
    "fp16": (torch.float16,) * 3,
    "fp32": (torch.float32,) * 3,
    "bf16": (torch.bfloat16,) * 3,
    "fp16 with fp32": (torch.float16, torch.float32, torch.float16),
    "bf16 with fp16": (torch.bfloat16, torch.float16, torch.bfloat16),
}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("dtypes", DTYPES.values(), ids=DTYPES.keys())
@pytest.mark.parametrize(("method", "count"), [("weighted-sum", 2), ("add-difference", 3), ("no-interpolation", 1)])
def test_the_same_bytes(tmp_path: Path, method: str, count: int, dtypes: tuple[torch.dtype, ...], half: bool) -> None:
    models = [checkpoints.tensors(seed=seed, dtype=dtypes[seed]) for seed in range(count)]
    agree(tmp_path, models, method, half=half)


@pytest.mark.parametrize("multiplier", [0.0, 1.0, 0.123456789])
@pytest.mark.parametrize(("method", "count"), [("weighted-sum", 2), ("add-difference", 3)])
def test_the_same_bytes_at_any_multiplier(tmp_path: Path, method: str, count: int, multiplier: float) -> None:
    agree(tmp_path, [checkpoints.tensors(seed=seed) for seed in range(count)], method, multiplier)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("channels", [8, 9])
@pytest.mark.parametrize(("method", "count"), [("weighted-sum", 2), ("add-difference", 3)])
def test_the_same_bytes_of_inpainting_and_pix2pix_models(
    tmp_path: Path, method: str, count: int, channels: int, dtype: torch.dtype, half: bool
) -> None:
    models = [checkpoints.tensors(seed=0, channels=channels, dtype=dtype)]
    models += [checkpoints.tensors(seed=seed) for seed in range(1, count)]
    agree(tmp_path, models, method, half=half)


@pytest.mark.parametrize("half", [False, True])
def test_the_same_damage_to_the_positions_of_sdxl(tmp_path: Path, half: bool) -> None:
    agree(tmp_path, [checkpoints.tensors("sdxl", seed=seed) for seed in range(2)], "weighted-sum", half=half)
    positions = checkpoints.read(tmp_path / "ours.safetensors")[checkpoints.position_ids("sdxl")]
    assert positions.dtype is (torch.float16 if half else torch.float32)


def test_the_same_bytes_where_models_have_different_keys(tmp_path: Path) -> None:
    a, b, c = (checkpoints.tensors(seed=seed) for seed in range(3))
    only = "model.diffusion_model.out.0.bias"
    a["model_ema.decay"] = torch.tensor(0.9)
    b["model.only_in_b"] = torch.ones(3)
    del b["model.diffusion_model.time_embed.0.weight"], c[only]
    agree(tmp_path, [a, b, c], "add-difference", half=True)


def test_the_same_vae_is_baked_and_the_same_weights_discarded(tmp_path: Path) -> None:
    stem = "first_stage_model."
    full = checkpoints.tensors(seed=5, dtype=torch.float32)
    vae = {key.removeprefix(stem): value for key, value in full.items() if key.startswith(stem)}
    vae["loss.logvar"] = torch.zeros(2)
    models = [checkpoints.tensors(seed=seed) for seed in range(2)]
    agree(tmp_path, models, "weighted-sum", half=True, vae=vae, discard=r"time_embed|^alphas")


def test_a_plain_model_does_not_take_an_inpainting_one(tmp_path: Path) -> None:
    files = [
        checkpoints.write(tmp_path / "a.safetensors", checkpoints.tensors()),
        checkpoints.write(tmp_path / "b.safetensors", checkpoints.tensors(channels=9)),
    ]
    with pytest.raises(UsageError, match=r"`b\.safetensors` is an inpainting model"):
        merge_files(files, "weighted-sum", tmp_path / "o.safetensors", output=webui())


@pytest.mark.parametrize("method", ["slerp", "train-difference"])
def test_what_the_webui_cannot_do_is_refused(tmp_path: Path, method: str) -> None:
    files = [checkpoints.write(tmp_path / f"{n}.safetensors", checkpoints.tensors(seed=n)) for n in range(3)]
    with pytest.raises(UsageError, match="AUTOMATIC1111 has no such merge"):
        merge_files(files[: 2 if method == "slerp" else 3], method, tmp_path / "o.safetensors", output=webui())
