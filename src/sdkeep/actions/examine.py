"""One look at a file on disk: what it is, whether it is safe, and its digests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.audit.judge import judge
from sdkeep.audit.policy import NOBODY, Allowed
from sdkeep.audit.scan import text_of
from sdkeep.formats.contents import Container, Contents
from sdkeep.formats.digests import ALL, digest_file
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.formats.metadata import claims
from sdkeep.formats.outline import is_one_thing, outline
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.events import Report, Stop
from sdkeep.ground.identity import Identity
from sdkeep.ground.verdict import Verdict

_MOST_LAYOUTS = 1024

Decisions = Callable[[str], Allowed]
"""What people allowed to the bytes with a SHA-256; `House.allowed` knows."""


def undecided(_sha256: str) -> Allowed:
    """Nobody decided anything."""
    return NOBODY


@dataclass(frozen=True, slots=True)
class Examined:
    """A file's contents, identity and verdict; `digests` are empty where nobody asked for them."""

    path: Path
    size: int
    contents: Contents
    identity: Identity
    verdict: Verdict
    digests: tuple[Digest, ...] = ()

    @property
    def sha256(self) -> str:
        """The SHA-256 as hex; raises LookupError when digests were not taken."""
        for digest in self.digests:
            if digest.kind is DigestKind.SHA256:
                return digest.value
        raise LookupError(f"no digest was taken of {self.path}")


def examine(path: Path, stop: Stop | None = None, name: str = "") -> Examined:
    """Look, identify and judge; nothing is hashed, so a checkpoint of gigabytes takes a moment.

    `name` is what the file is called where `path` does not say it, as in staging.
    """
    with FileSource(path) as source:
        return _examined(source, path, stop, name or path.name)


class Examiner:
    """Looks at many files, and works out once what follows from a layout that many headers share."""

    def __init__(self) -> None:
        self._known: dict[bytes, Examined] = {}

    def examine(self, path: Path, stop: Stop | None = None) -> Examined:
        """What `examine` says of the file; the tensors of a layout that was met before are left out."""
        with FileSource(path) as source:
            outlined = outline(source)
            known = self._known.get(outlined.layout) if outlined else None
            if outlined and known and is_one_thing(source, stop):
                contents = Contents(Container.SAFETENSORS, source.size, metadata=outlined.metadata)
                identity = replace(known.identity, claims=claims(outlined.metadata))
                return Examined(path, source.size, contents, identity, known.verdict)
            seen = _examined(source, path, stop, path.name)
        flawless = seen.contents.container is Container.SAFETENSORS and not (
            seen.contents.flaws or seen.contents.pickles
        )
        if outlined and flawless and seen.contents.metadata == outlined.metadata:
            self._known[outlined.layout] = replace(seen, contents=Contents(Container.SAFETENSORS, seen.size))
            if len(self._known) > _MOST_LAYOUTS:
                self._known.pop(next(iter(self._known)))
        return seen


def _examined(source: FileSource, path: Path, stop: Stop | None, name: str) -> Examined:
    contents = look(source, stop=stop)
    verdict = judge(contents, text=text_of(source, contents), name=name)
    return Examined(path, source.size, contents, identify(contents), verdict)


def examine_fully(path: Path, report: Report, stop: Stop, decisions: Decisions = undecided, name: str = "") -> Examined:
    """The same with every digest, in one pass over the bytes, and with what people allowed to exactly these bytes."""
    seen = examine(path, stop, name)
    seen = replace(seen, digests=digest_file(path, ALL, report=report, stop=stop))
    allowed = decisions(seen.sha256)
    if not allowed:
        return seen
    with FileSource(path) as source:
        verdict = judge(seen.contents, text=text_of(source, seen.contents), allowed=allowed, name=name or path.name)
    return replace(seen, verdict=verdict)
