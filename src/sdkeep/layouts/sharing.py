"""A folder of ours, made known to a WebUI in its own path configuration, and taken out of it again.

What others wrote there stays as it is: the file is read back before it takes the place of the old one, and a copy of
the old one lies beside it. A configuration that cannot be read is not touched.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.errors import LayoutError, WouldOverwrite
from sdkeep.layouts.configs import fds_escaped, fds_unescaped, is_yaml_text, safe_yaml
from sdkeep.layouts.folders import Installed
from sdkeep.layouts.jsonfile import as_object, read_bytes
from sdkeep.layouts.values import Shelf
from sdkeep.layouts.writing import rewrite, write_new

BACKUP = ".before-sdkeep"
_BEGIN = "# sdkeep: begin, written by sdkeep; `sdkeep ui rm` takes it out again"
_END = "# sdkeep: end"
_BLOCK = re.compile(rf"\n?^{re.escape(_BEGIN)}$.*?^{re.escape(_END)}$\n?", re.MULTILINE | re.DOTALL)
_ROOT_LINE = re.compile(r"(?m)^( +)ModelRoot: ?(.*)$")
_ODD = re.compile(r"[$%~;\n\r\0]")

_LISTS: dict[tuple[str, ...], str] = {("path_checkpoints",): "checkpoint", ("path_loras",): "lora"}
"""The keys of Fooocus that may hold several folders, with ours below the shared one."""

Edit = Callable[[bytes, Installed, Path], bytes]


@dataclass(frozen=True, slots=True)
class Shared:
    """What came of it. `file` is the configuration, None where there is none to write; `todo` what is left to do."""

    file: Path | None
    changed: bool
    todo: str


def share(here: Installed, folder: Path) -> Shared:
    """Make `folder` known to the WebUI; `LayoutError` for one that cannot be told, `WouldOverwrite` for odd files."""
    title, kind = here.layout.title, here.layout.share
    if _ODD.search(str(folder)):
        raise LayoutError(f"`{folder}` cannot be shared", "its name has a sign that path configurations read otherwise")
    if not kind:
        raise LayoutError(
            f"{title} cannot be given folders besides its own",
            "it reads one folder for each kind",
            "`sdkeep ui add` without `--share` links files there",
        )
    for name in _names(here):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if kind == "register":
        return Shared(None, False, "")
    if kind == "flags":
        return Shared(None, False, f"start it with: {_flags(here, folder)}")
    file, edit = _configuration(here), _ADDING[kind]
    before = _before(file, here)
    changed = _exchange(file, before, edit(before or b"", here, folder))
    return Shared(file, changed, f"restart {title}: it reads `{file.name}` when it starts")


def unshare(here: Installed, folder: Path) -> Shared:
    """Take `folder` out of the configuration again. A file that was made for it alone goes, and so does the copy."""
    kind = here.layout.share
    if kind not in _REMOVING:
        return Shared(None, False, "")
    file = _configuration(here)
    before = _before(file, here) if file.is_file() else None
    if before is None:
        return Shared(file, False, "")
    after = _REMOVING[kind](before, here, folder)
    backup = file.with_name(file.name + BACKUP)
    if not after.strip() and not backup.is_file() and after != before:
        file.unlink()
        return Shared(file, True, "")
    kept = read_bytes(backup) if not backup.is_symlink() else None
    if kept is not None and _says_the_same(after, kept):
        after = kept
    changed = after != before
    if changed:
        rewrite(file, after, created=False)
    if kept == after:
        backup.unlink()
    return Shared(file, changed, f"restart {here.layout.title}" if changed else "")


def _says_the_same(one: bytes, other: bytes) -> bool:
    """Whether two configurations differ only in how they are written: a last line feed, the spaces of JSON."""
    return one.rstrip() == other.rstrip() or (as_object(one) or 1) == (as_object(other) or 2)


def _configuration(here: Installed) -> Path:
    name = here.layout.extra_paths or here.layout.config.file
    return (here.root if here.layout.extra_paths else here.data) / name


def _before(file: Path, here: Installed) -> bytes | None:
    data = read_bytes(file)
    if data is None and os.path.lexists(file):
        raise _untouched(file, "it is no plain file that can be read")
    if data is None and here.layout.share == "swarm-fds":
        raise _untouched(file, f"it is not there yet: start {here.layout.title} once")
    return data


def _exchange(file: Path, before: bytes | None, after: bytes) -> bool:
    if before == after:
        return False
    if before is None:
        write_new(file, after)
        return True
    if file.is_symlink():
        raise _untouched(file, "it is a link to somewhere else")
    backup = file.with_name(file.name + BACKUP)
    if not os.path.lexists(backup):
        write_new(backup, before)
    rewrite(file, after, created=False)
    return True


def _untouched(file: Path, why: str) -> WouldOverwrite:
    return WouldOverwrite(f"`{file}` is left as it is", why, "`sdkeep ui add` without `--share` links files instead")


def _names(here: Installed) -> list[str]:
    return list(dict.fromkeys(name for shelf in here.layout.shelves.values() if (name := _name(here, shelf))))


def _name(here: Installed, shelf: Shelf) -> str:
    """The sub-folder for one kind, empty for a kind that the WebUI cannot be given another folder for."""
    if here.layout.share == "swarm-fds":
        below = shelf.dirs[0].removeprefix(here.layout.models + "/")
        return below if below != shelf.dirs[0] else ""
    if here.layout.share == "fooocus-json":
        return _LISTS.get(shelf.config, "")
    possible = {
        "comfyui-yaml": bool(shelf.keys),
        "flags": shelf.flags_add and bool(shelf.flags),
        "register": True,
    }
    return str(shelf.kind) if possible[here.layout.share] else ""


def _flags(here: Installed, folder: Path) -> str:
    flags: dict[str, Path] = {}
    for shelf in here.layout.shelves.values():
        if _name(here, shelf):
            flags.setdefault(shelf.flags[0][0], folder / _name(here, shelf))
    return " ".join(f'{flag} "{path}"' for flag, path in flags.items())


def _add_section(before: bytes, here: Installed, folder: Path) -> bytes:
    file = _configuration(here)
    plain, old = _without_section(before, here, folder), _sections(before, file)
    if "sdkeep" in _sections(plain, file):
        raise _untouched(file, "it has a section `sdkeep` that is not ours")
    keys: dict[str, list[str]] = {}
    for shelf in here.layout.shelves.values():
        if shelf.keys:
            keys.setdefault(shelf.keys[0], []).append(str(shelf.kind))
    lines = [_BEGIN, "sdkeep:", f"    base_path: {json.dumps(str(folder), ensure_ascii=False)}"]
    for key, kinds in keys.items():
        lines += [f"    {key}: {kinds[0]}"] if len(kinds) == 1 else [f"    {key}: |"] + [f"        {k}" for k in kinds]
    newline = b"" if not plain or plain.endswith(b"\n") else b"\n"
    after = plain + newline + "\n".join([*lines, _END, ""]).encode()
    found = _sections(after, file)
    ours = found.pop("sdkeep", None)
    old.pop("sdkeep", None)
    if not isinstance(ours, dict) or ours.get("base_path") != str(folder) or found != old:
        raise _untouched(file, "a section cannot be added at its end")
    return after


def _without_section(before: bytes, _here: Installed, _folder: Path) -> bytes:
    text = before.decode("utf-8", "surrogateescape")
    return _BLOCK.sub(lambda match: "\n" if match[0].startswith("\n") else "", text).encode("utf-8", "surrogateescape")


def _sections(data: bytes, file: Path) -> dict[object, object]:
    said = safe_yaml(data)
    if said is None and not is_yaml_text(data):
        return {}
    if not isinstance(said, dict):
        raise _untouched(file, "it is no YAML of sections")
    return dict(said)


def _add_to_lists(before: bytes, here: Installed, folder: Path) -> bytes:
    said = _object(before, here)
    after = dict(said)
    for key, default, ours in _lists(here, folder):
        paths = _paths(said, key)
        others = [path for path in paths if path != ours]
        if not others or not all((here.data / path).is_dir() for path in others):
            others = [default]  # as Fooocus itself does with a folder that is not there
        after[key] = paths if ours in paths and others != [default] else [*others, ours]
    return before if after == said else _written(after)


def _out_of_lists(before: bytes, here: Installed, folder: Path) -> bytes:
    said, file = _object(before, here), _configuration(here)
    kept = as_object(read_bytes(file.with_name(file.name + BACKUP)))
    after = dict(said)
    for key, default, ours in _lists(here, folder):
        if ours not in _paths(said, key):
            continue
        others = [path for path in _paths(said, key) if path != ours] or [default]
        after[key] = others
        if kept is not None and others in (_paths(kept, key), [default]):
            after |= {key: kept[key]} if key in kept else {}
            if key not in kept:
                del after[key]
    return before if after == said else _written(after)


def _object(data: bytes, here: Installed) -> dict[str, object]:
    said = as_object(data) if data.strip() else {}
    if said is None:
        raise _untouched(_configuration(here), "it is no JSON object")
    return said


def _lists(here: Installed, folder: Path) -> list[tuple[str, str, str]]:
    """Each key with the folder that the WebUI would use without it, and ours."""
    shelves = {shelf.config: shelf for shelf in here.layout.shelves.values() if shelf.config in _LISTS}
    return [
        (config[0], str(here.data / shelf.dirs[0]), str(folder / _LISTS[config])) for config, shelf in shelves.items()
    ]


def _paths(said: dict[str, object], key: str) -> list[str]:
    value = said.get(key)
    return [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, list) else []


def _written(said: dict[str, object]) -> bytes:
    return (json.dumps(said, indent=4, ensure_ascii=False) + "\n").encode()


def _add_root(before: bytes, here: Installed, folder: Path) -> bytes:
    text = before.decode("utf-8", "surrogateescape")
    file = _configuration(here)
    if not re.search(r"(?m)^Paths:\s*$", text):
        raise _untouched(file, "it has no section `Paths`")
    lines = list(_ROOT_LINE.finditer(text))
    if len(lines) > 1:
        raise _untouched(file, "it has more than one `ModelRoot`")
    if not lines:
        text = re.sub(r"(?m)^Paths:[^\S\n]*$", lambda found: f"{found[0]}\n    ModelRoot: Models", text, count=1)
    return _with_roots(text, lambda roots: [*roots, str(folder)] if str(folder) not in roots else roots)


def _out_of_root(before: bytes, _here: Installed, folder: Path) -> bytes:
    text = before.decode("utf-8", "surrogateescape")
    return _with_roots(text, lambda roots: [root for root in roots if root != str(folder)] or ["Models"])


def _with_roots(text: str, change: Callable[[list[str]], list[str]]) -> bytes:
    def spelt(found: re.Match[str]) -> str:
        roots = [root for root in fds_unescaped(found[2].rstrip("\r")).split(";") if root]
        wanted = change(roots)
        end = "\r" if found[2].endswith("\r") else ""
        return found[0] if wanted == roots else f"{found[1]}ModelRoot: {fds_escaped(';'.join(wanted))}{end}"

    return _ROOT_LINE.sub(spelt, text, count=1).encode("utf-8", "surrogateescape")


_ADDING: dict[str, Edit] = {
    "comfyui-yaml": _add_section,
    "fooocus-json": _add_to_lists,
    "swarm-fds": _add_root,
}
_REMOVING: dict[str, Edit] = {
    "comfyui-yaml": _without_section,
    "fooocus-json": _out_of_lists,
    "swarm-fds": _out_of_root,
}
