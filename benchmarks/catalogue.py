"""How fast the catalogue answers with 100,000 artifacts. Prints a Markdown table.

python benchmarks/catalogue.py [COUNT]
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Kind

KINDS = ["lora"] * 70 + ["checkpoint"] * 20 + ["embedding"] * 6 + ["vae"] * 3 + ["controlnet"]
BASES = [("sdxl", "Pony"), ("sdxl", "SDXL 1.0"), ("sdxl", "Illustrious"), ("sd1", "SD 1.5"), ("flux1", "Flux.1 D")]
WORDS = [
    "anime",
    "style",
    "detail",
    "realistic",
    "portrait",
    "cyberpunk",
    "city",
    "dress",
    "armor",
    "lighting",
    "ink",
    "retro",
    "film",
    "neon",
    "forest",
]
INSERTS = {
    "artifact": 19,
    "artifact_name": 2,
    "digest": 5,
    "blob": 6,
    "location": 10,
}


def rows(count: int) -> Iterator[dict[str, list[tuple[object, ...]]]]:
    """Rows of the tables, a thousand artifacts at a time; the same on every run."""
    chance = random.Random(7)
    batch: dict[str, list[tuple[object, ...]]] = {table: [] for table in INSERTS}
    for n in range(1, count + 1):
        sha256 = hashlib.sha256(str(n).encode()).hexdigest()
        family, base = chance.choice(BASES)
        kind = chance.choice(KINDS)
        title = " ".join(chance.sample(WORDS, 3)).title() + f" v{n % 7}"
        file = f"{title.replace(' ', '_').lower()}_{n}.safetensors"
        at = f"2026-{n * 11 // (count + 1) + 1:02}-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00Z"
        trigger = f'["{chance.choice(WORDS)} {n % 997}","model"]'
        about = f"A model for {' and '.join(chance.sample(WORDS, 6))}. " * 4
        facts = (title, file, n * 1000, kind, family, base, "", "safetensors", "fp16", "", "pg", f"civitai:{n}@{n}")
        batch["artifact"].append((n, sha256, *facts, at, "", trigger, f"creator{n % 2000} tag{n % 300}", about))
        batch["artifact_name"].append((f"{title.replace(' ', '-').lower()}-{n}", n))
        batch["digest"].append((3 * n, n, "autov2", sha256[:10], True))
        batch["digest"].append((3 * n + 1, n, "autov1", sha256[-8:], True))
        batch["digest"].append((3 * n + 2, n, "crc32", sha256[20:28], True))
        batch["blob"].append((n, n, "/models/.sdkeep", n * 1000, at, at))
        ui = 1 + n % 2
        batch["location"].append((n, f"/ui{ui}/models/{kind}/{file}", n, ui, "hardlink", True, "", str(n), n, n * 1000))
        if n % 1000 == 0 or n == count:
            yield batch
            batch = {table: [] for table in INSERTS}


def build(path: Path, count: int) -> None:
    """A catalogue with `count` artifacts, its text index made at the end."""
    Book.open(path, lambda: datetime.now(UTC)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        triggers = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        raw.execute("BEGIN")
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("INSERT INTO ui VALUES (1, 'main', 'a1111', '/ui1', '', ''), (2, 'forge', 'forge', '/ui2', '', '')")
        for batch in rows(count):
            for table, width in INSERTS.items():
                raw.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * width)})", batch[table])
        raw.execute("INSERT INTO artifact_search (artifact_search) VALUES ('rebuild')")
        for _, sql in triggers:
            raw.execute(sql)
        raw.execute("COMMIT")


def milliseconds(work: Callable[[], object], rounds: int = 7) -> tuple[float, float]:
    """Median and worst wall time."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken), max(taken)


def questions(book: Book, count: int) -> dict[str, Callable[[], object]]:
    """What is timed."""
    middle = hashlib.sha256(str(count // 2).encode()).hexdigest()
    name = book.list(limit=1).items[0].name
    cursor = book.list(limit=50).next_cursor
    return {
        "list, newest 50": book.list,
        "list, second page": lambda: book.list(cursor=cursor),
        "list, kind=vae": lambda: book.list(Filter(kind=Kind.VAE)),
        "list, base=pony": lambda: book.list(Filter(base="pony")),
        "list, ui=forge": lambda: book.list(Filter(ui="forge")),
        "list, only what is present": lambda: book.list(Filter(present=True)),
        "list, text=anime": lambda: book.list(Filter(text="anime")),
        "list, text=creator77": lambda: book.list(Filter(text="creator77")),
        "count, everything": book.count,
        "count, only what is present": lambda: book.count(Filter(present=True)),
        "artifact by sha256": lambda: book.artifact(middle),
        "artifact by name": lambda: book.by_name(name),
        "artifact by autov2": lambda: book.by_digest(Digest(DigestKind.AUTOV2, middle[:10])),
        "children": lambda: book.children_of(middle),
        "names, completing `anime-`": lambda: book.name_like("anime-"),
        "names, nearest to a typo": lambda: book.nearest_names("animme-stile-detail"),
        "search, a rare word": lambda: book.search("creator77"),
        "search, two common words": lambda: book.search("neon armor"),
        "search, a word of every row": lambda: book.search("model"),
        "search, one letter of every row": lambda: book.search("a"),
        "search, a beginning of every row": lambda: book.search("saf"),
        "search, nothing found": lambda: book.search("zzzz"),
        "search, no word at all": lambda: book.search("🎀"),
        "put_location": lambda: book.put_location(book.locations_of(middle)[0]),
        "put_artifact, known": lambda: book.put_artifact(book.artifact(middle) or book.list().items[0]),
    }


def whole_process(path: Path, line: str) -> tuple[float, float]:
    """Processor and wall seconds of a fresh interpreter that opens the catalogue and runs `line`; the best of five."""
    program = (
        "import time; from datetime import datetime, UTC; from pathlib import Path\n"
        "from sdkeep.catalogue.book import Book\n"
        f"book = Book.open(Path({str(path)!r}), lambda: datetime.now(UTC)); {line}; book.close()\n"
        "print(time.process_time())"
    )
    found = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        found.append((float(done.stdout), time.perf_counter() - start))
    return min(found)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        start = time.perf_counter()
        build(path, count)
        print(
            f"{count:,} artifacts built in {time.perf_counter() - start:.1f} s, {path.stat().st_size / 1e6:,.0f} MB\n"
        )
        print("| question | median ms | worst ms |\n|---|---:|---:|")
        with Book.open(path, lambda: datetime.now(UTC)) as book:
            for name, work in questions(book, count).items():
                median, worst = milliseconds(work)
                print(f"| {name} | {median:.1f} | {worst:.1f} |")
        print("\n| whole process | CPU s | wall s |\n|---|---:|---:|")
        for name, line in {
            "open": "pass",
            "open, list 50": "book.list()",
            "open, artifact by name": "book.by_name(book.name_like('anime', 1)[0])",
            "open, list everything": "book.list(limit=None)",
        }.items():
            processor, wall = whole_process(path, line)
            print(f"| {name} | {processor:.2f} | {wall:.2f} |")


if __name__ == "__main__":
    main()
