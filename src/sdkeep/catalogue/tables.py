"""The tables. A row validates nothing: ground values are checked when they are built, rows only carry them.

Times are UTC ISO-8601 text, sizes bytes, enumerations their ids as text, lists JSON text. No type here is SQLite's own.
The migrations create these tables and never import this module; a test compares the two.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Connection, Index, Integer, MetaData, Text, UniqueConstraint
from sqlalchemy.dialects import sqlite
from sqlmodel import Field, SQLModel

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
WHOLE: Any = BigInteger().with_variant(Integer, "sqlite")
"""A whole number of 64 bits: INTEGER in SQLite, BIGINT elsewhere."""


class Table(SQLModel):
    """What every table shares."""

    metadata: ClassVar[MetaData] = METADATA

    def save(self, connection: Connection, *key: str) -> Any:
        """Insert this row, or update the one with the same `key`; the primary key of the row."""
        table = METADATA.tables[str(self.__tablename__)]
        values = {column.name: getattr(self, column.name) for column in table.columns}
        if values.get("id", 0) is None:
            del values["id"]
        statement = sqlite.insert(table).values(**values)
        if key:
            rest = {name: statement.excluded[name] for name in values if name not in key}
            statement = statement.on_conflict_do_update(index_elements=key, set_=rest)
        return connection.execute(statement.returning(*table.primary_key)).scalar_one()


def _text(default: str = "") -> Any:
    return Field(default=default, sa_type=Text)


def _maybe_text(**more: Any) -> Any:
    return Field(default=None, sa_type=Text, **more)


def _number(default: int = 0) -> Any:
    return Field(default=default, sa_type=WHOLE)


def _maybe_number() -> Any:
    return Field(default=None, sa_type=WHOLE)


def _key() -> Any:
    return Field(default=None, primary_key=True)


def _of(table: str, *, unique: bool = False, index: bool = True) -> Any:
    """A reference to the row that owns this one, and dies with it."""
    return Field(foreign_key=f"{table}.id", ondelete="CASCADE", unique=unique, index=index and not unique)


def _maybe_of(table: str, *, ondelete: Any = "SET NULL", unique: bool = False, index: bool = True) -> Any:
    return Field(default=None, foreign_key=f"{table}.id", ondelete=ondelete, unique=unique, index=index and not unique)


class Artifact(Table, table=True):
    """One sequence of bytes, or a parent of one known only by label (no sha256)."""

    __tablename__ = "artifact"
    __table_args__ = (
        Index("ix_artifact_added_at_id", "added_at", "id"),
        Index("ix_artifact_kind_added_at_id", "kind", "added_at", "id"),
        Index("ix_artifact_family_added_at_id", "family", "added_at", "id"),
        Index("ix_artifact_base_added_at_id", "base", "added_at", "id"),
    )
    id: int | None = _key()
    sha256: str | None = _maybe_text(unique=True)
    title: str = _text()
    file_name: str = _text()
    size: int | None = _maybe_number()
    kind: str = _text("unknown")
    family: str = _text("unknown")
    base: str = _text()
    variant: str = _text()
    format: str = _text("unknown")
    precision: str = _text("unknown")
    algorithm: str = _text()
    level: str = _text("pg")
    origin: str = Field(default="", sa_type=Text, index=True)
    added_at: str = _text()
    preview: str = _text()
    trigger_words: str = _text("[]")
    keywords: str = _text()
    description: str = _text()


class ArtifactName(Table, table=True):
    """The name a person types for an artifact: a slug, unique, never changed silently."""

    __tablename__ = "artifact_name"
    name: str = Field(sa_type=Text, primary_key=True)
    artifact_id: int = _of("artifact", unique=True)


class Digest(Table, table=True):
    """A hash of an artifact: computed here (`ours`) or only claimed by somebody."""

    __tablename__ = "digest"
    __table_args__ = (UniqueConstraint("artifact_id", "kind", "value"), Index(None, "value", "kind"))
    id: int | None = _key()
    artifact_id: int = _of("artifact", index=False)
    kind: str = _text()
    value: str = _text()
    ours: bool = False


class Blob(Table, table=True):
    """An artifact's bytes in a store root."""

    __tablename__ = "blob"
    __table_args__ = (UniqueConstraint("artifact_id", "root"), Index(None, "root"))
    id: int | None = _key()
    artifact_id: int = _of("artifact", index=False)
    root: str = _text()
    size: int = _number()
    stored_at: str = _text()
    verified_at: str = _text()


