"""`sdkeep scan`: look inside files for code, without running any."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep.cli.frame import Face, Reply, verb


def register(app: typer.Typer) -> None:
    """Put `scan` on the application."""

    @verb(app, "scan", examples=("sdkeep scan model.ckpt", "sdkeep scan ~/models --json"))
    def scan(
        face: Face,
        refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Files, folders or catalogue names.")],
        full: Annotated[bool, typer.Option("--full", help="Read tensor payloads too (CRC).")] = False,
    ) -> Reply:
        """Say whether files can run code when a WebUI loads them. Nothing is executed, ever."""
        return Reply({"refs": refs, "full": full}, lambda out: out.record([("refs", " ".join(refs))]))
