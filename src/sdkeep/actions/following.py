"""What we wrote beside a file goes where a person moved the file; what was edited since is theirs and stays."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from sdkeep.actions.companions import write_beside
from sdkeep.actions.drift import recorded_as
from sdkeep.actions.folders import Seen
from sdkeep.actions.house import House
from sdkeep.actions.placing import Placing
from sdkeep.ground.errors import KeepError, WouldOverwrite
from sdkeep.ground.record import Location, Sidecar
from sdkeep.layouts.folders import Installed
from sdkeep.layouts.writing import write_new
from sdkeep.store.trouble import told


def follow(house: House, moved: Location, seen: Seen, found: Installed | None) -> None:
    """Bring the sidecars of a placement from beside `moved` to where it is `seen` now; `found` is the WebUI there.

    Done before the move is recorded, so that a stop leaves it to the next run. Trouble is a warning.
    """
    old, new = Path(moved.path), Path(seen.path)
    came = False
    for sidecar in house.book.sidecars_of(moved.sha256):
        path = Path(sidecar.path)
        if path.parent != old.parent or not path.name.startswith(f"{old.stem}."):
            continue
        target = new.with_name(new.stem + path.name.removeprefix(old.stem))
        try:
            came = _follow(house, sidecar, replace(sidecar, path=str(target), ui=seen.ui)) or came
        except KeepError as error:
            house.warn(f"`{path}` stays: {error.why or error.what}")
    artifact = house.book.artifact(moved.sha256)
    if came and found is not None and artifact is not None:
        write_beside(house, found, artifact, recorded_as(moved, seen), Placing())  # some say where the file lies


def _follow(house: House, sidecar: Sidecar, moved: Sidecar) -> bool:
    """Move one sidecar; whether it is at its new place, ours."""
    path, target = Path(sidecar.path), Path(moved.path)
    with told(f"cannot move `{path}`"):
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        there = target.is_file() and not target.is_symlink() and _is(target.read_bytes(), sidecar)
        mine = data is not None and _is(data, sidecar)
        if mine and data is not None and not there:
            try:
                write_new(target, data)
            except WouldOverwrite:
                house.warn(f"`{path}` stays: `{target}` is there already")
                return False
        if mine or there:
            house.book.put_sidecar(moved)
        if mine:
            path.unlink()
        house.book.drop_sidecar(sidecar.path)
    return mine or there


def _is(data: bytes, sidecar: Sidecar) -> bool:
    return sha256(data).hexdigest() == sidecar.content