class Ui(Table, table=True):
    """A registered WebUI."""

    __tablename__ = "ui"
    id: int | None = _key()
    name: str = Field(sa_type=Text, unique=True)
    layout: str = _text()
    root: str = _text()
    template: str = _text()
    added_at: str = _text()
    url: str = _text()
    share: str = _text()


class Location(Table, table=True):
    """A path that holds an artifact's bytes. `inode` is text, for some file systems number beyond 63 bits.

    `missing_at` says when the file was first found gone; the row stays, so that it can come back. `verified_at` is when
    its bytes were last read back.
    """

    __tablename__ = "location"
    __table_args__ = (Index(None, "ui_id", "artifact_id"),)
    id: int | None = _key()
    path: str = Field(sa_type=Text, unique=True)
    artifact_id: int = _of("artifact")
    ui_id: int | None = _maybe_of("ui", index=False)
    method: str = _text()
    ours: bool = False
    blob_root: str = _text()
    inode: str = _text()
    mtime_ns: int = _number()
    size: int = _number()
    missing_at: str = _text()
    verified_at: str = _text()


class Sidecar(Table, table=True):
    """A small file that we wrote beside a placed artifact; `content` is its own SHA-256 as we wrote it."""

    __tablename__ = "sidecar"
    id: int | None = _key()
    path: str = Field(sa_type=Text, unique=True)
    artifact_id: int = _of("artifact")
    ui_id: int | None = _maybe_of("ui", index=False)
    content: str = _text()


class Model(Table, table=True):
    """A model page of a hub: when it was last asked for, and since when the hub no longer shows it."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("hub", "hub_id"),)
    id: int | None = _key()
    hub: str = _text()
    hub_id: str = _text()
    name: str = _text()
    creator: str = _text()
    kind: str = _text("unknown")
    gone_at: str = _text()
    checked_at: str = _text()


class Release(Table, table=True):
    """One version of a model as the hub publishes it."""

    __tablename__ = "release"
    __table_args__ = (UniqueConstraint("model_id", "hub_id"), Index(None, "hub_id"))
    id: int | None = _key()
    model_id: int = _of("model", index=False)
    hub_id: str = _text()
    name: str = _text()
    kind: str = _text("unknown")
    kind_text: str = _text()
    base: str = _text()
    family: str = _text("unknown")
    level: str = _text("pg")
    nsfw: bool = False
    poi: bool = False
    minor: bool = False
    sfw_only: bool = False
    merged: bool | None = None
    access: str = _text("free")
    access_until: str = _text()
    published_at: str = _text()
    page: str = _text()
    air: str = _text()
    downloads: int = _number()
    rating: float | None = None
    trigger_words: str = _text("[]")
    tags: str = _text("[]")
    previews: str = _text("[]")
    parents: str = _text("[]")
    description: str = _text()


class ReleaseFile(Table, table=True):
    """A downloadable file of a release, and the artifact it became. `position` is empty once the hub dropped it."""

    __tablename__ = "release_file"
    id: int | None = _key()
    release_id: int = _of("release")
    hub_id: str = _text()
    artifact_id: int | None = _maybe_of("artifact")
    position: int | None = None
    name: str = _text()
    url: str = _text()
    fallbacks: str = _text("[]")
    size: int | None = _maybe_number()
    about: int | None = _maybe_number()
    digests: str = _text("[]")
    role: str = _text("unknown")
    format: str = _text("unknown")
    precision: str = _text("unknown")
    extent: str = _text("unknown")
    is_primary: bool = False


class Unpacked(Table, table=True):
    """An artifact that came out of an archive, and the name it had in there."""

    __tablename__ = "unpacked"
    __table_args__ = (UniqueConstraint("release_file_id", "artifact_id", "member"),)
    id: int | None = _key()
    release_file_id: int = _of("release_file", index=False)
    artifact_id: int = _of("artifact")
    member: str = _text()


class Pin(Table, table=True):
    """A model that a person holds where it is: at one release, or at whatever is here."""

    __tablename__ = "pin"
    id: int | None = _key()
    model_id: int = _of("model", unique=True)
    release_id: int | None = _maybe_of("release", ondelete="CASCADE")
    note: str = _text()
    at: str = _text()


class Lookup(Table, table=True):
    """A place that was asked for a hash, when, and whether it knew it. Outlives the record of the file."""

    __tablename__ = "lookup"
    __table_args__ = (UniqueConstraint("sha256", "place"),)
    id: int | None = _key()
    sha256: str = _text()
    place: str = _text()
    at: str = _text()
    found: bool = False


class Adopted(Table, table=True):
    """A folder whose files a person had catalogued where they lie; new ones in it are noticed."""

    __tablename__ = "adopted"
    id: int | None = _key()
    path: str = Field(sa_type=Text, unique=True)
    at: str = _text()


class Raw(Table, table=True):
    """The hub's own JSON for a release, as it came."""

    __tablename__ = "raw"
    release_id: int = Field(foreign_key="release.id", ondelete="CASCADE", primary_key=True)
    json_text: str = _text()
    seen_at: str = _text()


