"""The system's keyring, in all the ways it can be absent."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from sdkeep.settings.keyrings import SystemKeyring


class Library(ModuleType):
    """A keyring library over a dictionary; `broken` makes every call fail as a missing D-Bus does, `null` forgets."""

    def __init__(self, *, broken: bool = False, null: bool = False) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = broken
        self.null = null

    def _check(self) -> None:
        if self.broken:
            raise RuntimeError("no D-Bus")

    def get_password(self, service: str, name: str) -> str | None:
        self._check()
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        self._check()
        if not self.null:
            self.kept[service, name] = secret

    def delete_password(self, service: str, name: str) -> None:
        self._check()
        del self.kept[service, name]


def install(monkeypatch: pytest.MonkeyPatch, library: Library | None) -> SystemKeyring:
    monkeypatch.setitem(sys.modules, "keyring", library)
    return SystemKeyring()


def test_a_working_keyring_keeps_gives_and_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = install(monkeypatch, Library())
    assert ring.set("sdkeep", "a", "secret") is True
    assert ring.get("sdkeep", "a") == "secret"
    assert ring.delete("sdkeep", "a") is True
    assert ring.delete("sdkeep", "a") is False
    assert ring.get("sdkeep", "a") is None


@pytest.mark.parametrize("library", [None, Library(broken=True)], ids=["not-installed", "no-backend"])
def test_without_a_working_keyring_there_is_simply_no_token(
    monkeypatch: pytest.MonkeyPatch, library: Library | None
) -> None:
    ring = install(monkeypatch, library)
    assert ring.get("sdkeep", "a") is None
    assert ring.set("sdkeep", "a", "secret") is False
    assert ring.delete("sdkeep", "a") is False


def test_a_keyring_that_forgets_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert install(monkeypatch, Library(null=True)).set("sdkeep", "a", "secret") is False
