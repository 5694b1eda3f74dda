"""Reports of `scan` and `audit` for other programs, made and saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from sdkeep import __version__
from sdkeep.actions.scan import Scanned
from sdkeep.audit.reports.values import Audited, Run, Trouble
from sdkeep.audit.reports.write import Form, pieces
from sdkeep.ground.errors import KeepError, WouldOverwrite
from sdkeep.layouts.writing import rewrite, write_new

Failures = Iterable[tuple[str, KeepError]]

_MARKS = (
    b'"https://docs.oasis-open.org/sarif/',
    b'"http://cyclonedx.org/schema/',
    b'"tool": "sdkeep"',
    b'<testsuites name="sdkeep ',
)


def run_of(
    verb: str, files: Iterable[Audited], failures: Failures, status: int, moments: tuple[datetime, datetime]
) -> Run:
    """What a report tells of one run, which began and ended at these moments in the current folder."""
    troubles = tuple(Trouble(ref, error.code, error.what, error.why) for ref, error in failures)
    return Run(verb, __version__, *moments, status, str(Path.cwd()), tuple(files), troubles)


def of_scans(scanned: Iterable[Scanned]) -> Iterator[Audited]:
    """Scanned files as reports tell of them."""
    for one in scanned:
        yield Audited(one.path, one.verdict, one.named, one.sha256, one.glance.size if one.glance else _size(one.path))


def save(form: Form, run: Run, target: Path) -> None:
    """Write a report to a file. An earlier report is replaced; anything else is not: raises `WouldOverwrite`."""
    check_target(target)
    data = (piece.encode() for piece in pieces(form, run))
    if target.exists():
        rewrite(target, data, created=False)
    else:
        write_new(target, data)


def check_target(target: Path | None) -> None:
    """Raise `WouldOverwrite` for a file that a report may not replace; before an hour's work rather than after it."""
    if target is None or not (target.exists() or target.is_symlink()):
        return
    if not target.is_file() or not _is_report(target):
        raise WouldOverwrite(
            f"`{target}` exists and is no report", "only an earlier report is replaced", "name another file with `-o`"
        )


def _is_report(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(200)
    return not start or any(mark in start for mark in _MARKS)


def _size(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None
