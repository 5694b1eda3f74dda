"""Memory of the C library, told to keep what it has for as long as networks run."""

from __future__ import annotations

import ctypes
import functools
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_NEVER = 2**31 - 1
_MOST_KEPT = 32 << 20  # the most that glibc takes for it


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc use freed blocks again instead of returning them to the system; whether that could be arranged.

    A network on the CPU asks for the same blocks at every layer. glibc would get each from the system by `mmap` and
    give it back, and every page of it would be a fault and be zeroed: an eighth of a UNet step. Blocks of more than
    32 MiB, which the autoencoder has, still go that way: kept, they would leave holes that the next one does not fit
    into. It holds for the whole process; other C libraries and systems are left as they are. See mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(_MMAP_THRESHOLD, _MOST_KEPT)) and bool(library.mallopt(_TRIM_THRESHOLD, _NEVER))
