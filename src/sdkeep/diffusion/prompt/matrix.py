"""The prompt matrix: `a castle|at night|in snow` as every choice of the parts behind the first.

Source of the rules: AUTOMATIC1111 `scripts/prompt_matrix.py`. A `|` within brackets of any kind belongs to what
stands in the brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

from sdkeep.ground.errors import UsageError

_OPEN, _CLOSED = "[{(<", "]})>"
MOST_PARTS = 12


@dataclass(frozen=True, slots=True)
class Combination:
    """One prompt of a matrix, and which of the parts behind the first are in it."""

    prompt: str
    chosen: tuple[str, ...]


def split_matrix(prompt: str) -> tuple[str, ...]:
    """The parts between the `|` outside all brackets, as written."""
    parts, depth, begun = list[str](), 0, 0
    for place, letter in enumerate(prompt):
        escaped = place > 0 and prompt[place - 1] == "\\"
        if escaped:
            continue
        if letter in _OPEN:
            depth += 1
        elif letter in _CLOSED:
            depth = max(0, depth - 1)
        elif letter == "|" and depth == 0:
            parts.append(prompt[begun:place])
            begun = place + 1
    return (*parts, prompt[begun:])


def matrix(prompt: str, *, at_start: bool = False, separator: str = ", ") -> tuple[Combination, ...]:
    """Every combination, the first part alone first; with n parts behind it 2 to the n.

    `at_start` puts the chosen parts before the first one. Raises `UsageError` for more than `MOST_PARTS`.
    """
    first, *rest = split_matrix(prompt)
    if len(rest) > MOST_PARTS:
        raise UsageError(
            f"a prompt matrix of {len(rest)} choices would be {2 ** len(rest):,} pictures",
            f"{MOST_PARTS} are the most",
            'leave some out, or compare them with `--grid "Prompt S/R: …"`',
        )
    found = []
    for number in range(2 ** len(rest)):
        chosen = tuple(text.strip().strip(",") for place, text in enumerate(rest) if number >> place & 1)
        parts = (*chosen, first) if at_start else (first, *chosen)
        found.append(Combination(separator.join(parts), chosen))
    return tuple(found)
