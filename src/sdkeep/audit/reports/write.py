"""One report of a run, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from sdkeep.audit.reports.cyclonedx import cyclonedx
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


_WRITERS: dict[Form, Callable[[Run], str]] = {
    Form.SARIF: sarif,
    Form.JUNIT: junit,
    Form.CYCLONEDX: cyclonedx,
    Form.JSON: plain,
}


def report(form: Form, run: Run) -> str:
    """The text of a report, line feed at its end."""
    return _WRITERS[form](run)
