"""Write `registry.db.example`: the catalogue after getting the sample models, to be opened with any SQLite tool.

The real code fetches from the sample hubs into a temporary home, with a clock of its own. Then the places of this
machine are rewritten to those of a person called Ada, so that the content is the same wherever this runs.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Text

from sdkeep.actions import uis
from sdkeep.actions.get import GetRequest, get
from sdkeep.actions.house import House
from sdkeep.actions.intake import Terms
from sdkeep.catalogue.tables import METADATA
from sdkeep.demo.samples import CHECKPOINT, LORA, MALICIOUS, REPOSITORY, sample_world
from sdkeep.demo.server import SampleServer
from sdkeep.demo.stage import WEBUI, build_webui
from sdkeep.ground.events import Stop, silent
from sdkeep.settings.load import load

TARGET = Path(__file__).resolve().parent.parent / "registry.db.example"
NOON = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
HOME = "/home/ada"
DATA = ".local/share/sdkeep"
MOST = 300_000
"""Bytes that the file may have, since it lies in the repository."""


class Dated(House):
    """A house whose clock stands still until it is moved."""

    instant = NOON

    def moment(self) -> datetime:
        """The instant that was set."""
        return self.instant


def main() -> None:
    """Make the file anew, in place of the old one."""
    with tempfile.TemporaryDirectory(prefix="sdkeep-example-") as folder:
        root = Path(folder).resolve()
        world = sample_world()
        with SampleServer() as civitai, SampleServer() as huggingface:
            civitai.route(world.civitai)
            huggingface.route(world.huggingface.handle)
            fill(root, civitai.url, huggingface.url)
        places = {
            str(root): HOME,
            civitai.url: "https://civitai.example",
            huggingface.url: "https://huggingface.example",
        }
        path = root / DATA / "registry.db"
        settle(path, places)
        shutil.copyfile(path, TARGET)
    size = TARGET.stat().st_size
    print(f"{TARGET.name}: {size:,} bytes")
    if size > MOST:
        sys.exit(f"that is more than {MOST:,}")


def fill(root: Path, civitai: str, huggingface: str) -> None:
    """Register a WebUI and get the four sample models, a quarter of an hour apart."""
    build_webui(root / WEBUI)
    environ = {
        "SDKEEP_HOME": str(root / DATA),
        "SDKEEP_CONFIG": str(root / "config.toml"),
        "SDKEEP_CIVITAI_URL": civitai,
        "SDKEEP_HF_URL": huggingface,
        "HF_HOME": str(root / "huggingface"),
    }
    house = Dated(load(environ, root), silent, Stop(), environ, root)
    wanted = {
        f"civitai:{CHECKPOINT}": GetRequest(),
        f"civitai:{LORA}": GetRequest(),
        f"civitai:{MALICIOUS}": GetRequest(terms=Terms(disarm=True)),
        f"hf:{REPOSITORY}": GetRequest(),
    }
    try:
        uis.add(house, root / WEBUI, layout="", name="", template="")
        for ref, request in wanted.items():
            house.instant += timedelta(minutes=15)
            get(house, ref, request)
    finally:
        house.close()


def settle(path: Path, places: Mapping[str, str]) -> None:
    """Rewrite what only this machine knows, and pack the file."""
    with sqlite3.connect(path) as book:
        for table in METADATA.tables.values():
            columns = [column.name for column in table.columns if isinstance(column.type, Text)]
            for column in columns:
                for here, there in places.items():
                    change = (
                        f'UPDATE "{table.name}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)'
                    )
                    book.execute(change, (here, there, here))
        book.execute("UPDATE location SET inode = '', mtime_ns = ?", (int(NOON.timestamp()) * 10**9,))
    book.execute("PRAGMA journal_mode = DELETE")
    book.execute("PRAGMA page_size = 1024")  # many small tables: a page of the usual size would be mostly empty
    book.execute("VACUUM")
    book.close()


if __name__ == "__main__":
    main()
