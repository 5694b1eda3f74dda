"""The words for each rule."""

from __future__ import annotations

import re
from pathlib import Path

import sdkeep.audit
from sdkeep.audit.rules import rule_text

ROOM = Path(sdkeep.audit.__file__).parent
GENERAL = rule_text("nothing-of-the-kind")


def rules_of_the_judge() -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in ROOM.glob("*.py")]
    pattern = re.compile(r'\b(?:dangerous|suspicious|note|warning)\)?\(\s*(?:Outcome\.\w+, )?"([a-z-]+)"')
    return {rule for source in sources for rule in pattern.findall(source)}


def test_every_rule_of_the_judge_has_words_of_its_own() -> None:
    rules = rules_of_the_judge()
    assert len(rules) > 20
    assert not {rule for rule in rules if rule_text(rule) == GENERAL}


def test_a_flaw_without_words_of_its_own_gets_general_ones() -> None:
    assert rule_text("payload-short") == GENERAL
    assert GENERAL.title and GENERAL.help
