"""The system's keyring, if the library is installed and its backend works; a failure counts as "no such token"."""

from __future__ import annotations

import importlib
from types import ModuleType


class SystemKeyring:
    """Speaks to the optional `keyring` library, imported on first use."""

    def get(self, service: str, name: str) -> str | None:
        """The secret, or None when there is none or no keyring answers."""
        library = _library()
        try:
            found = library.get_password(service, name) if library else None
        except Exception:  # backends raise what they like, from D-Bus errors to RuntimeError
            return None
        return found if isinstance(found, str) else None

    def set(self, service: str, name: str, secret: str) -> bool:
        """Whether a keyring took it and gives it back (the null backend takes everything and keeps nothing)."""
        library = _library()
        try:
            if library is None:
                return False
            library.set_password(service, name, secret)
            return bool(library.get_password(service, name) == secret)
        except Exception:
            return False

    def delete(self, service: str, name: str) -> bool:
        """Whether there was one and it is gone."""
        library = _library()
        try:
            if library is None or library.get_password(service, name) is None:
                return False
            library.delete_password(service, name)
        except Exception:
            return False
        return True


def _library() -> ModuleType | None:
    try:
        return importlib.import_module("keyring")
    except ImportError:
        return None
