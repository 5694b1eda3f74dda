"""Which blob root serves which volume: hard links need the blob on the same volume as the WebUI's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdkeep.store import platform

NAME = "sdkeep-store"


@dataclass(frozen=True, slots=True)
class RootChoice:
    """The root to use. `links` is False where placing will need symbolic links or copies; `why` is for a person."""

    path: Path
    links: bool
    why: str


def root_for(target: Path, registered: Sequence[Path], anchors: Sequence[Path], home: Path) -> RootChoice:
    """The blob root for files to be placed in `target`.

    A registered root on the volume comes first, then the home's own. Else a new one is put beside the first of the
    `anchors` (roots of registered WebUIs, in order) on that volume, else beside `target` itself; where no such place
    can be written, the home's root serves, across volumes.
    """
    for root in registered:
        if platform.same_volume(root, target):
            return RootChoice(root, True, f"the store `{root}` is on the same volume")
    own = home / "store"
    if platform.same_volume(home, target):
        return RootChoice(own, True, "the home is on the same volume")
    for anchor in (*anchors, target):
        beside = anchor.absolute().parent
        if platform.same_volume(beside, target) and platform.may_write(beside):
            return RootChoice(beside / NAME, True, f"beside `{anchor}`, on the same volume")
    return RootChoice(own, False, f"`{target}` is on another volume that has no place for a store")
