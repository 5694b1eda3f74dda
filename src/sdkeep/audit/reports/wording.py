"""How reports spell what they share: places, moments and one finding in a sentence."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sdkeep.audit.report import Json
from sdkeep.audit.reports.values import Audited
from sdkeep.ground.text import one_line
from sdkeep.ground.verdict import Finding

HOME = "https://github.com/sdkeep/sdkeep"


def moment(at: datetime) -> str:
    """UTC ISO-8601 to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def washed(value: Json) -> Json:
    """The same tree with every text in it harmless and on one line; whoever wrote it, a file or an old catalogue."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list):
        return [washed(one) for one in value]
    if isinstance(value, dict):
        return {one_line(key): washed(one) for key, one in value.items()}
    return value


def is_address(text: str) -> bool:
    """Whether a place is on the web rather than a path."""
    return text.startswith(("http://", "https://"))


def relative(path: str, folder: str) -> str | None:
    """`path` as a percent-encoded address relative to `folder`; None when it does not lie below it."""
    if is_address(path):
        return None
    try:
        inside = _absolute(path, folder).relative_to(folder)
    except ValueError:
        return None
    return "/".join(quote(_bytes(part), safe="") for part in inside.parts) or None


def address(path: str, folder: str) -> str:
    """`path`, which may be relative to `folder`, as an absolute address."""
    if is_address(path):
        return web_address(path)
    return "file://" + quote(_bytes(_absolute(path, folder).as_posix()), safe="/:")


def web_address(url: str) -> str:
    """An address from outside in a form that every schema takes: no blanks, quotes or letters beyond ASCII."""
    return quote(one_line(url), safe=":/?#[]@!$&'()*+,;=%-._~")


def called(file: Audited) -> str:
    """What to call a file: its catalogue name, else its path."""
    return one_line(file.name or file.path)


def sentence(finding: Finding) -> str:
    """A finding in one sentence: the name, why, what it is given, where in which member."""
    subject = " ".join(word for word in (finding.opcode, one_line(finding.callable, 160)) if word)
    parts = [f"{subject}: {one_line(finding.why, 300)}" if subject else one_line(finding.why, 300)]
    if finding.arguments:
        parts.append(f"given {one_line(finding.arguments, 240)}")
    if finding.member:
        inside = f"byte {finding.offset:,} of " if finding.offset is not None else ""
        parts.append(f"at {inside}`{one_line(finding.member, 160)}`")
    return "; ".join(parts)


def _bytes(path: str) -> bytes:
    """A path as the disk has it; what no disk can have becomes a question mark."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return path.encode("utf-8", "replace")


def _absolute(path: str, folder: str) -> Path:
    return Path(os.path.normpath(Path(folder, path)))
