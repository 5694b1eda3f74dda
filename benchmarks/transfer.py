"""What a download costs beside curl: the client's processor time, from a server on the loopback.

    python benchmarks/transfer.py [--gib 1] [--rounds 5] [--work DIR] [--write]

The engine always proves the SHA-256 of what it wrote, so curl is measured with `sha256sum` behind it too. `sdkeep get`
is the whole job: transfer, proof, scan, all digests, identification, store, catalogue.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import PYTHON, SDKEEP, arguments, by_turns, costs_table, publish, run, workplace

ENGINE = """
import sys
from pathlib import Path
from sdkeep.net.client import Web, WebPolicy
from sdkeep.net.transfer import TransferOptions, Wanted, transfer
with Web(WebPolicy()) as web:
    transfer(web, Wanted(sys.argv[1]), Path(sys.argv[2]), options=TransferOptions(connections=int(sys.argv[3])))
"""


def build(path: Path, size: int) -> None:
    """A safetensors file of one tensor of random bytes."""
    size -= size % 4096
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        left = size
        while left:
            left -= file.write(block[:left])


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of `path` on a server of its own."""
    server = [*PYTHON, str(Path(__file__).with_name("fileserver.py")), str(path)]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("--gib", type=float, default=1.0, help="size of the file")
    options = parser.parse_args()
    if not shutil.which("curl"):
        raise SystemExit("this compares with curl, which is not here")
    size = int(options.gib * (1 << 30))
    with workplace(options.work, needs=3 * size + (1 << 30)) as folder:
        build(folder / "model.safetensors", size)
        size = (folder / "model.safetensors").stat().st_size
        with served(folder / "model.safetensors") as url:
            into, fresh = folder / "into", folder / "fresh"
            run([*SDKEEP, "ls"], {"SDKEEP_HOME": str(fresh)})  # a home with a catalogue
            curl = f"curl --silent --fail --output '{into}/model' '{url}'"
            commands = {
                "curl": ["curl", "--silent", "--fail", "--output", f"{into}/model", url],
                "curl, then sha256sum": ["sh", "-c", f"{curl} && sha256sum '{into}/model'"],
                "the engine, one connection": [*PYTHON, "-c", ENGINE, url, str(into), "1"],
                "the engine, four connections": [*PYTHON, "-c", ENGINE, url, str(into), "4"],
                "`sdkeep get`": [*SDKEEP, "get", "--no-place", url],
            }
            anew(into, fresh)
            environ = {"SDKEEP_HOME": str(into)}
            costs = by_turns(commands, options.rounds, lambda: anew(into, fresh), environ)
    facts = f"{size:,} bytes over HTTP/1.1 from the loopback."
    publish("transfer", f"{facts}\n\n{costs_table(costs, peer='curl')}", write=options.write)


def anew(folder: Path, like: Path) -> None:
    """A folder as it was in the beginning, and the disk at rest."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(like, folder)
    os.sync()


if __name__ == "__main__":
    main()
