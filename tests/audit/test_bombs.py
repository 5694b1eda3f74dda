"""Files made to exhaust whoever reads them: each is judged in bounded memory and time, and never called clean."""

from __future__ import annotations

import pickletools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.makers.torchfiles import torch_zip
from tests.makers.zips import deflated, make_zip

PLAIN = b"\x80\x02}q\x00."
MOST_MEMORY = 160 << 20
MOST_SECONDS = 30.0

SCAN = """
import re, sys
from pathlib import Path
from sdkeep.actions.scan import scan_file
from sdkeep.ground.events import Stop
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
scan_file(Path(sys.argv[1]), Stop())
before = peak()
outcome = scan_file(Path(sys.argv[2]), Stop()).verdict.outcome
print(outcome, peak() - before)
"""


def doubling() -> bytes:
    """A pair that holds the one before twice: two to the power of forty leaves for whoever walks it."""
    steps = b"".join(b"h%ch%c\x86q%c0" % (n, n, n + 1) for n in range(40))
    return b"\x80\x02]q\x000" + steps + b"h\x28."


def long_number() -> bytes:
    """A LONG4 that promises two gigabytes."""
    return b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"\x01" * 1000 + b"."


BOMBS: dict[str, Callable[[], bytes]] = {
    "opcodes": lambda: b"\x80\x02" + b"N0" * (2 << 20) + b".",
    "marks": lambda: b"\x80\x02" + b"(" * (4 << 20) + b".",
    "nested-lists": lambda: b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".",
    "memo": lambda: b"\x80\x02" + b"".join(b"Nr" + n.to_bytes(4, "little") for n in range(500_000)) + b".",
    "doubling": doubling,
    "long-number": long_number,
    "zeros-in-a-zip": lambda: torch_zip(PLAIN, deflated("archive/data/1", bytes(1 << 27))),
    "pickle-in-a-zip": lambda: make_zip([deflated("archive/data.pkl", b"\x80\x02" + b"N0" * (1 << 25) + b".")]),
    "header-of-keys": lambda: (1 << 26).to_bytes(8, "little") + b'{"a":' * (1 << 24),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_bounded_memory_and_seconds(tmp_path: Path, name: str) -> None:
    good, bomb = tmp_path / "good.pt", tmp_path / "bomb.pt"
    good.write_bytes(torch_zip(PLAIN))
    bomb.write_bytes(BOMBS[name]())
    done = subprocess.run(
        [sys.executable, "-c", SCAN, str(good), str(bomb)], capture_output=True, text=True, timeout=MOST_SECONDS * 4
    )
    assert done.returncode == 0, done.stderr
    outcome, grown = done.stdout.split()
    assert int(grown) < MOST_MEMORY
    if name not in ("doubling", "zeros-in-a-zip"):  # both are harmless to load, and small
        assert outcome not in ("clean", "clean-with-notes")


def test_the_doubling_bomb_is_a_valid_pickle() -> None:
    assert [opcode.name for opcode, _, _ in pickletools.genops(doubling())][-1] == "STOP"
