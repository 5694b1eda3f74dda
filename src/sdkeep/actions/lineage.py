"""The family tree of a file, both ways, and the base model at its root with the path that proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.actions import local
from sdkeep.actions.batch import Batch, each
from sdkeep.actions.house import House
from sdkeep.actions.kinship import Entry, Kinship, Presence, Relative
from sdkeep.actions.licences import DEPTH, permissions
from sdkeep.actions.walk import Link, Walk, best_path, nearest, walk, within
from sdkeep.formats import known
from sdkeep.formats.ancestry import Scalar
from sdkeep.formats.metadata import edges
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import KeepError
from sdkeep.ground.kinds import Format
from sdkeep.ground.licence import ADVICE, Licence, Permission
from sdkeep.ground.lineage import Parent, Relation, Trust
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import CivitaiRef, DigestRef, HfRef, NameRef, PathRef, WordRef, parse

if TYPE_CHECKING:
    from sdkeep.actions.get import Got

SHOWN_DEPTH = 12
"""Links that a tree is shown for unless asked otherwise."""

_VERBS = {
    Relation.FINETUNE_OF: "fine-tuned from",
    Relation.TRAINED_ON: "trained on",
    Relation.ADAPTER_FOR: "made for",
    Relation.MERGE_OF: "merged from",
    Relation.CONVERTED_FROM: "converted from",
    Relation.PRUNED_FROM: "pruned from",
    Relation.VAE_BAKED_FROM: "holding the VAE of",
    Relation.DISTILLED_FROM: "distilled from",
}


@dataclass(frozen=True, slots=True)
class BaseModel:
    """Which base model a file goes back to. `path` leads there from the file, its weakest link being `weakest`.

    An empty `name` means that nothing says; `others` are further base models that other parents go back to.
    """

    name: str
    id: str
    sentence: str
    path: tuple[Link, ...] = ()
    weakest: Trust | None = None
    others: tuple[str, ...] = ()

    @property
    def proof(self) -> str:
        """How sure it is: by the weakest link of the path."""
        if not self.path:
            return ""
        worst = max(self.path, key=lambda link: link.weakness)
        if worst.weakness == 0:
            told = next((link.edge.source for link in self.path if link.edge.source.startswith("metadata:")), "")
            return f"by SHA-256 all the way, says {told}" if told else "proved by SHA-256"
        fits = f" that fits {worst.candidates} files" if worst.candidates > 1 else ""
        return f"the weakest link is a {worst.edge.parent.trust}{fits}, says {worst.edge.source}"


@dataclass(frozen=True, slots=True)
class Lineage:
    """A family tree: `up` leads from `focus` to everything it was made from, `down` to what was made from it.

    `cut` names nodes behind which more lies than is shown; `missing` are references to parents that are only named and
    can be looked for at the hubs, by hash or by hub id. `permissions` count the whole lineage.
    """

    ref: str
    focus: str
    nodes: tuple[Relative, ...]
    up: tuple[Link, ...]
    down: tuple[Link, ...]
    cut: tuple[str, ...]
    base: BaseModel
    missing: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()
    advice: str = ADVICE

    def node(self, id_: str) -> Relative:
        """The node with this id."""
        return next(node for node in self.nodes if node.id == id_)


def lineage(house: House, text: str, depth: int = SHOWN_DEPTH) -> Lineage:
    """The tree around what `text` names; raises `NotFoundHere`, `Ambiguous` or the hub's errors.

    A file that is not catalogued is hashed, which takes a second for each gigabyte or so.
    """
    kin = Kinship(house.book, lambda artifact: _header_of(house, artifact))
    focus = _subject(house, kin, text)
    above = walk(focus.id, kin.parents, up=True, depth=DEPTH)
    below = walk(focus.id, kin.children, up=False, depth=depth)
    shown = within(above, depth, up=True)
    allowed = permissions(kin, focus.id)
    ids = dict.fromkeys((*shown.distance, *below.distance))
    nodes = {id_: kin.relative(id_) for id_ in ids}
    named = [nodes[id_] for id_ in shown.distance if nodes[id_].presence is Presence.NAMED]
    return Lineage(
        ref=text,
        focus=focus.id,
        nodes=tuple(nodes.values()),
        up=shown.links,
        down=below.links,
        cut=tuple(sorted(shown.cut | below.cut)),
        base=base_of(kin, focus.id, above),
        missing=tuple(dict.fromkeys(node.ref for node in named if node.ref and node.id != focus.id)),
        permissions=allowed,
    )


def base_model(house: House, artifact: Artifact) -> tuple[str, tuple[Permission, ...]]:
    """The base model of a catalogued file in a line, and what may be done with it, from the catalogue alone."""
    kin = Kinship(house.book)
    focus = kin.of_artifact(artifact)
    above = walk(focus.id, kin.parents, up=True, depth=DEPTH)
    return in_short(kin, base_of(kin, focus.id, above)), permissions(kin, focus.id)


def base_by_metadata(title: str, metadata: Mapping[str, str], extras: Mapping[str, Scalar]) -> str:
    """The base model that a file's own words lead to, in a line, with no catalogue and no hash; empty when to none."""
    kin = Kinship()
    entry = kin.entries.setdefault("file:", Entry("file:", title))
    kin.absorb(metadata)
    entry.edges = edges(metadata, extras)
    base = base_of(kin, entry.id, walk(entry.id, kin.parents, up=True, depth=DEPTH))
    return in_short(kin, base) if base.name else ""


