"""Work done as a person without privileges, since root is stopped by no file mode."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def public_folder() -> Iterator[Path]:
    """A new folder that everybody may enter and only its owner may write; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="sdkeep-public-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def as_nobody(work: Callable[[], None]) -> None:
    """Run `work` in a child process without root's rights; its failure is this test's failure."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, state = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(state) == 0
