"""Write the generated pages: everything below docs/reference, and the marked parts of a few pages by hand.

`python scripts/reference.py` writes them, `--check` fails and shows what is stale. The same code always gives the same
text: nothing depends on the machine, the terminal or the time.
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, `scripts` is not found yet

from scripts.markdown import anchor, cell, codes, fenced, page, table
from scripts.regions import REGIONS, filled

from sdkeep.audit.judge import ENGINE
from sdkeep.audit.policy import Level, Policy, Rule, load_policy
from sdkeep.cli.app import application
from sdkeep.cli.frame import Common
from sdkeep.cli.schemas import ANSWERS, envelope
from sdkeep.formats.known import everything
from sdkeep.ground.errors import KeepError, tree
from sdkeep.layouts.layout import layouts
from sdkeep.layouts.values import Layout, Shelf
from sdkeep.settings.variables import VARIABLES, Scope, Type, Variable

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

STATUSES = {
    0: "done, and clean",
    1: "done, and the answer is bad: an unsafe file, a mismatch, drift, or part of a batch failed",
    2: "could not be done: usage, settings, something missing, broken input",
    3: "the hub or the network, after retries",
    4: "needs a login, a licence, or early-access rights",
    130: "interrupted",
}

FLAGS = {
    "ui": ("--in", ("get", "add", "place", "unplace")),
    "format": ("--format", ("get",)),
    "precision": ("--precision", ("get",)),
    "size": ("--size", ("get",)),
    "nsfw": ("--nsfw", ("search",)),
    "keep_original": ("--keep-original", ("get", "add")),
    "allow_unsafe": ("--allow-unsafe", ("get", "add", "place")),
}
"""Settings that some verbs also take as a flag."""

ELSEWHERE = {
    "NO_COLOR": "set to anything: no colour",
    "TERM": "`dumb`: no colour",
    "HF_TOKEN_PATH": "the file where Hugging Face's own tools keep a token, instead of the one in `HF_HOME`",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "`1`: that file is not read",
    "XDG_CACHE_HOME": "where `HF_HOME` lies by default: `$XDG_CACHE_HOME/huggingface`",
    "HOME": "what `~` means, and where `ui detect` looks; `USERPROFILE` on Windows",
    "USERPROFILE": "see `HOME`",
    "APPDATA": "where `ui detect` looks for StabilityMatrix on Windows; `XDG_CONFIG_HOME` elsewhere",
    "XDG_CONFIG_HOME": "see `APPDATA`",
    "_SDKEEP_COMPLETE": "set by the shell when it asks for completions",
}
"""Variables that are read and are no settings."""

SHARED = {
    "comfyui-yaml": "a section in its path configuration",
    "fooocus-json": "paths in its own configuration",
    "swarm-fds": "paths in its own configuration",
    "flags": "flags in its start script",
    "register": "registering each file in place, through its API",
}
"""What `Layout.share` says, in words."""

SCOPES = {
    Scope.PREFERENCE: "environment, `sdkeep.toml`, user file",
    Scope.PERSONAL: "environment, user file",
    Scope.OUTSIDE: "environment",
}


# ---------------------------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Verb:
    """One visible command: its path (`ui add`), the parser's object for it, its hidden other names, its examples."""

    path: str
    command: Any
    aliases: tuple[str, ...]
    examples: tuple[str, ...]


def verbs() -> list[Verb]:
    """Every verb that help shows, in its order; those of a group together."""
    return list(_verbs(application(), typer.main.get_command(application()), ""))


def _verbs(application: typer.Typer, group: Any, before: str) -> Iterator[Verb]:
    entries = application.registered_commands
    for entry in entries:
        if entry.hidden:
            continue
        aliases = tuple(str(one.name) for one in entries if one.hidden and one.callback is entry.callback)
        examples = tuple(re.findall(r"^  \$ (.+)$", entry.epilog or "", re.MULTILINE))
        yield Verb(before + str(entry.name), group.commands[entry.name], aliases, examples)
    for below in application.registered_groups:
        if below.typer_instance is not None:
            yield from _verbs(below.typer_instance, group.commands[below.name], f"{before}{below.name} ")


