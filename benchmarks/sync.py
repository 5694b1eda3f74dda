"""What `sdkeep sync` costs as a whole process when there is nothing to do, and that it reads no model then.

    python benchmarks/sync.py [--count 10000] [--rounds 5] [--work DIR] [--write]

Reading is told by Python's audit hook.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from library import write_tree
from measuring import PYTHON, SDKEEP, arguments, by_turns, costs_table, publish, run, workplace

from sdkeep.catalogue.book import Book
from sdkeep.ground.record import Artifact, Location, Method, Ui
from sdkeep.layouts.layout import find

SIZE = 2048
WATCHED = """
import os, sys
tree = sys.argv.pop(1)
def heard(event, values):
    if event == "open" and str(values[0]).startswith(tree) and str(values[0]).endswith(".safetensors"):
        os.write(2, b"read " + os.fsencode(values[0])); os._exit(9)
sys.addaudithook(heard)
from sdkeep.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def build(folder: Path, count: int) -> dict[str, str]:
    """A WebUI with `count` placed files, hard links to their blobs, all on record; the environment that leads there."""
    layout, webui, store = find("a1111"), folder / "webui", folder / "store"
    for name in layout.present:
        path = webui / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir(exist_ok=True)
    home = folder / "home"
    home.mkdir()
    with Book.open(home / "registry.db", lambda: datetime.now(UTC)) as book, book.transaction():
        book.put_ui(Ui("main", layout.id, str(webui)))
        for path in write_tree(webui / "models" / "Lora", count, SIZE):
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            blob = store / "blobs" / "sha256" / sha256[:2] / sha256
            blob.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, blob)
            info = path.stat()
            book.put_artifact(Artifact(sha256, path.stem, path.name, info.st_size))
            book.put_location(
                Location(str(path), sha256, Method.HARDLINK, True, "main", info.st_ino, info.st_mtime_ns, info.st_size)
            )
            book.put_blob(sha256, str(store), info.st_size)
    return {"SDKEEP_HOME": str(home), "HOME": str(folder)}


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    with workplace(options.work) as folder:
        environ = build(folder, options.count)
        run([*PYTHON, "-c", WATCHED, str(folder / "webui"), "sync", "--check"], environ)
        commands = {
            "`sdkeep ls`": [*SDKEEP, "ls"],
            "`sdkeep sync`": [*SDKEEP, "sync"],
            "`sdkeep sync --check`": [*SDKEEP, "sync", "--check"],
        }
        costs = by_turns(commands, options.rounds, environ=environ)
    text = f"{options.count:,} files placed in a WebUI, nothing to do; no model was opened.\n\n{costs_table(costs)}"
    publish("sync", text, write=options.write)


if __name__ == "__main__":
    main()
