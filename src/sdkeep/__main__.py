"""`python -m sdkeep`, and the entry point of the `sdkeep` command."""

from __future__ import annotations

import gc
import sys

FEW_COLLECTIONS = (50_000, 20, 20)
"""Importing makes a few hundred thousand objects that all stay: looking for garbage among them costs a tenth of it."""


def main() -> None:
    """Run the command line and leave with its exit status."""
    gc.set_threshold(*FEW_COLLECTIONS)
    from sdkeep.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()
