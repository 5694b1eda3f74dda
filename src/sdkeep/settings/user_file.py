"""Changes to the user's `config.toml`: one value at a time, comments kept, never half written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from sdkeep.ground.errors import BadSetting, NotWritable
from sdkeep.settings.values import Value, read
from sdkeep.settings.variables import Scope, Type, Variable, named, nearest


def write(file: Path, name: str, value: str, cwd: Path) -> None:
    """Set `name` in the user file to what `value` spells; raises `BadSetting` before anything is written.

    A relative path starts at `cwd` and is stored in full.
    """
    import tomlkit

    variable = _settable(name)
    meaning = read(variable, value, "command line", cwd)
    plain = _plain(meaning)

    def change(text: str) -> str:
        document = tomlkit.parse(text)
        spelling = _spelling(list(document), variable)
        document[spelling] = plain
        return tomlkit.dumps(document)

    _rewrite(file, change)


def unset(file: Path, name: str) -> bool:
    """Remove `name` from the user file; False when it was not there."""
    import tomlkit

    variable = _settable(name)
    removed = False

    def change(text: str) -> str:
        nonlocal removed
        document = tomlkit.parse(text)
        for key in [key for key in document if named(key) is variable]:
            document.remove(key)
            removed = True
        return tomlkit.dumps(document)

    if file.exists():
        _rewrite(file, change)
    return removed


def replace_file(path: Path, text: str, mode: int | None = None) -> None:
    """Write `text` to `path` through a temporary file in the same folder; a link is followed, `mode` set before a byte.

    Raises `NotWritable`.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = target.stat().st_mode & 0o777 if target.exists() else 0o644
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
                Path(temporary).chmod(kept if mode is None else mode)
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NotWritable(f"`{path}` cannot be written", str(error), f"make `{target.parent}` writable") from error


def _plain(meaning: Value) -> str | bool | int | float:
    if isinstance(meaning, bool | int | float):
        return meaning
    return ",".join(meaning) if isinstance(meaning, tuple) else str(meaning or "")


def _settable(name: str) -> Variable:
    variable = named(name)
    if variable is None:
        near = nearest(name)
        raise BadSetting(f"`{name}` is no setting", f"did you mean `{near}`?" if near else "", "`sdkeep config list`")
    if variable.type is Type.SECRET:
        hub = "civitai" if variable.name.startswith("civitai") else "huggingface"
        raise BadSetting(f"`{name}` is no setting for a file", "tokens are kept apart", f"`sdkeep auth login {hub}`")
    if variable.scope is Scope.OUTSIDE:
        env = " or ".join(variable.env)
        raise BadSetting(
            f"`{name}` is not read from a file", "it is read from the environment only", f"set {env} instead"
        )
    return variable


def _spelling(keys: list[str], variable: Variable) -> str:
    return next((key for key in keys if named(key) is variable), variable.name)


def _rewrite(file: Path, change: Callable[[str], str]) -> None:
    from tomlkit.exceptions import TOMLKitError

    try:
        text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
        changed = change(text)
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise BadSetting(f"`{file}` cannot be read", str(error), f"edit `{file}`") from error
    if changed != text:
        replace_file(file, changed)
