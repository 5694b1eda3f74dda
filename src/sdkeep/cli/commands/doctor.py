"""`sdkeep doctor`: what newcomers trip over, and how to mend it."""

from __future__ import annotations

import typer

from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out

STYLE = {"ok": "good", "note": "warn", "problem": "bad"}


def register(app: typer.Typer) -> None:
    """Put `doctor` on the application."""

    @verb(app, "doctor", examples=("sdkeep doctor",))
    def doctor(face: Face) -> Reply:
        """Check this machine, the catalogue, the stores, the WebUIs and the tokens; settle what a crash left open."""
        from sdkeep.actions.doctor import doctor as act

        checks = act(face.house())
        bad = any(check.state == "problem" for check in checks)

        def show(out: Out) -> None:
            for check in checks:
                out.line(f"{check.state:<8} {check.name:<13} {check.what}", STYLE[check.state])
                if check.mend:
                    out.line(f"{'':<22} {check.mend}", "hint")
                if check.state == "problem":
                    out.bare(check.what)

        return Reply(list(checks), show, 1 if bad else 0)
