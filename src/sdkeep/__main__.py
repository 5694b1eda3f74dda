"""`python -m sdkeep`, and the entry point of the `sdkeep` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    from sdkeep.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()
