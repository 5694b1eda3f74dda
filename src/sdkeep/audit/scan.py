"""Look and judge in one step: a source in, a verdict out."""

from __future__ import annotations

from dataclasses import replace

from sdkeep.audit.judge import judge
from sdkeep.audit.policy import NOBODY, Allowed, Policy
from sdkeep.formats.contents import Container, Contents
from sdkeep.formats.look import look
from sdkeep.ground.events import Report, Stop
from sdkeep.ground.source import Source
from sdkeep.ground.verdict import Basis, Verdict

_MOST_TEXT = 4 << 20


def scan(
    source: Source,
    *,
    policy: Policy | None = None,
    allowed: Allowed = NOBODY,
    basis: Basis = Basis.WHOLE,
    full: Report | None = None,
    stop: Stop | None = None,
) -> Verdict:
    """The verdict on `source`. With `Basis.RANGES` as little as possible is read, and the verdict clears nothing.

    With `full` the records of tensors are read too and held against their checksums, and it hears how that goes.
    """
    contents = look(source, thorough=basis is Basis.WHOLE, stop=stop)
    if full is not None:
        from sdkeep.formats.payloads import checked  # rarely asked for, so loaded when needed

        contents = checked(source, contents, report=full, stop=stop)
    return replace(
        judge(contents, policy, text=text_of(source, contents), allowed=allowed, name=source.name), basis=basis
    )


def text_of(source: Source, contents: Contents) -> str | None:
    """What `judge` needs of a text besides its contents: the words themselves. None for anything else."""
    if contents.container not in (Container.YAML, Container.TEXT) or source.size > _MOST_TEXT:
        return None
    return source.read_at(0, source.size).decode("utf-8", "replace")
