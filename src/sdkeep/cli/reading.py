"""Words of the command line taken as they are, where Typer would load pydantic (a tenth of a second) to say so too.

Only what needs no judging is taken: a word where a word is wanted, words where words are, paths, plain numbers within
their bounds, and what is not given. All else, and every mistake, is Typer's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

_NUMBER = {int: re.compile(r"[0-9]{1,9}"), float: re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,15})?")}


class Command(TyperCommand):
    """A command whose plain words are read without pydantic."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; the words that are left."""
        _read_plainly(self.get_params(ctx))
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options under the headings of their groups; those of no group last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            heading = "Arguments" if parameter.param_type_name == "argument" else _heading(parameter)
            if (row := parameter.get_help_record(ctx)) is not None:
                sections.setdefault(heading, []).append(row)
        for heading in sorted(sections, key=lambda one: (one != "Arguments") + 2 * (one == _UNGROUPED)):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


_UNGROUPED = "Options"


def _heading(parameter: Any) -> str:
    return getattr(parameter, "rich_help_panel", None) or _UNGROUPED


class Group(TyperGroup):
    """A group whose own options are read so too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line up to the verb; the words that are left."""
        _read_plainly(self.get_params(ctx))
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def _read_plainly(parameters: list[Any]) -> None:
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", parameter) is None:  # Typers that have it make it on first use
            parameter._runtime_param = _Plain()


class _Plain:
    """Stands where Typer keeps how a parameter's value is read."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command function gets it."""
        wanted, many = param.type_descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if wanted is str and type(value) is str:
            return value
        if wanted is int and value == param.default and type(value) is int:
            return value
        if wanted is Path and type(value) is str:  # no command asks Typer to look at the file
            return Path(value)
        if wanted in (int, float) and type(value) is str and _NUMBER[wanted].fullmatch(value):
            number, bounds = wanted(value), param.type_descriptor.parameter_info
            if (bounds.min is None or number >= bounds.min) and (bounds.max is None or number <= bounds.max):
                return number
        if wanted == list[str] and not isinstance(value, str) and all(type(word) is str for word in value):
            return list(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)
