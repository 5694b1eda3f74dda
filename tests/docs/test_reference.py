"""The generated pages are today's, and they leave nothing out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from scripts.reference import ELSEWHERE, FLAGS, REFERENCE, STATUSES, Verb, stale, verbs, wanted

from sdkeep.cli.schemas import ANSWERS
from sdkeep.ground import errors
from sdkeep.ground.errors import KeepError, tree
from sdkeep.layouts.layout import layouts
from sdkeep.settings.variables import VARIABLES
from tests.docs.pages import ROOT

SOURCE = ROOT / "src" / "sdkeep"
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(SOURCE.rglob("*.py"))}
TO_COME: set[str] = set()
"""Codes of errors that nothing raises yet; one that is raised leaves this list."""


def reference(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    """Every generated page as it should be."""
    return wanted()


def test_no_generated_page_is_stale(pages: dict[Path, str]) -> None:
    complaints = stale(pages)
    assert not complaints, "run `make docs`\n" + "\n".join(complaints)


def test_pages_are_the_same_twice_and_name_no_machine(pages: dict[Path, str]) -> None:
    assert pages == wanted()
    assert not [path.name for path, text in pages.items() if re.search(r"/root/|/home/|/tmp/|/Users/", text)]


@pytest.mark.parametrize("verb", verbs(), ids=lambda verb: verb.path.replace(" ", "-"))
def test_every_verb_has_help_and_examples_of_its_own(verb: Verb) -> None:
    assert verb.command.help
    assert verb.command.help.strip().endswith(".")
    assert verb.examples
    assert all(f"sdkeep {verb.path}" in example for example in verb.examples)
    assert all(parameter.help for parameter in verb.command.params)


def test_every_verb_and_alias_is_documented() -> None:
    text = reference("commands.md")
    for verb in verbs():
        assert f"\n{'###' if ' ' in verb.path else '##'} {verb.path}\n" in text
        assert all(f"`{alias}`" in text for alias in verb.aliases)


def test_examples_use_options_that_exist() -> None:
    for verb in verbs():
        known = {name for parameter in verb.command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for example in verb.examples:
            used = {word for word in example.partition("sdkeep")[2].split() if re.match(r"--?[a-z]", word)}
            assert used <= known, example


def test_every_answer_has_a_schema() -> None:
    assert set(ANSWERS) == {verb.path for verb in verbs()}


def test_every_setting_and_variable_is_documented() -> None:
    text = reference("settings.md")
    for variable in VARIABLES:
        assert f"| `{variable.name}` |" in text
        assert all(f"`{name}`" in text for name in variable.env)


def test_every_variable_that_the_program_reads_is_documented() -> None:
    known = {name for variable in VARIABLES for name in variable.env} | set(ELSEWHERE)
    assert read_variables() - known == set()


def read_variables() -> set[str]:
    """Names of environment variables in `environ.get(NAME)`, `environ[NAME]` and `NAME in environ`."""
    found: set[str] = set()
    for node in (node for parsed in TREES.values() for node in ast.walk(parsed)):
        match node:
            case ast.Call(func=ast.Attribute(value=place, attr="get"), args=[ast.Constant(value=str(name)), *_]):
                pass
            case ast.Subscript(value=place, slice=ast.Constant(value=str(name))):
                pass
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[place]):
                pass
            case _:
                continue
        if ast.unparse(place).endswith("environ"):
            found.add(name)
    return found


def test_settings_said_to_have_flags_have_them() -> None:
    options = {verb.path: {name for p in verb.command.params for name in p.opts} for verb in verbs()}
    for flag, users in FLAGS.values():
        assert all(flag in options[user] for user in users)


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    documented = set(re.findall(r"^\| `([a-z-]+)` \| \d", reference("errors.md"), re.MULTILINE))
    assert documented == {kind.code for kind in tree()}


def test_every_status_is_explained() -> None:
    assert {kind.status for kind in tree()} <= set(STATUSES)
    assert all(f"| {status} |" in reference("errors.md") for status in STATUSES)


@pytest.mark.parametrize("kind", [kind for kind in tree() if not kind.__subclasses__()], ids=lambda kind: kind.code)
def test_every_code_is_raised_somewhere(kind: type[KeepError]) -> None:
    raised = kind.__name__ in built()
    assert raised or kind.code in TO_COME
    assert not (raised and kind.code in TO_COME), f"`{kind.code}` is raised now: take it off the list"


@cache
def built() -> set[str]:
    """Names that are called, or passed to what calls them, anywhere outside the tree's own module."""
    found: set[str] = set()
    for file, parsed in TREES.items():
        if file.samefile(errors.__file__):
            continue
        for node in ast.walk(parsed):
            if isinstance(node, ast.Call):
                named = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
                found |= {one.id for one in named if isinstance(one, ast.Name)}
    return found


def test_every_layout_and_kind_is_documented() -> None:
    text = reference("layouts.md")
    for layout in layouts():
        section = text.partition(f"(`{layout.id}`)")[2].partition("\n## ")[0]
        assert section
        assert all(f"| `{kind}` |" in section for kind in layout.shelves)
