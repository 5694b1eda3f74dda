"""What glibc keeps of freed memory, seen from outside: the resident size of a process that allocates by itself."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")

PROGRAM = """
import ctypes, sys
from pathlib import Path
from sdkeep.diffusion.allocation import keep_freed_memory
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes, library.memset.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
assert keep_freed_memory()
size = int(sys.argv[1]) << 20
before = resident()
block = library.malloc(size)
library.memset(block, 1, size)
used = resident() - before
library.free(block)
print(used >> 20, (resident() - before) >> 20)
"""


def resident(megabytes: int) -> tuple[int, int]:
    """MiB that a touched block takes, and that are left of it once it is freed."""
    line = [sys.executable, "-c", PROGRAM, str(megabytes)]
    used, left = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()
    return int(used), int(left)


def test_blocks_of_a_layer_are_kept_for_the_next() -> None:
    used, left = resident(16)
    assert used >= 15 and left >= 15


def test_blocks_that_would_leave_large_holes_go_back_at_once() -> None:
    used, left = resident(200)
    assert used >= 199 and left <= 2
