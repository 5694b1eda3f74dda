"""The arguments a WebUI is started with, wherever they are written: its own start script, a launcher, a manager."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdkeep.ground.errors import KeepError
from sdkeep.ground.text import one_line
from sdkeep.layouts.arguments import Start, read_bat, read_sh
from sdkeep.layouts.jsonfile import objects_in, read_bytes, read_object, text_in
from sdkeep.layouts.surroundings import Surroundings
from sdkeep.layouts.values import Layout

_LONGEST = 1 << 20


def read_start(root: Path, layout: Layout, around: Surroundings) -> Start:
    """Every argument found; those of StabilityMatrix last, since it starts the program without the script."""
    found = [_script(root, layout, around), *_launchers(root, layout, around), _matrix(root)]
    return Start(
        tuple(argument for start in found for argument in start.arguments),
        tuple(doubt for start in found for doubt in start.doubts),
    )


def _script(root: Path, layout: Layout, around: Surroundings) -> Start:
    """The start script; one file of several, since a later one would not be run."""
    arguments = layout.arguments
    for name in arguments.windows if around.windows else arguments.posix:
        text, doubt = _text(root / name)
        if doubt:
            return Start((), (doubt,))
        if text is not None:
            read = read_bat if around.windows else read_sh
            return read(text, arguments.variable, around.environ)
    return Start()


def _launchers(root: Path, layout: Layout, around: Surroundings) -> Iterator[Start]:
    """Batch files that call `main.py` themselves, as ComfyUI's portable version has beside its folder."""
    for name in layout.arguments.launchers if around.windows else ():
        for folder in (root, root.parent):
            text, doubt = _text(folder / name)
            yield Start(tuple(_called(text or "")), (doubt,) if doubt else ())
            if text is not None:
                return


def _called(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if "main.py" in line and not line.lstrip("@ ").lower().startswith(("rem ", "::")):
            words = line.split("main.py", 1)[1].lstrip("\"'")
            try:
                yield from (word.strip("\"'") for word in shlex.split(words, posix=False))
            except ValueError:
                return


def _matrix(root: Path) -> Start:
    """What StabilityMatrix passes to a package of its own: `LaunchArgs` in the settings of its library."""
    if root.parent.name.lower() != "packages":
        return Start()
    try:
        said = read_object(root.parent.parent / "settings.json", _LONGEST)
    except KeepError:
        return Start()
    for package in objects_in(said or {}, "InstalledPackages"):
        if text_in(package, "LibraryPath").replace("\\", "/").rsplit("/", 1)[-1] == root.name:
            return Start(tuple(word for entry in objects_in(package, "LaunchArgs") for word in _option(entry)))
    return Start()


def _option(entry: Mapping[str, object]) -> Iterator[str]:
    name, value = text_in(entry, "Name"), entry.get("OptionValue")
    if value is True:
        yield from name.split()
    elif isinstance(value, str) and value:
        yield from (name, value) if name else one_line(value).split()


def _text(file: Path) -> tuple[str | None, str]:
    try:
        data = read_bytes(file, _LONGEST)
    except KeepError as error:
        return None, f"{error.what}: {error.why}"
    if data is None:
        return None, _no_script(file)
    return data.decode("utf-8", "replace"), ""


def _no_script(file: Path) -> str:
    if file.is_dir():
        return f"`{file}` cannot be read: it is a folder"
    return f"`{file}` is too long to be a start script" if file.is_file() else ""
