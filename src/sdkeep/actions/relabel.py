"""Change what a file says of itself: always a new file with the same tensors, never the old one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions import local
from sdkeep.actions.drift import has_changed
from sdkeep.actions.examine import Examined, examine
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, keep
from sdkeep.actions.stores import bytes_of, store_near
from sdkeep.formats.contents import Container
from sdkeep.formats.digests import ALL, Hasher, digest_file
from sdkeep.formats.metadata import claims
from sdkeep.formats.relabel import EDITED_FROM, Edit, relabelled, write_relabelled
from sdkeep.formats.safetensors import read_header
from sdkeep.formats.sniff import sniff
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import CannotConvert, NotFoundHere, UsageError, WouldOverwrite
from sdkeep.ground.identity import MetadataClaims
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import parse
from sdkeep.store.platform import private_name


@dataclass(frozen=True, slots=True)
class Change:
    """One key: its text before and after, None where it is absent."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Relabelled:
    """What an edit came to. `path` is where the new file lies, empty when nothing was written.

    `name` is the new file's catalogue name, empty for a file outside the catalogue; `edited_from` the SHA-256 of the
    file that was edited.
    """

    source: str
    changes: tuple[Change, ...]
    path: str = ""
    name: str = ""
    sha256: str = ""
    edited_from: str = ""
    size: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    path: Path
    sha256: str
    before: dict[str, str]
    after: dict[str, str]
    answer: Relabelled


def relabel(house: House, text: str, edit: Edit, out: Path | None = None, *, dry_run: bool = False) -> Relabelled:
    """Write the file that `text` names anew under edited metadata: to `out`, else into the store.

    Raises `CannotConvert` for what is no safetensors file, `WouldOverwrite`, and the errors of finding the file.
    """
    artifact = local.artifact(house, text) if local.artifacts(house, text) else None
    plan = _plan(house, text, artifact, edit)
    idle = dry_run or not plan.answer.changes
    if out is not None:
        target = _target(out, artifact.file_name if artifact else plan.path.name)
        return plan.answer if idle else _to_file(house, plan, target)
    if artifact is None:
        raise UsageError(
            f"`{text}` is not in the catalogue",
            "a file that is edited is never changed in place, so the new one needs a name",
            f"`-o FILE`, or `sdkeep add '{plan.path}'` first",
        )
    return plan.answer if idle else _to_store(house, plan, artifact)


def _plan(house: House, text: str, artifact: Artifact | None, edit: Edit) -> _Plan:
    path = bytes_of(house, artifact) if artifact else local.existing_path(parse(text))
    if path is None or not path.is_file():
        raise local.missing(house, text)
    if has_changed(house.book.location_at(str(path.absolute()))):
        raise NotFoundHere(
            f"`{path}` changed since it was catalogued", "its record is of other bytes", f"`sdkeep verify '{path}'`"
        )
    with FileSource(path) as source:
        if sniff(source) is not Container.SAFETENSORS:
            raise CannotConvert(
                f"the metadata of `{path.name}` cannot be set",
                "only safetensors files have a place for it that every program reads",
                f"`sdkeep convert {artifact.name if artifact else repr(str(path))}` first",
            )
        before = read_header(source).metadata
    after, notes = relabelled(before, edit)
    keys = dict.fromkeys((*before, *after))
    changes = tuple(Change(k, before.get(k), after.get(k)) for k in keys if before.get(k) != after.get(k))
    sha256 = (artifact.sha256 if artifact else "") or ""
    answer = Relabelled(artifact.name if artifact else str(path), changes, edited_from=sha256, notes=notes)
    return _Plan(path, sha256, before, after, answer)


def _target(out: Path, file_name: str) -> Path:
    target = out / file_name if out.is_dir() else out
    if target.exists() or target.is_symlink():
        raise WouldOverwrite(f"`{target}` exists already", "nothing is overwritten", "choose another name with `-o`")
    return target


def _to_file(house: House, plan: _Plan, target: Path) -> Relabelled:
    sha256 = plan.sha256 or next(
        one.value
        for one in digest_file(plan.path, frozenset({DigestKind.SHA256}), report=house.report, stop=house.stop)
    )
    made = _written(house, plan, sha256, target)
    return replace(plan.answer, path=str(target), sha256=made.sha256, size=made.size, edited_from=sha256)


def _to_store(house: House, plan: _Plan, artifact: Artifact) -> Relabelled:
    store = store_near(house, plan.path)
    staged = store.staging / private_name("edit", ".safetensors")
    try:
        made = _written(house, plan, plan.sha256, staged)
        keys = ", ".join(change.key for change in plan.answer.changes)
        edge = Edge(Parent(Trust.SHA256, plan.sha256), Relation.CONVERTED_FROM, "sdkeep", keys[:500], method="metadata")
        facts = replace(_facts(artifact, made, claims(plan.before)), added=house.now())
        kept = keep(house, store, made, facts, Arrival(staged, artifact.file_name, artifact.origin), (edge,))
    finally:
        staged.unlink(missing_ok=True)
    return replace(
        plan.answer, path=str(store.path_of(made.sha256)), name=kept.name, sha256=made.sha256, size=made.size
    )


def _written(house: House, plan: _Plan, sha256: str, out: Path) -> Examined:
    with FileSource(plan.path) as source:
        hasher = Hasher(ALL)
        header = replace(read_header(source), metadata=plan.after | {EDITED_FROM: f"sha256:{sha256}"})
        write_relabelled(source, header, out, report=house.report, stop=house.stop, hasher=hasher)
    return replace(examine(out, house.stop), digests=hasher.finish())


def _facts(artifact: Artifact, made: Examined, before: MetadataClaims) -> Artifact:
    """What is recorded of the file that was edited, but for what the new metadata says differently."""
    now = made.identity.claims
    return replace(
        artifact,
        sha256=made.sha256,
        name=f"{artifact.name}-edited",
        size=made.size,
        title=now.title if now.title != before.title else artifact.title,
        trigger_words=now.trigger_words if now.trigger_words != before.trigger_words else artifact.trigger_words,
        base=now.base if now.base and now.base != before.base else artifact.base,
        digests=made.digests,
        stored=False,
    )
