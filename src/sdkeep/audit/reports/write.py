"""One report of a run, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

from sdkeep.audit.reports.cyclonedx import pieces as cyclonedx
from sdkeep.audit.reports.junit import junit
from sdkeep.audit.reports.plain import plain
from sdkeep.audit.reports.sarif import sarif
from sdkeep.audit.reports.values import Run


class Form(StrEnum):
    """The forms of report."""

    SARIF = "sarif"
    JUNIT = "junit"
    CYCLONEDX = "cyclonedx"
    JSON = "json"


_WHOLE: dict[Form, Callable[[Run], str]] = {Form.SARIF: sarif, Form.JUNIT: junit, Form.JSON: plain}


def pieces(form: Form, run: Run) -> Iterator[str]:
    """The text of a report in pieces, for that of a whole library is long; line feed at its end."""
    if form is Form.CYCLONEDX:
        yield from cyclonedx(run)
    else:
        yield _WHOLE[form](run)


def report(form: Form, run: Run) -> str:
    """The text of a report."""
    return "".join(pieces(form, run))
