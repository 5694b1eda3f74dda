"""Networks that are larger than the memory: weights stay where they are and are brought in layer by layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def bring_in_layers(network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Let each layer of `network` have its weights on `device` in `dtype` only while it works.

    They stay as they are in between: as views of a mapped file they take no memory but the system's own.
    """
    for layer in network.modules():
        own = list(layer.parameters(recurse=False))
        if own:
            visit = _Visit(own, device, dtype)
            layer.register_forward_pre_hook(visit.begin)
            layer.register_forward_hook(visit.end, always_call=True)


class _Visit:
    """The weights of one layer, at home and at work."""

    def __init__(self, parameters: list[nn.Parameter], device: torch.device, dtype: torch.dtype) -> None:
        self._parameters = parameters
        self._device = device
        self._dtype = dtype
        self._home: list[Tensor] = []

    def begin(self, _layer: nn.Module, _inputs: object) -> None:
        self._home = [parameter.data for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.data = parameter.data.to(self._device, self._dtype)

    def end(self, _layer: nn.Module, _inputs: object, _output: object) -> None:
        for parameter, home in zip(self._parameters, self._home, strict=True):
            parameter.data = home
        self._home = []
