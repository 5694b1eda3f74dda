"""Files as they are met: historic names, extras, absences, formats, and what must be refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdkeep.diffusion.assembly import Memory, suitable_dtype, torch_device
from sdkeep.diffusion.checkpoint import Model, Opening, open_checkpoint
from sdkeep.diffusion.networks.config import Prediction
from sdkeep.diffusion.networks.layers import set_tiling
from sdkeep.formats.selection import Component
from sdkeep.ground.errors import FormatError, NotFoundHere, UsageError
from sdkeep.ground.kinds import Family
from tests.makers.ldmkeys import Weights
from tests.makers.tinymodels import VOCAB, save, tiny

UNET, VAE = "model.diffusion_model.", "first_stage_model."
CLIP = "cond_stage_model.transformer.text_model."


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def sd1() -> Weights:
    return tiny("sd1").weights()


@pytest.fixture(scope="module")
def sd2() -> Weights:
    return tiny("sd2").weights()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def said(model: Model) -> tuple[Tensor, Tensor, Tensor]:
    """A text, a denoised latent and a picture, always of the same input."""
    generator = torch.Generator().manual_seed(7)
    words = torch.randint(0, VOCAB, (1, 77), generator=generator)
    x = torch.randn(1, 4, 8, 8, generator=generator)
    with torch.no_grad():
        states = [tower(words).hidden[-model.config.skip] for tower in model.text]
    context = torch.cat(states, dim=-1)
    return context, model.predict(x, torch.tensor([500.0]), context), model.to_pixels(x)


def same(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...], close: float = 1e-5) -> bool:
    """Equal but for the order of sums, which may depend on where in memory a file's weights begin."""
    return all(
        torch.allclose(a, b, rtol=close, atol=close * float(b.abs().max())) for a, b in zip(ours, theirs, strict=True)
    )


@pytest.fixture(scope="module")
def expected(sd1: Weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tensor, Tensor, Tensor]:
    return said(open_checkpoint(save(tmp_path_factory.mktemp("plain") / "sd1.safetensors", sd1)))


# Shapes of real files


def test_novelais_names_are_read(file: Path, sd1: Weights, expected: tuple[Tensor, ...]) -> None:
    old = {key.replace("transformer.text_model.", "transformer."): weight for key, weight in sd1.items()}
    assert same(said(open_checkpoint(save(file, old))), expected)


def test_sd_turbos_names_are_read(file: Path, sd2: Weights) -> None:
    turbo = {key.replace("cond_stage_model.", "conditioner.embedders.0."): weight for key, weight in sd2.items()}
    found = open_checkpoint(save(file, turbo))
    assert found.config.family is Family.SD2
    plain = open_checkpoint(save(file.with_name("plain.safetensors"), sd2))
    assert same(said(found), said(plain))


def test_training_leftovers_are_ignored(file: Path, sd1: Weights, expected: tuple[Tensor, ...]) -> None:
    extras = {
        "model_ema.decay": torch.tensor(0.9999),
        "model_ema.num_updates": torch.tensor(12),
        "alphas_cumprod": torch.ones(1000),
        "betas": torch.ones(1000),
        "cond_stage_model.logit_scale": torch.tensor(4.6),
        "first_stage_model.loss.logvar": torch.zeros(()),
    }
    averages = {
        "model_ema." + key.removeprefix("model.").replace(".", ""): weight.clone()
        for key, weight in sd1.items()
        if key.startswith(UNET)
    }
    assert same(said(open_checkpoint(save(file, sd1 | extras | averages))), expected)


@pytest.mark.parametrize("ids", [torch.arange(77)[None], torch.arange(77.0)[None] - 0.4, torch.zeros(1, 77).half()])
def test_position_ids_may_be_missing_or_broken(
    file: Path, sd1: Weights, expected: tuple[Tensor, ...], ids: Tensor
) -> None:
    assert same(said(open_checkpoint(save(file, sd1 | {CLIP + "embeddings.position_ids": ids}))), expected)