def groups() -> dict[str, str]:
    """The groups of verbs and what each is about."""
    return {
        str(one.name): str(one.typer_instance.info.help)
        for one in application().registered_groups
        if one.typer_instance
    }


def spelling(parameter: Any) -> str:
    """How an option is written: all its names, then what it takes."""
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.is_flag:
        return names
    takes = parameter.metavar or parameter.name.upper().replace("_", "-")
    return f"{names} `{takes}`" + (", repeatable" if parameter.multiple else "")


def argument(parameter: Any) -> str:
    """How an argument is written in a usage line."""
    word = str(parameter.metavar or parameter.name.upper()).removesuffix("...").strip("[]")
    word += "..." if parameter.nargs == -1 else ""
    return word if parameter.required else f"[{word}]"


def commands_page() -> str:
    """Every verb, from the live application."""
    own, shared = _options(typer.main.get_command(application()).params)
    parts = [
        "# Commands",
        "`sdkeep VERB ...`. References are explained in [references](../concepts/references.md), exit statuses and "
        "error codes in [errors](errors.md), the answers of `--json` in [schemas](schemas/README.md).",
        table(("Every verb takes, before or after it", "Meaning"), shared),
        table(("`sdkeep` alone takes", "Meaning"), own),
    ]
    index, group = verbs(), ""
    parts.append(table(("Verb", "Does"), [(f"[`{one.path}`](#{anchor(one.path)})", _first(one)) for one in index]))
    for one in index:
        above = one.path.rpartition(" ")[0]
        if above and above != group:
            parts += [f"## {above}", groups()[above]]
        group = above
        parts += _verb_section(one)
    return page(*parts)


