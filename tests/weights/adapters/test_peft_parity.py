"""What PEFT trains and saves, read by us, against PEFT's own forward pass."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from sdkeep.weights.adapters.deltas import applied
from tests.makers.adapters import parsed, roles

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import peft


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 8, 3)
        self.line = nn.Linear(8, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(self.conv(x).flatten(2).transpose(1, 2))


BOTH = ["conv", "line"]
CASES = {
    "lora": peft.LoraConfig(r=4, lora_alpha=4, target_modules=BOTH),
    "lora-alpha": peft.LoraConfig(r=4, lora_alpha=8, target_modules=BOTH),
    "rslora": peft.LoraConfig(r=4, lora_alpha=8, use_rslora=True, target_modules=BOTH),
    "dora": peft.LoraConfig(r=4, lora_alpha=8, use_dora=True, target_modules=BOTH),
    "lora-bias": peft.LoraConfig(r=4, lora_alpha=8, lora_bias=True, target_modules=["line"]),
    "alpha-pattern": peft.LoraConfig(r=4, lora_alpha=8, alpha_pattern={"line": 2}, target_modules=BOTH),
    "loha": peft.LoHaConfig(r=4, alpha=4, target_modules=BOTH),
    "loha-effective": peft.LoHaConfig(r=4, alpha=4, use_effective_conv2d=True, target_modules=BOTH),
    "lokr": peft.LoKrConfig(r=2, alpha=2, target_modules=BOTH),
    "lokr-both": peft.LoKrConfig(r=1, alpha=1, decompose_both=True, target_modules=BOTH),
    "lokr-effective": peft.LoKrConfig(r=1, alpha=1, use_effective_conv2d=True, target_modules=BOTH),
    "ia3": peft.IA3Config(target_modules=BOTH, feedforward_modules=[]),
    "ia3-inputs": peft.IA3Config(target_modules=BOTH, feedforward_modules=["line"]),
}


def adapted(config: Any) -> tuple[Net, nn.Module, dict[str, torch.Tensor], dict[str, str]]:
    """A plain net, the same one adapted by PEFT, the adapter's state, and its metadata as diffusers writes them."""
    plain = Net()
    twin = Net()
    twin.load_state_dict(plain.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(twin, config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(word in name for word in ("lora_", "hada_", "lokr_", "ia3_")) and "magnitude" not in name:
                parameter.copy_(torch.randn(parameter.shape) * 0.3)
            elif "magnitude" in name:
                parameter.mul_(1.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = peft.get_peft_model_state_dict(model)
    state = {key.replace("base_model.model.", "unet."): value.detach() for key, value in saved.items()}
    told = {f"unet.{key}": value for key, value in config.to_dict().items() if key in ("r", "lora_alpha", "use_rslora")}
    told["unet.alpha_pattern"] = getattr(config, "alpha_pattern", {})
    return plain, model, state, {"lora_adapter_metadata": json.dumps(told)}


@pytest.mark.parametrize("case", CASES)
def test_a_changed_net_answers_as_the_trained_one(case: str) -> None:
    plain, model, state, metadata = adapted(CASES[case])
    adapter = parsed(state, metadata)
    assert not adapter.leftovers
    values = {name: value.detach() for name, value in plain.named_parameters()}
    for part in adapter.parts:
        name = f"{part.target.removeprefix('unet.')}.{part.parameter}"
        values[name] = applied(part, roles(part, state), values[name])
    x = torch.randn(2, 6, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(torch.func.functional_call(plain, values, (x,)), model(x), rtol=2e-5, atol=2e-5)


def test_without_a_configuration_the_scale_is_one() -> None:
    _, _, state, _ = adapted(CASES["lora-alpha"])
    part = parsed(state).parts[0]
    down, up = state[part.keys["down"]], state[part.keys["up"]]
    weight = torch.zeros(8, 6, 3, 3)
    torch.testing.assert_close(applied(part, roles(part, state), weight).flatten(1), up.flatten(1) @ down.flatten(1))
