"""Options in groups, for a verb that has many: a frozen dataclass each, shown under a heading of its own in help.

A field is annotated as a parameter of a command is, and the class names the heading. A command function that takes such
a dataclass gets it filled in.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")
R = TypeVar("R")
Given = str | int | float | bool


def given(*groups: object) -> dict[str, Given]:
    """The words, numbers and switches that were given in these groups, by name; files and lists are not among them."""
    found = {}
    for group in groups:
        for one in fields(group):  # type: ignore[arg-type]
            value = getattr(group, one.name)
            if value is not None and value is not False and isinstance(value, str | int | float):
                found[one.name] = value
    return found


def grouped(function: Callable[..., R]) -> Callable[..., R]:
    """A command function whose groups are spread out into their options for the command line."""
    hints = get_type_hints(function, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if hasattr(hint, "heading")}
    face, *others = inspect.signature(function).parameters.values()
    parameters = [face.replace(annotation=hints[face.name])]
    for one in others:
        alone = one.replace(annotation=hints[one.name], kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += _spread(groups[one.name]) if one.name in groups else [alone]

    @functools.wraps(function)
    def command(*positional: Any, **words: Any) -> R:
        for name, kind in groups.items():
            words[name] = kind(**{field.name: words.pop(field.name) for field in fields(kind)})
        return function(*positional, **words)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _spread(kind: Any) -> list[inspect.Parameter]:
    """The fields of a group as parameters, each under the group's heading."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hints[field.name].__metadata__[0].rich_help_panel = kind.heading
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(kind)
    ]
