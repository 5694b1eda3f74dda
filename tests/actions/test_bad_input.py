"""Files and pictures made to hurt whoever reads them: a clear answer, no traceback, and bounded memory."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.makers.pictures import comment, international, jpeg, packed, png, text

MOST_MEMORY = 320 << 20
ONE = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
SETTINGS = "x\nSteps: 1, Sampler: a, Seed: 1, "


def header(body: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<Q", len(body)) + body + payload


def many(count: int) -> bytes:
    entry = b'"l%d":{"dtype":"F16","shape":[1],"data_offsets":[%d,%d]}'
    return header(b"{" + b",".join(entry % (n, 2 * n, 2 * n + 2) for n in range(count)) + b"}", bytes(2 * count))


def lying() -> bytes:
    told = {
        "ss_tag_frequency": '{"a":' * 100_000,
        "sd_merge_recipe": "[" * 100_000,
        "workflow": '{"a": NaN, "b": Infinity}',
        "ss_sd_model_hash": "not a hash",
        "modelspec.title": "\u00c3\u00a9\u202e\x1b]0;x\x07",
    }
    return header(json.dumps({"__metadata__": told}).encode()[:-1] + b"," + ONE + b"}", bytes(4))


def graph(count: int) -> bytes:
    """A chain of LoRA loaders that ends where it began."""
    nodes = {
        str(n): {"class_type": "LoraLoader", "inputs": {"lora_name": f"l{n}", "model": [str((n + 1) % count), 0]}}
        for n in range(count)
    }
    return png(text("prompt", json.dumps(nodes)))


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "header of 100 MB, one text": (
        lambda: header(b'{"__metadata__":{"ss_tag_frequency":"' + b"a" * (90 << 20) + b'"},' + ONE + b"}", bytes(4)),
        "clean",
    ),
    "header of 100 MB, blanks": (lambda: header(b"{" + ONE + b" " * (95 << 20) + b"}", bytes(4)), "clean"),
    "header beyond 100 MB": (lambda: header(b"{" + b" " * 100_000_100 + b"}"), "malformed"),
    "header of a million keys": (
        lambda: header(b'{"__metadata__":{' + b",".join(b'"k%d":"v"' % n for n in range(1_500_000)) + b"}}"),
        "inconclusive",
    ),
    "header of a hundred thousand tensors": (lambda: many(100_000), "clean"),
    "header that nests for ever": (lambda: header(b'{"a":' * 300_000), "malformed"),
    "header cut short": (lambda: struct.pack("<Q", 99_000_000) + b'{"a":{"dtype"', "malformed"),
    "NaN in a header": (
        lambda: header(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', bytes(4)), "malformed",
    ),
    "metadata that lies": (lying, "clean"),
    "gguf that promises the world": (
        lambda: b"GGUF\x03\0\0\0" + struct.pack("<QQ", 2**60, 2**60) + b"\xff" * 100, "malformed",
    ),
}  # fmt: skip
PICTURES: dict[str, Callable[[], bytes]] = {
    "40 MB of words": lambda: png(text("parameters", "a" * (40 << 20))),
    "300 MB of words, packed": lambda: png(packed("parameters", b"a" * (300 << 20))),
    "200 MB of international words, packed": lambda: png(
        international("parameters", "x" * (200 << 20), compressed=True)
    ),
    "JSON that nests for ever": lambda: png(text("prompt", '{"1":' * 500_000), text("workflow", "[" * 500_000)),
    "JSON in settings that nests for ever": lambda: png(text("parameters", SETTINGS + "Hashes: " + '{"a":' * 200_000)),
    "quotes without end": lambda: png(text("parameters", SETTINGS + 'Lora hashes: "' + "\\\\" * 1_000_000)),
    "NaN in a graph": lambda: png(
        text("prompt", '{"1":{"class_type":"KSampler","inputs":{"seed":NaN,"cfg":-Infinity}}}')
    ),
    "a graph that goes round": lambda: graph(30_000),
    "a million LoRAs": lambda: png(text("parameters", "<lora:a:1>" * 1_000_000 + "\nSteps: 1, Sampler: a, Seed: 1")),
    "mojibake": lambda: png(text("parameters", b"\xff\xfe\xe3\x81\nSteps: 1, Sampler: \xa4\xa4, Seed: 1")),
    "no words at all": png,
    "a comment that is cut": lambda: jpeg((0xE1, comment(b"UNICODE\0" + SETTINGS.encode("utf-16-be"))[:40])),
    "nothing": bytes,
}  # fmt: skip

PEAK = """
import re, sys
from pathlib import Path
from sdkeep.__main__ import main
sys.argv = ["sdkeep", *sys.argv[1:]]
try:
    main()
finally:
    found = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())
    sys.stderr.write("\\npeak " + found[1])
"""


def run(*words: str) -> tuple[int, dict[str, object], int]:
    """Exit status, the document, and the peak of memory in bytes, of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *words, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "SDKEEP_OFFLINE": "1"},
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return done.returncode, document, int(done.stderr.rsplit(" ", 1)[-1]) << 10


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("case", FILES)
def test_a_hostile_header_gets_an_answer_in_bounded_memory(case: str, tmp_path: Path) -> None:
    make, outcome = FILES[case]
    path = tmp_path / "a.safetensors"
    path.write_bytes(make())
    for verb in ("scan", "show"):
        _, document, peak = run(verb, str(path))
        (found,) = document["data"]  # type: ignore[misc]
        assert found["verdict"]["outcome"] == outcome
        assert peak < MOST_MEMORY


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("case", PICTURES)
def test_a_hostile_picture_gets_an_answer_in_bounded_memory(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PICTURES[case]())
    status, document, peak = run("show", str(path))
    assert (status, bool(document["data"])) == (0, True)
    assert peak < MOST_MEMORY
    status, document, peak = run("get", "--from-image", str(path), "--dry-run")
    assert status in (0, 2, 3)
    assert peak < MOST_MEMORY