def base_of(kin: Kinship, id_: str, above: Walk) -> BaseModel:
    """The base model that a walk upwards leads to over the strongest claims."""
    entry = kin.entries[id_]
    if entry.root:
        proved = bool(entry.artifact) or entry.presence is Presence.HERE
        how = ", as its SHA-256 proves" if proved else ""
        return BaseModel(entry.title, id_, f"it is {entry.title}{how}{_goes_back(entry)}")
    links = [link for link in above.links if link.edge.relation is not Relation.VAE_BAKED_FROM]
    goals = {node for node in above.distance if kin.entries[node].root}
    path = best_path(id_, links, goals)
    if not path:
        return BaseModel("", "", _nothing_known(entry, bool(links)))
    end = kin.entries[path[-1].parent]
    others = dict.fromkeys(kin.entries[node].title for node in nearest(id_, links, goals))
    sentence = f"{end.title}: " + ", ".join(_said(kin, link) for link in path) + _goes_back(end)
    worst = max(path, key=lambda link: link.weakness).edge.parent.trust
    found = BaseModel(end.title, end.id, sentence, path, worst, tuple(one for one in others if one != end.title))
    return replace(found, sentence=f"{sentence}; {found.proof}")


def in_short(kin: Kinship, base: BaseModel) -> str:
    """The answer with the names on the way and how sure it is, for one line."""
    if not base.path:
        return base.sentence
    through = ", ".join(kin.entries[link.parent].title for link in base.path[:-1])
    return f"{base.name}" + (f", through {through}" if through else "") + f"; {base.proof}"


def fetch_missing(house: House, shown: Lineage, *, dry_run: bool) -> Batch[Got]:
    """Fetch the unresolved parents as `get` would."""
    from sdkeep.actions.get import GetRequest, get

    return each(shown.missing, lambda ref: get(house, ref, GetRequest(dry_run=dry_run)))


def _said(kin: Kinship, link: Link) -> str:
    parent = kin.entries[link.parent]
    return f"{_VERBS[link.edge.relation]} {parent.title} ({link.edge.parent.trust}, says {link.edge.source})"


def _goes_back(entry: Entry) -> str:
    line = [model.title for model in known.ancestry(entry.known)] if entry.known else []
    return f", which goes back to {', '.join(line)}" if line else ""


