"""What lineage asks of the catalogue: one question at a time, or of a snapshot when it is about every file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sdkeep.ground.digest import Digest
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import slug

if TYPE_CHECKING:
    from sdkeep.catalogue.book import Book


class Records(Protocol):
    """Answers about catalogued files, as `catalogue.register.Register` describes them."""

    def artifact(self, sha256: str) -> Artifact | None:
        """The artifact that is these bytes."""
        ...

    def by_name(self, name: str) -> Artifact | None:
        """The artifact with exactly this catalogue name."""
        ...

    def by_digest(self, digest: Digest) -> tuple[Artifact, ...]:
        """Every artifact with this digest."""
        ...

    def by_origin(self, hub: str, release_id: str) -> tuple[Artifact, ...]:
        """The artifacts that files of this release became."""
        ...

    def release_ids(self, hub: str, model_id: str) -> tuple[str, ...]:
        """The recorded releases of a model, newest first."""
        ...

    def called(self, word: str) -> tuple[Artifact, ...]:
        """The artifacts that are called exactly so."""
        ...

    def parents_of(self, sha256: str) -> tuple[Edge, ...]:
        """The claims about what these bytes were made from."""
        ...

    def licences_of(self, sha256: str) -> tuple[Licence, ...]:
        """Every licence recorded for these bytes."""
        ...

    def is_merge(self, sha256: str) -> bool:
        """Whether a hub publishes these bytes as a merge."""
        ...

    def is_placed(self, sha256: str) -> bool:
        """Whether a known path holds these bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """The catalogue, asked each time."""

    book: Book

    def artifact(self, sha256: str) -> Artifact | None:
        """The artifact that is these bytes."""
        return self.book.artifact(sha256)

    def by_name(self, name: str) -> Artifact | None:
        """The artifact with exactly this catalogue name."""
        return self.book.by_name(name)

    def by_digest(self, digest: Digest) -> tuple[Artifact, ...]:
        """Every artifact with this digest."""
        return self.book.by_digest(digest)

    def by_origin(self, hub: str, release_id: str) -> tuple[Artifact, ...]:
        """The artifacts that files of this release became."""
        return self.book.by_origin(hub, release_id)

    def release_ids(self, hub: str, model_id: str) -> tuple[str, ...]:
        """The recorded releases of a model, newest first."""
        return tuple(release.id for release in self.book.releases_for_model(hub, model_id))

    def called(self, word: str) -> tuple[Artifact, ...]:
        """The artifacts whose catalogue name, title or file name without its ending is exactly this, case aside."""
        wanted = word.casefold()
        named = self.book.by_name(slug(word)) if slug(word) else None
        likely = [*([named] if named else []), *self.book.search(word[:100], limit=10)]
        return tuple(
            one
            for one in {one.name: one for one in likely}.values()
            if wanted in (one.name, one.title.casefold(), one.file_name.rpartition(".")[0].casefold())
        )

    def parents_of(self, sha256: str) -> tuple[Edge, ...]:
        """The claims about what these bytes were made from."""
        return self.book.parents_of(sha256)

    def licences_of(self, sha256: str) -> tuple[Licence, ...]:
        """Every licence recorded for these bytes."""
        return self.book.licences_of(sha256)

    def is_merge(self, sha256: str) -> bool:
        """Whether a hub publishes these bytes as a merge."""
        return self.book.is_merge(sha256)

    def is_placed(self, sha256: str) -> bool:
        """Whether a known path holds these bytes."""
        return bool(self.book.locations_of(sha256))
