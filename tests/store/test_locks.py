from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from sdkeep.ground.errors import InUse
from sdkeep.store.locks import hold


def holder(path: Path, ready: Path) -> int:
    child = os.fork()
    if child == 0:
        with hold(path):
            ready.touch()
            time.sleep(60)
        os._exit(0)
    while not ready.exists():
        time.sleep(0.01)
    return child


def test_a_lock_held_elsewhere_is_in_use_and_a_killed_holder_lets_go(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "x.lock"
    child = holder(lock, tmp_path / "ready")
    try:
        with pytest.raises(InUse, match="the catalogue") as caught, hold(lock, what="the catalogue"):
            pass
        assert str(lock) in caught.value.why
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with hold(lock, timeout=5):
        pass


def test_a_lock_is_free_again_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), hold(tmp_path / "x.lock"):
        raise RuntimeError
    with hold(tmp_path / "x.lock"):
        pass
