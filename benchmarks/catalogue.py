"""How fast the catalogue answers: single questions by the clock, and `sdkeep ls` and `sdkeep show` as whole processes.

    python benchmarks/catalogue.py [--count 100000] [--rounds 7] [--work DIR] [--write]

Builds a catalogue of `--count` artifacts, each with a name, digests, a release with its files, claims and licence, a
verdict, a parent, a blob and a place in a WebUI. The same on every run.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from measuring import PYTHON, SDKEEP, arguments, by_turns, costs_table, publish, table, workplace

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Kind

KINDS = ["lora"] * 70 + ["checkpoint"] * 20 + ["embedding"] * 6 + ["vae"] * 3 + ["controlnet"]
BASES = [("sdxl", "Pony"), ("sdxl", "SDXL 1.0"), ("sdxl", "Illustrious"), ("sd1", "SD 1.5"), ("flux1", "Flux.1 D")]
WORDS = [
    "anime", "style", "detail", "realistic", "portrait", "cyberpunk", "city", "dress",
    "armor", "lighting", "ink", "retro", "film", "neon", "forest",
]  # fmt: skip
BATCH = 1000
Row = dict[str, object]
Batch = dict[str, list[Row]]


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def batches(count: int, folder: Path) -> Iterator[Batch]:
    """Rows of the tables, a thousand artifacts at a time."""
    chance = random.Random(7)
    for first in range(1, count + 1, BATCH):
        batch: Batch = {}
        for number in range(first, min(first + BATCH, count + 1)):
            for name, rows in artifact(number, count, chance, folder).items():
                batch.setdefault(name, []).extend(rows)
        yield batch


def artifact(n: int, count: int, chance: random.Random, folder: Path) -> Batch:
    """One artifact with everything that hangs on it."""
    family, base = chance.choice(BASES)
    kind = chance.choice(KINDS)
    title = " ".join(chance.sample(WORDS, 3)).title() + f" v{n % 7}"
    name, about = title.replace(" ", "-").lower(), f"A model for {' and '.join(chance.sample(WORDS, 6))}. " * 4
    file = f"{title.replace(' ', '_').lower()}_{n}.safetensors"
    at = f"2026-{n * 11 // (count + 1) + 1:02}-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00Z"
    of, size, trigger = {"artifact_id": n}, n * 1000, f'["{chance.choice(WORDS)} {n % 997}","model"]'
    ui = 1 + n % 2
    place = f"{folder}/ui{ui}/models/{kind}/{file}"
    air = f"urn:air:{family}:{kind}:civitai:{n // 3}@{n // 2}"
    parent = chance.choice([("sha256", sha(n // 5)), ("hub-id", air), ("name", f"{base} base")])
    return {
        "artifact": [
            {"id": n, "sha256": sha(n), "title": title, "file_name": file, "size": size, "kind": kind, "base": base,
             "family": family, "format": "safetensors", "precision": "fp16", "level": "pg", "added_at": at,
             "origin": f"civitai:{n // 3}@{n}", "trigger_words": trigger, "description": about,
             "keywords": f"creator{n % 2000} tag{n % 300}"}
        ],
        "artifact_name": [{"name": f"{name}-{n}", **of}],
        "digest": [
            {"kind": kind, "value": value, "ours": 1, **of}
            for kind, value in (("autov1", sha(n)[-8:]), ("autov2", sha(n)[:10]), ("crc32", sha(n)[20:28]))
        ],
        "blob": [{"root": f"{folder}/store", "size": size, "stored_at": at, **of}],
        "location": [{"path": place, "ui_id": ui, "method": "hardlink", "ours": 1, "size": size, **of}],
        "model": [{"id": n, "hub": "civitai", "hub_id": str(n // 3), "name": title}] if n % 3 == 0 else [],
        "release": [
            {"id": n, "model_id": max(n // 3 * 3, 3), "hub_id": str(n), "name": title, "base": base, "level": "pg",
             "kind": kind, "family": family, "access": "free", "trigger_words": trigger, "tags": '["style","1girl"]',
             "previews": "[]", "parents": "[]", "description": about}
        ],
        "release_file": [
            {"id": n, "release_id": n, "hub_id": str(n), "position": 0, "name": file, "fallbacks": "[]",
             "digests": f'["sha256:{sha(n)}"]', "role": "model", "format": "safetensors", **of}
        ],
        "claim": [{"release_file_id": n, "scanner": "pickle", "result": "Success"}],
        "licence": [{"release_id": n, "licence": "creativeml-openrail-m", "allows": '{"merge":true}', "source": "hub"}],
        "verdict": [{"outcome": "clean", "container": "safetensors", "findings": "[]", "unread": "[]", "at": at, **of}],
        "edge": [{"child_id": n, "relation": "adapter-for", "trust": parent[0], "parent": parent[1], "source": "hub"}],
    }  # fmt: skip


def build(path: Path, count: int) -> None:
    """A catalogue with `count` artifacts, its text index made at the end."""
    folder = path.parent
    for made in ("store", "ui1/models/lora", "ui2/models/lora"):
        (folder / made).mkdir(parents=True)
    Book.open(path, lambda: datetime.now(UTC)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        triggers = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        raw.execute("BEGIN")
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        uis = [("main", "a1111", "ui1"), ("forge", "forge", "ui2")]
        insert(raw, "ui", [{"name": name, "layout": kind, "root": str(folder / at)} for name, kind, at in uis])
        for batch in batches(count, folder):
            for name, rows in batch.items():
                insert(raw, name, rows)
        raw.execute("INSERT INTO artifact_search (artifact_search) VALUES ('rebuild')")
        for _, sql in triggers:
            raw.execute(sql)
        raw.execute("COMMIT")


def insert(raw: sqlite3.Connection, name: str, rows: list[Row]) -> None:
    """Put rows into a table; columns that they leave out become empty text, nought or NULL."""
    blank = {
        column: None if not needed else "" if kind == "TEXT" else 0
        for _, column, kind, needed, _, key in raw.execute(f"PRAGMA table_info({name})")
        if not (key and kind == "INTEGER" and rows and column not in rows[0])
    }
    sql = f"INSERT INTO {name} ({', '.join(blank)}) VALUES ({', '.join('?' * len(blank))})"
    raw.executemany(sql, [tuple({**blank, **row}[column] for column in blank) for row in rows])


def milliseconds(work: Callable[[], object], rounds: int) -> list[str]:
    """The least processor time, and the median by the clock, after one round that is not counted."""
    spent, taken = [], []
    work()
    for _ in range(rounds):
        start, used = time.perf_counter(), time.process_time()
        work()
        spent.append((time.process_time() - used) * 1000)
        taken.append((time.perf_counter() - start) * 1000)
    return [f"{min(spent):.1f}", f"{statistics.median(taken):.1f}"]


def listed(book: Book, words: str) -> Callable[[], object]:
    """What `sdkeep ls WORDS` asks."""
    return lambda: book.list(Filter(text=words, present=True))


def shown(book: Book, sha256: str) -> Callable[[], object]:
    """What `sdkeep show NAME` asks once it has found the artifact."""
    asked = (book.release_of, book.verdict_of, book.licence_of, book.locations_of, book.parents_of, book.children_of)
    return lambda: [one(sha256) for one in asked]


def questions(book: Book, count: int) -> dict[str, Callable[[], object]]:
    """What is timed."""
    middle = sha(count // 2)
    name = book.list(limit=1).items[0].name
    cursor = book.list(limit=50).next_cursor
    return {
        "`ls`": listed(book, ""),
        "`ls`, the second page": lambda: book.list(Filter(present=True), cursor=cursor),
        "`ls --kind vae`": lambda: book.list(Filter(kind=Kind.VAE, present=True)),
        "`ls --base pony`": lambda: book.list(Filter(base="pony", present=True)),
        "`ls --ui forge`": lambda: book.list(Filter(ui="forge", present=True)),
        "`ls WORD`, in every row": listed(book, "model"),
        "`ls WORD`, in a fifth of the rows": listed(book, "anime"),
        "`ls WORD`, in fifty rows": listed(book, "creator77"),
        "`ls WORD`, in one row": listed(book, f"v{count // 2 % 7} {count // 2}"),
        "`ls WORD`, a beginning of every row": listed(book, "saf"),
        "`ls WORD`, one letter": listed(book, "a"),
        "`ls WORD WORD`, two common words": listed(book, "neon armor"),
        "`ls WORD`, in no row": listed(book, "zzzz"),
        "`ls WORD`, no word at all": listed(book, "🎀"),
        "`show`, the name": lambda: book.by_name(name),
        "`show`, all that hangs on it": shown(book, middle),
        "`show`, a mistyped name": lambda: book.nearest_names("animme-stile-detail"),
        "an artifact by sha256": lambda: book.artifact(middle),
        "an artifact by autov2": lambda: book.by_digest(Digest(DigestKind.AUTOV2, middle[:10])),
        "best hits of a word in every row": lambda: book.search("model"),
        "best hits of two common words": lambda: book.search("neon armor"),
        "names that begin with `anime-`": lambda: book.name_like("anime-"),
        "count": lambda: book.count(Filter(present=True)),
        "record a place": lambda: book.put_location(book.locations_of(middle)[0]),
        "record an artifact again": lambda: book.put_artifact(book.artifact(middle) or book.list().items[0]),
    }


def main() -> None:
    parser = arguments(__doc__ or "", rounds=7)
    parser.add_argument("--count", type=int, default=100_000, help="artifacts in the catalogue")
    options = parser.parse_args()
    with workplace(options.work, needs=10_000 * options.count) as home:
        path = home / "registry.db"
        build(path, options.count)
        with Book.open(path, lambda: datetime.now(UTC)) as book:
            asked = {name: milliseconds(work, options.rounds) for name, work in questions(book, options.count).items()}
            name = book.list().items[0].name
        commands = {
            "python, `import sqlalchemy`": [*PYTHON, "-c", "import sqlalchemy"],
            "`sdkeep --help`": [*SDKEEP, "--help"],
            "`sdkeep ls`": [*SDKEEP, "ls"],
            "`sdkeep ls anime`": [*SDKEEP, "ls", "anime"],
            "`sdkeep ls model`": [*SDKEEP, "ls", "model"],
            "`sdkeep ls --json`": [*SDKEEP, "ls", "--json"],
            "`sdkeep show NAME`": [*SDKEEP, "show", name],
        }
        environ = {"SDKEEP_HOME": str(home)}
        by_turns(commands, 1, environ=environ)
        costs = by_turns(commands, options.rounds, environ=environ)
        size = path.stat().st_size / 1e6
    text = (
        f"{options.count:,} artifacts, {size:,.0f} MB.\n\n{costs_table(costs, memory=False)}\n\n"
        f"{table(['question', 'CPU ms', 'median ms'], [[name, *times] for name, times in asked.items()])}"
    )
    publish("catalogue", text, write=options.write)


if __name__ == "__main__":
    main()
