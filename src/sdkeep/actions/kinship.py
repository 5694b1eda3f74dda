"""Who is related to whom: parents and children of a node, each parent resolved as far as its label can be trusted.

A node is known by its SHA-256 where there is one, else by the label it goes by: `autov1:...`, `hf:ORG/REPO`,
`known:ID` for a known model without a confirmed hash, `base:NAME` for a base model that is only called by its name,
`name:TEXT` for what nothing more is known of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sdkeep.actions.records import Asked, Records
from sdkeep.actions.walk import Link
from sdkeep.formats import bases, known
from sdkeep.formats.ancestry import carried
from sdkeep.formats.bases import Base
from sdkeep.formats.known import KnownModel
from sdkeep.formats.metadata import ancestor_names, ancestors
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import BadReference
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import CivitaiRef, HfRef, HubRef, parse
from sdkeep.ground.text import one_line

if TYPE_CHECKING:
    from sdkeep.catalogue.book import Book

MOST_LINKS = 64
KNOWN_SOURCE = "known models"
_ADAPTERS = frozenset(
    {Kind.LORA, Kind.LYCORIS, Kind.EMBEDDING, Kind.HYPERNETWORK, Kind.CONTROLNET, Kind.T2I_ADAPTER, Kind.IP_ADAPTER}
)
_LABEL = re.compile(r"ss_sd_model_name=([^;]+)|\(([^()]+)\)$")
_WHOLE = frozenset({Kind.CHECKPOINT, Kind.DIFFUSION_MODEL})


class Presence(StrEnum):
    """How much of a relative there is: its bytes, its row, a page at a hub, a known fact, or only a label."""

    HERE = "here"
    RECORDED = "recorded"
    PUBLISHED = "published"
    KNOWN = "known"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class Relative:
    """One node of a family tree. `name` is its catalogue name, `ref` would fetch it, `data` is what it learnt from."""

    id: str
    title: str
    presence: Presence
    name: str = ""
    sha256: str = ""
    kind: Kind = Kind.UNKNOWN
    family: str = ""
    ref: str = ""
    licence: str = ""
    data: str = ""


@dataclass(slots=True)
class Entry:
    """What is known of a node; `edges`, `stated` and `presence` are of what the catalogue does not hold."""

    id: str
    title: str
    artifact: Artifact | None = None
    known: KnownModel | None = None
    base: Base | None = None
    ref: str = ""
    kind: Kind = Kind.UNKNOWN
    family: str = ""
    edges: tuple[Edge, ...] = ()
    stated: Licence | None = None
    presence: Presence = Presence.NAMED
    read: bool = False

    @property
    def sha256(self) -> str:
        """The SHA-256, if the node is known by it."""
        return self.id if len(self.id) == 64 and ":" not in self.id else ""

    @property
    def root(self) -> bool:
        """Whether this is a base model or another model that is known for itself."""
        return self.known is not None or self.base is not None


@dataclass(slots=True)
class Kinship:
    """Answers about relatives, remembered for as long as one question takes.

    `records` answer about catalogued files, the `book` itself unless others are given; without either only known models
    are found, and without the book no children. `header` gives the metadata of an artifact whose bytes are here.
    """

    book: Book | None = None
    header: Callable[[Artifact], Mapping[str, str]] | None = None
    records: Records | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    _carried: dict[str, list[Edge]] = field(default_factory=dict)
    _called: dict[str, str] = field(default_factory=dict)
    _parents: dict[str, tuple[Link, ...]] = field(default_factory=dict)
    _licences: dict[str, tuple[Licence, ...]] = field(default_factory=dict)
    _merged: dict[str, bool] = field(default_factory=dict)
    _resolved: dict[Parent, tuple[Entry, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.records is None and self.book is not None:
            self.records = Asked(self.book)

    def of_artifact(self, artifact: Artifact) -> Entry:
        """The node of a catalogued file."""
        id_ = artifact.sha256 or f"name:{artifact.name}"
        entry = self._entry(id_, artifact.title or artifact.name)
        entry.artifact, entry.kind, entry.family = artifact, artifact.kind, str(artifact.family)
        entry.known = entry.known or known.by_sha256(id_)
        return entry

    def of_known(self, model: KnownModel) -> Entry:
        """The node of a known model: the catalogued file with its confirmed hash, if there is one."""
        held = self.records.artifact(model.sha256) if self.records and model.confirmed and model.sha256 else None
        if held:
            return self.of_artifact(held)
        entry = self._entry(model.sha256 if model.confirmed and model.sha256 else f"known:{model.id}", model.title)
        entry.known, entry.kind, entry.family = model, model.kind, str(model.family)
        entry.ref = entry.ref or next(iter((*model.aliases, model.id)))
        return entry

    def of_base(self, base: Base, id_: str = "") -> Entry:
        """The node of a base model that is called by its name."""
        entry = self._entry(id_ or f"base:{base.name}", base.name)
        entry.base, entry.kind, entry.family = base, Kind.CHECKPOINT, str(base.family)
        return entry

    def of_bytes(self, sha256: str, title: str = "") -> Entry:
        """The node of these bytes, catalogued, known or neither."""
        if (met := self.entries.get(sha256)) and (met.artifact or met.known):
            return met
        held = self.records.artifact(sha256) if self.records else None
        if held:
            return self.of_artifact(held)
        model = known.by_sha256(sha256)
        if model:
            return self.of_known(model)
        doubtful = next((model for model in known.everything() if model.sha256 == sha256), None)
        maybe = f"{doubtful.title}, if its unconfirmed hash is right" if doubtful else ""
        entry = self._entry(sha256, title or self._called.get(sha256, "") or maybe or f"sha256:{sha256[:12]}…")
        entry.ref = f"sha256:{sha256}"
        return entry

    def absorb(self, metadata: Mapping[str, str]) -> None:
        """Remember what a merge says of the ancestors of its parents."""
        self._called.update(ancestor_names(metadata))
        for child, edge in ancestors(metadata):
            if edge not in self._carried.setdefault(child, []):
                self._carried[child].append(edge)

    def parents(self, id_: str) -> tuple[Link, ...]:
        """The links from a node to its parents; a claim that fits several files gives a link to each of them."""
        if id_ not in self._parents:
            self._parents[id_] = tuple(self._find_parents(self.entries[id_]))[:MOST_LINKS]
        return self._parents[id_]

    def children(self, id_: str) -> tuple[Link, ...]:
        """The links from the catalogued files that name a node as their parent, by more than a name."""
        if self.book is None:
            return ()
        entry = self.entries[id_]
        if entry.artifact and entry.sha256:
            pairs = self.book.children_of(entry.sha256)
            if entry.known:
                pairs = tuple(dict.fromkeys((*pairs, *self.book.children_naming(_spellings(entry)))))
        else:
            pairs = self.book.children_naming(_spellings(entry))
        found = []
        for child, edge in pairs:
            below = self.of_artifact(child)
            if below.id != id_:
                found.append(Link(below.id, id_, edge, max(1, len(self.resolve(edge.parent)))))
        return tuple(found)

    def resolve(self, parent: Parent) -> tuple[Entry, ...]:
        """The nodes that a label can mean: one, or several that it fits equally well. Never none."""
        if parent not in self._resolved:
            self._resolved[parent] = self._find(parent)
        return self._resolved[parent]

    def _find(self, parent: Parent) -> tuple[Entry, ...]:
        found: tuple[Entry, ...] = ()
        match parent.trust:
            case Trust.SHA256:
                digest = Digest.of(DigestKind.SHA256, parent.value.removeprefix("sha256:"))
                found = (self.of_bytes(digest.value),) if digest else ()
            case Trust.SHORT_HASH:
                found = self._by_short_hash(parent.value)
            case Trust.HUB_ID | Trust.CARD:
                found = self._by_card(parent.value)
            case Trust.NAME:
                found = self._by_name(parent.value)
        return found or (self._only_named(parent),)

    def licences(self, id_: str) -> tuple[Licence, ...]:
        """Every licence that is recorded or published for a node."""
        if id_ not in self._licences:
            self._licences[id_] = self._find_licences(self.entries[id_])
        return self._licences[id_]

    def merged(self, id_: str) -> bool:
        """Whether a hub publishes these bytes as a merge."""
        entry = self.entries[id_]
        if id_ not in self._merged:
            catalogued = self.records if entry.artifact and entry.sha256 else None
            self._merged[id_] = catalogued is not None and catalogued.is_merge(entry.sha256)
        return self._merged[id_]

    def _find_licences(self, entry: Entry) -> tuple[Licence, ...]:
        recorded = self.records.licences_of(entry.sha256) if self.records and entry.artifact and entry.sha256 else ()
        published = entry.known.licence if entry.known else entry.base.licence if entry.base else None
        told = [one for one in (*recorded, entry.stated, published) if one and (one.id or one.name or one.allows)]
        return tuple({(one.id, one.name, str(one.allows)): one for one in told}.values())

    def relative(self, id_: str) -> Relative:
        """A node as an answer shows it."""
        entry = self.entries[id_]
        artifact, model = entry.artifact, entry.known
        licences = [licence.name or licence.id for licence in self.licences(id_)]
        return Relative(
            id=id_,
            title=one_line(entry.title, 120),
            presence=self._presence(entry),
            name=artifact.name if artifact else "",
            sha256=entry.sha256,
            kind=entry.kind,
            family="" if entry.family == "unknown" else entry.family,
            ref=f"name:{artifact.name}" if artifact else entry.ref,
            licence=one_line(", ".join(dict.fromkeys(licences)), 200),
            data=model.data if model else "",
        )

    def _presence(self, entry: Entry) -> Presence:
        if entry.artifact:
            here = entry.artifact.stored or (self.records is not None and self.records.is_placed(entry.sha256))
            return Presence.HERE if here else Presence.RECORDED
        return Presence.KNOWN if entry.root and entry.presence is Presence.NAMED else entry.presence

    def _entry(self, id_: str, title: str) -> Entry:
        return self.entries.setdefault(id_, Entry(id_, title))

    def _find_parents(self, entry: Entry) -> Iterable[Link]:
        said = self._taken_apart((*self._recorded(entry), *entry.edges))
        claimed = dict.fromkeys((*said, *self._carried.get(entry.id, ())))
        links = []
        for edge in claimed:
            fits = [one for one in self.resolve(edge.parent) if one.id != entry.id]
            if len(fits) == 1 and fits[0].title in (edge.parent.value, f"sha256:{edge.parent.value[:12]}…"):
                fits[0].title = _label_beside(edge) or fits[0].title
            links += [Link(entry.id, one.id, edge, len(fits)) for one in fits]
        published = known.by_name(entry.known.parent) if entry.known and entry.known.parent else None
        if published and entry.known and entry.known.relation:
            edge = Edge(Parent(Trust.CARD, published.id), entry.known.relation, KNOWN_SOURCE, entry.known.title)
            links.append(Link(entry.id, self.of_known(published).id, edge))
        if not entry.root and all(self._presence(self.entries[link.parent]) is Presence.NAMED for link in links):
            links += self._claimed_base(entry)
        return dict.fromkeys(links)

    def _taken_apart(self, edges: Iterable[Edge]) -> list[Edge]:
        """The claims about the node itself; those it carries about its ancestors are remembered for when they come."""
        own = []
        for edge in edges:
            pair = carried(edge)
            if pair is None:
                own.append(edge)
            elif pair[1] not in self._carried.setdefault(pair[0], []):
                self._carried[pair[0]].append(pair[1])
        return own

    def _recorded(self, entry: Entry) -> tuple[Edge, ...]:
        if not (self.records and entry.artifact and entry.sha256):
            return ()
        if self.header and not entry.read:
            entry.read = True
            self.absorb(self.header(entry.artifact))
        return self.records.parents_of(entry.sha256)

    def _claimed_base(self, entry: Entry) -> list[Link]:
        """The base model that a catalogued file says it belongs to, where no claim about a parent leads anywhere."""
        base = bases.named(entry.artifact.base) if entry.artifact and entry.artifact.base else None
        if base is None or entry.artifact is None:
            return []
        relation = Relation.ADAPTER_FOR if entry.kind in _ADAPTERS else Relation.FINETUNE_OF
        edge = Edge(Parent(Trust.NAME, base.name), relation, "metadata:base", entry.artifact.base)
        return [Link(entry.id, self.of_base(base).id, edge)]

    def _by_short_hash(self, value: str) -> tuple[Entry, ...]:
        kind, _, text = value.partition(":")
        digest = Digest.of(kind, text)
        if digest is None:
            return ()
        held = [self.of_artifact(one) for one in self.records.by_digest(digest)] if self.records else []
        found = [*held, *(self.of_known(model) for model in known.by_short(digest))]
        return tuple({entry.id: entry for entry in found}.values())

    def _by_card(self, value: str) -> tuple[Entry, ...]:
        try:
            ref = parse(value)
        except BadReference:
            return self._by_name(value)
        if not isinstance(ref, CivitaiRef | HfRef):
            return self._by_name(value)
        return self._released(ref) or self._published(ref)

    def _released(self, ref: HubRef) -> tuple[Entry, ...]:
        """The catalogued files of a release, the whole models among them if there are any, kept ones first."""
        if self.records is None:
            return ()
        if isinstance(ref, HfRef):
            model, release = ref.repo, ref.revision or ""
        else:
            model, release = str(ref.model or ""), str(ref.version or "")
        ids = [release] if release else self.records.release_ids(ref.hub, model)
        found = {one.name: one for id_ in ids for one in self.records.by_origin(ref.hub, id_)}
        if isinstance(ref, HfRef):
            found = {name: one for name, one in found.items() if one.origin.startswith(f"hf:{ref.repo}")}
        whole = [one for one in found.values() if one.kind in _WHOLE] or list(found.values())
        kept = [one for one in whole if one.stored] or whole
        return tuple(self.of_artifact(one) for one in kept)

    def _published(self, ref: HubRef) -> tuple[Entry, ...]:
        """A known model of this repository or release. Which file of a repository is meant, a card does not say."""
        exact = next((model for model in known.everything() if str(ref) in model.refs), None)
        if exact:
            return (self.of_known(exact),)
        if not isinstance(ref, HfRef) or ref.path:
            return ()
        id_, base = f"hf:{ref.repo}", bases.named(ref.repo)
        models = known.in_repository(ref.repo)
        models = tuple(model for model in models if model.kind in _WHOLE) or models
        if not models:
            return (self.of_base(base, id_),) if base else ()
        model = next((model for model in models if model.aliases), models[0])
        entry = self._entry(id_, base.name if base else model.title)
        entry.known, entry.kind, entry.family, entry.ref = model, model.kind, str(model.family), id_
        return (entry,)

    def _by_name(self, value: str) -> tuple[Entry, ...]:
        base = bases.named(value)
        if base:
            return (self.of_base(base),)
        model = known.by_name(value)
        found = [self.of_known(one) for one in ((model,) if model else known.by_file_name(value))]
        found += [self.of_artifact(one) for one in self._called_so(value)]
        return tuple({entry.id: entry for entry in found}.values())

    def _called_so(self, value: str) -> tuple[Artifact, ...]:
        """Catalogued files whose catalogue name, file name or title is exactly this."""
        stem = value.rpartition(".")[0] if value.lower().endswith(known.WEIGHTS) else value
        return self.records.called(stem) if self.records else ()

    def _only_named(self, parent: Parent) -> Entry:
        label = parent.value if ":" in parent.value and parent.trust is not Trust.NAME else f"name:{parent.value}"
        entry = self._entry(label, parent.value)
        entry.ref = parent.value if parent.trust is not Trust.NAME and ":" in parent.value else ""
        return entry


def _label_beside(edge: Edge) -> str:
    """The name that stands beside a hash in a claim: a label for the reader, no more."""
    found = _LABEL.search(edge.verbatim)
    if found:
        return (found[1] or found[2]).strip()
    word, _, rest = edge.verbatim.partition(" ")
    return rest.strip() if word and edge.parent.value.endswith(word) else ""


def _spellings(entry: Entry) -> list[str]:
    """What files may call a node that the catalogue holds no row of, or that is known by published references."""
    words = [entry.id]
    if entry.sha256:
        words += [f"sha256:{entry.sha256}", f"autov2:{entry.sha256[:10]}"]
    for ref in entry.known.refs if entry.known else ():
        words.append(ref)
        if ref.startswith("hf:") and entry.kind in _WHOLE:
            words.append("/".join(ref.split("/")[:2]))
    return list(dict.fromkeys(words))
