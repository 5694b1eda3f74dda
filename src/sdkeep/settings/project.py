"""What a project needs: the `[models]` table of its `sdkeep.toml`, read strictly, added to without losing a comment.

    [models]
    dreamshaper = "civitai:4384@128713"
    ink = { ref = "civitai:1002", base = "SD 1.5", ui = ["a1111"] }

A project file comes with other people's folders. It can ask for models, and every one is verified and scanned; it can
name no address of a hub, no folder and nothing that loosens a rule.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from sdkeep.ground.errors import BadSetting
from sdkeep.ground.text import slug
from sdkeep.settings.user_file import replace_file

TABLE = "models"
WORDS = ("base", "format", "precision", "size", "file", "kind")
_KEYS = ("ref", "ui", "companions", *WORDS)


@dataclass(frozen=True, slots=True)
class Needed:
    """One model that a project needs. `uis` None means the default; the words are as `get` takes them."""

    name: str
    ref: str
    uis: tuple[str, ...] | None = None
    companions: bool = False
    words: tuple[tuple[str, str], ...] = ()

    def word(self, name: str) -> str:
        """What was asked for under `name`, empty for no wish."""
        return dict(self.words).get(name, "")

    @property
    def asked(self) -> dict[str, object]:
        """All that decides which files are meant, as plain values: equal for equal wishes."""
        companions = {"companions": True} if self.companions else {}
        return {"ref": self.ref, **companions, **dict(sorted(self.words))}


def read_needed(file: Path) -> tuple[Needed, ...]:
    """The models that a project file lists, by name; empty without such a table. Raises `BadSetting`."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig")).get(TABLE, {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSetting(f"`{file}` cannot be read", str(error), f"edit `{file}`") from error
    if not isinstance(table, dict):
        raise BadSetting(f"`{TABLE}` in `{file}` is no table", "it is written [models]", f"edit `{file}`")
    return tuple(_needed(file, name, said) for name, said in sorted(table.items()))


def add_needed(file: Path, needed: Iterable[Needed]) -> tuple[str, ...]:
    """Add models to a project file, made where there is none; names that are taken stay as they are. What was added."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
        document = tomlkit.parse(text)
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise BadSetting(f"`{file}` cannot be read", str(error), f"edit `{file}`") from error
    table = document.get(TABLE)
    if table is None:
        table = document[TABLE] = tomlkit.table()
        table = document[TABLE]
    if not isinstance(table, Mapping):
        raise BadSetting(f"`{TABLE}` in `{file}` is no table", "it is written [models]", f"edit `{file}`")
    added: list[str] = []
    for one in needed:
        if one.name in table:
            continue
        table[one.name] = _spelt(one)  # type: ignore[index]  # a table of tomlkit is a mapping that can be written
        added.append(one.name)
    if added:
        replace_file(file, tomlkit.dumps(document))
    return tuple(added)


def _spelt(one: Needed) -> object:
    import tomlkit

    if one.uis is None and not one.companions and not one.words:
        return one.ref
    inline = tomlkit.inline_table()
    inline["ref"] = one.ref
    for name, value in one.words:
        inline[name] = value
    if one.companions:
        inline["companions"] = True
    if one.uis is not None:
        inline["ui"] = list(one.uis)
    return inline


def _needed(file: Path, name: str, said: object) -> Needed:
    where = f"`{TABLE}.{name}` in `{file}`"
    if slug(name) != name:
        raise BadSetting(
            f"{where} is no name", f"a name is written like `{slug(name) or 'my-model'}`", f"edit `{file}`"
        )
    table = {"ref": said} if isinstance(said, str) else said
    if not isinstance(table, dict):
        raise BadSetting(f"{where} is neither a reference nor a table", "", f'write {name} = "civitai:ID"')
    for key in table:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            why = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(_KEYS)}"
            raise BadSetting(f"`{key}` of {where} means nothing", why, f"edit `{file}`")
    ref, ui, companions = table.get("ref"), table.get("ui"), table.get("companions", False)
    uis = [ui] if isinstance(ui, str) else ui
    if not isinstance(ref, str) or not ref.strip():
        raise BadSetting(f"{where} names no model", "`ref` is missing", f'write {name} = "civitai:ID"')
    if uis is not None and not (isinstance(uis, list) and all(isinstance(one, str) for one in uis)):
        raise BadSetting(f"`ui` of {where} is no list of names", "", f'write ui = ["a1111"] in `{file}`')
    words = {key: table[key] for key in WORDS if key in table}
    wrong = [key for key, value in words.items() if not isinstance(value, str)]
    if wrong or not isinstance(companions, bool):
        raise BadSetting(f"`{wrong[0] if wrong else 'companions'}` of {where} has a wrong type", "", f"edit `{file}`")
    return Needed(name, ref.strip(), None if uis is None else tuple(uis), companions, tuple(sorted(words.items())))
