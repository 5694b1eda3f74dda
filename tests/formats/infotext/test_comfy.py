"""ComfyUI graphs: which files were loaded, what was sampled, where links lead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.infotext.comfy import read_comfy
from sdkeep.formats.infotext.graph import Graph, read_graph
from sdkeep.formats.infotext.values import Parameters, Tool
from sdkeep.ground.kinds import Kind
from tests.makers.pictures import said


def node(kind: str, **inputs: object) -> dict[str, object]:
    return {"class_type": kind, "inputs": inputs}


def read(nodes: dict[str, Any], workflow: object = None) -> Parameters:
    texts = {"prompt": json.dumps(nodes)} if nodes else {}
    return said(texts | ({"workflow": json.dumps(workflow)} if workflow is not None else {}))


def needs(nodes: dict[str, Any]) -> list[tuple[Kind, str, float | None]]:
    return [(need.kind, need.name, need.weight) for need in read(nodes).needs]


def graph(**changes: object) -> dict[str, Any]:
    sampler = {"seed": 5, "steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0,
               "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}  # fmt: skip
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="base.safetensors"),
        "2": node("CLIPTextEncode", text="a cat", clip=["1", 1]),
        "3": node("CLIPTextEncode", text="a dog", clip=["1", 1]),
        "4": node("EmptyLatentImage", width=640, height=480, batch_size=1),
        "5": node("KSampler", **(sampler | changes)),
    }


def test_a_plain_graph_is_read_whole() -> None:
    found = read(graph())
    assert (found.tool, found.prompt, found.negative, found.chunk) == (Tool.COMFYUI, "a cat", "a dog", "prompt")
    assert (found.steps, found.sampler, found.schedule, found.cfg, found.seed) == (20, "euler", "karras", 7.5, 5)
    assert (found.width, found.height, found.denoising) == (640, 480, 1.0)
    assert found.settings == {
        "seed": "5", "steps": "20", "cfg": "7.5", "sampler_name": "euler", "scheduler": "karras", "denoise": "1.0",
    }  # fmt: skip
    (need,) = found.needs
    assert (need.kind, need.name, need.mentions[0].path) == (Kind.CHECKPOINT, "base.safetensors", "1.inputs.ckpt_name")


@pytest.mark.parametrize(
    ("loader", "expected"),
    [
        (node("UNETLoader", unet_name="u.safetensors"), (Kind.DIFFUSION_MODEL, "u.safetensors", None)),
        (node("LoraLoader", lora_name="l.safetensors", strength_model=0.5, strength_clip=1), (Kind.LORA,
        "l.safetensors", 0.5)),
        (node("LoraLoaderModelOnly", lora_name="l.pt", strength_model=0), (Kind.LORA, "l.pt", 0.0)),
        (node("VAELoader", vae_name="v.pt"), (Kind.VAE, "v.pt", None)),
        (node("CLIPLoader", clip_name="t5.safetensors", type="sd3"), (Kind.TEXT_ENCODER, "t5.safetensors", None)),
        (node("CLIPVisionLoader", clip_name="vit.safetensors"), (Kind.CLIP_VISION, "vit.safetensors", None)),
        (node("ControlNetLoader", control_net_name="c.pth"), (Kind.CONTROLNET, "c.pth", None)),
        (node("UpscaleModelLoader", model_name="4x.pth"), (Kind.UPSCALER, "4x.pth", None)),
        (node("HypernetworkLoader", hypernetwork_name="h.pt", strength=1.0), (Kind.HYPERNETWORK, "h.pt", None)),
        (node("IPAdapterModelLoader", ipadapter_file="ip.bin"), (Kind.IP_ADAPTER, "ip.bin", None)),
        (node("UnetLoaderGGUF", unet_name="q.gguf"), (Kind.DIFFUSION_MODEL, "q.gguf", None)),
        (node("Power Lora Loader (rgthree)", lora_1={"on": True, "lora": "p.safetensors", "strength": 0.3}),
         (Kind.LORA, "p.safetensors", 0.3)),
        (node("LoRA Stacker", lora_name_1="s.safetensors", lora_wt_1=0.4, lora_name_2="None"),
         (Kind.LORA, "s.safetensors", 0.4)),
        (node("CR LoRA Stack", switch_1="Off", lora_name_1="x.pt", switch_2="On", lora_name_2="y.pt", model_weight_2=2),
         (Kind.LORA, "y.pt", 2.0)),
        (node("Lora Loader (LoraManager)", loras={"__value__": [
            {"name": "m", "strength": "0.6", "active": True}, {"name": "n", "strength": 1, "active": False}]}),
         (Kind.LORA, "m", 0.6)),
        (node("CLIPTextEncode", text="by (embedding:dir/Easy.pt:1.2), blurry"), (Kind.EMBEDDING, "dir/Easy.pt", 1.2)),
        (node("ImpactWildcardEncode", text="x <lora:w:0.9>"), (Kind.LORA, "w", 0.9)),
    ],
)  # fmt: skip
def test_loaders_name_models(loader: dict[str, object], expected: tuple[Kind, str, float | None]) -> None:
    assert needs({"9": loader}) == [expected]


def test_two_encoders_in_one_loader_are_two_needs() -> None:
    loader = node("DualCLIPLoader", clip_name1="t5.safetensors", clip_name2="clip_l.safetensors")
    assert [name for _, name, _ in needs({"9": loader})] == ["t5.safetensors", "clip_l.safetensors"]


def test_a_switched_off_lora_is_not_needed() -> None:
    loader = node("Power Lora Loader (rgthree)", lora_1={"on": False, "lora": "p.safetensors", "strength": 0.3})
    assert needs(graph() | {"9": loader}) == [(Kind.CHECKPOINT, "base.safetensors", None)]


def _chain(length: int) -> dict[str, Any]:
    nodes: dict[str, Any] = {"L0": node("PrimitiveString", value="far.safetensors")}
    for number in range(1, length):
        nodes[f"L{number}"] = node("Reroute", value=[f"L{number - 1}", 0])
    return nodes | {"9": node("CheckpointLoaderSimple", ckpt_name=[f"L{length - 1}", 0])}


def test_a_name_is_found_five_links_away_and_not_six() -> None:
    assert needs(_chain(5)) == [(Kind.CHECKPOINT, "far.safetensors", None)]
    assert needs(_chain(6)) == []


def test_links_in_a_circle_end() -> None:
    nodes = graph(positive=["a", 0], seed=["a", 0], latent_image=["b", 0])
    nodes |= {"a": node("Reroute", value=["b", 0], text=["b", 0]), "b": node("Reroute", value=["a", 0], text=["a", 0])}
    assert (read(nodes).prompt, read(nodes).seed) == ("", None)


def test_numbers_come_through_links() -> None:
    nodes = graph(seed=["s", 0], steps=["n", 0], cfg=["f", 0])
    nodes |= {"s": node("Seed (rgthree)", seed=77), "n": node("PrimitiveInt", value=9), "f": node("Float", Value=3.5)}
    found = read(nodes)
    assert (found.seed, found.steps, found.cfg) == (77, 9, 3.5)


@pytest.mark.parametrize(("switch", "prompt"), [(True, "yes"), (False, "no")])
def test_a_switch_lets_one_side_through(switch: bool, prompt: str) -> None:
    nodes = graph(positive=["e", 0])
    nodes["e"] = node("CLIPTextEncode", text=["s", 0])
    nodes["s"] = node("ComfySwitchNode", switch=["b", 0], on_true=["y", 0], on_false="no")
    nodes |= {"b": node("PrimitiveBoolean", value=switch), "y": node("PrimitiveString", value="yes")}
    assert read(nodes).prompt == prompt


def test_both_sides_come_through_a_controlnet() -> None:
    nodes = graph(positive=["c", 0], negative=["c", 1])
    nodes["c"] = node("ControlNetApplyAdvanced", positive=["2", 0], negative=["3", 0], control_net=["n", 0], strength=1)
    assert (read(nodes).prompt, read(nodes).negative) == ("a cat", "a dog")


def test_a_conditioning_made_zero_is_no_negative_prompt() -> None:
    nodes = graph(negative=["z", 0]) | {"z": node("ConditioningZeroOut", conditioning=["2", 0])}
    assert read(nodes).negative == ""


def test_combined_prompts_stand_below_each_other_once() -> None:
    nodes = graph(positive=["c", 0])
    nodes["c"] = node("ConditioningCombine", conditioning_1=["2", 0], conditioning_2=["x", 0])
    nodes["x"] = node("CLIPTextEncodeSDXL", text_g="big", text_l="big")
    assert read(nodes).prompt == "a cat\nbig"


def test_the_wildcards_result_is_the_prompt() -> None:
    nodes = graph(positive=["w", 0])
    nodes["w"] = node("ImpactWildcardEncode", populated_text="a red cat", wildcard_text="a {red|blue} cat")
    assert read(nodes).prompt == "a red cat"


def test_a_sampler_in_parts_is_put_together() -> None:
    nodes = graph()
    del nodes["5"]
    nodes |= {
        "5": node("SamplerCustomAdvanced", noise=["n", 0], guider=["g", 0], sampler=["s", 0], sigmas=["t", 0],
                  latent_image=["4", 0]),
        "n": node("RandomNoise", noise_seed=11),
        "g": node("CFGGuider", cfg=3.5, positive=["2", 0], negative=["3", 0], model=["1", 0]),
        "s": node("KSamplerSelect", sampler_name="euler"),
        "t": node("SplitSigmas", sigmas=["u", 0]),
        "u": node("BasicScheduler", scheduler="simple", steps=4, denoise=1.0, model=["1", 0]),
    }  # fmt: skip
    found = read(nodes)
    assert (found.seed, found.cfg, found.sampler, found.schedule, found.steps) == (11, 3.5, "euler", "simple", 4)
    assert (found.prompt, found.negative, found.width) == ("a cat", "a dog", 640)
    nodes["g"] = node("BasicGuider", conditioning=["2", 0])
    assert (read(nodes).prompt, read(nodes).negative) == ("a cat", "")


def test_the_first_sampler_is_the_one_that_starts_from_nothing() -> None:
    nodes = {"0": graph(latent_image=["5", 0], seed=99)["5"]} | graph()
    assert read(nodes).seed == 5


def test_a_sampler_may_hold_its_prompt_itself_or_have_none() -> None:
    assert read(graph(positive="a fox")).prompt == "a fox"
    nodes = graph()
    del nodes["5"]["inputs"]["positive"]
    assert read(nodes).prompt == ""


def test_a_switch_lets_a_number_through() -> None:
    nodes = graph(steps=["s", 0]) | {"s": node("Switch", switch=False, on_true=1, on_false=["n", 0])}
    assert read(nodes | {"n": node("PrimitiveInt", value=33)}).steps == 33


def test_clip_skip_is_counted_as_the_webui_counts() -> None:
    assert read(graph() | {"6": node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["1", 1])}).clip_skip == 2


def test_nan_and_infinity_in_a_graph_are_read_over() -> None:
    nodes = json.dumps(graph()).replace('"cfg": 7.5', '"cfg": NaN, "is_changed": [NaN], "x": -Infinity')
    found = said({"prompt": nodes})
    assert (found.cfg, found.steps) == (None, 20)


def test_civitai_names_its_files_by_air() -> None:
    loader = node("CheckpointLoaderSimple", ckpt_name="urn:air:sd1:checkpoint:civitai:4384@128713")
    (need,) = read({"1": loader}).needs
    assert (need.kind, need.name, need.version_id) == (Kind.CHECKPOINT, "", 128713)
    assert need.air == "urn:air:sd1:checkpoint:civitai:4384@128713"


def test_releases_listed_beside_the_graph_are_needs() -> None:
    extra = {"ckpt_airs": ["4384@128713"], "lora_airs": ["1@2", "junk"], "airs": ["urn:air:sdxl:lora:civitai:5@6"]}
    found = read(graph(), {"nodes": [], "extra": extra})
    assert [(need.kind, need.version_id) for need in found.needs] == [
        (Kind.CHECKPOINT, 128713), (Kind.LORA, 2), (Kind.LORA, 6),
    ]  # fmt: skip


def test_a_workflow_without_its_run_still_names_files() -> None:
    screen = {
        "nodes": [
            {"type": "CheckpointLoaderSimple", "widgets_values": ["base.safetensors"]},
            {"type": "LoraLoader", "widgets_values": ["l.safetensors", 0.7, 1]},
            {"type": "LoraLoader", "mode": 4, "widgets_values": ["bypassed.safetensors", 1, 1]},
            {"type": "CLIPTextEncode", "widgets_values": ["embedding:Easy, not.safetensors"]},
            {"type": "VHS_Loader", "widgets_values": {"vae": 1}},
            7,
        ],
        "definitions": {"subgraphs": [{"nodes": [{"type": "VAELoader", "widgets_values": ["v.pt"]}]}]},
    }
    found = read({}, screen)
    assert [(need.kind, need.name, need.weight) for need in found.needs] == [
        (Kind.CHECKPOINT, "base.safetensors", None), (Kind.LORA, "l.safetensors", 0.7), (Kind.EMBEDDING, "Easy", None),
        (Kind.VAE, "v.pt", None),
    ]  # fmt: skip
    assert "only the workflow is left" in found.problems[0]


@pytest.mark.parametrize(
    ("first", "second"), [("prompt:", "workflow:"), ("Prompt: ", "Workflow: ")], ids=["animated-webp", "image-savers"]
)
def test_graphs_in_exif_are_found_by_their_label(first: str, second: str) -> None:
    screen = {"nodes": [], "extra": {"airs": ["urn:air:sdxl:lora:civitai:5@6"]}}
    found = said({"exif:Make": second + json.dumps(screen), "exif:Model": first + json.dumps(graph())})
    assert (found.tool, found.prompt, found.chunk, len(found.needs)) == (Tool.COMFYUI, "a cat", "exif:Model", 2)


def test_a_graph_that_samples_nothing_says_so() -> None:
    found = read({"1": node("UpscaleModelLoader", model_name="4x.pth")})
    assert (found.problems, len(found.needs)) == (("the graph has no sampler",), 1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["1", "2", "a.pt", "x", "positive"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["class_type", "inputs", "text", "positive", "negative", "steps", "seed", "latent_image",
        "switch",
                         "on_true", "on_false", "1", "2", "lora_name", "nodes", "widgets_values", "extra", "airs",
                         "type",
                         "sampler_name", "guider", "sigmas", "width", "height", "stop_at_clip_layer", "definitions"]),
        inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given(_JSON, _JSON, st.dictionaries(st.sampled_from(["1", "2"]), _JSON))
def test_any_json_in_place_of_a_graph_never_raises(prompt: object, workflow: object, inputs: dict[str, Any]) -> None:
    read_comfy(json.dumps(prompt), json.dumps(workflow), ("prompt", "workflow"))
    nodes = {
        key: node("KSampler", steps=1, seed=1, positive=[key, 0], **{"in": value}) for key, value in inputs.items()
    }
    for key, value in inputs.items():
        if isinstance(value, dict):
            nodes[key]["inputs"] |= value  # type: ignore[operator]
    read_comfy(json.dumps(nodes), "", ("prompt", ""))


def test_a_graph_of_many_nodes_is_bounded() -> None:
    nodes = {
        str(number): node("Reroute", value=[str(number + 1), 0], text=[str(number + 2), 0]) for number in range(30_000)
    }
    found = read_graph(nodes)
    assert isinstance(found, Graph)
    assert len(found.nodes) == 20_000
    assert read(graph(positive=["100", 0]) | nodes).prompt == ""
