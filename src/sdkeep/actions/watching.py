"""Keep the catalogue in step while the folders change: the file system says when to look, `sync` does the looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.actions.folders import PASSED_OVER
from sdkeep.actions.house import House
from sdkeep.actions.paths import WEIGHT_FILES
from sdkeep.actions.sync import Synced, SyncRequest, apply, plan, watched
from sdkeep.ground.errors import KeepError, NotFoundHere, UsageError

if TYPE_CHECKING:
    from watchfiles import Change

QUIET_MS = 1500
"""A folder is looked at once nothing in it has changed for this long: downloads write for a while."""

_TICK_MS = 500


def watch(house: House, request: SyncRequest, ready: Callable[[], None] = lambda: None) -> Iterator[Synced]:
    """Sync now, then again after every change, until stopped; what each round did, where it did anything.

    Network folders tell nothing of what others write there: WATCHFILES_FORCE_POLLING=true looks instead of listening.
    """
    try:
        import watchfiles
    except ImportError as error:
        raise UsageError("`--watch` needs watchfiles", str(error), "`pip install watchfiles`") from error
    folders = [path for path in watched(house) if path.is_dir()]
    if not folders:
        raise NotFoundHere(
            "there is nothing to watch", "no WebUI is registered and no folder adopted", "`sdkeep ui detect`"
        )
    rounds = watchfiles.watch(
        *folders,
        watch_filter=_matters,
        debounce=QUIET_MS,
        rust_timeout=_TICK_MS,
        yield_on_timeout=True,
        recursive=True,
        ignore_permission_denied=True,
    )
    with_first = True
    ready()
    for changes in rounds:
        house.stop.check()
        if not changes and not with_first:
            continue
        with_first = False
        try:
            found = plan(house, request)
            if found.changes or found.waiting:
                yield apply(house, found, request)
        except KeepError as error:  # a drive that goes away must not end the watch
            house.warn(f"{error.what}: {error.why}" if error.why else error.what)


def _matters(_change: Change, path: str) -> bool:
    """Whether a change of this path can change what is on record: models do, and folders that come and go."""
    found = Path(path)
    if PASSED_OVER & set(found.parts) or found.name.startswith(".sdkeep-"):
        return False
    return found.suffix.lower() in WEIGHT_FILES or not found.suffix or found.is_dir()
