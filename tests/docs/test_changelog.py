"""The changelog's form, and the status page against the program."""

from __future__ import annotations

import re

from scripts.reference import verbs

from sdkeep import __version__
from tests.docs.pages import DOCS, ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
STATUS = (DOCS / "status.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_this_version_has_an_entry_at_the_top() -> None:
    heads = re.findall(r"^## \[(.+?)\] - (.+)$", CHANGELOG, re.MULTILINE)
    assert heads[0][0] == __version__
    assert all(date == "unreleased" or re.fullmatch(r"\d{4}-\d\d-\d\d", date) for _, date in heads)


def test_entries_are_sorted_under_the_usual_heads() -> None:
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_what_works_is_there_and_what_is_to_come_is_not() -> None:
    known = {name for verb in verbs() for name in (verb.path, *verb.aliases)}
    works, _, missing = STATUS.partition("## Not yet")
    assert named(works) == {verb.path for verb in verbs()}
    assert named(missing)
    assert not named(missing) & known


def named(text: str) -> set[str]:
    """Verbs that head a row of a table."""
    cells = re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_pages_speak_of_the_product_alone() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"\bTODO\b|\bTBD\b|\bFIXME\b", text), page.name
