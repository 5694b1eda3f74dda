"""CycloneDX 1.6: the library as a bill of materials, with digests, licences, ancestry and what is wrong with it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator

from sdkeep.audit.report import Json
from sdkeep.audit.reports.values import Audited, Judged, Run
from sdkeep.audit.reports.wording import HOME, called, moment, sentence, washed, web_address
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge, Trust
from sdkeep.ground.text import one_line
from sdkeep.ground.verdict import Finding, Severity

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"

_NAMESPACE = uuid.UUID("6f0d2a53-6c1e-5b5e-9a3c-0f6c5c1f4f7e")
_PLAIN_FILES = {Kind.CONFIG, Kind.WILDCARDS, Kind.WORKFLOW, Kind.POSES}
_HASHES = {DigestKind.SHA256: "SHA-256", DigestKind.BLAKE3: "BLAKE3"}
_SEVERITIES = {
    Severity.WARNING: "unknown",
    Severity.SUSPICIOUS: "high",
    Severity.DANGEROUS: "critical",
}
_SPDX = {
    one.lower(): one
    for one in (
        "Apache-2.0", "MIT", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0",
        "CC-BY-NC-ND-4.0", "GPL-3.0", "AGPL-3.0", "LGPL-3.0", "BSD-3-Clause", "BSD-2-Clause", "Unlicense", "WTFPL",
    )
}  # fmt: skip
_UNTRUSTED_DATA = 502  # CWE-502, deserialization of untrusted data

Object = dict[str, Json]


def cyclonedx(run: Run) -> str:
    """The bill of materials of one run. The same files at the same moment make the same serial number."""
    return "".join(pieces(run))


def pieces(run: Run) -> Iterator[str]:
    """The same text, a component at a time, for a whole library's is long."""
    files = {_ref(file): file for file in run.files}
    names = {file.sha256: called(file) for file in run.files if file.sha256}
    components = (_component(file, names) for file in files.values())
    front = json.dumps(washed(_front(run)), ensure_ascii=False, indent=2)
    yield front.removesuffix("\n}")
    yield from _array("components", components)
    yield from _array("vulnerabilities", _vulnerabilities(run))
    yield "\n}\n"


def _array(name: str, items: Iterable[Json]) -> Iterator[str]:
    """One more field of the document: a list, written item by item as `json.dumps` with two blanks would."""
    yield f',\n  "{name}": ['
    between = ""
    for item in items:
        text = json.dumps(washed(item), ensure_ascii=False, indent=2).replace("\n", "\n    ")
        yield f"{between}\n    {text}"
        between = ","
    yield "\n  ]" if between else "]"


def _front(run: Run) -> Object:
    seed = " ".join([moment(run.ended), *sorted(_ref(file) for file in run.files)])
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, seed)}",
        "version": 1,
        "metadata": {
            "timestamp": moment(run.ended),
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": "sdkeep",
                        "version": run.version,
                        "externalReferences": [{"type": "website", "url": HOME}],
                    }
                ]
            },
        },
    }


def _ref(file: Audited) -> str:
    return f"sha256:{file.sha256}" if file.sha256 and not _changed(file) else f"file:{one_line(file.path)}"


def _changed(file: Audited) -> bool:
    return file.judged in (Judged.CHANGED, Judged.BESIDE)


def _component(file: Audited, names: dict[str, str]) -> Json:
    made: Object = {
        "type": "file" if file.kind in _PLAIN_FILES else "machine-learning-model",
        "bom-ref": _ref(file),
        "name": called(file),
    }
    if file.sha256 and not _changed(file):
        made["version"] = file.sha256[:10]
        made["hashes"] = _hashes(file)
    if file.title:
        made["description"] = one_line(file.title)
    if licence := _licence(file.licence):
        made["licenses"] = [{"license": licence}]
    if file.parents:
        made["pedigree"] = {"ancestors": [_ancestor(edge, names) for edge in file.parents]}
    if file.page.startswith("https://"):
        made["externalReferences"] = [{"type": "distribution", "url": web_address(file.page)}]
    if made["type"] != "file":
        made["modelCard"] = {"modelParameters": _parameters(file)}
    made["properties"] = list(_properties(file))
    return made


