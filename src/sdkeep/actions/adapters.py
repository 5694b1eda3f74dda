"""New adapters out of old ones and out of models: extracted, resized, merged, renamed; embeddings merged."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.actions.house import House
from sdkeep.actions.ingredients import Ingredient, check_output, hashed, located
from sdkeep.actions.merge import MergeParent, check_engine
from sdkeep.actions.placing import Placed
from sdkeep.ground.errors import NotPlaceable, UsageError
from sdkeep.store.names import split_name

if TYPE_CHECKING:
    from sdkeep.merge.adapters.combining import Limits
    from sdkeep.merge.adapters.embeddings import Way
    from sdkeep.merge.adapters.extracting import Extraction
    from sdkeep.merge.adapters.opened import Opened
    from sdkeep.merge.adapters.renaming import Target
    from sdkeep.merge.adapters.saving import Made

SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the result goes: the file `out`, else the store under `name` and the WebUIs `uis`."""

    out: Path | None = None
    name: str = ""
    uis: tuple[str, ...] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class MadeAdapter:
    """An adapter or embedding that was made, or would be. `rank` is the largest of its `layers`, 0 without factors.

    `lost` is the share (Frobenius norm) of the changes that the ranks leave out; empty `path` in a dry run.
    """

    path: str
    name: str
    sha256: str
    size: int
    tensors: int
    layers: int
    rank: int
    lost: float
    parents: tuple[MergeParent, ...]
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    placed: tuple[Placed, ...] = ()


def extract(house: House, tuned: str, original: str, options: Extraction, to: Destination) -> MadeAdapter:
    """A LoRA of what was added to `original` to make `tuned`."""
    check_engine()
    from sdkeep.merge.adapters.extracting import extract as work
    from sdkeep.merge.adapters.saving import Origin

    with _Files(house, (tuned, original), to) as files:
        first, second = files.opened
        family = first.family
        said = {"rank": _ruled(options.linear), "conv_rank": _ruled(options.conv), "seed": options.seed}
        origin = Origin(files.record("lora extract", ("tuned", "original"), said), family)
        made = work(first, second, options, origin, report=house.report, stop=house.stop)
        return files.finish(made, f"{files.stem(0)}-lora")


def resize(house: House, ref: str, limits: Limits, dtype: str, to: Destination) -> MadeAdapter:
    """An adapter as a plain LoRA of smaller ranks."""
    check_engine()
    from sdkeep.merge.adapters.baking import Baking
    from sdkeep.merge.adapters.combining import combine
    from sdkeep.merge.adapters.saving import Origin

    with _Files(house, (ref,), to) as files:
        (file,) = files.opened
        said = {"rank": _ruled(limits.linear), "conv_rank": _ruled(limits.conv)}
        origin = Origin(files.record("lora resize", ("source",), said), file.family)
        baking = Baking(file.name, file.adapter(), file.tensors)
        made = combine((baking,), limits, origin, dtype=dtype, report=house.report, stop=house.stop)
        kept = {key: text for key, text in file.metadata.items() if not key.startswith("sdkeep.")}
        made = replace(made, metadata={**kept, **made.metadata})
        return files.finish(_told(made, baking.adapter.leftovers, file.name), f"{files.stem(0)}-resized")


def merge(house: House, refs: Sequence[str], limits: Limits, dtype: str, to: Destination) -> MadeAdapter:
    """Several adapters as one, each `REF[:STRENGTH]`; exact without limits."""
    check_engine()
    from sdkeep.merge.adapters.baking import Baking
    from sdkeep.merge.adapters.combining import combine
    from sdkeep.merge.adapters.saving import Origin
    from sdkeep.merge.draft import adapter_of
    from sdkeep.weights.adapters.strengths import strength_of

    asked = [adapter_of(ref) for ref in refs]
    strengths = [strength_of(one.strength) for one in asked]
    if len(asked) < 2:
        raise UsageError("one adapter alone is merged already", "two or more become one", "name another adapter")
    with _Files(house, tuple(one.ref for one in asked), to) as files:
        bakings = [
            Baking(file.name, file.adapter(), file.tensors, strength)
            for file, strength in zip(files.opened, strengths, strict=True)
        ]
        said = {
            "rank": _ruled(limits.linear),
            "conv_rank": _ruled(limits.conv),
            "strengths": [one.strength for one in asked],
        }
        weights = [one.unet if one.unet == one.text and not one.blocks else None for one in strengths]
        origin = Origin(files.record("lora merge", ("merged",) * len(asked), said, weights), files.opened[0].family)
        made = combine(bakings, limits, origin, dtype=dtype, report=house.report, stop=house.stop)
        left = [key for baking in bakings for key in baking.adapter.leftovers]
        return files.finish(_told(made, left, ""), "-".join(files.stem(at) for at in range(len(asked)))[:80])


def convert(house: House, ref: str, target: Target, to: Destination) -> MadeAdapter:
    """The same adapter in other names."""
    check_engine()
    from sdkeep.merge.adapters.renaming import rename

    with _Files(house, (ref,), to) as files:
        (file,) = files.opened
        made = rename(file.adapter(), file.tensor, file.metadata, target)
        record = _json(files.record("lora convert", ("source",), {"to": str(target)}))
        made = replace(made, metadata={**made.metadata, "sdkeep.made_by": record})
        return files.finish(made, f"{files.stem(0)}-{target}")


