"""The engine's part of the tour: it ends with a picture that an independent reader can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdkeep.demo.tour import ENGINE_STEPS, STEPS


def test_the_light_tour_makes_no_pictures() -> None:
    assert not any("generate" in step.command for step in STEPS)
    assert len({step.name for step in (*STEPS, *ENGINE_STEPS)}) == len(STEPS) + len(ENGINE_STEPS)


@pytest.mark.slow
def test_the_engines_tour_leaves_a_picture_and_never_writes_over_another(tmp_path: Path) -> None:
    (tmp_path / "sdkeep-demo.png").write_bytes(b"mine")
    environ = {**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "sdkeep", "demo", "--engine", "--json"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    data = json.loads(done.stdout)["data"]
    assert done.returncode == 0, [step for step in data["steps"] if not step["ok"]]
    assert Path(data["picture"]).name == "sdkeep-demo-2.png"
    assert Path(data["picture"]).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "sdkeep-demo.png").read_bytes() == b"mine"
