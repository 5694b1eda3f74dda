"""The catalogue's face for where bytes come from: releases, pins, look-ups, lineage, verdicts, licences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sdkeep.catalogue import ancestry, artifacts, dossiers, evidence, pins, register, releases
from sdkeep.catalogue.access import Access
from sdkeep.catalogue.dossiers import Dossier
from sdkeep.catalogue.register import Register
from sdkeep.catalogue.releases import Held
from sdkeep.catalogue.times import now
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge
from sdkeep.ground.model import Release
from sdkeep.ground.record import Artifact, Lookup, Pin
from sdkeep.ground.verdict import Allowance, Verdict


class Provenance(Access):
    """What is known, claimed and decided about the bytes in the catalogue."""

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
