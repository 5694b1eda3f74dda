"""Plain JSON: the whole run with every finding, for scripts of one's own."""

from __future__ import annotations

import json
from collections import Counter

from sdkeep.audit.report import Json, as_json, finding_json
from sdkeep.audit.reports.values import Audited, Run
from sdkeep.audit.reports.wording import moment, washed
from sdkeep.ground.text import one_line


def plain(run: Run) -> str:
    """One JSON document, ASCII only since paths stand in it as they are. Offsets are in bytes, times UTC."""
    counts = Counter(file.outcome.value for file in run.files if file.outcome)
    body: dict[str, Json] = {
        "tool": "sdkeep",
        "version": run.version,
        "verb": run.verb,
        "began": moment(run.began),
        "ended": moment(run.ended),
        "status": run.status,
        "counts": dict(sorted(counts.items())),
        "files": [_file(file) for file in run.files],
        "errors": [
            {"ref": one_line(one.ref), "code": one.code, "what": one_line(one.what), "why": one_line(one.why)}
            for one in run.troubles
        ],
    }
    return json.dumps(body, indent=2) + "\n"


def _file(file: Audited) -> Json:
    told: dict[str, Json] = {
        "name": file.name,
        "sha256": file.sha256,
        "size": file.size,
        "judged": file.judged.value,
        "outcome": file.outcome.value if file.outcome else None,
        "verdict": as_json(file.verdict) if file.verdict else None,
        "claims": [
            {"scanner": one.scanner, "result": one_line(one.result), "message": one_line(one.message)}
            for one in file.claims
        ],
        "notes": [finding_json(note) for note in file.notes],
    }
    return {"path": file.path.encode("utf-8", "replace").decode(), **{name: washed(one) for name, one in told.items()}}
