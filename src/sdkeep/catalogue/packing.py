"""Lists and small values inside a row: JSON text that an SQL tool's JSON functions can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.model import Preview
from sdkeep.ground.verdict import Finding, Severity


def packed(value: Iterable[object] | Mapping[str, object]) -> str:
    """JSON text of a list or an object of plain values."""
    plain = dict(value) if isinstance(value, Mapping) else list(value)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def words(text: str) -> tuple[str, ...]:
    """The list of texts that was packed."""
    return tuple(str(word) for word in json.loads(text)) if text != "[]" else ()


def pairs(text: str) -> dict[str, str]:
    """The object of texts that was packed."""
    return {str(name): str(value) for name, value in json.loads(text).items()}


def flags(text: str) -> dict[str, bool]:
    """The object of yes and no that was packed."""
    return {str(name): bool(value) for name, value in json.loads(text).items()}


def digests(text: str) -> tuple[Digest, ...]:
    """The digests that were packed as `kind:hex` texts."""
    return tuple(digest(*word.split(":", 1)) for word in words(text))


def digest(kind: str, value: str) -> Digest:
    """One digest from its columns."""
    return Digest(DigestKind(kind), value)


def packed_previews(previews: Iterable[Preview]) -> str:
    """Pictures as JSON text."""
    return packed(
        {"url": p.url, "level": p.level, "width": p.width, "height": p.height, "video": p.video} for p in previews
    )


def previews(text: str) -> tuple[Preview, ...]:
    """The pictures that were packed."""
    return tuple(
        Preview(p["url"], p["level"] and NsfwLevel(p["level"]), p["width"], p["height"], p["video"])
        for p in json.loads(text)
    )


def packed_edges(edges: Iterable[Edge]) -> str:
    """Claims about ancestry as JSON text."""
    return packed(
        {
            "relation": e.relation,
            "trust": e.parent.trust,
            "parent": e.parent.value,
            "source": e.source,
            "verbatim": e.verbatim,
            "weight": e.weight,
            "method": e.method,
        }
        for e in edges
    )


def edges(text: str) -> tuple[Edge, ...]:
    """The claims that were packed."""
    return tuple(
        Edge(
            Parent(Trust(e["trust"]), e["parent"]),
            Relation(e["relation"]),
            e["source"],
            e["verbatim"],
            e["weight"],
            e["method"],
        )
        for e in json.loads(text)
    )


def packed_findings(findings: Iterable[Finding]) -> str:
    """Evidence as JSON text, fields that say nothing left out."""
    return packed({name: value for name, value in _finding(f).items() if value not in ("", None, ())} for f in findings)


def findings(text: str) -> tuple[Finding, ...]:
    """The evidence that was packed."""
    return tuple(
        Finding(
            rule=f.get("rule", ""),
            severity=Severity(f["severity"]),
            why=f.get("why", ""),
            member=f.get("member", ""),
            offset=f.get("offset"),
            file_offset=f.get("file_offset"),
            opcode=f.get("opcode", ""),
            callable=f.get("callable", ""),
            arguments=f.get("arguments", ""),
            advisories=tuple(f.get("advisories", ())),
        )
        for f in json.loads(text)
    )


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "why": finding.why,
        "member": finding.member,
        "offset": finding.offset,
        "file_offset": finding.file_offset,
        "opcode": finding.opcode,
        "callable": finding.callable,
        "arguments": finding.arguments,
        "advisories": finding.advisories,
    }
