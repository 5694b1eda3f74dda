"""Settings from flags, the environment, `./sdkeep.toml`, the user file and the defaults, in that order."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from sdkeep.ground.errors import BadSetting
from sdkeep.settings.values import Loaded, Origin, Settings, Source, Value, read
from sdkeep.settings.variables import BY_NAME, VARIABLES, Scope, Type, Variable, named, nearest

PROJECT_FILE = "sdkeep.toml"
_DERIVED = ("home", "catalogue", "config_file", "layouts_dir")
_FIELDS = tuple(v for v in VARIABLES if v.type is not Type.SECRET and v.name != "hf_home")


@dataclass(frozen=True, slots=True)
class _Layer:
    """Raw values of one place. `folder` is where its relative paths start."""

    origin: Origin
    values: Mapping[str, object]
    where: Mapping[str, str]
    folder: Path


def load(
    environ: Mapping[str, str], cwd: Path, home: Path | None = None, flags: Mapping[str, str] | None = None
) -> Loaded:
    """Every setting with where it came from; raises `BadSetting` naming the flag, variable or file and its key.

    `home` replaces the platform's data folder; then `config.toml` and `layouts` are looked for in it as well, so that
    one folder holds everything. An empty variable counts as unset.
    """
    user_home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    outer = [_flags(flags or {}, cwd), _environment(environ, cwd), _project(cwd)]
    config = _find(BY_NAME["config_file"], outer, user_home)
    config_file = config[0] if isinstance(config[0], Path) else (home or _config_folder()) / "config.toml"
    layers = [*outer, _user(config_file)]
    values: dict[str, Value] = {}
    sources: dict[str, Source] = {}
    for variable in _FIELDS:
        values[variable.name], sources[variable.name] = _find(variable, layers, user_home)
    data = values["home"] or home or platformdirs.user_data_path("sdkeep", appauthor=False)
    values["home"] = data
    values["catalogue"] = values["catalogue"] or Path(str(data)) / "registry.db"
    values["config_file"] = config_file
    values["layouts_dir"] = values["layouts_dir"] or config_file.parent / "layouts"
    return Loaded(Settings(**values), sources)  # type: ignore[arg-type]  # each row's reader gives its field's type


def _config_folder() -> Path:
    return platformdirs.user_config_path("sdkeep", appauthor=False)


def _find(variable: Variable, layers: list[_Layer], user_home: str) -> tuple[Value, Source]:
    for layer in layers:
        if variable.name in layer.values:
            where = layer.where.get(variable.name, "")
            value = read(variable, layer.values[variable.name], where, layer.folder, user_home)
            return value, Source(layer.origin, where)
    if variable.name in _DERIVED:
        return None, Source(Origin.DEFAULT)
    return read(variable, variable.default, "default", Path(), user_home), Source(Origin.DEFAULT)


def _flags(flags: Mapping[str, str], cwd: Path) -> _Layer:
    values: dict[str, object] = {}
    for name, text in flags.items():
        variable = named(name)
        if variable is None or variable.type is Type.SECRET:
            raise _unknown(name, "the command line")
        values[variable.name] = text
    return _Layer(Origin.FLAG, values, {name: BY_NAME[name].flag for name in values}, cwd)


def _environment(environ: Mapping[str, str], cwd: Path) -> _Layer:
    where = {v.name: env for v in _FIELDS for env in reversed(v.env) if environ.get(env)}
    return _Layer(Origin.ENVIRONMENT, {name: environ[env] for name, env in where.items()}, where, cwd)


def _project(cwd: Path) -> _Layer:
    file = cwd / PROJECT_FILE
    table = _toml(file).get("settings", {})
    if not isinstance(table, dict):
        raise BadSetting(f"`settings` in `{file}` is no table", "it is written [settings]", f"edit `{file}`")
    for variable in _checked(table, file):
        if not variable.project:
            allowed = ", ".join(v.name for v in VARIABLES if v.project)
            raise BadSetting(
                f"`{file}` sets `{variable.name}`",
                f"a project file comes with other people's folders and may set preferences only: {allowed}",
                f"remove it there; `sdkeep config set {variable.name} VALUE` sets it for you alone",
            )
    return _Layer(Origin.PROJECT, _canonical(table), dict.fromkeys(_canonical(table), str(file)), cwd)


def _user(file: Path) -> _Layer:
    table = _toml(file)
    for variable in _checked(table, file):
        if variable.scope is Scope.OUTSIDE:
            raise BadSetting(
                f"`{file}` sets `{variable.name}`",
                "it is read from the environment only, never from a file",
                f"remove `{variable.name}` from the file; {' or '.join(variable.env)} sets it",
            )
    return _Layer(Origin.USER, _canonical(table), dict.fromkeys(_canonical(table), str(file)), file.parent)


def _canonical(table: Mapping[str, object]) -> dict[str, object]:
    return {variable.name: value for key, value in table.items() if (variable := named(key))}


def _checked(table: Mapping[str, object], file: Path) -> Iterator[Variable]:
    for key in table:
        variable = named(key)
        if variable is None:
            raise _unknown(key, f"`{file}`")
        yield variable


def _unknown(name: str, place: str) -> BadSetting:
    near = nearest(name)
    why = f"the nearest known name is `{near}`" if near else "no known name looks like it"
    return BadSetting(f"`{name}` in {place} is no setting", why, "`sdkeep config list` lists them all")


def _toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"`{file}` cannot be read", str(error), f"make `{file}` a readable text file") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"`{file}` is no valid TOML", str(error), f"edit `{file}`") from error
