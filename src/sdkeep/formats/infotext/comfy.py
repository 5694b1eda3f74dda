"""Parameters in a ComfyUI graph: the `prompt` that was run, else the `workflow` that was on the screen."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sdkeep.formats.infotext import sampling
from sdkeep.formats.infotext.graph import Graph, Node, read_graph
from sdkeep.formats.infotext.loose import as_settings, read_json, real, rows, table, text, whole, word
from sdkeep.formats.infotext.needing import Needs, by_air, by_resource
from sdkeep.formats.infotext.tags import calls
from sdkeep.formats.infotext.values import Mention, Need, Parameters, Tool
from sdkeep.ground.kinds import Kind

_NUMBER = re.compile(r"_?\d{1,2}$")
_FILE = re.compile(r".{1,300}\.(?:safetensors|sft|ckpt|pt|pth|bin|gguf)", re.IGNORECASE)
_WEIGHTS = ("strength_model", "strength", "model_weight", "model_str", "lora_wt", "weight")
_MOST_TEXT = 256 * 1024
_AIRS = {"ckpt_airs": Kind.CHECKPOINT, "lora_airs": Kind.LORA, "embedding_airs": Kind.EMBEDDING, "airs": Kind.UNKNOWN}


@dataclass(frozen=True, slots=True)
class _Table:
    inputs: dict[str, Kind]
    nodes: dict[str, dict[str, Kind]]


@cache
def _loaders() -> _Table:
    found = tomllib.loads(files("sdkeep.formats.infotext").joinpath("loaders.toml").read_text("utf-8"))
    nodes = {name: {key: Kind(kind) for key, kind in inputs.items()} for name, inputs in found["nodes"].items()}
    return _Table({key: Kind(kind) for key, kind in found["inputs"].items()}, nodes)


def read_comfy(prompt: str, workflow: str, chunks: tuple[str, str]) -> Parameters | None:
    """The parameters in the texts of a `prompt` and a `workflow` chunk, either of which may be empty.

    `chunks` are the names of the two. A graph says which files were loaded and never their hashes.
    """
    document = table(read_json(prompt))
    screen = table(read_json(workflow))
    graph = read_graph(document.get("prompt") if isinstance(document.get("prompt"), dict) else document)
    needs = Needs()
    if graph:
        for need in _loaded(graph, chunks[0]):
            needs.add(need)
    for extra in (table(document.get("extra")), table(screen.get("extra"))):
        for need in _listed(extra, chunks[0] if graph else chunks[1]):
            needs.add(need)
    if graph is None:
        for need in _shown(screen, chunks[1]):
            needs.add(need)
        found = needs.all()
        problem = ("only the workflow is left, which says what was on the screen and not what was run",)
        return Parameters(Tool.COMFYUI, needs=found, chunk=chunks[1], problems=problem) if found or screen else None
    return _read(graph, needs, chunks[0])


def graph_needs(prompt: str, chunk: str) -> tuple[Need, ...]:
    """The models that a graph loads, for pictures whose parameters another text tells better."""
    graph = read_graph(read_json(prompt))
    needs = Needs()
    for need in _loaded(graph, chunk) if graph else ():
        needs.add(need)
    return needs.all()


def _read(graph: Graph, needs: Needs, chunk: str) -> Parameters:
    sampler = sampling.main_sampler(graph)
    if sampler is None:
        return Parameters(Tool.COMFYUI, needs=needs.all(), chunk=chunk, problems=("the graph has no sampler",))
    latent = sampling.empty_latent(graph, sampler)
    sized = latent.inputs if latent else {}
    plain = {key: value for key, value in sampler.inputs.items() if not isinstance(value, list | dict)}
    return Parameters(
        tool=Tool.COMFYUI,
        prompt=sampling.prompt(graph, sampler, "positive"),
        negative=sampling.prompt(graph, sampler, "negative"),
        settings=as_settings(plain),
        steps=whole(sampling.setting(graph, sampler, "steps")),
        sampler=word(sampling.setting(graph, sampler, "sampler_name")),
        schedule=word(sampling.setting(graph, sampler, "scheduler")),
        cfg=real(sampling.setting(graph, sampler, "cfg")),
        seed=whole(sampling.setting(graph, sampler, "seed", "noise_seed")),
        width=whole(graph.value(sized.get("width"), "width")),
        height=whole(graph.value(sized.get("height"), "height")),
        clip_skip=sampling.clip_skip(graph),
        denoising=real(sampling.setting(graph, sampler, "denoise")),
        needs=needs.all(),
        chunk=chunk,
    )


def _loaded(graph: Graph, chunk: str) -> Iterator[Need]:
    """The models that nodes load and that texts call."""
    for node in graph.nodes.values():
        kinds = _loaders().nodes.get(node.kind, {})
        for name, value in node.inputs.items():
            mention = Mention(chunk, path=f"{node.id}.inputs.{name}")
            stem = _NUMBER.sub("", name)
            kind = kinds.get(name) or kinds.get(stem) or _loaders().inputs.get(stem)
            if kind:
                yield from _file(graph, node, (name, kind), mention)
            elif isinstance(value, dict):
                yield from _entry(value, mention)
            elif isinstance(value, str) and len(value) <= _MOST_TEXT:
                yield from calls(value, chunk, path=mention.path)


def _file(graph: Graph, node: Node, loader: tuple[str, Kind], mention: Mention) -> Iterator[Need]:
    """The file that one input of a loader names, itself or through links."""
    name, kind = loader
    found = graph.value(node.inputs[name], name)
    number = name[len(_NUMBER.sub("", name)) :]
    if not isinstance(found, str) or word(node.inputs.get(f"switch{number}")) == "Off":
        return
    weight = None
    if kind is Kind.LORA:
        keys = (key + number for key in _WEIGHTS)
        weight = next((real(graph.value(node.inputs[key], key)) for key in keys if key in node.inputs), None)
    yield Need(kind, found.strip(), weight, mentions=(mention,))


def _entry(value: dict[str, object], mention: Mention) -> Iterator[Need]:
    """LoRAs that a node keeps in an object of its own: rgthree's Power Lora Loader, the LoRA Manager's list."""
    for entry in rows(value.get("__value__")) or [value]:
        facts = table(entry)
        name = text(facts.get("lora")) or (text(facts.get("name")) if "strength" in facts else "")
        if name and facts.get("on") is not False and facts.get("active") is not False:
            yield Need(Kind.LORA, name, real(facts.get("strength")), mentions=(mention,))


def _listed(extra: dict[str, object], chunk: str) -> Iterator[Need]:
    """Releases that a graph lists beside its nodes, as Civitai's generator and its own loaders do."""
    for key, kind in _AIRS.items():
        for number, item in enumerate(rows(extra.get(key))):
            air, mention = word(item), Mention(chunk, path=f"extra.{key}.{number}")
            if air.startswith(("urn:air:", "air:")):
                need = by_air(air, kind)
            else:
                version = whole(air.partition("@")[2])
                need = Need(kind, version_id=version) if version is not None else None
            if need:
                yield Need(need.kind, version_id=need.version_id, air=need.air, mentions=(mention,))