def _hashes(file: Audited) -> Json:
    found = {_HASHES[one.kind]: one.value for one in file.digests if one.kind in _HASHES}
    found["SHA-256"] = file.sha256
    return [{"alg": name, "content": value} for name, value in sorted(found.items())]


def _licence(licence: Licence | None) -> Object:
    if licence is None or not (licence.id or licence.name):
        return {}
    spdx = _SPDX.get(licence.id.lower())
    stated: Object = {"id": spdx} if spdx else {"name": one_line(licence.name or licence.id)}
    if licence.url.startswith(("https://", "http://")):
        stated["url"] = web_address(licence.url)
    return {**stated, "acknowledgement": "declared"}


def _parameters(file: Audited) -> Json:
    return {
        "task": "text-to-image",
        "architectureFamily": file.family.value,
        "modelArchitecture": file.kind.value,
    }


def _ancestor(edge: Edge, names: dict[str, str]) -> Json:
    parent = edge.parent
    made: Object = {"type": "machine-learning-model", "name": names.get(parent.value) or one_line(parent.value)}
    if parent.trust is Trust.SHA256 and len(parent.value) == 64:
        made["hashes"] = [{"alg": "SHA-256", "content": parent.value}]
    told = {
        "relation": edge.relation.value,
        "trust": parent.trust.value,
        "source": edge.source,
        "weight": "" if edge.weight is None else f"{edge.weight:g}",
        "method": edge.method,
    }
    made["properties"] = [_property(name, value) for name, value in told.items() if value]
    return made


def _properties(file: Audited) -> Iterator[Json]:
    verdict = file.verdict
    told = {
        "verdict": file.outcome.value if file.outcome else "none",
        "judged": file.judged.value,
        "container": verdict.container if verdict else "",
        "engine": verdict.engine if verdict else "",
        "policy": verdict.policy if verdict else "",
        "kind": file.kind.value,
        "family": file.family.value,
        "base": file.base,
        "format": file.format.value,
        "file-name": file.file_name,
        "size": "" if file.size is None else str(file.size),
        "origin": file.origin,
    }
    for name, value in told.items():
        if value:
            yield _property(name, value)
    for claim in file.claims:
        yield _property(f"claim:{claim.scanner}", claim.result)
    for note in file.notes:
        yield _property(f"note:{note.rule}", note.why)


def _property(name: str, value: str) -> Json:
    return {"name": f"sdkeep:{name}", "value": one_line(value)}


def _vulnerabilities(run: Run) -> Iterator[Json]:
    """One entry for each rule and name, with every file that it was found in."""
    found: dict[tuple[str, str], list[tuple[Audited, Finding]]] = {}
    for file in run.files:
        for finding in file.findings:
            if finding.severity in _SEVERITIES:
                found.setdefault((finding.rule, finding.callable), []).append((file, finding))
    for (rule, name), cases in sorted(found.items()):
        first = cases[0][1]
        worst = max((one.severity for _, one in cases), key=list(Severity).index)
        source: Object = {"name": "sdkeep", "url": HOME}
        yield {
            "bom-ref": f"finding:{rule}:{one_line(name)}",
            "id": f"sdkeep:{rule}" + (f":{one_line(name, 120)}" if name else ""),
            "source": source,
            "ratings": [{"source": source, "severity": _SEVERITIES[worst], "method": "other"}],
            "cwes": [_UNTRUSTED_DATA],
            "description": sentence(first),
            "references": [{"id": one, "source": {"name": _source(one)}} for one in first.advisories],
            "recommendation": "do not load it; `sdkeep convert` copies its tensors into a safetensors file",
            "affects": [{"ref": ref} for ref in dict.fromkeys(_ref(file) for file, _ in cases)],
        }


def _source(advisory: str) -> str:
    return {"CVE": "NVD", "GHS": "GitHub Advisories"}.get(advisory[:3], "issue tracker")
