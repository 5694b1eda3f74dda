"""What it costs to start: whole processes, as a person's shell runs them.

python benchmarks/start.py [--rounds 15] [--write]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from measuring import PYTHON, SDKEEP, arguments, by_turns, costs_table, publish, workplace


def main() -> None:
    options = arguments(__doc__ or "", rounds=15).parse_args()
    commands = {
        "python, nothing": [*PYTHON, "-c", "pass"],
        "python, `import typer`": [*PYTHON, "-c", "import typer"],
        "`sdkeep --help`": [*SDKEEP, "--help"],
        "`sdkeep --version`": [*SDKEEP, "--version"],
        "`sdkeep get --help`": [*SDKEEP, "get", "--help"],
        "`sdkeep ls`, empty catalogue": [*SDKEEP, "ls"],
    }
    tools = {"`hf --help`": "hf", "`picklescan --help`": "picklescan"}
    for name, tool in tools.items():
        found = shutil.which(tool, path=str(Path(sys.executable).parent)) or shutil.which(tool)
        if found:
            commands[name] = [found, "--help"]
    with workplace(options.work) as home:
        environ = {"SDKEEP_HOME": str(home), "HF_HOME": str(home)}
        by_turns(commands, 1, environ=environ)  # byte code written, catalogue made, files in memory
        costs = by_turns(commands, options.rounds, environ=environ)
    publish("start", costs_table(costs), write=options.write)


if __name__ == "__main__":
    main()
