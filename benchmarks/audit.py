"""What judging ten thousand small files costs: a folder by `scan`, a catalogue by `audit`, anew and from the record.

    python benchmarks/audit.py [--count 10000] [--rounds 1] [--write]

Seven in ten are LoRAs of 144 tensors as safetensors, three in ten embeddings as torch zips. torch is not needed.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from checkpoint import text, whole
from measuring import SDKEEP, arguments, by_turns, costs_table, publish, workplace

from sdkeep.catalogue.book import Book
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Artifact, Location, Method

STEMS = [
    f"lora_unet_down_blocks_{block}_attentions_{layer}_transformer_blocks_0_attn{attention}_to_{which}"
    for block in range(4)
    for layer in range(2)
    for attention in (1, 2)
    for which in "qkv"
]


def lora(number: int) -> bytes:
    """A LoRA of rank 1 with little in it."""
    entries: dict[str, object] = {"__metadata__": {"ss_network_dim": "1", "number": str(number)}}
    at = 0
    for stem in STEMS:
        for name, shape in (("alpha", []), ("lora_down.weight", [1, 4]), ("lora_up.weight", [4, 1])):
            size = 8 if shape else 2
            entries[f"{stem}.{name}"] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
            at += size
    head = json.dumps(entries).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes(at)


def embedding(number: int) -> bytes:
    """A textual inversion of two vectors as `torch.save` lays it out."""
    tensor = b"".join([
        b"ctorch._utils\n_rebuild_tensor_v2\n((", text("storage"), b"ctorch\nFloatStorage\n", text("0"), text("cpu"),
        whole(1536), b"tQ", whole(0), whole(2), whole(768), b"\x86", whole(768), whole(1), b"\x86\x89",
        b"ccollections\nOrderedDict\n)RtR",
    ])  # fmt: skip
    tokens = text("string_to_token") + b"}" + text("*") + whole(265) + b"s"
    vectors = text("string_to_param") + b"}" + text("*") + tensor + b"s"
    about = text("name") + text(f"embedding {number}") + text("step") + whole(number)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}(" + tokens + vectors + about + b"u.")
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/data/0", bytes(1536 * 4))
        archive.writestr("archive/version", b"3\n")
    return out.getvalue()


def fill(folder: Path, book: Book, count: int) -> int:
    """Write the files and catalogue them where they lie, without a verdict; their size together."""
    total = 0
    for start in range(0, count, 500):
        shelf = folder / f"{start // 500:03}"
        shelf.mkdir(parents=True)
        with book.transaction():
            for number in range(start, min(count, start + 500)):
                small = number % 10 < 7
                data = lora(number) if small else embedding(number)
                path = shelf / f"file{number}{'.safetensors' if small else '.pt'}"
                path.write_bytes(data)
                total += len(data)
                catalogue(book, path, data, Kind.LORA if small else Kind.EMBEDDING)
    return total


def catalogue(book: Book, path: Path, data: bytes, kind: Kind) -> None:
    sha256, info = hashlib.sha256(data).hexdigest(), path.stat()
    book.put_artifact(Artifact(sha256, path.stem, path.name, len(data), kind))
    book.put_location(
        Location(str(path), sha256, Method.IN_PLACE, False, "", info.st_ino, info.st_mtime_ns, info.st_size)
    )


def main() -> None:
    parser = arguments(__doc__ or "", rounds=1)
    parser.add_argument("--count", type=int, default=10_000, help="how many files")
    options = parser.parse_args()
    with workplace(options.work, options.count * 32_000) as place:
        home, folder = place / "home", place / "models"
        home.mkdir()
        with Book.open(home / "registry.db", lambda: datetime.now(UTC)) as book:
            total = fill(folder, book, options.count)
        environ = {"SDKEEP_HOME": str(home)}
        commands = {
            "`sdkeep scan FOLDER`": [*SDKEEP, "scan", "-q", str(folder)],
            "`sdkeep audit --rescan`": [*SDKEEP, "audit", "--rescan"],
            "`sdkeep audit`, from the record": [*SDKEEP, "audit"],
            "`sdkeep audit --report cyclonedx`, from the record": [*SDKEEP, "audit", "--report", "cyclonedx"],
        }
        costs = by_turns(commands, options.rounds, environ=environ)
    about = f"{options.count:,} files of {total:,} bytes together."
    publish("audit", f"{about}\n\n{costs_table(costs)}", write=options.write)


if __name__ == "__main__":
    main()
