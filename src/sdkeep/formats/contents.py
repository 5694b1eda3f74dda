"""What is inside a file, read once: container, pickles, tensors. Scan, identify and convert all start here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sdkeep.formats.pickled.values import Reading, Value
from sdkeep.ground.kinds import Format


class Container(StrEnum):
    """The serialisation, told by content and never by extension."""

    SAFETENSORS = "safetensors"
    TORCH_ZIP = "torch-zip"
    TORCH_LEGACY = "torch-legacy"
    TORCH_TAR = "torch-tar"
    TORCHSCRIPT = "torchscript"
    PICKLE = "pickle"
    NUMPY = "numpy"
    NUMPY_ZIP = "numpy-zip"
    GGUF = "gguf"
    ONNX = "onnx"
    ZIP = "zip"
    TAR = "tar"
    SEVEN_ZIP = "7z"
    RAR = "rar"
    GZIP = "gzip"
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    HTML = "html"
    JSON = "json"
    YAML = "yaml"
    TEXT = "text"
    LFS_POINTER = "lfs-pointer"
    EMPTY = "empty"
    ZLIB = "zlib"
    BZIP2 = "bzip2"
    XZ = "xz"
    LZ4 = "lz4"
    ZSTD = "zstd"
    ZFILE = "zfile"
    UNKNOWN = "unknown"

    @property
    def file_format(self) -> Format:
        """The coarser word that hubs and people use."""
        return _FORMATS.get(self, Format.UNKNOWN)


_FORMATS = {
    Container.SAFETENSORS: Format.SAFETENSORS,
    Container.TORCH_ZIP: Format.PICKLE,
    Container.TORCH_LEGACY: Format.PICKLE,
    Container.TORCH_TAR: Format.PICKLE,
    Container.TORCHSCRIPT: Format.PICKLE,
    Container.PICKLE: Format.PICKLE,
    Container.GGUF: Format.GGUF,
    Container.ONNX: Format.ONNX,
    Container.ZIP: Format.ZIP,
    Container.YAML: Format.YAML,
    Container.PNG: Format.IMAGE,
    Container.JPEG: Format.IMAGE,
    Container.WEBP: Format.IMAGE,
}


@dataclass(frozen=True, slots=True)
class Span:
    """Where the bytes of one storage lie in the file: `offset`, and `length` once unpacked, in bytes.

    `compressed` holds the deflate stream's length in the file when the record is compressed, else 0.
    """

    offset: int
    length: int
    compressed: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the file describes it.

    `dtype` is safetensors' code (F32, F16, BF16, I64, U8, BOOL, F8_E4M3, C64, ...), or torch's own name in lower
    case where safetensors has none. `strides` are in elements (None means contiguous), `start` the element offset
    into the storage that `span` locates; `storage` names that storage so that sharing can be seen. `literal` holds the
    storage itself where a pickle carries the bytes among its opcodes (tensors saved by way of numpy).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    span: Span | None = None
    storage: str = ""
    start: int = 0
    strides: tuple[int, ...] | None = None
    big_endian: bool = False
    literal: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with the file's structure. `rule` is a stable id; `grave` means it can hide or change content."""

    rule: str
    why: str
    offset: int | None = None
    member: str = ""
    grave: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class PickleMember:
    """One pickle found in the file: `member` names its record, empty for a bare pickle.

    `offset` is the file offset of its first byte, from which the reading's own offsets count; in a compressed record
    that of the record's data.
    """

    member: str
    offset: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class Member:
    """One record of a container, as its directory lists it.

    `offset` is that of its first data byte, 0 where only the directory was read; `size` and `stored` are bytes
    unpacked and in the file.
    """

    name: str
    offset: int
    size: int
    stored: int
    crc: int = 0
    compressed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The whole reading. `extras` are plain scalars found beside the tensors (epoch, global_step, name, ...).

    `root` is the value of the pickle that the tensors are taken from. `packed` is what a compressed file turned out to
    be once unpacked.
    `metadata` is a safetensors `__metadata__`, or strings of equal rank from another format. `unread` names what was
    not looked at (tensor payloads, unreadable members). `notes` are human sentences for `show`.
    """

    container: Container
    size: int
    tensors: tuple[Tensor, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    extras: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    pickles: tuple[PickleMember, ...] = ()
    members: tuple[Member, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    root: Value = field(default=None, repr=False)
    packed: Container | None = None
