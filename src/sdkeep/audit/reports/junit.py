"""JUnit XML: one test case a file, so that any CI shows a bad model like a failed test."""

from __future__ import annotations

from xml.etree import ElementTree

from sdkeep.audit.report import summary
from sdkeep.audit.reports.values import Audited, Run, Trouble
from sdkeep.audit.reports.wording import called, moment, sentence
from sdkeep.ground.text import one_line, printable
from sdkeep.ground.verdict import Severity


def junit(run: Run) -> str:
    """`failure` stands for suspicious and dangerous, `error` for undecided and unreadable, `skipped` for not here."""
    cases = [_case(file) for file in run.files] + [_unread(trouble) for trouble in run.troubles]
    counts = {f"{what}s": str(sum(case.find(what) is not None for case in cases)) for what in ("failure", "error")}
    counts |= {"tests": str(len(cases)), "skipped": str(sum(case.find("skipped") is not None for case in cases))}
    seconds = f"{(run.ended - run.began).total_seconds():.3f}"
    every = {**counts, "time": seconds}
    suites = ElementTree.Element("testsuites", {"name": f"sdkeep {run.verb}", **every})
    suite = ElementTree.SubElement(
        suites, "testsuite", {"name": f"sdkeep.{run.verb}", **every, "timestamp": moment(run.began).removesuffix("Z")}
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", {"name": "sdkeep.version", "value": run.version})
    suite.extend(cases)
    _wash(suites)
    ElementTree.indent(suites)
    return _HEAD + ElementTree.tostring(suites, encoding="unicode") + "\n"


_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _wash(tree: ElementTree.Element) -> None:
    """Leave no character in it that XML has no form for."""
    for element in tree.iter():
        element.attrib = {name: one_line(value) for name, value in element.attrib.items()}
        element.text = printable(element.text) if element.text else None


def _case(file: Audited) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"name": called(file), "classname": "sdkeep", "file": one_line(file.path)})
    outcome = file.outcome
    if outcome is None or file.verdict is None:
        ElementTree.SubElement(case, "skipped", {"message": "its bytes are not here, and no verdict is on record"})
        return case
    if not outcome.placeable:
        what = "failure" if outcome.rank >= 3 else "error"
        bad = ElementTree.SubElement(case, what, {"type": outcome.value, "message": summary(file.verdict)})
        bad.text = "\n".join(_line(file))
    elif lines := _line(file):
        ElementTree.SubElement(case, "system-out").text = "\n".join(lines)
    return case


def _line(file: Audited) -> list[str]:
    lines = [f"{one.severity}: {one.rule}: {sentence(one)}" for one in file.findings]
    noted = any(one.severity is not Severity.NOTE for one in file.findings)
    unread = file.verdict.unread if file.verdict and noted else ()
    return lines + [f"not read: {one_line(part, 160)}" for part in unread]


def _unread(trouble: Trouble) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"name": one_line(trouble.ref), "classname": "sdkeep"})
    error = ElementTree.SubElement(case, "error", {"type": trouble.code, "message": one_line(trouble.what)})
    error.text = one_line(trouble.why)
    return case
