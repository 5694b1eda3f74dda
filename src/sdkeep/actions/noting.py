"""One file catalogued where it lies: read whole, judged, recorded. For many files see `adopt`."""

from __future__ import annotations

from pathlib import Path

from sdkeep.actions.examine import examine_fully
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, Terms, describe
from sdkeep.formats.metadata import edges
from sdkeep.ground.record import Artifact, Location, Method
from sdkeep.store.platform import mtime_of
from sdkeep.store.trouble import told


def note(house: House, path: Path) -> Artifact:
    """Record a file by its bytes and its place; nothing is touched."""
    seen = examine_fully(path, house.report, house.stop, house.allowed)
    facts = describe(house, Arrival(path, path.name, f"path:{path}"), seen, Terms())
    with told(f"cannot look at `{path}`"):
        info = path.stat()
    facts_of_place = (info.st_ino, mtime_of(info), info.st_size)
    location = Location(str(path.absolute()), seen.sha256, Method.IN_PLACE, False, "", *facts_of_place)
    with house.book.transaction():
        kept = house.book.put_artifact(facts)
        house.book.put_verdict(seen.sha256, seen.verdict)
        house.book.put_location(location)
        house.book.put_edges(seen.sha256, edges(seen.contents.metadata, seen.contents.extras))
    return kept