def test_an_autoencoder_with_linear_attention_is_read(file: Path, sd1: Weights, expected: tuple[Tensor, ...]) -> None:
    flat = {key: w.flatten(1) if ".attn_1." in key and w.ndim == 4 else w for key, w in sd1.items()}
    assert same(said(open_checkpoint(save(file, flat))), expected)


def test_a_torch_archive_is_read_without_unpickling(tmp_path: Path, sd1: Weights, expected: tuple[Tensor, ...]) -> None:
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": sd1, "epoch": 3, "global_step": 1000}, path)
    assert same(said(open_checkpoint(path)), expected)


# Missing parts


@pytest.mark.parametrize(
    ("prefix", "part", "passed"),
    [(VAE, "autoencoder", "--vae"), (CLIP, "text encoder", "--base"), (UNET, "UNet", "checkpoint")],
)
def test_a_missing_part_is_named_with_what_to_pass(
    file: Path, sd1: Weights, prefix: str, part: str, passed: str
) -> None:
    save(file, {key: weight for key, weight in sd1.items() if not key.startswith(prefix)})
    with pytest.raises(FormatError) as caught:
        open_checkpoint(file)
    assert part in caught.value.what
    assert passed in caught.value.next
    assert caught.value.rule == "component-missing"


def test_a_part_that_is_not_needed_may_be_missing(file: Path, sd1: Weights) -> None:
    save(file, {key: weight for key, weight in sd1.items() if not key.startswith(VAE)})
    model = open_checkpoint(file, Opening(needs=frozenset({Component.UNET})))
    assert model.unet.config.width == 32
    with pytest.raises(FormatError):
        _ = model.vae


@pytest.mark.parametrize("bare", [False, True])
def test_a_unet_alone_borrows_from_a_base(file: Path, sd1: Weights, expected: tuple[Tensor, ...], bare: bool) -> None:
    unet = {key.removeprefix(UNET if bare else ""): w for key, w in sd1.items() if key.startswith(UNET)}
    base = save(
        file.with_name("base.safetensors"),
        tiny("sd1", seed=5).weights() | {k: w for k, w in sd1.items() if not k.startswith(UNET)},
    )
    assert same(said(open_checkpoint(save(file, unet), Opening(base=base))), expected)


def test_a_base_of_another_family_is_refused(file: Path, sd1: Weights, sd2: Weights) -> None:
    save(file, {key: weight for key, weight in sd1.items() if key.startswith(UNET)})
    base = save(file.with_name("base.safetensors"), sd2)
    with pytest.raises(FormatError) as caught:
        open_checkpoint(file, Opening(base=base))
    assert caught.value.rule == "component-mismatch"


@pytest.mark.parametrize("bare", [False, True])
def test_another_autoencoder_takes_the_place_of_its_own(file: Path, sd1: Weights, bare: bool) -> None:
    other = tiny("sd1", seed=3).weights()
    vae = {key.removeprefix(VAE if bare else ""): w for key, w in other.items() if key.startswith(VAE)}
    vae_file = save(file.with_name("vae.safetensors"), vae)
    model = open_checkpoint(save(file, sd1), Opening(vae=vae_file))
    reference = open_checkpoint(save(file.with_name("other.safetensors"), other))
    z = torch.randn(1, 4, 4, 4)
    assert torch.equal(model.to_pixels(z), reference.to_pixels(z))
    assert torch.equal(model.unet.out[2].weight, sd1[UNET + "out.2.weight"])


def test_a_file_without_autoencoder_is_no_autoencoder(file: Path, sd1: Weights) -> None:
    unet = save(file.with_name("u.safetensors"), {k: w for k, w in sd1.items() if k.startswith(UNET)})
    with pytest.raises(FormatError, match="autoencoder"):
        open_checkpoint(save(file, sd1), Opening(vae=unet))


# Strictness

KEY = UNET + "middle_block.0.in_layers.2.weight"


