"""The catalogue as the rest of the program sees it: ground values in, ground values out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sdkeep.catalogue import artifacts, generations, health, history, intents, listing, names
from sdkeep.catalogue.backups import Clock, backup
from sdkeep.catalogue.connection import Connections
from sdkeep.catalogue.generations import GenerationPage
from sdkeep.catalogue.health import Stats
from sdkeep.catalogue.listing import EVERYTHING, Filter, Page
from sdkeep.catalogue.provenance import Provenance
from sdkeep.catalogue.schema import Upgrade, open_catalogue
from sdkeep.catalogue.times import now
from sdkeep.catalogue.trouble import translated
from sdkeep.catalogue.whereabouts import Whereabouts
from sdkeep.ground.digest import Digest
from sdkeep.ground.record import Artifact, Generation, Intent, IntentState


class Book(Whereabouts, Provenance):
    """An open catalogue. Every thread may read; writes come from one thread at a time and never span slow work.

    Each writing method is a transaction; inside `transaction()` they become one. Methods that record something about
    bytes raise `NotFoundHere` when no artifact with that sha256 is recorded.
    """

    def __init__(self, connections: Connections, clock: Clock, opened: Upgrade) -> None:
        super().__init__(connections, clock)
        self.opened = opened

    @classmethod
    def open(cls, path: Path, clock: Clock, backups: Path | None = None, *, wal: bool = True) -> Self:
        """The catalogue at `path`, created or brought up to date first; `opened` tells what that took.

        `wal` False is for a file that lies on another machine.
        """
        connections, opened = open_catalogue(path, clock=clock, backups=backups, wal=wal)
        return cls(connections, clock, opened)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._connections.path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group writes: all of them happen, or none."""
        with self._connections.writing():
            yield

    # Artifacts

    def put_artifact(self, artifact: Artifact) -> Artifact:
        """Record an artifact or add to what is recorded of the same bytes; as it then stands, with its name.

        Unknown fields never replace known ones; name and time of the first record stay; digests given are ours.
        """
        with self._connections.writing() as tx:
            return artifacts.put(tx, artifact, now(self._clock))

    def artifact(self, sha256: str) -> Artifact | None:
        """The artifact that is these bytes."""
        with self._connections.reading() as tx:
            return artifacts.by_sha256(tx, sha256)

    def by_name(self, name: str) -> Artifact | None:
        """The artifact with exactly this catalogue name."""
        with self._connections.reading() as tx:
            return artifacts.by_name(tx, name)

    def by_digest(self, digest: Digest) -> tuple[Artifact, ...]:
        """Every artifact with this digest, computed ones before claimed ones."""
        with self._connections.reading() as tx:
            return artifacts.by_digest(tx, digest)

    def by_origin(self, hub: str, release_id: str) -> tuple[Artifact, ...]:
        """The artifacts that files of this release became."""
        with self._connections.reading() as tx:
            return artifacts.by_origin(tx, hub, release_id)

    def rename(self, sha256: str, name: str) -> Artifact:
        """Give an artifact another name because a person asked; raises `UsageError` when it is taken or no name."""
        with self._connections.writing() as tx:
            artifact_id = artifacts.id_of(tx, sha256)
            names.change(tx, artifact_id, name)
            return artifacts.by_id(tx, artifact_id)

    def forget(self, sha256: str) -> bool:
        """Drop all that is recorded of these bytes; whether anything was. Files stay."""
        with self._connections.writing() as tx:
            return artifacts.forget(tx, sha256)

    def add_digests(self, sha256: str, digests: Iterable[Digest], *, ours: bool = True) -> None:
        """Record digests of these bytes: computed here, or (`ours` false) claimed by somebody."""
        with self._connections.writing() as tx:
            artifacts.add_digests(tx, artifacts.id_of(tx, sha256), digests, ours=ours)

    def digests_of(self, sha256: str, *, claimed: bool = False) -> tuple[Digest, ...]:
        """The digests we computed of these bytes, or those only claimed."""
        with self._connections.reading() as tx:
            return artifacts.digests_of(tx, sha256, claimed=claimed)

    # Lists and names

    def list(self, wanted: Filter = EVERYTHING, *, cursor: str | None = None, limit: int | None = 50) -> Page:
        """A page of artifacts, newest first; `limit` None means all."""
        with self._connections.reading() as tx:
            return listing.page(tx, wanted, cursor, limit)

    def count(self, wanted: Filter = EVERYTHING) -> int:
        """How many artifacts a list has on all its pages."""
        with self._connections.reading() as tx:
            return listing.count(tx, wanted)

    def search(self, text: str, limit: int = 20) -> tuple[Artifact, ...]:
        """Artifacts whose words begin with every word of `text`, best first. Any text is a valid question."""
        with self._connections.reading() as tx:
            return listing.search(tx, text, limit)

    def name_like(self, prefix: str, limit: int = 20) -> tuple[str, ...]:
        """Names that begin with `prefix`, in order."""
        with self._connections.reading() as tx:
            return names.starting_with(tx, prefix, limit)

    def nearest_names(self, name: str, limit: int = 3) -> tuple[str, ...]:
        """The names most like a mistyped one, best first."""
        with self._connections.reading() as tx:
            return names.nearest(tx, name, limit)

    # Pictures made here

    def put_generation(self, made: Generation) -> Generation:
        """Record a picture; one under the same path is replaced. As it then stands, with its id."""
        with self._connections.writing() as tx:
            return generations.put(tx, made, now(self._clock))

    def list_generations(
        self, words: str = "", *, model: str = "", cursor: str | None = None, limit: int | None = 50
    ) -> GenerationPage:
        """A page of pictures, newest first: with every word in prompt, path or models; made with sha256 `model`."""
        with self._connections.reading() as tx:
            return generations.page(tx, words, model, cursor, limit)

    def generations_of(self, sha256: str) -> tuple[Generation, ...]:
        """The recorded pictures with these bytes."""
        with self._connections.reading() as tx:
            return generations.of_picture(tx, sha256)

    def drop_generation(self, path: str) -> bool:
        """Forget a picture; whether it was known."""
        with self._connections.writing() as tx:
            return generations.drop(tx, path)

    # Intents

    def begin_intent(self, action: str, detail: Mapping[str, str]) -> Intent:
        """Note an action that is about to touch files; on the disk when this returns. Not inside `transaction()`."""
        with self._connections.durably() as tx:
            return intents.begin(tx, action, detail, now(self._clock))

    def close_intent(self, id: int, state: IntentState) -> None:
        """Note how the action ended, best inside the transaction that records its results."""
        with self._connections.writing() as tx:
            intents.close(tx, id, state, now(self._clock))

    def open_intents(self) -> tuple[Intent, ...]:
        """Actions that began and have not ended, oldest first."""
        with self._connections.reading() as tx:
            return intents.still_open(tx)

    def done_intents(self, action: str) -> tuple[Intent, ...]:
        """Actions of one kind that ended well, oldest first."""
        with self._connections.reading() as tx:
            return history.done(tx, action)

    # Health

    def stats(self) -> Stats:
        """Counts of what is recorded."""
        with self._connections.reading() as tx:
            return health.stats(tx)

    def check(self) -> tuple[str, ...]:
        """What is wrong with the file, a line each; empty when it is sound. Reads all of it."""
        with self._connections.reading() as tx:
            return health.problems(tx)

    def rebuild_search(self) -> None:
        """Make the full-text index anew."""
        with self._connections.writing() as tx:
            health.rebuild_search(tx)

    def backup(self, to: Path) -> Path:
        """Copy the catalogue as last committed to the file `to`."""
        with translated(self.path, self._connections.backups):
            return backup(self.path, to)
