"""Every algorithm against LyCORIS itself: the same state dict, the same weight."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from sdkeep.weights.adapters.deltas import applied
from tests.makers.adapters import parsed, roles

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lycoris import modules as lycoris

NAME = "lora_unet_layer"


def linear() -> nn.Module:
    return nn.Linear(24, 16)


def conv() -> nn.Module:
    return nn.Conv2d(12, 16, 3)


def pointwise() -> nn.Module:
    return nn.Conv2d(12, 16, 1)


CASES = {
    "locon": (lycoris.LoConModule, {}),
    "locon-tucker": (lycoris.LoConModule, {"use_tucker": True}),
    "locon-rank-stabilised": (lycoris.LoConModule, {"rs_lora": True}),
    "dora-out": (lycoris.LoConModule, {"weight_decompose": True, "wd_on_out": True}),
    "dora-in": (lycoris.LoConModule, {"weight_decompose": True, "wd_on_out": False}),
    "loha": (lycoris.LohaModule, {}),
    "loha-tucker": (lycoris.LohaModule, {"use_tucker": True}),
    "doha": (lycoris.LohaModule, {"weight_decompose": True}),
    "lokr": (lycoris.LokrModule, {"factor": 4, "lora_dim": 1}),
    "lokr-both": (lycoris.LokrModule, {"factor": 4, "lora_dim": 1, "decompose_both": True}),
    "lokr-whole": (lycoris.LokrModule, {"factor": 4, "full_matrix": True}),
    "lokr-tucker": (lycoris.LokrModule, {"factor": 4, "lora_dim": 1, "use_tucker": True}),
    "dokr": (lycoris.LokrModule, {"factor": 4, "lora_dim": 1, "weight_decompose": True}),
    "glora": (lycoris.GLoRAModule, {}),
    "ia3-out": (lycoris.IA3Module, {"train_on_input": False}),
    "ia3-in": (lycoris.IA3Module, {"train_on_input": True}),
    "full": (lycoris.FullModule, {}),
    "oft": (lycoris.DiagOFTModule, {"lora_dim": 4}),
    "oft-bound": (lycoris.DiagOFTModule, {"lora_dim": 4, "constraint": 0.001}),
    "oft-rescaled": (lycoris.DiagOFTModule, {"lora_dim": 4, "rescaled": True}),
    "boft": (lycoris.ButterflyOFTModule, {"lora_dim": 4}),
    "boft-rescaled": (lycoris.ButterflyOFTModule, {"lora_dim": 8, "rescaled": True}),
}


def filled(kind: Any, org: nn.Module, options: dict[str, Any]) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """A LyCORIS layer on `org` with random factors, and its state as a file holds it."""
    module = kind(NAME, org, 1.0, **{"lora_dim": 4, "alpha": 2.0, **options})
    module.org_forward = org.forward
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter is not org.weight and parameter is not org.bias:
                parameter.copy_(torch.randn(parameter.shape) * 0.3)
    if kind is lycoris.FullModule:  # before training begins its state is not yet a difference
        return module, {f"{NAME}.diff": module.weight.detach(), f"{NAME}.diff_b": module.bias.detach()}
    return module, {f"{NAME}.{key}": value.detach() for key, value in module.state_dict().items()}


def ours(org: nn.Module, state: dict[str, torch.Tensor], multiplier: float, x: torch.Tensor) -> torch.Tensor:
    """What `org` answers to `x` once its weight and bias are changed as the file says."""
    adapter = parsed(state)
    assert not adapter.leftovers
    values = {name: value.detach() for name, value in org.named_parameters()}
    for part in adapter.parts:
        values[part.parameter] = applied(part, roles(part, state), values[part.parameter], multiplier)
    return torch.func.functional_call(org, values, (x,))


@pytest.mark.parametrize("layer", [linear, conv, pointwise], ids=lambda make: make.__name__)
@pytest.mark.parametrize("case", CASES)
def test_a_changed_layer_answers_as_the_trained_one(case: str, layer: Callable[[], nn.Module]) -> None:
    """The forward pass is what was trained; LyCORIS' own merging scales LoHa and LoKr twice."""
    kind, options = CASES[case]
    org = layer()
    module, state = filled(kind, org, options)
    x = torch.randn(2, 24) if layer is linear else torch.randn(2, 12, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(ours(org, state, 1.0, x), module(x), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("layer", [nn.LayerNorm(8), nn.GroupNorm(2, 8)], ids=["layer-norm", "group-norm"])
def test_a_norm_and_its_bias_are_the_ones_lycoris_makes(layer: nn.Module) -> None:
    module = lycoris.NormModule(NAME, layer, 1.0)
    with torch.no_grad():
        module.w_norm.copy_(torch.randn(8))
        module.b_norm.copy_(torch.randn(8))
        weight, bias = module.get_merged_weight(multiplier=0.5)
    state = {f"{NAME}.w_norm": module.w_norm.detach(), f"{NAME}.b_norm": module.b_norm.detach()}
    first, second = parsed(state).parts
    torch.testing.assert_close(applied(first, roles(first, state), layer.weight.detach(), 0.5), weight.detach())
    torch.testing.assert_close(applied(second, roles(second, state), layer.bias.detach(), 0.5), bias.detach())


@pytest.mark.parametrize("case", ["locon", "locon-tucker", "loha", "loha-tucker", "lokr", "full", "glora", "oft"])
@pytest.mark.parametrize("multiplier", [0.0, 0.5, -1.0])
def test_a_multiplier_scales_what_is_added(case: str, multiplier: float) -> None:
    kind, options = CASES[case]
    org = conv()
    module, state = filled(kind, org, options)
    module.multiplier = multiplier
    x = torch.randn(2, 12, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(ours(org, state, multiplier, x), module(x), rtol=2e-5, atol=2e-5)
