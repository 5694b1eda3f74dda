"""For WebUIs that list a kind only as a pickle: a fresh torch zip of tensors and primitives, checked by our scan."""

from __future__ import annotations

from dataclasses import replace

from sdkeep.actions.examine import examine, examine_fully
from sdkeep.actions.house import House
from sdkeep.actions.intents import STORE, intending
from sdkeep.actions.stores import bytes_of, store_near
from sdkeep.audit.report import summary
from sdkeep.formats.cleanpt import write_clean_pt
from sdkeep.formats.convert import ConvertOptions, plan
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import UnsafeFile
from sdkeep.ground.kinds import Format
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.record import Artifact
from sdkeep.store.names import split_name


def clean_pickle_of(house: House, artifact: Artifact, extension: str) -> Artifact:
    """The artifact that holds the same tensors as a clean torch zip, made now unless it was made before."""
    made = _made_before(house, artifact, extension)
    if made is not None:
        return made
    path = bytes_of(house, artifact)
    store = store_near(house, path)
    staged = store.staging / f"{artifact.sha256}.clean{extension}"
    staged.unlink(missing_ok=True)
    seen = examine(path, house.stop)
    with FileSource(path) as source:
        write_clean_pt(source, plan(seen.contents, ConvertOptions()), staged, report=house.report, stop=house.stop)
    clean = examine_fully(staged, house.report, house.stop)
    if not clean.verdict.outcome.placeable:
        raise UnsafeFile(f"the clean copy of `{artifact.name}` is not clean", summary(clean.verdict))
    facts = replace(
        artifact,
        sha256=clean.sha256,
        name=f"{artifact.name}-{extension[1:]}",
        file_name=split_name(artifact.file_name)[0] + extension,
        size=clean.size,
        format=Format.PICKLE,
        digests=clean.digests,
        stored=False,
    )
    with intending(house, STORE, sha256=clean.sha256, root=str(store.root)):
        store.commit(staged, clean.sha256, clean.size)
        with house.book.transaction():
            kept = house.book.put_artifact(facts)
            house.book.put_blob(clean.sha256, str(store.root), clean.size)
            house.book.put_verdict(clean.sha256, clean.verdict)
            parent = Parent(Trust.SHA256, artifact.sha256 or "")
            house.book.put_edges(clean.sha256, (Edge(parent, Relation.CONVERTED_FROM, "sdkeep", f"clean {extension}"),))
    return replace(kept, stored=True)


def _made_before(house: House, artifact: Artifact, extension: str) -> Artifact | None:
    for child, edge in house.book.children_of(artifact.sha256 or ""):
        if edge.relation is Relation.CONVERTED_FROM and child.file_name.endswith(extension) and child.stored:
            return child
    return None
