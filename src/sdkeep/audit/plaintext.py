"""Configuration texts that a WebUI reads beside a model. They run code by naming classes to instantiate.

There is no YAML parser here: a parser sees one reading, and what matters is whether any reading is unusual. Lines are
looked at as text; a `target` whose value is not plainly an allowed class is suspicious, a Python tag is dangerous.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from sdkeep.audit.policy import Policy
from sdkeep.audit.ruling import Ruling, dangerous, suspicious

_TAG = re.compile(r"!!\s*python\b|tag:yaml\.org,2002:python|!!binary\b.*\bpython/|python/(?:object|name|module|tuple)")
_ODD_TAG = re.compile(r"^%TAG\b.*|!<[^>\n]*>|![^\s,\[\]{}\"']*%[0-9A-Fa-f]{2}\S*", re.MULTILINE)
_BREAK = re.compile("\r\n|[\r\x85\u2028\u2029]")  # where YAML ends a line, beyond the line feed
_TARGET = re.compile(
    r"""(?:^|[{,?\[-])[^\S\n]*(?:[&!]\S*\s+)*  # where a key can begin, after anchors and tags
    (?:(["']?)_?target_?\1(?:\s|\#[^\n]*\n)*:(?P<value>[^\n]*) | (?<=\?)\s*(["']?)_?target_?\3[^\S\n]*$)""",
    re.MULTILINE | re.VERBOSE,
)
_COLON = r"(?:\s|#[^\n]*\n)*:"  # after comments, where a key stands by itself behind a question mark
_ESCAPED_KEY = re.compile(r'"[^"\n]*\\[xuU0-7][^"\n]*"' + _COLON)
_BROKEN_KEY = re.compile(r'"[^"\n]*\\\n[^"]*"' + _COLON)
_ALIAS_KEY = re.compile(r"(?:^|[{,?\[-])[^\S\n]*\*(?P<name>[\w-]+)" + _COLON, re.MULTILINE)
_SCALAR = re.compile(r"""\s*(["']?)([^\s"'{}\[\],#&*!|>%@`]+)\1\s*(?:[,}].*|\#.*)?""")
_MOST = 50


def judge_text(text: str, policy: Policy) -> list[Ruling]:
    """Rulings on a YAML or similar text; offsets count characters."""
    rulings: list[Ruling] = []
    lines = _BREAK.sub(lambda end: "\n".rjust(len(end[0])), text.replace("\ufeff", " "))
    for ruling in _rulings(lines, policy):
        rulings.append(ruling)
        if len(rulings) == _MOST:
            break
    return rulings


def _rulings(text: str, policy: Policy) -> Iterator[Ruling]:
    for tag in _TAG.finditer(text):
        yield _at(dangerous("python-tag", "a YAML loader would make Python objects of this"), tag.start(), tag[0])
    for tag in _ODD_TAG.finditer(text):
        why = "a tag is spelt in a way that can hide a Python object from who looks for one"
        yield _at(suspicious("odd-tag", why), tag.start(), tag[0])
    for key in _ESCAPED_KEY.finditer(text):
        yield _at(suspicious("escaped-key", "a key is spelt with escapes"), key.start(), key[0])
    for key in _BROKEN_KEY.finditer(text):
        yield _at(suspicious("escaped-key", "a key is spelt over several lines"), key.start(), key[0])
    for key in _ALIAS_KEY.finditer(text):
        if f"&{key['name']}" in text:
            yield _at(suspicious("escaped-key", "a key stands elsewhere in the text"), key.start(), key[0])
    for target in _TARGET.finditer(text):
        name = _named(target["value"])
        if name is None or not (policy.yaml_targets.match(name) or name in policy.yaml_also):
            why = "the program that reads this would import and call something else than a model class"
            yield _at(suspicious("yaml-target", why), target.start(), name or (target["value"] or "").strip())


def _named(value: str | None) -> str | None:
    matched = _SCALAR.fullmatch(value or "")
    return matched[2] if matched else None


def _at(ruling: Ruling, offset: int, shown: str) -> Ruling:
    return Ruling(ruling.outcome, replace(ruling.finding, offset=offset, file_offset=offset, callable=shown[:120]))
