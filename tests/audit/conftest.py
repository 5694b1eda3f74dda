"""What the judge is shown: bare pickles wrapped as a file that holds nothing else."""

from __future__ import annotations

from sdkeep.audit.judge import judge
from sdkeep.audit.policy import NOBODY, Allowed
from sdkeep.formats.contents import Container, Contents, PickleMember
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.ground.verdict import Verdict


def judged(*pickles: bytes, container: Container = Container.PICKLE, allowed: Allowed = NOBODY) -> Verdict:
    """The verdict on a file that consists of these pickles."""
    members, at = [], 0
    for data in pickles:
        members.append(PickleMember("", at, read_pickle(data)))
        at += len(data)
    return judge(Contents(container, at, pickles=tuple(members)), allowed=allowed)