def _nothing_known(entry: Entry, parents: bool) -> str:
    family = entry.family if entry.family not in ("", "unknown") else ""
    why = "no parent of it leads to a known base model" if parents else "nothing says what it was made from"
    return f"not known: {why}" + (f"; by its structure it is {family}" if family else "")


def _subject(house: House, kin: Kinship, text: str) -> Entry:
    """The node that a reference names: a file here, a catalogued file, a known model, what a hub publishes."""
    ref = parse(text)
    path = local.existing_path(ref)
    found = local.artifacts(house, text)
    if len(found) == 1:
        return kin.of_artifact(found[0])
    if len(found) > 1:
        return kin.of_artifact(local.artifact(house, text))
    match ref:
        case NameRef(word) | WordRef(word) if model := known.by_name(word):
            return kin.of_known(model)
        case DigestRef(digest) if named := _by_digest(kin, str(digest)):
            return named
        case CivitaiRef() | HfRef():
            return _at_hub(house, kin, ref)
        case PathRef() | WordRef() if path is not None and path.is_file():
            return _on_disk(house, kin, path)
        case WordRef(word) if len(word) == 64 and (named := _by_digest(kin, f"sha256:{word}")):
            return named
        case _:
            raise local.missing(house, text)


def _by_digest(kin: Kinship, label: str) -> Entry | None:
    """A node that is not catalogued, if it is known or catalogued files name it as their parent."""
    trust = Trust.SHA256 if label.startswith("sha256:") else Trust.SHORT_HASH
    found = kin.resolve(Parent(trust, label))
    alone = found[0] if len(found) == 1 else None
    return alone if alone and (alone.root or kin.children(alone.id)) else None


def _on_disk(house: House, kin: Kinship, path: Path) -> Entry:
    from sdkeep.actions.examine import examine
    from sdkeep.formats.digests import digest_file

    seen = examine(path, house.stop)
    kinds = frozenset({DigestKind.SHA256})
    sha256 = digest_file(path, kinds, report=house.report, stop=house.stop)[0].value
    kin.absorb(seen.contents.metadata)
    entry = kin.of_bytes(sha256, path.name)
    if entry.artifact is None and entry.known is None:
        entry.kind, entry.family = seen.identity.kind, str(seen.identity.family)
    entry.presence = Presence.HERE
    claimed = seen.identity.claims.licence
    entry.edges = edges(seen.contents.metadata, seen.contents.extras)
    entry.stated = Licence(id=claimed.lower(), name=claimed, source="metadata:modelspec.license") if claimed else None
    return entry


def _at_hub(house: House, kin: Kinship, ref: CivitaiRef | HfRef) -> Entry:
    label = Parent(Trust.HUB_ID, str(ref))
    found = kin.resolve(label)
    if len(found) == 1 and found[0].root:
        return found[0]
    hub = house.hub(ref.hub)
    exact = isinstance(ref, HfRef) or ref.version is not None
    release = hub.release(ref) if exact else hub.model(ref).releases[0]
    entry = kin.entries.setdefault(release.ref, Entry(release.ref, f"{release.model_name} {release.name}".strip()))
    entry.kind, entry.family, entry.ref = release.kind, str(release.family), release.ref
    entry.edges, entry.stated, entry.presence = release.parents, release.licence, Presence.PUBLISHED
    return entry


def _header_of(house: House, artifact: Artifact) -> Mapping[str, str]:
    """The metadata in a catalogued safetensors file; nothing when its bytes are not here or cannot be read."""
    from sdkeep.actions.stores import bytes_of
    from sdkeep.formats.safetensors import read_header
    from sdkeep.formats.source import FileSource

    if artifact.format is not Format.SAFETENSORS:
        return {}
    try:
        with FileSource(bytes_of(house, artifact)) as source:
            return read_header(source).metadata
    except KeepError:
        return {}