def _shown(screen: dict[str, object], chunk: str) -> Iterator[Need]:
    """The loader nodes of a workflow that was saved without its run, subgraphs too; muted ones are left out."""
    groups = [("nodes", rows(screen.get("nodes")))]
    for number, inner in enumerate(rows(table(screen.get("definitions")).get("subgraphs"))):
        groups.append((f"definitions.subgraphs.{number}.nodes", rows(table(inner).get("nodes"))))
    for path, nodes in groups:
        for number, item in enumerate(nodes):
            node = table(item)
            if node.get("mode") not in (2, 4):
                yield from _widgets(node, Mention(chunk, path=f"{path}.{number}.widgets_values"))


def _widgets(node: dict[str, object], mention: Mention) -> Iterator[Need]:
    """The files among a node's widgets: its class tells their kind, by the words in its name."""
    held = node.get("widgets_values")
    values = list(held.values()) if isinstance(held, dict) else rows(held)
    kind = _by_class(text(node.get("type")))
    for place, value in enumerate(values):
        if isinstance(value, str):
            if kind and _FILE.fullmatch(value):
                weight = real(values[place + 1]) if kind is Kind.LORA and place + 1 < len(values) else None
                yield Need(kind, value, weight, mentions=(mention,))
            elif len(value) <= _MOST_TEXT:
                yield from calls(value, mention.chunk, path=mention.path)


_CLASSES = (
    ("clipvision", Kind.CLIP_VISION), ("checkpoint", Kind.CHECKPOINT), ("lora", Kind.LORA), ("vae", Kind.VAE),
    ("controlnet", Kind.CONTROLNET), ("control_net", Kind.CONTROLNET), ("upscale", Kind.UPSCALER),
    ("unet", Kind.DIFFUSION_MODEL), ("hypernetwork", Kind.HYPERNETWORK), ("ipadapter", Kind.IP_ADAPTER),
    ("animatediff", Kind.MOTION_MODULE), ("clip", Kind.TEXT_ENCODER),
)  # fmt: skip


def _by_class(name: str) -> Kind | None:
    name = name.lower()
    if "load" not in name and "stack" not in name:
        return None
    return next((kind for part, kind in _CLASSES if part in name), None)


def read_civitai_graph(document: dict[str, object], chunk: str) -> Parameters | None:
    """The parameters that Civitai's generator keeps beside a graph, as JSON inside the JSON (`extraMetadata`)."""
    extra = table(read_json(text(document.get("extraMetadata"))))
    if not extra:
        return None
    needs = Needs()
    for number, item in enumerate(rows(extra.get("resources"))):
        needs.add(by_resource(item, Mention(chunk, path=f"extraMetadata.resources.{number}")))
    return Parameters(
        tool=Tool.CIVITAI,
        prompt=text(extra.get("prompt")),
        negative=text(extra.get("negativePrompt")),
        settings=as_settings(extra),
        steps=whole(extra.get("steps")),
        sampler=word(extra.get("sampler")),
        cfg=real(extra.get("cfgScale")),
        seed=whole(extra.get("seed")),
        width=whole(extra.get("width")),
        height=whole(extra.get("height")),
        clip_skip=whole(extra.get("clipSkip")),
        denoising=real(extra.get("denoise")),
        needs=needs.all(),
        chunk=chunk,
    )
