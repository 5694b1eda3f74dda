"""Errors as a person reads them: what went wrong, why, and what to do next."""

from __future__ import annotations

from sdkeep.cli.jsonable import Json
from sdkeep.cli.output import Out
from sdkeep.ground.errors import KeepError
from sdkeep.ground.text import one_line


def show_error(out: Out, error: KeepError, ref: str = "") -> None:
    """Print one error in its three parts; nothing in `--json` runs, where it stands in the document."""
    subject = f"{one_line(ref)}: " if ref and ref not in error.what else ""
    out.failure(f"error: {subject}{error.what}")
    if error.why:
        out.failure(f"  why: {error.why}", "")
    if error.next:
        out.failure(f"  next: {error.next}", "hint")


def error_json(error: KeepError, ref: str = "") -> Json:
    """One entry of the `errors` list of a JSON document."""
    return {"ref": ref, "code": error.code, "what": error.what, "why": error.why, "next": error.next}
