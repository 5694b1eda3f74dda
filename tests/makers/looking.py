"""Looking at bytes in memory, and the types of the fixtures that convert them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sdkeep.formats.contents import Contents
from sdkeep.formats.convert import Written
from sdkeep.formats.look import look
from sdkeep.formats.source import BytesSource

if TYPE_CHECKING:
    import torch

Convert = Callable[..., Written]
Loaded = Callable[..., "dict[str, torch.Tensor]"]


def seen(data: bytes) -> Contents:
    """The contents of these bytes, thoroughly."""
    return look(BytesSource(data, "sample"))


def rules(contents: Contents) -> set[str]:
    """The rules that are broken."""
    return {flaw.rule for flaw in contents.flaws}
