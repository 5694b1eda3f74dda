"""Every command shown in the pages works as shown, and nothing is mentioned that does not exist."""

from __future__ import annotations

import os
import re
import sqlite3
from functools import cache
from pathlib import Path

import pytest
from scripts.reference import groups, verbs

from sdkeep.ground.errors import BadReference
from sdkeep.ground.ref import parse
from sdkeep.layouts.reading import read_layout
from tests.docs.conftest import Terminal
from tests.docs.pages import DOCS, ROOT, WRITTEN, blocks, links, matches, mentioned, refreshed, steps
from tests.makers.schemas import validate

PICTURED = [page for page in WRITTEN if blocks(page, "console")]
REFRESH = bool(os.environ.get("SDKEEP_REFRESH"))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PICTURED, ids=name_of)
def test_every_terminal_picture_is_true(page: Path, terminal: Terminal) -> None:
    for block in blocks(DOCS / "guides" / "webuis.md", "toml"):
        folder = terminal.home / ".config/sdkeep/layouts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "painter.toml").write_text(block.text)
    status, printed, wrong = 0, [], []
    for step in steps(page):
        if step.command == "echo $?":
            said = f"{status}\n"
        else:
            status, said = terminal.run(step.command)
            if " --json" in step.command:
                validate(verb_of(step.command.split()[1:]), said)
        printed.append(said)
        if step.output and not matches(step.output, said):
            wrong.append(f"$ {step.command}\n--- shown\n{step.output}--- printed\n{said}")
        elif not step.output and status != 0:
            wrong.append(f"$ {step.command}\n--- left with {status}\n{said}")
    if wrong and REFRESH:
        page.write_text(refreshed(page, printed))
        pytest.fail(f"{name_of(page)} was written anew; read the difference")
    assert not wrong, "SDKEEP_REFRESH=1 shows what is printed now\n" + "\n".join(wrong)


@cache
def grammar() -> dict[str, frozenset[str]]:
    """The options of every verb, hidden names included; a group has none."""
    known = {group: frozenset({"--help", "-h"}) for group in groups()}
    for verb in verbs():
        options = frozenset(name for p in verb.command.params for name in (*p.opts, *p.secondary_opts))
        above = verb.path.rpartition(" ")[0]
        for name in (verb.path.rpartition(" ")[2], *verb.aliases):
            known[f"{above} {name}".strip()] = options | {"--help", "-h"}
    return known


def verb_of(words: list[str]) -> str:
    """The verb that these words call."""
    return " ".join(words[:2]) if words[0] in groups() else words[0]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_no_page_mentions_an_unknown_verb_or_option(page: Path) -> None:
    for words in mentioned(page):
        if not words or words[0] in ("--version", "--help", "VERB", "..."):
            continue
        verb = verb_of(words)
        if verb in ("ui", "auth", "config", "db"):
            continue
        assert verb in grammar(), f"{name_of(page)} mentions `sdkeep {' '.join(words)}`"
        for word in words:
            if re.match(r"--?[a-z]", word):
                option = word.partition("=")[0]
                assert option in grammar()[verb], f"{name_of(page)}: `sdkeep {verb}` knows no `{option}`"


@pytest.mark.parametrize("page", [*WRITTEN, *sorted((DOCS / "reference").rglob("*.md"))], ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target) if target else page
        assert file.exists(), f"{name_of(page)} links to {link}"
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{name_of(page)} links to {link}"


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)`", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_every_page_can_be_reached(page: Path) -> None:
    index = DOCS / ("reference/README.md" if "reference" in page.parts else "README.md")
    if page.parent.name == "schemas" or page in (index, DOCS / "reference" / "README.md"):
        return
    assert page.resolve() in {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}


def test_the_example_layout_is_read() -> None:
    (block,) = blocks(DOCS / "guides" / "webuis.md", "toml")
    layout = read_layout(block.text, "painter.toml")
    assert layout.id == "painter"
    assert layout.shelves


def test_every_query_of_the_catalogue_page_runs(terminal: Terminal) -> None:
    for command in (
        "sdkeep ui add stable-diffusion-webui",
        "sdkeep get civitai:4100",
        "sdkeep add downloads/soft-vae.pt",
    ):
        assert terminal.run(command)[0] == 0
    terminal.run("sdkeep get civitai:6660 --disarm")
    database = terminal.run("sdkeep db path -q")[1].strip().replace("/home/ada", str(terminal.home))
    queries = blocks(DOCS / "concepts" / "catalogue.md", "sql")
    assert queries
    connection = sqlite3.connect(database)
    try:
        for query in queries:
            for statement in filter(str.strip, query.text.split(";")):
                assert connection.execute(statement).fetchall(), f"finds nothing: {statement}"
    finally:
        connection.close()


def test_every_reference_in_the_table_of_references_parses() -> None:
    text = (DOCS / "concepts" / "references.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(rows) > 12
    for row in rows:
        parse(row)


def test_what_is_called_broken_in_the_table_of_references_is() -> None:
    text = (DOCS / "concepts" / "references.md").read_text(encoding="utf-8")
    rows = re.findall(r"^- `([^`]+)`:", text.partition("## Refused")[2], re.MULTILINE)
    assert rows
    for row in rows:
        with pytest.raises(BadReference):
            parse(row)
