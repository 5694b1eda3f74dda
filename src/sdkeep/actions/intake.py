"""From a staged file to an artifact of the house: judged, converted, identified, stored, recorded, in that order.

A stop at any byte leaves the old state or the new one: the blob is durable before its rows are written, and an intent
row stands before the blob.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.examine import Examined, examine, examine_fully
from sdkeep.actions.house import House
from sdkeep.actions.intents import STORE, intending
from sdkeep.actions.labels import label
from sdkeep.actions.stores import trash_of
from sdkeep.actions.ways import ways
from sdkeep.audit.report import summary
from sdkeep.formats.convert import ConvertOptions, plan, write_safetensors
from sdkeep.formats.digests import ALL, Hasher
from sdkeep.formats.metadata import edges
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import Digest
from sdkeep.ground.errors import CannotConvert, UnsafeFile
from sdkeep.ground.identity import Confidence, Identity
from sdkeep.ground.kinds import Family, Format, Kind, NsfwLevel, Precision
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import plain, slug
from sdkeep.ground.verdict import Verdict
from sdkeep.store.blobs import Store
from sdkeep.store.names import split_name

LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """What the person allows and wishes: see the flags of `get`. `kept`: the arriving bytes also stay elsewhere."""

    disarm: bool = False
    allow_unsafe: bool = False
    keep_original: bool = False
    kind: Kind | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file in staging that is ours to consume, and all that is known of where it came from."""

    path: Path
    file_name: str
    origin: str = ""
    release: Release | None = None
    file: RemoteFile | None = None
    kind: Kind = Kind.UNKNOWN
    digests: tuple[Digest, ...] = ()
    seen: Examined | None = None
    """What it is, where it was read already since it came into staging."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an arrival: the artifact to place, the pickle it was made from, and the verdict on what came."""

    artifact: Artifact
    verdict: Verdict
    identity: Identity
    original: Artifact | None = None
    tensors: int = 0
    notes: tuple[str, ...] = ()


def take_in(house: House, store: Store, arrival: Arrival, terms: Terms) -> Taken:
    """Judge, convert where it is a pickle with tensors, and keep; raises `UnsafeFile` before anything is stored."""
    seen = arrival.seen or examine_fully(arrival.path, house.report, house.stop, house.allowed, arrival.file_name)
    outcome = seen.verdict.outcome
    if not outcome.placeable and not (terms.disarm or terms.allow_unsafe):
        raise refusal(arrival, seen.verdict)
    if wants_conversion(seen) and (outcome.placeable or terms.disarm):
        try:
            return _converted(house, store, arrival, seen, terms)
        except CannotConvert as error:
            if not outcome.placeable:
                raise
            house.warn(f"`{arrival.file_name}` stays a pickle: {error.what} ({error.why})" if error.why else error.what)
    if not outcome.placeable and not terms.allow_unsafe:
        raise refusal(arrival, seen.verdict)
    kept = keep(house, store, seen, describe(house, arrival, seen, terms), arrival)
    return Taken(kept, seen.verdict, seen.identity, tensors=len(seen.contents.tensors), notes=seen.contents.notes)


def wants_conversion(seen: Examined) -> bool:
    """Whether these are tensors in a pickle, which safetensors would hold better."""
    return seen.contents.container.file_format is Format.PICKLE and bool(seen.contents.tensors)


def refusal(arrival: Arrival, verdict: Verdict) -> UnsafeFile:
    """The error that stops a bad file at the door, with the worst findings and the two ways on."""
    ref = arrival.origin or f"'{arrival.file_name}'"
    verb = "add" if not arrival.release and not arrival.file else "get"
    fits = verdict.outcome.rank >= 3
    word = str(verdict.outcome) if fits else f"not proved safe ({verdict.outcome})"
    way = ways(verdict, ref, tensors=f"sdkeep {verb} {ref} --disarm", as_it_is="`--allow-unsafe` places it as it is")
    return UnsafeFile(f"`{arrival.file_name}` is {word}", summary(verdict), way)


def _converted(house: House, store: Store, arrival: Arrival, seen: Examined, terms: Terms) -> Taken:
    source_facts = describe(house, arrival, seen, terms)
    staged = arrival.path.with_name(f"{seen.sha256}.converted.safetensors")
    staged.unlink(missing_ok=True)
    extra = {"sdkeep.converted_from": f"sha256:{seen.sha256}"}
    if not seen.verdict.outcome.placeable:
        extra["sdkeep.disarmed_from"] = str(seen.verdict.outcome)
    with FileSource(arrival.path) as source:
        planned = plan(seen.contents, ConvertOptions(metadata=extra))
        hasher = Hasher(ALL, planned.size)
        write_safetensors(source, planned, staged, report=house.report, stop=house.stop, hasher=hasher)
    made = replace(examine(staged, house.stop), digests=hasher.finish())  # hashed as it was written, not read again
    if not made.verdict.outcome.placeable:
        raise UnsafeFile(f"the conversion of `{arrival.file_name}` is not clean", summary(made.verdict))
    facts = replace(
        source_facts,
        sha256=made.sha256,
        size=made.size,
        file_name=f"{split_name(arrival.file_name)[0]}.safetensors",
        format=Format.SAFETENSORS,
        digests=made.digests,
    )
    keep_pickle = terms.keep_original and seen.verdict.outcome.placeable
    original_facts = replace(source_facts, name=f"{source_facts.name}-original")
    if keep_pickle:
        original = keep(house, store, seen, original_facts, arrival)
    else:
        original = _write_rows(house, seen, original_facts, arrival, ())
    edge = Edge(Parent(Trust.SHA256, seen.sha256), Relation.CONVERTED_FROM, "sdkeep", seen.verdict.outcome.value)
    kept = keep(house, store, made, facts, arrival, (edge,))
    if not keep_pickle and not terms.kept:  # its row, digests, version id and published hash stay for ever
        why = f"converted to safetensors ({seen.verdict.outcome})"
        trash_of(house, store).throw(arrival.path, why, seen.sha256)
    return Taken(kept, seen.verdict, seen.identity, original, len(made.contents.tensors), seen.contents.notes)


