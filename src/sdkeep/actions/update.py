"""Fetch the newer releases of what is here: beside the old files, or instead of them under the names that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sdkeep.actions import local
from sdkeep.actions.busy import UPDATES, alone, busy
from sdkeep.actions.get import FileAnswer, GetRequest, get
from sdkeep.actions.house import House
from sdkeep.actions.intents import UPDATE, settle
from sdkeep.actions.outdated import Newer, outdated
from sdkeep.actions.replacing import Replaced, replace_everywhere
from sdkeep.ground.errors import InUse, KeepError, NotFoundHere
from sdkeep.ground.kinds import Access
from sdkeep.ground.record import Artifact, IntentState, Location, Method
from sdkeep.hubs.choose import Wish


@dataclass(frozen=True, slots=True)
class Update:
    """One file and what became of it. `placed` are the paths of the new one, `kept` those of the old that stay.

    `trash` are the entries that bring the old one back.
    """

    name: str
    here: str
    newer: str
    ref: str
    size: int | None
    new_name: str = ""
    placed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    trash: tuple[str, ...] = ()
    done: bool = False


def planned(house: House, refs: Sequence[str], *, early: bool) -> tuple[tuple[Newer, ...], list[tuple[str, KeepError]]]:
    """What can be fetched: of all that is outdated, what no one holds and nothing stands before."""
    found = outdated(house, refs, early=early)
    open_now = (Access.FREE, Access.LOGIN, Access.UNKNOWN, *((Access.EARLY, Access.PAID) if early else ()))
    return tuple(one for one in found.newer if Access.of(one.access) in open_now), list(found.failures)


def as_plan(one: Newer) -> Update:
    """A line of the plan."""
    return Update(one.name, one.here, one.newer, one.ref, one.size)


def update(house: House, newer: Newer, *, instead: bool) -> Update:
    """Fetch one newer release and place it where the old one is; `instead` sends the old one to the trash."""
    old = local.artifact(house, f"name:{newer.name}")
    old, places = _placed_form(house, old)
    uis = tuple(dict.fromkeys(one.ui for one in places if one.ui and one.method is not Method.IN_PLACE))
    request = GetRequest(wish=_wish(house, old), uis=() if instead else uis)
    if not instead:
        answer = _same_kind(get(house, newer.ref, request).files, old)
        placed = tuple(one.path for one in answer.placed)
        return replace(as_plan(newer), new_name=answer.name, placed=placed, done=True)
    new, replaced = _instead(house, newer, old, request)
    if replaced.kept:
        why = f"the new one is in the store as `{new.name}`"
        house.warn(f"`{replaced.kept[0]}` is not sdkeep's own file or was changed, and stays; {why}")
    return replace(
        as_plan(newer),
        new_name=new.name,
        placed=replaced.placed,
        kept=replaced.kept,
        trash=replaced.trash,
        done=True,
    )


def resume(house: House) -> None:
    """Finish the updates that a crash interrupted once the newer file was there: `outdated` sees nothing of them."""
    waiting = house.book.open_intents()
    if not any(one.action == UPDATE for one in waiting) or busy(house, UPDATES) or busy(house):
        return
    for intent in reversed(waiting):  # the steps of an update before the update
        sentence = settle(house, intent)
        if intent.action == UPDATE:
            house.say(f"an interrupted update was taken up: {sentence}")


def _instead(house: House, newer: Newer, old: Artifact, request: GetRequest) -> tuple[Artifact, Replaced]:
    """Fetch and replace under one intent, which a stop leaves open: whoever finds it goes on."""
    with alone(house, what=UPDATES):
        intent = house.book.begin_intent(UPDATE, {"old": old.sha256 or "", "ref": newer.ref})
        try:
            answer = _same_kind(get(house, newer.ref, request).files, old)
            new = local.artifact(house, f"sha256:{answer.sha256}")
            replaced = replace_everywhere(house, old, new)
        except InUse:
            raise  # the newer file may be here already: the next `update` goes on
        except KeepError:
            house.book.close_intent(intent.id, IntentState.UNDONE)
            raise
        house.book.close_intent(intent.id, IntentState.DONE)
    return new, replaced


def _placed_form(house: House, artifact: Artifact) -> tuple[Artifact, tuple[Location, ...]]:
    """What stands in the WebUIs for a published file: itself, or what it was converted into."""
    places = house.book.locations_of(artifact.sha256 or "")
    if places or artifact.stored:
        return artifact, places
    for child, edge in house.book.children_of(artifact.sha256 or ""):
        if edge.relation == "converted-from" and (child.stored or house.book.locations_of(child.sha256 or "")):
            return child, house.book.locations_of(child.sha256 or "")
    return artifact, places


def _wish(house: House, old: Artifact) -> Wish:
    """The same precision and extent as the old file, where the new release has them."""
    release = house.book.release_of(old.sha256 or "")
    file = next((f for f in release.files if f.sha256 and f.sha256.value == old.sha256), None) if release else None
    return Wish(precision=file.precision, extent=file.extent) if file else Wish()


def _same_kind(files: Sequence[FileAnswer], old: Artifact) -> FileAnswer:
    found = next((one for one in files if one.kind is old.kind), next(iter(files), None))
    if found is None:
        raise NotFoundHere(
            f"the newer release of `{old.name}` has no file to take", "", f"`sdkeep show name:{old.name}`"
        )
    return found
