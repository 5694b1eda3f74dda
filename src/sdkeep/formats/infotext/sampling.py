"""What a ComfyUI graph samples: the first sampler that starts from nothing, its numbers and its prompts."""

from __future__ import annotations

from collections.abc import Iterator

from sdkeep.formats.infotext.graph import HOPS, Graph, Node
from sdkeep.formats.infotext.loose import text

_PARTS = ("noise", "guider", "sampler", "sigmas")
_TEXTS = (
    "populated_text", "text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "string", "value", "Value", "source",
    "string_a", "string_b", "text_a", "text_b", "text1", "text2",
)  # fmt: skip
_CONDITIONS = ("conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from", "cond",
               "conditioning1", "conditioning2")  # fmt: skip
_DEEP = 32
_MOST_TEXTS = 64


def main_sampler(graph: Graph) -> Node | None:
    """The node that drew the first picture: of all samplers, the first whose latent was empty."""
    samplers = [node for node in graph.nodes.values() if _is_sampler(node)]
    fresh = (node for node in samplers if empty_latent(graph, node))
    return next(fresh, samplers[0] if samplers else None)


def _is_sampler(node: Node) -> bool:
    inputs = node.inputs
    if "steps" in inputs and ("seed" in inputs or "noise_seed" in inputs):
        return "sampler_name" in inputs or "positive" in inputs
    return "latent_image" in inputs and ("sigmas" in inputs or "guider" in inputs)


def empty_latent(graph: Graph, sampler: Node) -> Node | None:
    """The node that made the empty latent a sampler starts from."""
    link = graph.linked(sampler.number("latent_image", "optional_latent"))
    if link is None:
        return None
    node = link[0]
    sized = "width" in node.inputs and "height" in node.inputs
    return node if sized and "samples" not in node.inputs else None


def setting(graph: Graph, sampler: Node, *names: str) -> object:
    """A number or word of the sampler, or of the noise, guider, sampler and sigmas nodes that feed it."""
    for node in (sampler, *_feeding(graph, sampler)):
        for name in names:
            if node.inputs.get(name) is not None:
                value = graph.value(node.inputs[name], name)
                if value is not None:
                    return value
    return None


def _feeding(graph: Graph, sampler: Node) -> Iterator[Node]:
    for name in _PARTS:
        if name in sampler.inputs:
            yield from graph.upstream(sampler.inputs[name], 2)


def prompt(graph: Graph, sampler: Node, side: str) -> str:
    """The text on one side of a sampler, `positive` or `negative`; several texts stand one below the other."""
    start: object = sampler.inputs.get(side)
    if start is None:
        guider = graph.linked(sampler.inputs.get("guider"))
        if guider is None:
            return ""
        start = guider[0].number(side, *(("conditioning",) if side == "positive" else ()))
    if isinstance(start, str):
        return start
    seen: set[tuple[str, int]] = set()
    return "\n".join(list(dict.fromkeys(_texts(graph, start, seen, _DEEP)))[:_MOST_TEXTS])


def _texts(graph: Graph, value: object, seen: set[tuple[str, int]], depth: int) -> Iterator[str]:
    """The texts that reach `value`, in the order of the inputs they come through."""
    link = graph.linked(value)
    if link is None or depth == 0 or (link[0].id, link[1]) in seen:
        return
    node, slot = link
    seen.add((node.id, slot))
    if "ZeroOut" in node.kind:
        return
    switched = graph.switched(node)
    if switched is not None:
        yield from _one(graph, switched, seen, depth)
    elif "positive" in node.inputs and "negative" in node.inputs:
        yield from _one(graph, node.inputs["negative" if slot == 1 else "positive"], seen, depth)
    else:
        for name in (*_TEXTS, *_CONDITIONS):
            if name in node.inputs:
                yield from _one(graph, node.inputs[name], seen, depth)


def _one(graph: Graph, value: object, seen: set[tuple[str, int]], depth: int) -> Iterator[str]:
    if text(value).strip():
        yield text(value)
    else:
        yield from _texts(graph, value, seen, depth - 1)


def clip_skip(graph: Graph) -> int | None:
    """Where the text encoder stops, counted from its end as the WebUI counts."""
    for node in graph.nodes.values():
        layer = graph.value(node.inputs.get("stop_at_clip_layer"), "stop_at_clip_layer", HOPS)
        if isinstance(layer, int) and layer < 0:
            return -layer
    return None
