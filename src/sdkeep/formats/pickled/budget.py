"""How much a pickle may cost its reader. A file that asks for more is not read further, and is never called clean."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Ceilings for one reading. The checkpoints of Stable Diffusion stay below a hundredth of each.

    `opcodes`, `memo` entries (no index may reach it: unpicklers allocate a table that long), `depth` of the stack
    in values and marks, bytes of one `literal`, and `seconds` on `clock`.
    """

    opcodes: int = 2_000_000
    memo: int = 1_000_000
    depth: int = 1_000_000
    literal: int = 256 << 20
    seconds: float = 20.0
    clock: Callable[[], float] = time.monotonic