def test_a_missing_key_is_named(file: Path, sd1: Weights) -> None:
    save(file, {key: weight for key, weight in sd1.items() if key != KEY})
    with pytest.raises(FormatError) as caught:
        open_checkpoint(file)
    assert KEY in caught.value.why
    assert caught.value.rule == "key-missing"


def test_an_unknown_key_is_named(file: Path, sd1: Weights) -> None:
    with pytest.raises(FormatError) as caught:
        open_checkpoint(save(file, sd1 | {UNET + "surprise": torch.zeros(1)}))
    assert UNET + "surprise" in caught.value.why
    assert caught.value.rule == "key-unknown"


@pytest.mark.parametrize("change", [lambda w: w[:-1], lambda w: w.transpose(0, 2), lambda w: w.flatten()])
def test_a_wrong_shape_is_named(file: Path, sd1: Weights, change: object) -> None:
    with pytest.raises(FormatError) as caught:
        open_checkpoint(save(file, sd1 | {KEY: change(sd1[KEY])}))  # type: ignore[operator]
    assert KEY in caught.value.why
    assert caught.value.rule == "key-shape"


def test_quantized_numbers_are_refused_by_key(file: Path, sd1: Weights) -> None:
    model = open_checkpoint(save(file, sd1 | {KEY: sd1[KEY].to(torch.int8)}))
    with pytest.raises(FormatError) as caught:
        _ = model.unet
    assert KEY in caught.value.what


