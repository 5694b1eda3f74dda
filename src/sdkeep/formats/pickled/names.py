"""Python 2 names as Python 3's unpicklers rename them, below protocol 3."""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING  # the standard library's own tables, nothing but dicts


def modern(module: str, name: str) -> tuple[str, str]:
    """What `module.name` of Python 2 is called today: `__builtin__.unicode` is `builtins.str`."""
    renamed = NAME_MAPPING.get((module, name))
    if renamed is not None:
        return renamed
    return IMPORT_MAPPING.get(module, module), name