def merge_embeddings(
    house: House, refs: Sequence[str], way: Way, weights: Sequence[float], to: Destination
) -> MadeAdapter:
    """Several embeddings as one."""
    check_engine()
    from sdkeep.merge.adapters.embeddings import embedding_of
    from sdkeep.merge.adapters.embeddings import merge as work

    if len(refs) < 2:
        raise UsageError("one embedding alone is merged already", "two or more become one", "name another embedding")
    with _Files(house, tuple(refs), to) as files:
        found = [embedding_of(file.name, file.shapes, file.tensor) for file in files.opened]
        made = work(found, way, weights)
        share = list(weights) if weights else [1 / len(found) if way == "average" else None] * len(found)
        record = files.record("embedding merge", ("merged",) * len(found), {"how": str(way)}, share)
        made = replace(made, metadata={"sdkeep.made_by": _json(record)})
        return files.finish(made, "-".join(files.stem(at) for at in range(len(found)))[:80])


class _Files:
    """The files that something is made of, open for as long as the block lasts."""

    def __init__(self, house: House, refs: tuple[str, ...], to: Destination) -> None:
        self._house = house
        self._to = to
        self._stack = ExitStack()
        if to.out is not None:
            check_output(to.out, refs)
        found = located(house, refs, dry_run=to.dry_run)
        self.found: tuple[Ingredient, ...] = found if to.dry_run else hashed(house, found)
        self.opened: list[Opened] = []

    def __enter__(self) -> _Files:
        from sdkeep.merge.adapters.opened import Opened

        try:
            for one in self.found:
                self.opened.append(self._stack.enter_context(Opened(one.path, self._house.stop, one.name)))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self._stack.close()

    def stem(self, place: int) -> str:
        """The name of a file without its suffix."""
        return split_name(self.found[place].name)[0]

    def record(
        self, verb: str, roles: Sequence[str], options: object, weights: Sequence[float | None] = ()
    ) -> dict[str, object]:
        """How the result was made, without local paths."""
        parents: list[dict[str, object]] = []
        for place, (one, role) in enumerate(zip(self.found, roles, strict=True)):
            weight = weights[place] if place < len(weights) else None
            more = {} if weight is None else {"weight": weight}
            parents.append({"name": one.name, "role": role, "sha256": one.sha256, **more})
        return {"verb": verb, "parents": parents, "options": options}

    def finish(self, made: Made, stem: str) -> MadeAdapter:
        """Write the result where it was asked for."""
        from sdkeep.merge.adapters.saving import write

        for note in made.notes:
            self._house.warn(note)
        house, to = self._house, self._to
        parents = tuple(MergeParent(one.ref, one.name, one.sha256) for one in self.found)
        answer = MadeAdapter(
            "", "", "", made.size, len(made.tensors), len(made.ranks), made.rank, made.lost, parents, to.dry_run,
            made.notes,
        )  # fmt: skip
        if to.dry_run:
            return answer
        if to.out is not None:
            size = write(made, to.out, report=house.report, stop=house.stop)
            return replace(answer, path=str(to.out), size=size)
        return _stored(house, made, to, f"{to.name or stem}{SUFFIX}", answer)


def _stored(house: House, made: Made, to: Destination, file_name: str, answer: MadeAdapter) -> MadeAdapter:
    """Into the store as any file, its edges recorded, then into the WebUIs."""
    from sdkeep.actions.intake import Arrival, Terms, take_in
    from sdkeep.actions.placing import Placing, place_everywhere, targets
    from sdkeep.actions.stores import store_near
    from sdkeep.merge.adapters.saving import hashed as with_hashes
    from sdkeep.merge.adapters.saving import write

    chosen = targets(house, to.uis)
    store = store_near(house, Path(chosen[0].root) if chosen else None)
    digest = with_hashes(made.tensors, made.metadata)["sshs_model_hash"]
    staged = store.staging / f"made-{digest[:16]}{SUFFIX}"
    staged.unlink(missing_ok=True)
    try:
        size = write(made, staged, report=house.report, stop=house.stop)
        artifact = take_in(house, store, Arrival(staged, file_name), Terms()).artifact
    finally:
        staged.unlink(missing_ok=True)
    placed: tuple[Placed, ...] = ()
    try:
        placed = place_everywhere(house, artifact, to.uis, Placing())
    except NotPlaceable as error:
        house.warn(f"`{artifact.file_name}` is in the store and not placed: {error.what} ({error.why})")
    path, sha256 = str(store.path_of(artifact.sha256 or "")), artifact.sha256 or ""
    return replace(answer, path=path, name=artifact.name, sha256=sha256, size=size, placed=placed)


def _ruled(rule: object) -> str:
    return "" if rule is None else str(rule)


def _json(record: dict[str, object]) -> str:
    import json

    return json.dumps(record, sort_keys=True, separators=(",", ":"))


def _told(made: Made, leftovers: Sequence[str], name: str) -> Made:
    """The same with a note of the keys that were left out."""
    if not leftovers:
        return made
    some = ", ".join(list(leftovers)[:5]) + (", ..." if len(leftovers) > 5 else "")
    where = f" of `{name}`" if name else ""
    return replace(made, notes=(*made.notes, f"{len(leftovers)} keys{where} that no adapter has are left out: {some}"))
