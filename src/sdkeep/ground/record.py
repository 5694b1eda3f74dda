"""What the catalogue remembers, as plain values: artifacts, where their bytes lie, interfaces, intents."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sdkeep.ground.digest import Digest
from sdkeep.ground.kinds import Family, Format, Kind, NsfwLevel, Precision


class Method(StrEnum):
    """How a placed file came to be where it is."""

    HARDLINK = "hardlink"
    REFLINK = "reflink"
    SYMLINK = "symlink"
    COPY = "copy"
    IN_PLACE = "in-place"


class IntentState(StrEnum):
    """The life of an intent row: written before the file action, closed after it."""

    OPEN = "open"
    DONE = "done"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One sequence of bytes. `sha256` is its identity (64 lower-case digits); None for a parent known only by label.

    `name` is the unique catalogue name (a slug); `file_name` what it was published or found as; `base` the claimed
    base model ("Pony"); `origin` the reference it came from; `added` UTC ISO-8601; `preview` a path below the home.
    """

    sha256: str | None
    name: str
    file_name: str
    size: int | None = None
    kind: Kind = Kind.UNKNOWN
    family: Family = Family.UNKNOWN
    base: str = ""
    variant: str = ""
    format: Format = Format.UNKNOWN
    precision: Precision = Precision.UNKNOWN
    algorithm: str = ""
    title: str = ""
    trigger_words: tuple[str, ...] = ()
    digests: tuple[Digest, ...] = ()
    origin: str = ""
    added: str = ""
    stored: bool = False
    level: NsfwLevel = NsfwLevel.PG
    preview: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """A path that holds an artifact's bytes. `ours` is True only for files that sdkeep itself created there.

    `ui` is the name of the registered interface it is placed in, empty for files catalogued where they lie.
    `blob_root` names the store root the bytes come from. `inode` and `mtime_ns` as they were when last looked at.
    `missing` is when the file was found gone, empty while it is there. Of a file that is not hashed yet `sha256` is
    empty, and `name`, the catalogue name of its artifact, is all that tells it. `verified` is when it was last read
    back.
    """

    path: str
    sha256: str
    method: Method
    ours: bool
    ui: str = ""
    inode: int = 0
    mtime_ns: int = 0
    size: int = 0
    blob_root: str = ""
    missing: str = ""
    name: str = ""
    verified: str = ""


@dataclass(frozen=True, slots=True)
class Ui:
    """A registered WebUI: a name the person chose, the id of its layout, its root folder.

    `url` is where it answers while it runs; `share` is the folder of ours that it reads,
    empty for links.
    """

    name: str
    layout: str
    root: str
    template: str = ""
    added: str = ""
    url: str = ""
    share: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """A file action that was about to happen; whoever finds it open finishes or undoes it."""

    id: int
    action: str
    detail: dict[str, str]
    state: IntentState
    begun: str


@dataclass(frozen=True, slots=True)
class Trashed:
    """Bytes in the trash: where they lie now, where they were, and when they went."""

    id: str
    path: str
    original: str
    sha256: str
    size: int
    at: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Blob:
    """An artifact's bytes in the store: which root holds them, since when, and when they were last read back whole."""

    sha256: str
    root: str
    size: int
    stored: str = ""
    verified: str = ""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A small file that sdkeep wrote beside a placed model: whose (`sha256`), its own digest (`content`), and where."""

    path: str
    sha256: str
    content: str
    ui: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """A model of a hub that a person holds: at one release (`release`, its id there), or at whatever is here."""

    hub: str
    model_id: str
    release: str = ""
    note: str = ""
    at: str = ""
    model_name: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """That a place (`civitai`, an archive's name) was asked for a hash, and whether it knew it."""

    sha256: str
    place: str
    found: bool
    at: str = ""


@dataclass(frozen=True, slots=True)
class UsedModel:
    """A model that a picture was made with. `sha256` is empty for one that was never known by its bytes."""

    role: str
    name: str
    sha256: str = ""
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """A picture made here: the file and what it was asked for. `sha256` is that of the picture, `made` UTC ISO-8601.

    `settings` are plain JSON values by name. `id` is 0 before it is recorded.
    """

    path: str
    sha256: str
    prompt: str = ""
    negative: str = ""
    infotext: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    seed: str = ""
    width: int = 0
    height: int = 0
    models: tuple[UsedModel, ...] = ()
    made: str = ""
    id: int = 0
