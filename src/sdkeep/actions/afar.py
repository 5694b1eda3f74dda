"""A file at a hub looked into without fetching it: the directory of a zip and its pickles, a header, by ranges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sdkeep.actions.house import House
from sdkeep.actions.scan import Glance
from sdkeep.audit.judge import judge
from sdkeep.audit.scan import text_of
from sdkeep.formats.contents import Contents
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.ground.errors import NotByRanges
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.verdict import Basis, Verdict
from sdkeep.net.ranges import HttpSource, RangeLimits

MOST_BYTES = 1 << 20
MOST_REQUESTS = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """A provisional verdict and the glance it rests on; what was read can condemn, what was not cannot clear."""

    verdict: Verdict
    glance: Glance
    contents: Contents = field(repr=False)


def look_from_afar(house: House, release: Release, file: RemoteFile) -> Seen:
    """Look at a file at its hub, at most `MOST_BYTES` of it; raises what the hub refuses, and `NotByRanges`."""
    from sdkeep.actions.transferring import refused

    source = HttpSource(
        house.web,
        file.url,
        limits=RangeLimits(MOST_BYTES, MOST_REQUESTS, house.stop.wait),
        fallbacks=file.fallbacks,
        refused=lambda answer: refused(house, release, answer),
    )
    contents = look(source, thorough=False, stop=house.stop)
    try:
        text = text_of(source, contents)
    except NotByRanges:
        text = None
    allowed = house.allowed(file.sha256.value if file.sha256 else "")
    verdict = replace(judge(contents, text=text, allowed=allowed, name=file.name), basis=Basis.RANGES)
    glance = Glance(source.name, source.size, identify(contents), source.requests, source.fetched)
    return Seen(verdict, glance, contents)