@pytest.mark.parametrize("data", [b"", b"hello", b"{}", b"\x89PNG\r\n\x1a\n", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_checkpoint_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(FormatError):
        open_checkpoint(file)


def test_a_file_that_is_cut_short_is_refused(file: Path, sd1: Weights) -> None:
    save(file, sd1)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(FormatError, match="damaged"):
        open_checkpoint(file)


def test_a_file_that_is_not_there_is_missed(file: Path) -> None:
    with pytest.raises(NotFoundHere):
        open_checkpoint(file)


# Number formats


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_other_number_formats_are_widened(file: Path, sd1: Weights, stored: torch.dtype) -> None:
    narrowed = {key: weight.to(stored) for key, weight in sd1.items()}
    widened = {key: weight.to(stored).float() for key, weight in sd1.items()}
    found = said(open_checkpoint(save(file, narrowed), Opening(dtype=torch.float32)))
    assert same(found, said(open_checkpoint(save(file.with_name("wide.safetensors"), widened))))


def test_half_precision_is_widened_where_the_processor_is_slow_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_amx_fp16_supported"):
        monkeypatch.setattr(torch.cpu, question, lambda: False, raising=False)
    assert [suitable_dtype(cpu, code) for code in ("F16", "BF16", "F32", "F8_E4M3")] == [torch.float32] * 4
    monkeypatch.setattr(torch.cpu, "_is_amx_fp16_supported", lambda: True, raising=False)
    assert suitable_dtype(cpu, "F16") is torch.float16
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert suitable_dtype(cpu, "BF16") is torch.bfloat16
    assert suitable_dtype(torch.device("cuda"), "F32") is torch.float16
    assert suitable_dtype(torch.device("cuda"), "BF16") is torch.bfloat16


@pytest.mark.parametrize("name", ["quantum", "cuda:99", "xla", "", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        torch_device(name)
    assert "`cpu`" in caught.value.why


def test_broken_weights_are_named(file: Path, sd1: Weights) -> None:
    broken = sd1[KEY].clone()
    broken[0, 0, 0, 0] = float("nan")
    model = open_checkpoint(save(file, sd1 | {KEY: broken}))
    assert said(model)[1].isnan().any()
    assert model.broken_weights() == [KEY]


def test_an_autoencoder_that_overflows_in_half_precision_is_asked_again_in_full(file: Path, sd1: Weights) -> None:
    loud = {key: w * 3e5 if key == VAE + "decoder.conv_in.weight" else w for key, w in sd1.items()}
    half = open_checkpoint(save(file, loud), Opening(dtype=torch.float16))
    z = torch.randn(1, 4, 4, 4)
    with torch.no_grad():
        assert half.vae.decode(z.half() / 0.18215).isnan().any()
    full = open_checkpoint(file).to_pixels(z)
    assert torch.allclose(half.to_pixels(z), full, rtol=0.05, atol=0.05 * float(full.abs().max()))


# What is predicted

TELLING = UNET + "output_blocks.11.1.transformer_blocks.0.norm1.bias"


def four_levels() -> Weights:
    """SD 2 with the real number of blocks, random and narrow."""
    from sdkeep.diffusion.assembly import build
    from sdkeep.diffusion.networks.config import ModelConfig, UNetConfig

    unet = UNetConfig(width=32, mults=(1, 1, 1, 1), context=128, linear=True, heads=0, head_width=64)
    [part] = build(ModelConfig(Family.SD2, unet, None, ()))
    names = {UNET + name: weight.shape for name, weight in part.network.named_parameters()}
    return {name: torch.zeros(shape) for name, shape in names.items()}


@pytest.mark.parametrize(
    ("spread", "metadata", "asked", "prediction"),
    [
        (0.01, {}, None, Prediction.EPSILON),
        (0.2, {}, None, Prediction.V),
        (0.2, {"modelspec.prediction_type": "epsilon"}, None, Prediction.EPSILON),
        (0.01, {"modelspec.prediction_type": "v"}, None, Prediction.V),
        (0.2, {}, Prediction.EPSILON, Prediction.EPSILON),
    ],
)
def test_sd2_that_says_nothing_is_judged_by_a_norm(
    file: Path, spread: float, metadata: dict[str, str], asked: Prediction | None, prediction: Prediction
) -> None:
    weights = four_levels() | {TELLING: torch.linspace(-1, 1, 32) * spread * 3**0.5}
    opening = Opening(prediction=asked, needs=frozenset({Component.UNET}))
    assert open_checkpoint(save(file, weights, metadata), opening).config.prediction is prediction


def test_zero_terminal_levels_end_in_noise(file: Path, sd1: Weights) -> None:
    plain = open_checkpoint(save(file, sd1)).levels
    zero = open_checkpoint(save(file, sd1 | {"v_pred": torch.zeros(()), "ztsnr": torch.zeros(())}))
    assert zero.config.prediction is Prediction.V
    assert float(zero.levels.alphas_cumprod[-1]) < 1e-7 < float(plain.alphas_cumprod[-1])


def test_playgrounds_latents_are_moved_and_stretched(file: Path, sd1: Weights) -> None:
    mean, std = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1), torch.tensor([2.0]).expand(1, 4, 1, 1).clone()
    model = open_checkpoint(save(file, sd1 | {"edm_mean": mean, "edm_std": std}))
    plain = open_checkpoint(save(file.with_name("plain.safetensors"), sd1))
    assert model.config.prediction is Prediction.EDM
    z = torch.randn(1, 4, 4, 4)
    wanted = plain.to_pixels((z * std / 0.5 + mean) * 0.18215)
    assert torch.allclose(model.to_pixels(z), wanted, atol=1e-5)
    pixels = torch.rand(1, 3, 16, 16) * 2 - 1
    raw = plain.to_latents(pixels) / 0.18215
    assert torch.allclose(model.to_latents(pixels), (raw - mean) * 0.5 / std, atol=1e-5)


# Memory


def test_networks_are_loaded_when_they_are_wanted(file: Path, sd1: Weights) -> None:
    model = open_checkpoint(save(file, sd1))
    assert model._networks[UNET].network.out[2].weight.is_meta
    assert not model.unet.out[2].weight.is_meta
    assert model._networks[VAE].network.quant_conv.weight.is_meta


def test_weights_carry_no_gradients_and_leave_the_file_alone(file: Path, sd1: Weights) -> None:
    before = save(file, sd1).read_bytes()
    model = open_checkpoint(file)
    parameters = model.parameters()
    assert parameters.keys() == sd1.keys()
    assert not any(parameter.requires_grad for parameter in parameters.values())
    with torch.no_grad():
        parameters[KEY].zero_()
    assert file.read_bytes() == before


@pytest.mark.parametrize("memory", [Memory.PARTS, Memory.LAYERS])
def test_low_memory_modes_say_the_same(file: Path, sd1: Weights, expected: tuple[Tensor, ...], memory: Memory) -> None:
    model = open_checkpoint(save(file, {k: w.half() for k, w in sd1.items()}), Opening(memory=memory))
    full = open_checkpoint(file)
    assert same(said(model), said(full))
    if memory is Memory.LAYERS:
        assert model.unet.out[2].weight.dtype is torch.float16  # as it lies in the file


def test_a_weight_that_is_exchanged_takes_effect_and_can_be_put_back(
    file: Path, sd1: Weights, expected: tuple[Tensor, ...]
) -> None:
    save(file, sd1)
    for memory in Memory:
        model = open_checkpoint(file, Opening(memory=memory))
        parameter = model.parameters()[KEY]
        own = parameter.data
        parameter.data = own.flip(0)
        assert not same(said(model), expected)
        parameter.data = own
        assert same(said(model), expected)


def test_hypernetworks_may_stand_before_keys_and_values(file: Path, sd1: Weights, expected: tuple[Tensor, ...]) -> None:
    model = open_checkpoint(save(file, sd1))
    model.unet.set_context_transform(lambda context: (context, context))
    assert same(said(model), expected)
    model.unet.set_context_transform(lambda context: (context * 2, context))
    assert not same(said(model), expected)
    model.unet.set_context_transform(None)
    assert same(said(model), expected)


# Pictures in tiles, pictures that tile, odd sizes


def test_tiles_give_nearly_the_whole_picture(file: Path, sd1: Weights) -> None:
    model = open_checkpoint(save(file, sd1))
    z = torch.randn(1, 4, 24, 40) * 0.18215
    whole, tiled = model.to_pixels(z), model.to_pixels(z, tile=16)
    assert whole.shape == tiled.shape
    assert float((whole - tiled).abs().mean() / whole.abs().mean()) < 0.5
    assert torch.allclose(model.to_pixels(z, tile=64), whole, atol=1e-5)
    pixels = torch.rand(1, 3, 96, 160) * 2 - 1
    whole, tiled = model.to_latents(pixels), model.to_latents(pixels, tile=16)
    assert whole.shape == tiled.shape
    assert float((whole - tiled).abs().mean() / whole.abs().mean()) < 0.5


def test_a_picture_that_tiles_does_not_know_its_edges(file: Path, sd1: Weights) -> None:
    model = open_checkpoint(save(file, sd1))
    context = torch.randn(1, 77, 64)
    x = torch.randn(1, 4, 16, 16)

    def shifted(latent: Tensor) -> Tensor:
        return latent.roll((4, 8), dims=(2, 3))

    steps = torch.tensor([10.0])
    set_tiling(model.unet, on=True)
    there = model.predict(shifted(x), steps, context)
    assert torch.allclose(there, shifted(model.predict(x, steps, context)), atol=1e-4)
    set_tiling(model.unet, on=False)
    there = model.predict(shifted(x), steps, context)
    assert not torch.allclose(there, shifted(model.predict(x, steps, context)), atol=1e-4)


@pytest.mark.parametrize("size", [(9, 16), (10, 13), (5, 7)])
def test_a_side_that_does_not_halve_evenly_still_works(file: Path, sd1: Weights, size: tuple[int, int]) -> None:
    model = open_checkpoint(save(file, sd1))
    x = torch.randn(1, 4, *size)
    assert model.predict(x, torch.tensor([10.0]), torch.randn(1, 77, 64)).shape == x.shape


def test_networks_can_be_trained(file: Path, sd1: Weights) -> None:
    unet = open_checkpoint(save(file, sd1)).unet.requires_grad_(True)
    unet(torch.randn(1, 4, 8, 8), torch.tensor([3.0]), torch.randn(1, 77, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in unet.parameters())
