"""The catalogue as the rest of the program sees it: ground values in, ground values out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sdkeep.catalogue import (
    ancestry,
    artifacts,
    dossiers,
    evidence,
    generations,
    health,
    history,
    intents,
    listing,
    names,
    pins,
    places,
    register,
    releases,
    sightings,
)
from sdkeep.catalogue.backups import Clock, backup
from sdkeep.catalogue.connection import Connections
from sdkeep.catalogue.dossiers import Dossier
from sdkeep.catalogue.generations import GenerationPage
from sdkeep.catalogue.health import Stats
from sdkeep.catalogue.listing import EVERYTHING, Filter, Page
from sdkeep.catalogue.register import Register
from sdkeep.catalogue.releases import Held
from sdkeep.catalogue.schema import Upgrade, open_catalogue
from sdkeep.catalogue.sightings import Hashed, Settled, Sighting, SightingRecord
from sdkeep.catalogue.times import now
from sdkeep.catalogue.trouble import translated
from sdkeep.ground.digest import Digest
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge
from sdkeep.ground.model import Release
from sdkeep.ground.record import (
    Artifact,
    Blob,
    Generation,
    Intent,
    IntentState,
    Location,
    Lookup,
    Pin,
    Sidecar,
    Trashed,
    Ui,
)
from sdkeep.ground.verdict import Allowance, Verdict


class Book:
    """An open catalogue. Every thread may read; writes come from one thread at a time and never span slow work.

    Each writing method is a transaction; inside `transaction()` they become one. Methods that record something about
    bytes raise `NotFoundHere` when no artifact with that sha256 is recorded.
    """

    def __init__(self, connections: Connections, clock: Clock, opened: Upgrade) -> None:
        self._connections = connections
        self._clock = clock
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

    # Releases

    def put_release(self, release: Release) -> None:
        """Record a release as its hub shows it now."""
        with self._connections.writing() as tx:
            releases.put(tx, release, now(self._clock))

    def release_of(self, sha256: str) -> Release | None:
        """The release that these bytes came from."""
        with self._connections.reading() as tx:
            return releases.of_artifact(tx, sha256)

    def releases_for_model(self, hub: str, model_id: str) -> tuple[Release, ...]:
        """The recorded releases of a model, newest first."""
        with self._connections.reading() as tx:
            return releases.of_model(tx, hub, model_id)

    def link_file(self, sha256: str, hub: str, release_id: str, file_id: str) -> None:
        """Note that these bytes are this file of a recorded release."""
        with self._connections.writing() as tx:
            releases.link(tx, artifacts.id_of(tx, sha256), hub, release_id, file_id)

    def put_unpacked(self, hub: str, release_id: str, file_id: str, members: Mapping[str, str]) -> None:
        """Note what all that came out of an archive became: sha256 by the member's name in it."""
        with self._connections.writing() as tx:
            ids = {member: artifacts.id_of(tx, sha256) for member, sha256 in members.items()}
            releases.put_unpacked(tx, (hub, release_id, file_id), ids)

    def unpacked(self, hub: str, release_id: str, file_id: str) -> dict[str, Artifact]:
        """The artifacts that came out of a published archive, by member; empty for one never taken apart whole."""
        with self._connections.reading() as tx:
            rows = releases.unpacked(tx, hub, release_id, file_id)
            return {member: artifacts.by_id(tx, artifact_id) for member, artifact_id in rows.items()}

    def mark_model(self, hub: str, model_id: str, *, gone: bool) -> None:
        """Note that the hub was asked for a model just now, and whether it still shows it."""
        with self._connections.writing() as tx:
            releases.mark_model(tx, hub, model_id, now(self._clock), gone=gone)

    def gone_since(self, hub: str, model_id: str) -> str:
        """Since when the hub does not show a model any more; empty while it does."""
        with self._connections.reading() as tx:
            return releases.gone_since(tx, hub, model_id)

    def held(self) -> tuple[Held, ...]:
        """The published files that are here, model by model."""
        with self._connections.reading() as tx:
            return releases.held(tx)

    # Pins and look-ups

    def put_pin(self, pin: Pin) -> None:
        """Hold a recorded model where it is; raises `NotFoundHere` for one that is not recorded."""
        with self._connections.writing() as tx:
            pins.put(tx, pin, now(self._clock))

    def drop_pin(self, hub: str, model_id: str) -> bool:
        """Hold a model no longer; whether it was held."""
        with self._connections.writing() as tx:
            return pins.drop(tx, hub, model_id)

    def pins(self) -> tuple[Pin, ...]:
        """The models that are held, oldest pin first."""
        with self._connections.reading() as tx:
            return pins.every(tx)

    def note_lookups(self, lookups: Iterable[Lookup]) -> None:
        """Record that places were asked for hashes; `at` is now unless given."""
        with self._connections.writing() as tx:
            pins.note_lookups(tx, lookups, now(self._clock))

    def unasked(self, place: str, sha256s: Sequence[str], since: str = "") -> tuple[str, ...]:
        """Those that `place` was never asked for; with `since`, also what it did not know before that time."""
        with self._connections.reading() as tx:
            return pins.unasked(tx, place, sha256s, since)

    def lookups_of(self, sha256: str) -> tuple[Lookup, ...]:
        """Which places were asked for these bytes, and what came of it."""
        with self._connections.reading() as tx:
            return pins.lookups_of(tx, sha256)

    # Files that are seen and not hashed yet

    def put_sightings(self, seen: Sequence[Sighting]) -> tuple[str, ...]:
        """Record files that were looked at from outside; the names they got, in order. Hundreds at a time."""
        with self._connections.writing() as tx:
            return sightings.put(tx, seen, now(self._clock))

    def waiting(self, after: tuple[int, str] = (-1, ""), limit: int = 1000) -> tuple[Location, ...]:
        """Paths whose bytes are not known yet (`sha256` is empty), by size and path, those beyond `after`."""
        with self._connections.reading() as tx:
            return sightings.waiting(tx, after, limit)

    def count_waiting(self) -> tuple[int, int]:
        """How many paths wait to be hashed, and how many bytes they hold together."""
        with self._connections.reading() as tx:
            return sightings.count_waiting(tx)

    def settle(self, hashed: Sequence[Hashed]) -> tuple[Settled, ...]:
        """Join paths to the artifacts of their bytes, now that these are known."""
        with self._connections.writing() as tx:
            return sightings.settle(tx, hashed, now(self._clock))

    def sighting(self, name: str) -> SightingRecord | None:
        """All that is recorded of the file with this catalogue name that is not hashed yet."""
        with self._connections.reading() as tx:
            return sightings.record(tx, name)

    # Places

    def put_location(self, location: Location) -> None:
        """Record that a path holds an artifact's bytes; raises `UnknownUi` for an interface that is not registered."""
        with self._connections.writing() as tx:
            places.put_location(tx, artifacts.id_of(tx, location.sha256), location)

    def locations_of(self, sha256: str) -> tuple[Location, ...]:
        """Every known path that holds these bytes."""
        with self._connections.reading() as tx:
            return places.locations_of(tx, sha256)

    def location_at(self, path: str) -> Location | None:
        """What is recorded for exactly this path."""
        with self._connections.reading() as tx:
            return places.location_at(tx, path)

    def locations_in(self, ui: str) -> tuple[Location, ...]:
        """Every path placed in this interface, in path order."""
        with self._connections.reading() as tx:
            return places.locations_in(tx, ui)

    def locations(self, *, unhashed: bool = False) -> tuple[Location, ...]:
        """Every known path, in path order; with `unhashed` also those of files not hashed yet (`sha256` is empty)."""
        with self._connections.reading() as tx:
            return places.all_locations(tx, unhashed=unhashed)

    def mark_missing(self, paths: Iterable[str], *, missing: bool = True) -> None:
        """Note that files were found gone, or are back; the records stay."""
        with self._connections.writing() as tx:
            places.mark_missing(tx, paths, now(self._clock) if missing else "")

    def move_location(self, path: str, to: Location) -> bool:
        """Note that the file recorded at `path` is where and as `to` says; whether it was known."""
        with self._connections.writing() as tx:
            return places.move(tx, path, to)

    def put_adopted(self, path: str) -> None:
        """Note that the files of a folder are catalogued where they lie, new ones too once `sync` sees them."""
        with self._connections.writing() as tx:
            places.put_adopted(tx, path, now(self._clock))

    def adopted(self) -> tuple[str, ...]:
        """Such folders, in the order they were adopted."""
        with self._connections.reading() as tx:
            return places.adopted(tx)

    def drop_adopted(self, path: str) -> bool:
        """Watch a folder no longer; whether it was adopted."""
        with self._connections.writing() as tx:
            return places.drop_adopted(tx, path)

    def drop_location(self, path: str) -> bool:
        """Forget a path; whether it was known."""
        with self._connections.writing() as tx:
            return places.drop_location(tx, path)

    def put_sidecar(self, sidecar: Sidecar) -> None:
        """Record a file that we wrote beside a placed artifact."""
        with self._connections.writing() as tx:
            places.put_sidecar(tx, artifacts.id_of(tx, sidecar.sha256), sidecar)

    def sidecars_of(self, sha256: str) -> tuple[Sidecar, ...]:
        """The files that we wrote beside placements of these bytes."""
        with self._connections.reading() as tx:
            return places.sidecars_of(tx, sha256)

    def sidecar_at(self, path: str) -> Sidecar | None:
        """The file that we wrote at exactly this path."""
        with self._connections.reading() as tx:
            return places.sidecar_at(tx, path)

    def drop_sidecar(self, path: str) -> bool:
        """Forget a sidecar; whether it was known."""
        with self._connections.writing() as tx:
            return places.drop_sidecar(tx, path)

    def blob_roots(self) -> tuple[str, ...]:
        """The store roots that hold something."""
        with self._connections.reading() as tx:
            return places.blob_roots(tx)

    def put_blob(self, sha256: str, root: str, size: int) -> None:
        """Record that a store root holds these bytes."""
        with self._connections.writing() as tx:
            blob = Blob(sha256, root, size, stored=now(self._clock))
            places.put_blob(tx, artifacts.id_of(tx, sha256), blob)

    def verified_blob(self, sha256: str, root: str, size: int) -> None:
        """Record that a root's copy of these bytes was just read back whole and is right."""
        with self._connections.writing() as tx:
            at = now(self._clock)
            places.put_blob(tx, artifacts.id_of(tx, sha256), Blob(sha256, root, size, stored=at, verified=at))

    def drop_blob(self, sha256: str, root: str) -> bool:
        """Forget that a root holds these bytes; whether it was known to."""
        with self._connections.writing() as tx:
            return places.drop_blob(tx, sha256, root)

    def blobs_of(self, sha256: str) -> tuple[Blob, ...]:
        """The roots that hold these bytes."""
        with self._connections.reading() as tx:
            return places.blobs_of(tx, sha256)

    def blobs_in(self, root: str) -> tuple[Blob, ...]:
        """Everything a root holds, oldest first."""
        with self._connections.reading() as tx:
            return places.blobs_in(tx, root)

    def unreferenced_blobs(self, root: str) -> tuple[Blob, ...]:
        """What a root holds and no known path uses, oldest first."""
        with self._connections.reading() as tx:
            return places.unreferenced_blobs(tx, root)

    def put_ui(self, ui: Ui) -> None:
        """Register an interface, or change what is registered under its name."""
        with self._connections.writing() as tx:
            places.put_ui(tx, ui, now(self._clock))

    def ui(self, name: str) -> Ui | None:
        """The interface registered under this name."""
        return next((ui for ui in self.uis() if ui.name == name), None)

    def uis(self) -> tuple[Ui, ...]:
        """The registered interfaces, in the order they were added."""
        with self._connections.reading() as tx:
            return places.uis(tx)

    def drop_ui(self, name: str) -> bool:
        """Forget an interface; its paths stay known as files of none. Whether it was registered."""
        with self._connections.writing() as tx:
            return places.drop_ui(tx, name)

    # Lineage and evidence

    def put_edges(self, sha256: str, edges: Iterable[Edge]) -> None:
        """Add claims about what these bytes were made from; none that stands is replaced."""
        with self._connections.writing() as tx:
            ancestry.put(tx, artifacts.id_of(tx, sha256), edges)

    def parents_of(self, sha256: str) -> tuple[Edge, ...]:
        """The claims about what these bytes were made from, in the order they were recorded."""
        with self._connections.reading() as tx:
            return ancestry.of_child(tx, artifacts.id_of(tx, sha256))

    def children_of(self, sha256: str) -> tuple[tuple[Artifact, Edge], ...]:
        """The artifacts that name these bytes as parent, by sha256, digest or hub reference, each with the claim."""
        with self._connections.reading() as tx:
            return ancestry.children(tx, artifacts.id_of(tx, sha256), sha256)

    def children_naming(self, spellings: Iterable[str]) -> tuple[tuple[Artifact, Edge], ...]:
        """The artifacts that name as parent what is spelt so (a sha256, `autov2:...`, `hf:...`), recorded or not."""
        with self._connections.reading() as tx:
            return ancestry.naming(tx, spellings)

    def put_verdict(self, sha256: str, verdict: Verdict, at: str = "") -> None:
        """Record what a scan of the whole file said; `at` is now unless given."""
        with self._connections.writing() as tx:
            evidence.put_verdicts(tx, {artifacts.id_of(tx, sha256): verdict}, at or now(self._clock))

    def put_verdicts(self, verdicts: Mapping[str, Verdict]) -> None:
        """The same for many at once, by sha256; what is not recorded here is passed over."""
        with self._connections.writing() as tx:
            ids = artifacts.ids_of(tx, verdicts)
            evidence.put_verdicts(tx, {ids[one]: verdicts[one] for one in ids}, now(self._clock))

    def verdict_of(self, sha256: str) -> Verdict | None:
        """The verdict recorded last."""
        with self._connections.reading() as tx:
            return evidence.verdict_of(tx, sha256)

    def allow(self, allowance: Allowance) -> None:
        """Record that a person allows one name to one file, known here or not; `at` is now unless given."""
        with self._connections.writing() as tx:
            evidence.allow(tx, allowance, now(self._clock))

    def disallow(self, sha256: str, dotted: str) -> bool:
        """Take such a decision back; whether there was one."""
        with self._connections.writing() as tx:
            return evidence.disallow(tx, sha256, dotted)

    def allowances(self, sha256: str = "") -> tuple[Allowance, ...]:
        """The decisions about one file, or all of them, oldest first."""
        with self._connections.reading() as tx:
            return evidence.allowances(tx, sha256)

    def dossiers(self, sha256s: Sequence[str]) -> dict[str, Dossier]:
        """What an audit asks about each of these artifacts, by sha256; some hundreds at a time."""
        with self._connections.reading() as tx:
            return dossiers.dossiers(tx, sha256s)

    def put_licence(self, sha256: str, licence: Licence) -> None:
        """Record a licence for these bytes, replacing what the same source said before."""
        with self._connections.writing() as tx:
            evidence.put_licence(tx, artifacts.id_of(tx, sha256), licence)

    def licence_of(self, sha256: str) -> Licence | None:
        """The licence recorded last for these bytes, else that of their release."""
        with self._connections.reading() as tx:
            return evidence.licence_of(tx, sha256)

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

    def licences_of(self, sha256: str) -> tuple[Licence, ...]:
        """Every different licence recorded for these bytes: their own, newest first, then those of their releases."""
        with self._connections.reading() as tx:
            return register.licences_of(tx, sha256)

    def is_merge(self, sha256: str) -> bool:
        """Whether a hub publishes these bytes as a merge."""
        with self._connections.reading() as tx:
            return register.is_merge(tx, sha256)

    def register(self) -> Register:
        """All that lineage and licences ask about, of every artifact, as it stands now."""
        with self._connections.reading() as tx:
            return Register.read(tx)

    # Intents and trash

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

    def put_trash(self, trashed: Trashed) -> None:
        """Record bytes that went into the trash."""
        with self._connections.writing() as tx:
            places.put_trash(tx, trashed)

    def trash(self) -> tuple[Trashed, ...]:
        """What lies in the trash, newest first."""
        with self._connections.reading() as tx:
            return places.trash(tx)

    def drop_trash(self, id: str) -> bool:
        """Forget one thing in the trash; whether it was there."""
        with self._connections.writing() as tx:
            return places.drop_trash(tx, id)

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
