"""Models, releases and files as the hubs publish them, in one shape for all hubs.

Every text in here comes from outside and is raw: clean it with `ground.text` before it reaches a screen or a path.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Access, Extent, Family, Format, Kind, NsfwLevel, Precision, Role
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge


@dataclass(frozen=True, slots=True)
class Claim:
    """What a hub says its own scanner found: shown beside our verdict, never instead of it."""

    scanner: str
    result: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One downloadable file of a release.

    `url` is the canonical address without a token, re-resolved on every attempt; `fallbacks` are tried when it answers
    404. `size` is in bytes where the hub states it exactly, else `about` is its rounded claim.
    """

    id: str
    name: str
    url: str
    fallbacks: tuple[str, ...] = ()
    size: int | None = None
    about: int | None = None
    digests: tuple[Digest, ...] = ()
    role: Role = Role.MODEL
    format: Format = Format.UNKNOWN
    precision: Precision = Precision.UNKNOWN
    extent: Extent = Extent.UNKNOWN
    primary: bool = False
    claims: tuple[Claim, ...] = ()

    @property
    def sha256(self) -> Digest | None:
        """The published SHA-256, if any."""
        return next((d for d in self.digests if d.kind is DigestKind.SHA256), None)


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture or clip that shows what a model does. `level` is None when the hub does not rate it."""

    url: str
    level: NsfwLevel | None = None
    width: int = 0
    height: int = 0
    video: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a model: what a person downloads.

    `base` is the hub's own name of the base model ("Pony", "SD 1.5"), a claim; `family` the architecture it implies.
    `published` is UTC ISO-8601. `raw` is the hub's JSON for this release, kept apart.
    """

    hub: str
    model_id: str
    id: str
    model_name: str
    name: str
    kind: Kind
    kind_text: str = ""
    base: str = ""
    family: Family = Family.UNKNOWN
    files: tuple[RemoteFile, ...] = ()
    trigger_words: tuple[str, ...] = ()
    creator: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    licence: Licence = field(default_factory=Licence)
    level: NsfwLevel = NsfwLevel.PG
    nsfw: bool = False
    poi: bool = False
    minor: bool = False
    sfw_only: bool = False
    merged: bool | None = None
    access: Access = Access.FREE
    access_until: str = ""
    published: str = ""
    previews: tuple[Preview, ...] = ()
    page: str = ""
    air: str = ""
    parents: tuple[Edge, ...] = ()
    downloads: int = 0
    rating: float | None = None
    raw: str = ""

    @property
    def marks(self) -> tuple[str, ...]:
        """What the hub marks the model as: `poi` (a real person), `minor`, `sfw-only`, `nsfw`."""
        marks = {"poi": self.poi, "minor": self.minor, "sfw-only": self.sfw_only, "nsfw": self.nsfw}
        return tuple(name for name, marked in marks.items() if marked)

    @property
    def ref(self) -> str:
        """The reference that resolves to exactly this release."""
        if self.hub == "civitai":
            return f"civitai:{self.model_id}@{self.id}"
        return f"hf:{self.model_id}@{self.id.replace('/', '%2F')}" if self.id else f"hf:{self.model_id}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model page: its releases, newest first as the hub orders them."""

    hub: str
    id: str
    name: str
    kind: Kind
    releases: tuple[Release, ...] = ()
    page: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What a person searches a hub for. Empty and None mean "do not filter"; `limit` counts models, not pages."""

    text: str = ""
    kind: Kind | None = None
    base: str = ""
    format: Format | None = None
    merged: bool | None = None
    tag: str = ""
    creator: str = ""
    permission: str = ""
    sort: str = ""
    period: str = ""
    level: NsfwLevel = NsfwLevel.PG
    limit: int = 20
