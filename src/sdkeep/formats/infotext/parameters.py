"""How a picture was made: the reader for whichever program wrote its texts, the most telling text first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from sdkeep.formats.infotext import comfy
from sdkeep.formats.infotext.fooocus import read_fooocus, read_ruined
from sdkeep.formats.infotext.invoke import read_invoke
from sdkeep.formats.infotext.loose import read_json, table, text
from sdkeep.formats.infotext.matrix import read_matrix
from sdkeep.formats.infotext.needing import Needs
from sdkeep.formats.infotext.novelai import read_novelai
from sdkeep.formats.infotext.swarm import read_swarm
from sdkeep.formats.infotext.values import Need, Parameters, Picture, Tool
from sdkeep.formats.infotext.webui import read_webui

_SURE = ("parameters", "stealth")
_UNSURE = ("exif:UserComment", "comment", "exif:ImageDescription", "exif:XPComment", "Description", "Comment")
_LABELLED = re.compile(r"\s*(prompt|workflow)\s*:\s*(?=[{\[])", re.IGNORECASE)
_SCHEMES = ("fooocus_scheme", "exif:MakerNote")


def read_parameters(picture: Picture) -> Parameters | None:
    """What the picture's texts say of its making; None when they say nothing.

    Where a program wrote both its parameters and the graph it ran, the models of both are needed.
    """
    found = next((found for found in _readings(picture.texts) if found), None)
    if found is None:
        return None
    problems = picture.problems + found.problems
    graph, chunk = _graph(picture.texts, "prompt")
    if graph and found.chunk != chunk:
        found = replace(found, needs=_together(found.needs, comfy.graph_needs(graph, chunk)))
    return replace(found, problems=problems)


def _readings(texts: dict[str, str]) -> Iterator[Parameters | None]:
    """Every reading that could be meant, best first; the caller stops at the first that succeeds."""
    yield read_invoke(texts)
    matrix = table(read_json(texts.get("parameters-json", "")))
    if matrix:
        yield read_matrix(matrix)
    yield read_novelai(texts, "Comment")
    for chunk in _SURE:
        if chunk in texts:
            yield _read(texts, chunk, sure=True)
    if any(_graph(texts, name)[0] for name in ("prompt", "workflow")):
        yield _comfy(texts)
    for chunk in _UNSURE:
        if chunk in texts:
            yield _read(texts, chunk, sure=False)


def _read(texts: dict[str, str], chunk: str, *, sure: bool) -> Parameters | None:
    """One text that is either somebody's JSON or an infotext."""
    found = texts[chunk]
    if found.lstrip()[:1] == "{":
        document = table(read_json(found))
        if document:
            return _by_shape(document, texts, chunk)
    reading = read_webui(found, chunk, sure=sure)
    if reading and reading.tool is Tool.A1111 and any(texts.get(key) == "a1111" for key in _SCHEMES):
        return replace(reading, tool=Tool.FOOOCUS)
    return reading


def _by_shape(document: dict[str, object], texts: dict[str, str], chunk: str) -> Parameters | None:
    """The reader whose program writes JSON with these keys."""
    if "sui_image_params" in document:
        return read_swarm(document, chunk)
    if document.get("software") == "RuinedFooocus" or "base_model_name" in document:
        return read_ruined(document, chunk)
    if "base_model" in document or texts.get("fooocus_scheme") == "fooocus":
        return read_fooocus(document, chunk)
    if "Comment" in document:
        return read_novelai({key: text(value) for key, value in document.items()}, chunk)
    if "uc" in document and "scale" in document:
        return read_novelai({**texts, "Comment": texts[chunk]}, chunk)
    graph = comfy.read_comfy(texts[chunk], "", (chunk, ""))
    stated = comfy.read_civitai_graph(document, chunk)
    if stated and graph:
        return replace(stated, needs=_together(stated.needs, graph.needs))
    return stated or graph


def _comfy(texts: dict[str, str]) -> Parameters | None:
    (prompt, first), (workflow, second) = _graph(texts, "prompt"), _graph(texts, "workflow")
    return comfy.read_comfy(prompt, workflow, (first, second))


def _graph(texts: dict[str, str], name: str) -> tuple[str, str]:
    """The text of a graph and its chunk: a PNG text of that name, or an EXIF field that begins `name:`."""
    if texts.get(name, "").lstrip()[:1] == "{":
        return texts[name], name
    for chunk, found in texts.items():
        label = _LABELLED.match(found) if chunk.startswith("exif:") else None
        if label and label[1].lower() == name:
            return found[label.end() :], chunk
    return "", ""


def _together(first: tuple[Need, ...], second: tuple[Need, ...]) -> tuple[Need, ...]:
    needs = Needs()
    for need in first + second:
        needs.add(need)
    return needs.all()
