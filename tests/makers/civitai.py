"""A small world on the sample Civitai, and answers in the shapes of its several ages."""

from __future__ import annotations

import copy
import json
import struct
from datetime import UTC, datetime

from sdkeep.demo.civitai_records import SampleFile, SampleVersion, sample_files, sample_model
from sdkeep.hubs.civitai.files import Site
from sdkeep.net.client import Answer

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
SITE = Site("https://civitai.com", NOW)


def safetensors(fill: int) -> bytes:
    """A tiny safetensors file whose one tensor holds `fill`."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [32], "data_offsets": [0, 32]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes([fill]) * 32


INK = [
    SampleVersion(
        102,
        "v2",
        "SDXL 1.0",
        [
            SampleFile(1021, "ink_v2_full.safetensors", safetensors(1), fp="fp32", size="full", primary=True),
            SampleFile(1022, "ink_v2.safetensors", safetensors(2), type="Pruned Model"),
            SampleFile(1023, "ink_v2.ckpt", b"\x80\x02.", format="PickleTensor"),
            SampleFile(1024, "ink.vae.safetensors", safetensors(3), type="VAE", fp=None, size=None),
            SampleFile(1025, "ink_v2_trainingData.zip", b"PK", type="Training Data", format="Other"),
        ],
        words=("ink style, sumi-e", "(brush, wet:1.2)"),
    ),
    SampleVersion(101, "v1", "SD 1.5", [SampleFile(1011, "ink_v1.safetensors", safetensors(4))]),
]
GATES = [
    SampleVersion(
        204,
        "early",
        "Pony",
        [SampleFile(2041, "g4.safetensors", safetensors(5))],
        extra={"paidAccess": {"permanent": False, "endsAt": "2026-09-01T00:00:00.000Z"}},
    ),
    SampleVersion(
        203,
        "sold",
        "Pony",
        [SampleFile(2031, "g3.safetensors", safetensors(6))],
        extra={"paidAccess": {"permanent": True}},
    ),
    SampleVersion(
        202,
        "disabled",
        "Pony",
        [SampleFile(2021, "g2.safetensors", safetensors(7))],
        extra={"usageControl": "Generation"},
    ),
    SampleVersion(201, "open", "Pony", [SampleFile(2011, "g1.safetensors", safetensors(8))]),
]


def records() -> list[dict[str, object]]:
    """An ink checkpoint, a LoRA with every gate, an archived one, an adult one."""
    old = [SampleVersion(301, "old", "SD 1.5", [SampleFile(3011, "o.safetensors", safetensors(9))])]
    adult = [SampleVersion(401, "v1", "SD 1.5", [SampleFile(4011, "a.safetensors", safetensors(10))], level=16)]
    return [
        sample_model(100, "Ink Wash", "Checkpoint", INK, tags=["ink", "style"]),
        sample_model(200, "Gates", "LORA", GATES, allowCommercialUse=[]),
        sample_model(300, "Archive", "Checkpoint", old, mode="Archived"),
        sample_model(400, "Ink Adult", "LORA", adult, nsfw=True, nsfwLevel=24),
    ]


def files() -> dict[int, bytes]:
    """The bytes behind `records`."""
    return sample_files([*INK, *GATES])


def old_model(**changes: object) -> dict[str, object]:
    """A model as the API answered in July 2023."""
    record: dict[str, object] = {
        "id": 7,
        "name": "Old one",
        "description": None,
        "type": "TextualInversion",
        "poi": False,
        "nsfw": False,
        "allowNoCredit": True,
        "allowCommercialUse": "Rent",
        "allowDerivatives": False,
        "allowDifferentLicense": True,
        "stats": {"downloadCount": 3, "rating": 4.5, "ratingCount": 2},
        "creator": {"username": "somebody", "image": None},
        "tags": ["negative"],
        "modelVersions": [
            {
                "id": 70,
                "modelId": 7,
                "name": "v1",
                "createdAt": "2023-07-01T10:00:00.000Z",
                "trainedWords": ["old style"],
                "baseModel": "SD 1.5",
                "earlyAccessTimeFrame": 0,
                "stats": {"downloadCount": 3, "rating": 4.5, "ratingCount": 2},
                "files": [
                    {
                        "name": "old.pt",
                        "id": 700,
                        "sizeKB": 300.9169921875,
                        "type": "Negative",
                        "metadata": {"fp": None, "size": None, "format": "PickleTensor"},
                        "pickleScanResult": "Danger",
                        "pickleScanMessage": "**Detected Pickle imports (1)**",
                        "virusScanResult": "Success",
                        "hashes": {"SHA256": "AB" * 32, "AutoV2": "AB" * 5, "AutoV3": "E3B0C44298FC"},
                        "downloadUrl": "https://civitai.com/api/download/models/70",
                        "primary": True,
                    }
                ],
                "images": [{"url": "https://image.civitai.com/a.jpeg", "nsfw": "Soft", "width": 5, "height": 6}],
                "downloadUrl": "https://civitai.com/api/download/models/70",
            }
        ],
    }
    return copy.deepcopy(record | changes)


def answer(status: int, body: object = b"", url: str = "https://civitai.com/api/x", **headers: str) -> Answer:
    """An answer with a JSON body, or raw bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"content-type": "application/json"}
    return Answer(status, kind | {name.replace("_", "-"): value for name, value in headers.items()}, raw, url)
