"""A WebUI's own start arguments, read out of `webui-user.sh` and `webui-user.bat` without running them.

Only plain assignments are understood: quotes, comments, continued lines, and variables set earlier in the file or in
the environment. Whatever needs a shell is a doubt, reported and not acted on.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from sdkeep.ground.text import one_line

_SH_SET = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)")
_SH_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^{}]*))?\})")
_BAT_SET = re.compile(r'@?set\s+(?:"([A-Za-z_][A-Za-z0-9_]*)=(.*)"\s*|([A-Za-z_][A-Za-z0-9_]*)=(.*))', re.IGNORECASE)
_BAT_VARIABLE = re.compile(r"%([A-Za-z_][A-Za-z0-9_()]*)%")
_BAT_COMMENT = re.compile(r"@?\s*(?:rem\b|::)", re.IGNORECASE)
_NEEDS_A_SHELL = re.compile(r"[$`]")


@dataclass(frozen=True, slots=True)
class Start:
    """The arguments a WebUI is started with, and sentences about what could not be read."""

    arguments: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def value(self, *flags: str) -> str:
        """What follows the last of these flags, `--flag VALUE` or `--flag=VALUE`; empty when it is not given."""
        found = ""
        for number, argument in enumerate(self.arguments):
            name, equals, rest = argument.partition("=")
            if name in flags and equals:
                found = rest
            elif argument in flags and number + 1 < len(self.arguments):
                found = self.arguments[number + 1]
        return found

    def values(self, *flags: str) -> tuple[str, ...]:
        """Everything that follows these flags, for those that take several values and may be repeated."""
        found: list[str] = []
        taking = False
        for argument in self.arguments:
            name, equals, rest = argument.partition("=")
            if argument.startswith("-"):
                taking = name in flags
                found += [rest] if taking and equals else []
            elif taking:
                found.append(argument)
        return tuple(found)


def read_sh(text: str, variable: str, environ: Mapping[str, str]) -> Start:
    """The words of `variable` as a POSIX shell script sets it."""
    known: dict[str, str] = {variable: ""} | dict(environ)
    doubts: list[str] = []
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        matched = _SH_SET.match(line.strip())
        if not matched:
            continue
        name, more, raw = matched.groups()
        value = _sh_value(raw, known)
        if value is None:
            doubts.append(f"`{one_line(line, 100)}` needs a shell to be read")
            known.pop(name, None)
            continue
        known[name] = known.get(name, "") + value if more else value
    return _split(known.get(variable, ""), doubts)


def read_bat(text: str, variable: str, environ: Mapping[str, str]) -> Start:
    """The words of `variable` as a Windows batch file sets it; names are compared without case."""
    known = {name.upper(): value for name, value in environ.items()}
    doubts: list[str] = []

    def spelt(match: re.Match[str]) -> str:
        if match[1].upper() not in known and match[1].upper() != variable:
            doubts.append(f"`%{match[1]}%` is not set")
            return match[0]
        return known.get(match[1].upper(), "")

    for line in _bat_lines(text):
        matched = _BAT_SET.fullmatch(line)
        if matched:
            name, raw = (matched[1], matched[2]) if matched[1] else (matched[3], matched[4])
            known[name.upper()] = _BAT_VARIABLE.sub(spelt, raw).strip()
    return _split(known.get(variable.upper(), ""), doubts)


def _bat_lines(text: str) -> list[str]:
    """Commands with `^` continuations joined; a comment swallows nothing that follows it."""
    lines: list[str] = []
    open_line = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not open_line and _BAT_COMMENT.match(line):
            continue
        if line.endswith("^"):
            open_line += line[:-1] + " "
            continue
        lines.append((open_line + line).strip())
        open_line = ""
    return lines


def _sh_value(raw: str, known: Mapping[str, str]) -> str | None:
    """One assigned value with its quotes read; None when only a shell could tell."""

    def spelt(match: re.Match[str]) -> str:
        value = known.get(match[1] or match[2])
        return value if value is not None else match[3] if match[3] is not None else match[0]

    literal = raw.startswith("'")
    text = raw if literal else _SH_VARIABLE.sub(spelt, raw)
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return None
    value = words[0] if words else ""
    return None if not literal and _NEEDS_A_SHELL.search(value) else value


def _split(value: str, doubts: list[str]) -> Start:
    """The WebUIs themselves split the variable as a POSIX shell would, on Windows too."""
    try:
        return Start(tuple(shlex.split(value)), tuple(doubts))
    except ValueError:
        return Start((), (*doubts, f"`{one_line(value, 100)}` has a quote that never closes"))
