"""The catalogue's face for where bytes lie: paths, folders, files not hashed yet, sidecars, blobs, WebUIs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sdkeep.catalogue import artifacts, places, sightings
from sdkeep.catalogue.access import Access
from sdkeep.catalogue.sightings import Hashed, Settled, Sighting, SightingRecord
from sdkeep.catalogue.times import now
from sdkeep.ground.record import Blob, Location, Sidecar, Ui


class Whereabouts(Access):
    """Where the bytes are that the catalogue knows."""

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

    def mark_verified(self, paths: Iterable[str]) -> None:
        """Note that what lies at these paths was just read back, whatever it turned out to be."""
        with self._connections.writing() as tx:
            places.verified(tx, paths, now(self._clock))

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

    def claim(self, ui: str, folders: Iterable[str]) -> int:
        """Note that files catalogued where they lie below these folders are this interface's; how many."""
        with self._connections.writing() as tx:
            return sum(places.claim(tx, ui, folder) for folder in folders)

    def drop_ui(self, name: str) -> bool:
        """Forget an interface; its paths stay known as files of none. Whether it was registered."""
        with self._connections.writing() as tx:
            return places.drop_ui(tx, name)
