"""Sample models in Civitai's wire shape, made from bytes in hand: names, sizes and hashes are true to them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blake3 import blake3

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A file to publish. `type`, `format`, `fp` and `size` are Civitai's words; `scan` its own scanner's result."""

    id: int
    name: str
    data: bytes
    type: str = "Model"
    format: str = "SafeTensor"
    fp: str | None = "fp16"
    size: str | None = "pruned"
    scan: str = "Success"
    primary: bool = False


@dataclass(frozen=True, slots=True)
class SampleVersion:
    """A version to publish. `extra` are fields as they stand on the wire (`paidAccess`, `usageControl`, ...)."""

    id: int
    name: str
    base: str
    files: Sequence[SampleFile]
    words: Sequence[str] = ()
    published: str = "2026-06-01T12:00:00.000Z"
    level: int = 1
    extra: Mapping[str, object] = field(default_factory=dict)


def sample_model(id_: int, name: str, type_: str, versions: Sequence[SampleVersion], **extra: object) -> Record:
    """The answer of `models/:id` for a model with these versions; `extra` fields override."""
    record: Record = {
        "id": id_,
        "name": name,
        "description": f"<p>{name}, a sample model.</p>",
        "allowNoCredit": True,
        "allowCommercialUse": ["Image", "RentCivit"],
        "allowDerivatives": True,
        "allowDifferentLicense": True,
        "type": type_,
        "minor": False,
        "sfwOnly": False,
        "poi": False,
        "nsfw": False,
        "nsfwLevel": 1,
        "availability": "Public",
        "stats": {"downloadCount": 10, "thumbsUpCount": 1},
        "creator": {"username": "sdkeep"},
        "tags": ["sample"],
        "modelVersions": [_version(version) for version in versions],
    }
    return record | extra


def sample_files(versions: Sequence[SampleVersion]) -> dict[int, bytes]:
    """The bytes behind every file of these versions, by file id."""
    return {file.id: file.data for version in versions for file in version.files}


def _version(version: SampleVersion) -> Record:
    alone = len(version.files) == 1
    record: Record = {
        "id": version.id,
        "name": version.name,
        "baseModel": version.base,
        "baseModelType": "Standard",
        "publishedAt": version.published,
        "createdAt": version.published,
        "availability": "Public",
        "nsfwLevel": version.level,
        "description": None,
        "trainedWords": list(version.words),
        "usageControl": "Download",
        "paidAccess": None,
        "stats": {"downloadCount": 10, "thumbsUpCount": 1},
        "files": [_file(file, version.id, alone) for file in version.files],
        "images": [{"url": f"/image/{version.id}/0.png", "nsfwLevel": 1, "width": 64, "height": 64, "type": "image"}],
    }
    return record | dict(version.extra)


def _file(file: SampleFile, version: int, alone: bool) -> Record:
    primary = {"primary": True} if file.primary or alone else {}
    return {
        "id": file.id,
        "name": file.name,
        "sizeKB": len(file.data) / 1024,
        "type": file.type,
        "metadata": {"format": file.format, "fp": file.fp, "size": file.size},
        "pickleScanResult": file.scan,
        "virusScanResult": "Success",
        "hashes": hashes(file.data),
        "downloadUrl": f"/api/download/models/{version}?fileId={file.id}",
    } | primary


def hashes(data: bytes) -> dict[str, str]:
    """Every hash that Civitai publishes for a file with these bytes, in its upper-case spelling."""
    digest = hashlib.sha256(data).hexdigest()
    found = {
        "SHA256": digest,
        "AutoV2": digest[:10],
        "CRC32": f"{zlib.crc32(data):08x}",
        "BLAKE3": blake3(data).hexdigest(),
    }
    if len(data) >= 0x110000:
        found["AutoV1"] = hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]
    header = int.from_bytes(data[:8], "little")
    if data[8:9] == b"{" and header + 8 < len(data):
        found["AutoV3"] = hashlib.sha256(data[8 + header :]).hexdigest()[:12]
    return {name: value.upper() for name, value in found.items()}
