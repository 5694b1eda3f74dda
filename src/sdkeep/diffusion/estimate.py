"""Whether there is memory for a picture, told before anything is computed: a system that runs out kills the program.

The estimate is of what must be there at once, and low: a picture that is refused could not have been made.
"""

from __future__ import annotations

from pathlib import Path

import torch

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.jobs import Job, Size
from sdkeep.ground.errors import UsageError

_SIDES = 8
"""How many of the UNet's first feature maps lie about at once: those kept for the way up, and those at work."""


def check_memory(model: Model, job: Job, size: Size, room: int | None) -> None:
    """Raise `UsageError` for a picture of `size` that needs more than `room` bytes; None of them means any number."""
    needed = max(_in_unet(model, job, size), _in_vae(model, job, size))
    if room is None or needed <= room:
        return
    share = (room / needed) ** 0.5 * 0.9
    fits = "x".join(str(max(64, int(side * share) // 64 * 64)) for side in size)
    raise UsageError(
        f"there is not enough memory for a picture of {size[0]}x{size[1]}",
        f"it takes {needed / 2**30:,.1f} GiB at the least, and {room / 2**30:,.1f} GiB are free",
        f"`--size {fits}`" + (", or a smaller `--batch`" if job.batch > 1 else ""),
    )


def _in_unet(model: Model, job: Job, size: Size) -> int:
    unet, vae = model.config.unet, model.config.vae
    if unet is None or vae is None:
        return 0
    asked = 1 if job.cfg == 1 or model.spares_memory else 2
    pictures = 1 if model.spares_memory else min(job.batch, job.count)
    area = (size[0] // vae.factor) * (size[1] // vae.factor)
    return _SIDES * unet.width * area * asked * pictures * model.dtype.itemsize


def _in_vae(model: Model, job: Job, size: Size) -> int:
    """The channels that come into the last level, at the size of the picture or of a piece of it."""
    vae = model.config.vae
    if vae is None:
        return 0
    width, height = (min(side, job.vae_tile) if job.vae_tile else side for side in size)
    return vae.width * max(vae.mults[:2]) * width * height * model.dtype.itemsize


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where nobody can say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    return _free_here(Path("/proc/meminfo")) if device.type == "cpu" else None


def _free_here(told: Path) -> int | None:
    """What Linux says can be had, swap included; None on other systems."""
    try:
        lines = dict(line.split(":", 1) for line in told.read_text("ascii").splitlines() if ":" in line)
        return sum(int(lines[key].split()[0]) * 1024 for key in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        return None
