"""A process of its own that downloads one file: to be killed, interrupted, or raced by another.

    python -m tests.net.fetching URL SHA256 STAGING LOCK_WAIT

Writes the size, the digest and how much an earlier run had brought; an error's code goes to standard error.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

from sdkeep.ground.errors import KeepError
from sdkeep.ground.events import Stop, Stopped
from sdkeep.net.client import Web, WebPolicy
from sdkeep.net.transfer import Wanted, transfer
from tests.net.conftest import HASTE, SPLIT


def main(url: str, sha256: str, staging: str, lock_wait: str) -> int:
    stop = Stop()
    signal.signal(signal.SIGINT, lambda number, frame: stop.ask())
    options = replace(SPLIT, lock_wait=float(lock_wait))
    try:
        with Web(WebPolicy(retry=HASTE)) as web:
            fetched = transfer(web, Wanted(url, sha256=sha256), Path(staging), stop=stop, options=options)
    except Stopped:
        return 130
    except KeepError as error:
        sys.stderr.write(error.code)
        return error.status
    sys.stdout.write(f"{fetched.size} {fetched.sha256} {fetched.resumed_from}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
