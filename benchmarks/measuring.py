"""What the benchmarks share: running a command and taking its cost, tables, and the page they are kept on.

The processor time is that of the child and its threads (`wait4`), which waiting, other programs and the disk do not
change; the wall time is for orientation. A child reports at least the memory of the process that started it, so the
scripts that print memory import nothing big themselves.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
PYTHON = [sys.executable]
SDKEEP = [sys.executable, "-m", "sdkeep"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: user+system seconds, seconds by the clock, MB at its peak."""

    cpu: float
    wall: float
    peak: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Several runs of one command."""

    runs: tuple[Cost, ...]

    @property
    def cpu(self) -> float:
        """The least processor time."""
        return min(run.cpu for run in self.runs)

    @property
    def usual(self) -> float:
        """The median processor time."""
        return statistics.median(run.cpu for run in self.runs)

    @property
    def wall(self) -> float:
        """The least time by the clock."""
        return min(run.wall for run in self.runs)

    @property
    def peak(self) -> float:
        """The most memory."""
        return max(run.peak for run in self.runs)


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, its output thrown away; leaves when it fails."""
    with tempfile.TemporaryFile() as said:
        streams = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)]
        begun = time.perf_counter()
        pid = os.posix_spawnp(command[0], list(command), {**os.environ, **(environ or {})}, file_actions=streams)
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - begun
        if status:
            said.seek(0)
            ended = f"{shlex.join(command)} ended with status {os.waitstatus_to_exitcode(status)}"
            raise SystemExit(f"{ended}\n{said.read().decode('utf-8', 'replace')}")
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def by_turns(
    commands: Mapping[str, Sequence[str]],
    rounds: int,
    between: Callable[[], object] = lambda: None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Costs]:
    """Each command `rounds` times, in turns, so that a busy moment meets all of them; `between` tidies up."""
    runs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command, environ))
            between()
    return {name: Costs(tuple(taken)) for name, taken in runs.items()}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def costs_table(costs: Mapping[str, Costs], *, peer: str = "", memory: bool = True) -> str:
    """Commands with their costs, and how often the peer's processor time each takes."""
    heads = ["", "CPU s", "median", *([f"of {peer}"] if peer else []), "wall s", *(["peak MB"] if memory else [])]
    rows = [
        [
            name,
            f"{cost.cpu:.2f}",
            f"{cost.usual:.2f}",
            *([f"{cost.cpu / costs[peer].cpu:.2f}"] if peer else []),
            f"{cost.wall:.2f}",
            *([f"{cost.peak:.0f}"] if memory else []),
        ]
        for name, cost in costs.items()
    ]
    return table(heads, rows)


def machine() -> str:
    """The machine and its load, in a line."""
    info = Path("/proc/cpuinfo")
    found = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    model = found[0].partition(":")[2].strip() if found else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}"
    )


def arguments(about: str, *, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each command is run")
    parser.add_argument("--work", type=Path, help="where the temporary files go (the system's temporary folder)")
    parser.add_argument("--write", action="store_true", help=f"keep the tables in {PAGE.name}")
    return parser


@contextmanager
def workplace(parent: Path | None, needs: int = 0) -> Iterator[Path]:
    """A temporary folder with room for `needs` bytes, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sdkeep-bench-", dir=parent))
    try:
        if shutil.disk_usage(folder).free < needs:
            raise SystemExit(f"{folder} has no room for {needs:,} bytes; name another place with `--work`")
        yield folder
    finally:
        shutil.rmtree(folder)


def _worth_telling(words: Sequence[str]) -> list[str]:
    """The arguments that say how it was measured; where the files lay and that the page was written say nothing."""
    kept = [word for word, before in zip(words, ["", *words], strict=False) if "--work" not in (word, before)]
    return [word for word in kept if word != "--write"]


def publish(name: str, text: str, *, write: bool) -> None:
    """Print what was measured; with `write`, also put it between its marks on the page."""
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *_worth_telling(sys.argv[1:])])
    whole = f"{text}\n\n{datetime.now(UTC):%Y-%m-%d}, `{command}`, {machine()}."
    print(whole)
    if not write:
        return
    opening, closing = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    page = PAGE.read_text("utf-8")
    before, found, rest = page.partition(opening)
    _, ended, after = rest.partition(closing)
    if not (found and ended):
        raise SystemExit(f"{PAGE} has no place `{opening} … {closing}`")
    PAGE.write_text(f"{before}{opening}\n{whole}\n{closing}{after}", "utf-8")