def keep(
    house: House, store: Store, seen: Examined, facts: Artifact, arrival: Arrival, more: tuple[Edge, ...] = ()
) -> Artifact:
    """Commit a staged file to the store and record it with its verdict, its release and its parents."""
    with intending(house, STORE, sha256=seen.sha256, root=str(store.root)):
        store.commit(seen.path, seen.sha256, seen.size)
        with house.book.transaction():
            kept = _write_rows(house, seen, facts, arrival, more)
            house.book.put_blob(seen.sha256, str(store.root), seen.size)
    label(house, store, seen.sha256)
    return replace(kept, stored=True)


def _write_rows(house: House, seen: Examined, facts: Artifact, arrival: Arrival, more: tuple[Edge, ...]) -> Artifact:
    book = house.book
    with book.transaction():
        kept = book.put_artifact(facts)
        book.put_verdict(seen.sha256, seen.verdict, house.now())
        found = (*more, *_claimed(seen, more))
        if claim := claimed_licence(house, seen):
            book.put_licence(seen.sha256, claim)
        release = arrival.release
        if release is not None and release.hub != "web":
            book.put_release(release)
            if arrival.file is not None:
                book.link_file(seen.sha256, release.hub, release.id, arrival.file.id)
            book.put_licence(seen.sha256, release.licence)
            found = (*found, *release.parents)
        if found:
            book.put_edges(seen.sha256, found)
    return kept


def _claimed(seen: Examined, proved: tuple[Edge, ...]) -> list[Edge]:
    """The parents that the file itself names, but for those that we know of better."""
    stands = {(edge.parent, edge.relation) for edge in proved}
    claims = edges(seen.contents.metadata, seen.contents.extras)
    return [edge for edge in claims if (edge.parent, edge.relation) not in stands]


def claimed_licence(house: House, seen: Examined) -> Licence | None:
    """The licence that a file's own metadata claims; it is recorded beside whatever its hub says."""
    stated = seen.identity.claims.licence
    if not stated:
        return None
    return Licence(stated.lower(), stated, source="metadata:modelspec.license", seen=house.now(), verbatim=stated)


def describe(house: House, arrival: Arrival, seen: Examined, terms: Terms) -> Artifact:
    """The artifact's facts: structure first, then what the hub says, then what the person said over all."""
    identity, release = seen.identity, arrival.release
    stem = split_name(arrival.file_name)[0]
    return Artifact(
        sha256=seen.sha256 if seen.digests else None,
        name=_named(stem) or _named(release.model_name if release else "") or _numbered(seen),
        file_name=arrival.file_name,
        size=seen.size,
        kind=_kind(house, arrival, identity, terms),
        family=identity.family
        if identity.family is not Family.UNKNOWN
        else (release.family if release else Family.UNKNOWN),
        base=release.base if release else identity.claims.base,
        variant=identity.variant,
        format=seen.contents.container.file_format,
        precision=identity.precision if identity.precision is not Precision.UNKNOWN else _claimed_precision(arrival),
        algorithm=identity.algorithm,
        title=_title(release) or identity.claims.title,
        trigger_words=release.trigger_words if release and release.trigger_words else identity.claims.trigger_words,
        digests=seen.digests,
        origin=_origin(arrival),
        added=house.now(),
        level=release.level if release else NsfwLevel.PG,
        description=plain(release.description)[:20000] if release else "",
    )


def _numbered(seen: Examined) -> str:
    """A name for what has none: the beginning of its sha256, where that is known."""
    return f"file-{seen.sha256[:8]}" if seen.digests else "file"


def _named(text: str) -> str:
    """A catalogue name made from outside text, no longer than a person would type."""
    return slug(text)[:LONGEST_NAME].strip("-")


def _origin(arrival: Arrival) -> str:
    if arrival.release is None:
        return arrival.origin
    return arrival.release.ref if arrival.release.hub != "web" else arrival.release.page


def _title(release: Release | None) -> str:
    if release is None or release.hub == "web":
        return ""
    return f"{release.model_name} {release.name}".strip() if release.hub == "civitai" else release.model_name


def _claimed_precision(arrival: Arrival) -> Precision:
    return arrival.file.precision if arrival.file else Precision.UNKNOWN


def _kind(house: House, arrival: Arrival, identity: Identity, terms: Terms) -> Kind:
    claimed = (
        arrival.kind
        if arrival.kind is not Kind.UNKNOWN
        else (arrival.release.kind if arrival.release else Kind.UNKNOWN)
    )
    if terms.kind is not None:
        return terms.kind
    sure = identity.confidence in (Confidence.CERTAIN, Confidence.LIKELY) and identity.kind is not Kind.UNKNOWN
    if not sure:
        return claimed if claimed is not Kind.UNKNOWN else identity.kind
    relatives = {Kind.LORA, Kind.LYCORIS}
    if claimed not in (Kind.UNKNOWN, identity.kind) and not {claimed, identity.kind} <= relatives:
        house.warn(
            f"`{arrival.file_name}` is published as {claimed}; its structure says {identity.kind}, and that counts"
        )
    return identity.kind
