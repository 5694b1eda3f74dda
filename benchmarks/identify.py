"""How many headers identification reads in a minute.

    python benchmarks/identify.py [FOLDER] [--rounds 5] [--write]

FOLDER holds JSON files of the form {"tensors": {name: {"shape": [...], "dtype": "F16"}}}; without it, synthetic headers
of the sizes that real ones have are used (an SDXL checkpoint has 2,515 tensors, a kohya LoRA for it 2,958).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from measuring import arguments, publish, table

from sdkeep.formats.contents import Container, Contents, Tensor
from sdkeep.formats.identify import identify


def synthetic() -> list[Contents]:
    """A checkpoint, a LoRA and a handful of small files, as large as real ones."""
    model: dict[str, tuple[int, ...]] = {}
    for block in range(12):
        for layer in range(10):
            stem = f"model.diffusion_model.input_blocks.{block}.1.transformer_blocks.{layer}"
            for name in ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn2.to_q", "attn2.to_k", "attn2.to_v", "norm1"):
                for part in ("weight", "bias"):
                    model[f"{stem}.{name}.{part}"] = (640, 2048 if name == "attn2.to_k" else 640)
    model["model.diffusion_model.input_blocks.0.0.weight"] = (320, 4, 3, 3)
    model["model.diffusion_model.label_emb.0.0.weight"] = (1280, 2816)
    lora: dict[str, tuple[int, ...]] = {}
    for block in range(10):
        for layer in range(10):
            stem = f"lora_unet_down_blocks_{block}_attentions_0_transformer_blocks_{layer}"
            for name in (
                "attn1_to_q",
                "attn1_to_k",
                "attn1_to_v",
                "attn2_to_q",
                "attn2_to_k",
                "attn2_to_v",
                "ff_net_2",
            ):
                lora[f"{stem}_{name}.lora_down.weight"] = (16, 2048 if name == "attn2_to_k" else 640)
                lora[f"{stem}_{name}.lora_up.weight"] = (640, 16)
                lora[f"{stem}_{name}.alpha"] = ()
    small: dict[str, tuple[int, ...]] = {"emb_params": (8, 768)}
    return [
        Contents(Container.SAFETENSORS, 0, tuple(Tensor(name, "F16", shape) for name, shape in header.items()))
        for header in (model, lora, small)
    ]


def read(folder: Path) -> list[Contents]:
    """The headers of a folder and its sub-folders."""
    found = []
    for path in sorted(folder.rglob("*.json")):
        tensors = json.loads(path.read_text("utf-8"))
        tensors = tensors.get("tensors", tensors) if isinstance(tensors, dict) else {}
        listed = [(name, facts) for name, facts in tensors.items() if isinstance(facts, dict) and "shape" in facts]
        if listed:
            read_tensors = tuple(
                Tensor(name, facts.get("dtype") or "", tuple(facts["shape"])) for name, facts in listed
            )
            found.append(Contents(Container.SAFETENSORS, 0, read_tensors))
    return found


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("folder", type=Path, nargs="?", help="JSON files of headers")
    options = parser.parse_args()
    headers = read(options.folder) if options.folder else synthetic()
    for header in headers:
        identify(header)
    began, spent = time.perf_counter(), time.process_time()
    for _ in range(options.rounds):
        for header in headers:
            identify(header)
    wall, cpu = time.perf_counter() - began, time.process_time() - spent
    count = options.rounds * len(headers)
    tensors = sum(len(header.tensors) for header in headers) // len(headers)
    slowest = max(headers, key=lambda header: len(header.tensors))
    began = time.perf_counter()
    identify(slowest)
    last = (time.perf_counter() - began) * 1000
    heads = ["headers", "mean tensors", "headers a minute", "CPU ms each", "tensors of the largest", "its ms"]
    row = [f"{count}", f"{tensors}", f"{count / wall * 60:,.0f}", f"{cpu / count * 1000:.2f}"]
    text = table(heads, [[*row, f"{len(slowest.tensors)}", f"{last:.1f}"]])
    publish("identify", text, write=options.write)


if __name__ == "__main__":
    main()
