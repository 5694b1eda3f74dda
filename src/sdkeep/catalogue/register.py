"""Everything that lineage and licences ask of the catalogue, read at once: for questions about all of its files.

A snapshot: what is written afterwards is not in it. It answers as `Book` does, in the methods that both have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sdkeep.catalogue.ancestry import EDGES, edge_from
from sdkeep.catalogue.artifacts import COLUMNS, restored
from sdkeep.catalogue.connection import query
from sdkeep.catalogue.evidence import licence_from
from sdkeep.catalogue.packing import digest
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge
from sdkeep.ground.record import Artifact

_CLAIMED = "SELECT artifact_id, kind, value FROM digest WHERE NOT ours ORDER BY id"
_LINKS = """(SELECT id, release_id, artifact_id FROM release_file WHERE artifact_id IS NOT NULL
UNION ALL SELECT g.id, g.release_id, u.artifact_id FROM unpacked u JOIN release_file g ON g.id = u.release_file_id)"""
_FILED = f"""SELECT f.artifact_id, m.hub, r.hub_id AS release, r.merged, r.id AS release_row
FROM {_LINKS} f JOIN release r ON r.id = f.release_id JOIN model m ON m.id = r.model_id ORDER BY f.id"""  # noqa: S608
_OWN = "SELECT * FROM licence WHERE artifact_id IS NOT NULL ORDER BY id"
_PUBLISHED = "SELECT * FROM licence WHERE release_id IS NOT NULL ORDER BY id"
_RELEASES = """SELECT m.hub, m.hub_id AS model, r.hub_id AS release FROM release r JOIN model m ON m.id = r.model_id
ORDER BY r.published_at DESC, r.id DESC"""
_PLACED = "SELECT DISTINCT artifact_id FROM location"


def licences_of(connection: Connection, sha256: str) -> tuple[Licence, ...]:
    """Every licence that is recorded for these bytes: their own, newest first, then those of their releases."""
    own = """SELECT l.* FROM licence l JOIN artifact a ON a.id = l.artifact_id
    WHERE a.sha256 = :sha256 ORDER BY l.id DESC"""
    published = f"""SELECT l.* FROM licence l JOIN {_LINKS} f ON f.release_id = l.release_id
    JOIN artifact a ON a.id = f.artifact_id WHERE a.sha256 = :sha256 ORDER BY f.id DESC"""  # noqa: S608
    rows = (*query(connection, own, sha256=sha256), *query(connection, published, sha256=sha256))
    return _distinct(map(licence_from, rows))


def is_merge(connection: Connection, sha256: str) -> bool:
    """Whether the release that these bytes were linked to last is published as a merge."""
    sql = f"""SELECT r.merged FROM release r JOIN {_LINKS} f ON f.release_id = r.id
    JOIN artifact a ON a.id = f.artifact_id WHERE a.sha256 = :sha256 ORDER BY f.id DESC LIMIT 1"""  # noqa: S608
    return any(row.merged for row in query(connection, sql, sha256=sha256))


def _distinct(licences: Iterable[Licence]) -> tuple[Licence, ...]:
    return tuple({(one.id, one.name, str(one.allows)): one for one in licences}.values())


@dataclass(slots=True)
class Register:
    """The snapshot. `everything` holds every artifact, newest first."""

    everything: tuple[Artifact, ...]
    _by_sha256: dict[str, Artifact] = field(default_factory=dict)
    _by_name: dict[str, Artifact] = field(default_factory=dict)
    _by_word: dict[str, list[Artifact]] = field(default_factory=dict)
    _by_digest: dict[tuple[str, str], list[Artifact]] = field(default_factory=dict)
    _edges: dict[str, list[Edge]] = field(default_factory=dict)
    _licences: dict[str, tuple[Licence, ...]] = field(default_factory=dict)
    _merges: dict[str, bool] = field(default_factory=dict)
    _filed: dict[tuple[str, str], list[Artifact]] = field(default_factory=dict)
    _releases: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _placed: frozenset[str] = frozenset()

    @classmethod
    def read(cls, connection: Connection) -> Register:
        """Everything, in eight queries."""
        rows = query(connection, f"{COLUMNS} ORDER BY a.added_at DESC, a.id DESC")
        found = restored(connection, rows)
        register = cls(found)
        by_id = {row.id: artifact for row, artifact in zip(rows, found, strict=True)}
        for artifact in reversed(found):
            register._enter(artifact)
        for row in query(connection, _CLAIMED):
            register._note_digest(digest(row.kind, row.value), by_id[row.artifact_id])
        for row in query(connection, f"{EDGES} ORDER BY e.id"):
            register._edges.setdefault(by_id[row.child_id].sha256 or "", []).append(edge_from(row))
        register._file(connection, by_id)
        register._placed = frozenset(by_id[row.artifact_id].sha256 or "" for row in query(connection, _PLACED))
        return register

    def _enter(self, artifact: Artifact) -> None:
        if artifact.sha256:
            self._by_sha256[artifact.sha256] = artifact
            self._note_digest(Digest(DigestKind.AUTOV2, artifact.sha256[:10]), artifact)
        self._by_name[artifact.name] = artifact
        stem = artifact.file_name.rpartition(".")[0]
        for word in dict.fromkeys((artifact.name, artifact.title.casefold(), stem.casefold())):
            self._by_word.setdefault(word, []).append(artifact)
        for one in artifact.digests:
            self._note_digest(one, artifact)

    def _note_digest(self, one: Digest, artifact: Artifact) -> None:
        holders = self._by_digest.setdefault((one.kind.value, one.value), [])
        if artifact not in holders:
            holders.append(artifact)

    def _file(self, connection: Connection, by_id: dict[int, Artifact]) -> None:
        licences: dict[int, list[Licence]] = {}
        for row in query(connection, _OWN):
            licences.setdefault(row.artifact_id, []).insert(0, licence_from(row))
        published = {row.release_id: licence_from(row) for row in query(connection, _PUBLISHED)}
        for row in query(connection, _FILED):
            artifact = by_id[row.artifact_id]
            self._filed.setdefault((row.hub, row.release), []).append(artifact)
            self._merges[artifact.sha256 or ""] = bool(row.merged)
            if row.release_row in published:
                licences.setdefault(row.artifact_id, []).append(published[row.release_row])
        self._licences = {by_id[id_].sha256 or "": _distinct(found) for id_, found in licences.items()}
        for row in query(connection, _RELEASES):
            self._releases.setdefault((row.hub, row.model), []).append(row.release)

    def artifact(self, sha256: str) -> Artifact | None:
        """The artifact that is these bytes."""
        return self._by_sha256.get(sha256)

    def by_name(self, name: str) -> Artifact | None:
        """The artifact with exactly this catalogue name."""
        return self._by_name.get(name)

    def by_digest(self, digest: Digest) -> tuple[Artifact, ...]:
        """Every artifact with this digest, computed ones before claimed ones."""
        if digest.kind is DigestKind.SHA256 and (exact := self._by_sha256.get(digest.value)):
            return (exact,)
        return tuple(self._by_digest.get((digest.kind.value, digest.value), ()))

    def by_origin(self, hub: str, release_id: str) -> tuple[Artifact, ...]:
        """The artifacts that files of this release became."""
        return tuple(self._filed.get((hub, release_id), ()))

    def release_ids(self, hub: str, model_id: str) -> tuple[str, ...]:
        """The recorded releases of a model, newest first."""
        return tuple(self._releases.get((hub, model_id), ()))

    def called(self, word: str) -> tuple[Artifact, ...]:
        """The artifacts whose catalogue name, title or file name without its ending is exactly this, case aside."""
        return tuple(self._by_word.get(word.casefold(), ()))

    def parents_of(self, sha256: str) -> tuple[Edge, ...]:
        """The claims about what these bytes were made from, in the order they were recorded."""
        return tuple(self._edges.get(sha256, ()))

    def licences_of(self, sha256: str) -> tuple[Licence, ...]:
        """Every licence recorded for these bytes."""
        return self._licences.get(sha256, ())

    def is_merge(self, sha256: str) -> bool:
        """Whether a hub publishes these bytes as a merge."""
        return self._merges.get(sha256, False)

    def is_placed(self, sha256: str) -> bool:
        """Whether a known path holds these bytes."""
        return sha256 in self._placed