def _options(parameters: Iterable[Any]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    rows = {one.name: (spelling(one), cell(one.help)) for one in parameters}
    shared = [rows[name] for name in Common.__dataclass_fields__]
    return [row for row in rows.values() if row not in shared] + [("`--help`, `-h`", "Show help and leave.")], shared


def _verb_section(one: Verb) -> Iterator[str]:
    own = [p for p in one.command.params if p.name not in Common.__dataclass_fields__]
    arguments = [p for p in own if p.param_type_name == "argument"]
    options = [p for p in own if p.param_type_name == "option"]
    yield f"{'###' if ' ' in one.path else '##'} {one.path}"
    yield "\n".join(line.rstrip() for line in str(one.command.help).splitlines())
    yield fenced("text", " ".join(["sdkeep", one.path, *map(argument, arguments), *(["[OPTIONS]"] if options else [])]))
    if one.aliases:
        yield "Also: " + ", ".join(f"`{alias}`" for alias in one.aliases)
    if arguments:
        yield table(("Argument", "Meaning"), [(f"`{argument(p)}`", cell(p.help)) for p in arguments])
    if options:
        yield table(("Option", "Meaning"), [(spelling(p), _meaning(p)) for p in options])
    yield fenced("sh", "\n".join(one.examples))


def _meaning(parameter: Any) -> str:
    text = cell(parameter.help)
    default = parameter.default
    if parameter.is_flag and parameter.secondary_opts:
        default = parameter.opts[0] if default else parameter.secondary_opts[0]
    elif parameter.is_flag or default in (None, "", ()):
        return text
    return f"{text} Default: `{default}`."


def _first(one: Verb) -> str:
    return cell(re.split(r"(?<=\.)\s", " ".join(str(one.command.help).split()))[0])


# ---------------------------------------------------------------------------------------------------------- settings


def settings_page() -> str:
    """The table of settings."""
    rows = [
        (
            f"`{one.name}`",
            cell(one.what),
            _values(one),
            one.shown or (f"`{one.default}`" if one.default else "none"),
            ", ".join(f"`{name}`" for name in one.env),
            SCOPES[one.scope] + _flag(one),
        )
        for one in VARIABLES
    ]
    return page(
        "# Settings",
        "The first that sets a value wins: flag, environment, `./sdkeep.toml`, user file, default. "
        "`sdkeep config list` shows every value with its source, `sdkeep config set NAME VALUE` writes the user file. "
        "Where several variables are named, the first that is set counts; an empty one counts as unset.",
        "`./sdkeep.toml` keeps its values under `[settings]`, and only those that name it below, since it may come "
        "with other people's folders. The user file has them at the top level. A token stands in no file of these; see "
        "[tokens](../guides/tokens.md).",
        table(("Setting", "Meaning", "Values", "Default", "Variables", "May be set by"), rows),
        "## Other variables",
        table(("Variable", "Meaning"), [(f"`{name}`", what) for name, what in ELSEWHERE.items()]),
    )


def _values(one: Variable) -> str:
    if one.type is Type.CHOICE:
        return ", ".join(f"`{choice}`" for choice in one.choices if choice) + (
            ", or empty" if "" in one.choices else ""
        )
    if one.type in (Type.COUNT, Type.SECONDS):
        return f"{one.least:g} to {one.most:g}"
    return {Type.FLAG: "true or false", Type.LIST: "words, with commas", Type.SECRET: "secret"}.get(one.type, one.type)


def _flag(one: Variable) -> str:
    if one.name not in FLAGS:
        return ""
    flag, users = FLAGS[one.name]
    return f"; `{flag}` of " + ", ".join(f"`{user}`" for user in users)


# ------------------------------------------------------------------------------------------------------------ errors


def errors_page() -> str:
    """Exit statuses, and every error of the tree."""
    known = sorted(tree(), key=lambda kind: kind.code)
    return page(
        "# Errors and exit statuses",
        "An error says what went wrong, why, and what to do next. Under `--json` it stands in `errors` with its code. "
        "Codes and statuses never change their meaning.",
        "## Exit statuses",
        table(("Status", "Meaning"), [(str(status), meaning) for status, meaning in STATUSES.items()]),
        "Several references in one command: all fine is 0, some failed is 1, all failed is the highest of theirs. "
        "`scan` leaves with 1 when any file is suspicious or dangerous, and with 2 when one could not be decided.",
        "## Codes",
        table(("Code", "Status", "Kind of", "Meaning"), [_error(kind) for kind in known]),
    )


def _error(kind: type[KeepError]) -> tuple[str, ...]:
    above = kind.__mro__[1]
    of = f"`{above.code}`" if issubclass(above, KeepError) and above is not KeepError else ""
    return f"`{kind.code}`", str(kind.status), of, cell(inspect.getdoc(kind) or "")


# ----------------------------------------------------------------------------------------------------------- layouts


def layouts_page() -> str:
    """The folders of every built-in layout."""
    parts = [
        "# WebUI layouts",
        "Where each WebUI keeps which kind of file. The first folder is where `place` puts it; all are looked through "
        "for names that are taken. Flags in the WebUI's own start script move folders, and sdkeep follows them. "
        "How to write a layout of your own: [WebUIs](../guides/webuis.md).",
    ]
    for layout in layouts():
        parts += list(_layout(layout))
    return page(*parts)


def _layout(layout: Layout) -> Iterator[str]:
    yield f"## {layout.title} (`{layout.id}`)"
    facts = [
        ("Told by", codes(layout.present)),
        ("Not by", codes(layout.absent)),
        ("Opens symbolic links by their own name", "yes" if layout.symlinks else "no"),
        ("Preview picture", codes(layout.previews[:1])),
        ("Written beside a model", codes(layout.sidecars)),
        ("Start script", codes((*layout.arguments.posix, *layout.arguments.windows))),
        ("Path configuration", codes((layout.extra_paths,) if layout.extra_paths else ())),
        ("Its own configuration", _configuration(layout)),
        ("Address when running", codes((layout.server.url,) if layout.server.url else ())),
        ("Can be given folders of ours by", SHARED.get(layout.share, "")),
        ("Keeps hashes of its own", "yes, read as hints" if layout.caches else ""),
        ("To see new files", layout.refresh),
    ]
    if layout.refused:
        yield f"No files are placed: {layout.refused}. Instead, {layout.instead}."
    else:
        yield table(("Fact", "Value"), [fact for fact in facts if fact[1]])
    if not layout.shelves:
        return
    heads = ("Kind", "Folders", "Extensions", "Moved by", "To paste")
    yield table(heads, [_shelf(shelf) for shelf in layout.shelves.values()])
    doubts = [str(shelf.kind) for shelf in layout.shelves.values() if not shelf.verified]
    if doubts:
        yield "Not checked against the WebUI itself: " + ", ".join(f"`{kind}`" for kind in doubts) + "."


def _configuration(layout: Layout) -> str:
    """The file that moves folders, and the key in it that moves all of them."""
    own = layout.config
    if not own.file:
        return ""
    return f"`{own.file}`" + (f", `{own.models}` moves all folders" if own.models else "")


def _shelf(shelf: Shelf) -> tuple[str, ...]:
    moved = [flag for flags in shelf.flags for flag in flags] + list(shelf.keys or shelf.config)
    folders = codes(shelf.dirs) + (", where its extension is installed" if shelf.if_installed else "")
    return (
        f"`{shelf.kind}`",
        folders,
        codes(shelf.extensions),
        codes(moved),
        f"`{shelf.prompt}`" if shelf.prompt else "",
    )


# ------------------------------------------------------------------------------------------------------- scan policy


def policy_page() -> str:
    """What the scan allows, and the words it has for the rest."""
    policy = load_policy()
    safe, inert = _rules(policy, Level.SAFE), _rules(policy, Level.INERT)
    known = sum(len(names) for names in (*safe.values(), *inert.values()))
    return page(
        "# Scan policy",
        f"Policy `{policy.version}`, engine `{ENGINE}`. Both are stored with every verdict.",
        f"The rule is an allowlist of {known} exact names. A pickle that uses any other name is not placed: mentioning "
        "one is suspicious, calling or building one is dangerous. What the verdicts mean: "
        "[the safety model](../concepts/safety-model.md).",
        table(
            ("Group", "Entries", "A file that uses them"),
            [
                ("safe", str(sum(map(len, safe.values()))), "is clean, if every call passes its argument check"),
                ("inert", str(sum(map(len, inert.values()))), "is clean with notes; the values stay opaque"),
                ("object", str(len(policy.libraries)), "is suspicious: whole modules instead of weights"),
                ("dangerous", str(len(policy.dangers)), "as all others; these words are added to the finding"),
                ("all others", "", "is suspicious when a name is mentioned, dangerous when it is called or built"),
            ],
        ),
        "Acts: `call` is REDUCE, INST or OBJ, `new` is NEWOBJ and NEWOBJ_EX, `build` is BUILD with plain state, "
        "`items` is APPEND(S) and ADDITEMS, `pairs` is SETITEM(S). A name without acts may only be mentioned.",
        "## Safe",
        _rule_table(safe),
        "## Inert",
        _rule_table(inert),
        "## Objects",
        table(
            ("Names that begin with", "Why"),
            [(f"`{name}`", cell(rule.why)) for name, rule in sorted(policy.libraries.items())],
        ),
        "## Dangerous",
        "The list explains, it decides nothing: without it the same files would be refused as unknown.",
        table(
            ("Names", "Why", "Advisories"),
            [(f"`{name}`", cell(one.why), ", ".join(one.advisories)) for name, one in sorted(policy.dangers.items())],
        ),
        "## Configuration files",
        f"A YAML beside a checkpoint may instantiate classes that match `{policy.yaml_targets.pattern}`, and "
        + codes(sorted(policy.yaml_also))
        + ".",
    )


def _rules(policy: Policy, level: Level) -> dict[Rule, list[str]]:
    found: dict[Rule, list[str]] = {}
    for name, rule in policy.rules.items():
        if rule.level is level:
            found.setdefault(rule, []).append(name)
    return found


def _rule_table(rules: Mapping[Rule, list[str]]) -> str:
    rows = [
        (codes(names), ", ".join(sorted(rule.allows)), f"`{rule.check}`" if rule.check else "", cell(rule.why))
        for rule, names in rules.items()
    ]
    if not any(row[3] for row in rows):
        return table(("Names", "Acts", "Argument check"), [row[:3] for row in rows])
    return table(("Names", "Acts", "Argument check", "What it is"), rows)


# ---------------------------------------------------------------------------------------------------- known, schemas


def known_page() -> str:
    """The short names that lead somewhere."""
    rows = [
        (
            codes((*one.aliases, one.id)),
            cell(one.title),
            f"`{one.family}`",
            f"`{one.kind}`",
            cell(one.licence.name or "not known"),
            "yes" if one.confirmed else "no",
        )
        for one in everything()
        if one.refs
    ]
    return page(
        "# Short names of known models",
        "`sdkeep get sd15` fetches a base model by its short name, from the first of its published places that still "
        "answers. A confirmed SHA-256 is one that independent lists agree on.",
        table(("Names", "Model", "Family", "Kind", "Licence", "SHA-256 confirmed"), rows),
    )


def schemas_index() -> str:
    """The list of schemas."""
    rows = [(f"`{verb}`", f"[{verb.replace(' ', '-')}.json]({verb.replace(' ', '-')}.json)") for verb in ANSWERS]
    return page(
        "# JSON Schemas",
        "One document a run: `schema` (1), `verb`, `ok`, `data`, `errors`, `warnings`. `data` is null where the verb "
        "as a whole failed. Readers should ignore keys they do not know: new ones may be added without a new number.",
        'A mistake that was found before a verb ran has the verb `""`; '
        "[envelope.json](envelope.json) describes what all documents share.",
        table(("Verb", "Schema"), rows),
    )


def reference_index() -> str:
    """The list of generated pages."""
    pages = {
        "commands.md": "every verb, its arguments and options",
        "settings.md": "every setting and environment variable",
        "errors.md": "exit statuses and error codes",
        "layouts.md": "the folders of each WebUI",
        "scan-policy.md": "what a pickle may name",
        "known-models.md": "short names of base models",
        "schemas/README.md": "JSON Schemas of `--json`",
    }
    return page(
        "# Reference",
        "Made from the code; `make docs` writes it, a test fails when it is stale.",
        "\n".join(f"- [{name}]({name}): {what}" for name, what in pages.items()),
    )


def schema_text(verb: str | None) -> str:
    """The file of one verb's schema."""
    return json.dumps(envelope(verb), indent=1, ensure_ascii=False) + "\n"


# ----------------------------------------------------------------------------------------------------------- writing


def wanted() -> dict[Path, str]:
    """Every page that is generated, whole or in part, with the text it should have."""
    found = {
        REFERENCE / "README.md": reference_index(),
        REFERENCE / "commands.md": commands_page(),
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "errors.md": errors_page(),
        REFERENCE / "layouts.md": layouts_page(),
        REFERENCE / "scan-policy.md": policy_page(),
        REFERENCE / "known-models.md": known_page(),
        REFERENCE / "schemas" / "README.md": schemas_index(),
        REFERENCE / "schemas" / "envelope.json": schema_text(None),
    }
    for verb in ANSWERS:
        found[REFERENCE / "schemas" / f"{verb.replace(' ', '-')}.json"] = schema_text(verb)
    for (name, region), text in REGIONS.items():
        path = DOCS / name
        found[path] = filled(found.get(path) or path.read_text(encoding="utf-8"), region, text())
    return found


def leftover(pages: Mapping[Path, str]) -> list[Path]:
    """Files below docs/reference that nothing generates any more."""
    return sorted(file for file in REFERENCE.rglob("*") if file.is_file() and file not in pages)


def stale(pages: Mapping[Path, str]) -> list[str]:
    """What `--check` complains of, a few lines of difference for each page."""
    found = []
    for path, text in pages.items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if there != text:
            name = path.relative_to(ROOT).as_posix()
            lines = difflib.unified_diff(
                there.splitlines(), text.splitlines(), name, f"{name} (made now)", "", "", 1, ""
            )
            found.append("\n".join(list(lines)[:20]))
    return found + [f"{path.relative_to(ROOT).as_posix()} is generated no more" for path in leftover(pages)]


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` compare them; the exit status."""
    pages = wanted()
    if "--check" in arguments:
        complaints = stale(pages)
        for complaint in complaints:
            print(complaint, file=sys.stderr)
        if complaints:
            print(f"{len(complaints)} pages are stale: run `make docs`", file=sys.stderr)
        return 1 if complaints else 0
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT).as_posix()}")
    for path in leftover(pages):
        path.unlink()
        print(f"removed {path.relative_to(ROOT).as_posix()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