class Claim(Table, table=True):
    """What a hub says its scanner found in a file."""

    __tablename__ = "claim"
    id: int | None = _key()
    release_file_id: int = _of("release_file")
    scanner: str = _text()
    result: str = _text()
    message: str = _text()


class Edge(Table, table=True):
    """One claim about where an artifact came from; the parent stands as it was named."""

    __tablename__ = "edge"
    __table_args__ = (Index(None, "parent", "trust"), Index(None, "trust", "parent"))
    id: int | None = _key()
    child_id: int = _of("artifact")
    relation: str = _text()
    trust: str = _text()
    parent: str = _text()
    source: str = _text()
    verbatim: str = _text()
    weight: float | None = None
    method: str = _text()


class Licence(Table, table=True):
    """What a publisher allows: of a release, or recorded for one artifact. `allows` is a JSON object of uses."""

    __tablename__ = "licence"
    id: int | None = _key()
    artifact_id: int | None = _maybe_of("artifact", ondelete="CASCADE")
    release_id: int | None = _maybe_of("release", ondelete="CASCADE", unique=True)
    licence: str = _text()
    name: str = _text()
    url: str = _text()
    allows: str = _text("{}")
    base_model: str = _text()
    source: str = _text()
    seen_at: str = _text()
    verbatim: str = _text()


class Verdict(Table, table=True):
    """What one scan said of an artifact. `findings` is a JSON array, one object a finding."""

    __tablename__ = "verdict"
    id: int | None = _key()
    artifact_id: int = _of("artifact")
    outcome: str = _text()
    container: str = _text()
    engine: str = _text()
    policy: str = _text()
    at: str = _text()
    findings: str = _text("[]")
    unread: str = _text("[]")


class Allowance(Table, table=True):
    """A person's decision that one file may use one name; it outlives the record of the file."""

    __tablename__ = "allowance"
    __table_args__ = (UniqueConstraint("sha256", "name"),)
    id: int | None = _key()
    sha256: str = _text()
    name: str = _text()
    who: str = _text()
    at: str = _text()
    reason: str = _text()


class Intent(Table, table=True):
    """A file action that was about to happen; `open` rows are what a crash left."""

    __tablename__ = "intent"
    id: int | None = _key()
    action: str = _text()
    state: str = Field(sa_type=Text, index=True)
    begun_at: str = _text()
    closed_at: str = _text()
    detail: str = _text("{}")


class Generation(Table, table=True):
    """A picture made here, and what it was asked for. `settings` is a JSON object, `seed` a number of any length."""

    __tablename__ = "generation"
    __table_args__ = (Index(None, "made_at", "id"),)
    id: int | None = _key()
    sha256: str = Field(default="", sa_type=Text, index=True)
    path: str = Field(sa_type=Text, unique=True)
    made_at: str = _text()
    prompt: str = _text()
    negative: str = _text()
    infotext: str = _text()
    settings: str = _text("{}")
    seed: str = _text()
    width: int = _number()
    height: int = _number()


class GenerationModel(Table, table=True):
    """A model that a picture was made with; it stays named when the artifact is forgotten."""

    __tablename__ = "generation_model"
    id: int | None = _key()
    generation_id: int = _of("generation")
    artifact_id: int | None = _maybe_of("artifact")
    role: str = _text()
    name: str = _text()
    sha256: str = _text()
    weight: float | None = None
