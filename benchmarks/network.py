"""The networks at the full size of SD 1.5 beside diffusers: a UNet step, a VAE decode, and the time to the first step.

python benchmarks/network.py [--rounds 2] [--threads 2] [--write]

Both engines run on the CPU in float32 with the same random numbers for weights, by turns, each in a process of its own.
A step is a batch of two at 64x64 latents; a decode gives a picture of 512x512. The first step is prepared from a 2 GB
half-precision file: from the start of the process until the text is encoded and the UNet ready to be called.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measuring import PYTHON, arguments, publish, table, workplace

ENGINES = ("sdkeep", "diffusers")
FLOP = {"step": 1.60e12, "decode": 2.48e12}
"""Counted by torch's FlopCounterMode, and by hand for the attention that it does not see."""


def main() -> None:
    parser = arguments(__doc__ or "", rounds=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "ENGINE", "FOLDER"))
    options = parser.parse_args()
    if options.child:
        _child(options.child, options.threads)
        return
    with workplace(options.work, needs=4 << 30) as folder:
        _run(["make", "sdkeep", str(folder)], options.threads)
        taken = {(what, engine): [] for what in ("step", "decode", "first") for engine in ENGINES}
        for _ in range(options.rounds):
            for what, engine in taken:
                taken[what, engine].append(_run([what, engine, str(folder)], options.threads))
    publish("network", _tables(taken), write=options.write)


def _run(child: list[str], threads: int) -> dict[str, float]:
    begun = time.time()
    command = [*PYTHON, __file__, "--threads", str(threads), "--child", *child]
    done = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if "ready" in said:
        said["wall"] = said["ready"] - begun
    return said


def _tables(taken: dict[tuple[str, str], list[dict[str, float]]]) -> str:
    words = {"step": "UNet step", "decode": "VAE decode", "first": "to the first step"}
    rows = []
    for (what, engine), runs in taken.items():
        cpu, wall = (min(run[kind] for run in runs) for kind in ("cpu", "wall"))
        other = min(run["cpu"] for run in taken[what, "diffusers"])
        clock = min(run["wall"] for run in taken[what, "diffusers"])
        share = statistics.median(run["share"] for run in runs) if what in FLOP else 0
        rows.append(
            [
                f"{words[what]}, {engine}",
                f"{cpu:.1f}",
                f"{cpu / other:.2f}",
                f"{wall:.1f}",
                f"{wall / clock:.2f}",
                f"{share:.2f}" if share else "",
                f"{max(run['speed'] for run in runs):.0f}" if share else "",
                f"{max(run['peak'] for run in runs):.0f}",
            ]
        )
    products = [run["product"] for (what, _), runs in taken.items() if what in FLOP for run in runs]
    rows.append(["a product of two matrices", "", "", "", "", "1.00", f"{statistics.median(products):.0f}", ""])
    heads = ["", "CPU s", "of diffusers", "wall s", "of diffusers", "of sgemm", "GFLOP/s", "peak MB"]
    return table(heads, rows)


def _child(child: list[str], threads: int) -> None:
    what, engine, folder = child[0], child[1], Path(child[2])
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    if what == "make":
        _make(folder)
        print("{}")
        return
    begun = time.process_time()
    if what == "first":
        _first(engine, folder)
        print(json.dumps({"cpu": time.process_time(), "ready": time.time(), "peak": _peak()}))
        return
    work = _work(what, engine)
    work()
    peak = _speed(threads)
    begun, clock = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - begun, time.perf_counter() - clock
    speed, product = FLOP[what] / (cpu / threads), max(peak, _speed(threads))
    said = {"cpu": cpu, "wall": wall, "share": speed / product, "speed": speed / 1e9, "product": product / 1e9}
    print(json.dumps({**said, "peak": _peak()}))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _speed(threads: int) -> float:
    """Operations a second of a matrix product on all threads, by processor time."""
    import torch

    a = torch.randn(2048, 2048)
    best = 0.0
    for _ in range(6):
        begun = time.process_time()
        torch.mm(a, a)
        best = max(best, 2 * 2048**3 / ((time.process_time() - begun) / threads))
    return best


def _work(what: str, engine: str) -> Callable[[], object]:
    import torch

    x, steps, context = torch.randn(2, 4, 64, 64), torch.tensor([500, 500]), torch.randn(2, 77, 768)
    if engine == "sdkeep":
        from sdkeep.diffusion.allocation import keep_freed_memory
        from sdkeep.diffusion.networks.config import UNetConfig, VaeConfig
        from sdkeep.diffusion.networks.unet import UNet
        from sdkeep.diffusion.networks.vae import Vae

        keep_freed_memory()
        if what == "step":
            unet = _filled(lambda: UNet(UNetConfig()))
            return lambda: unet(x, steps, context)
        vae = _filled(lambda: Vae(VaeConfig()))
        return lambda: vae.decode(x[:1])
    if what == "step":
        unet = _filled(lambda: _their_unet())
        return lambda: unet(x, steps, context).sample
    vae = _filled(lambda: _their_vae())
    return lambda: vae.decode(x[:1]).sample


def _their_unet():  # type: ignore[no-untyped-def]
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)


def _their_vae():  # type: ignore[no-untyped-def]
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
    )


def _filled(make):  # type: ignore[no-untyped-def]
    """A network with numbers of a sensible size, cheaply."""
    import torch

    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu").eval().requires_grad_(False)
    for parameter in network.parameters():
        _fill(parameter.data)
    return network


def _fill(weight) -> None:  # type: ignore[no-untyped-def]
    import torch

    if weight.ndim < 2:
        weight.fill_(0.5)
        return
    some = (torch.arange(65537) * 7919 % 65537 / 32768 - 1) / weight[0].numel() ** 0.5
    flat = weight.view(-1)
    for begin in range(0, len(flat), len(some)):
        piece = flat[begin : begin + len(some)]
        piece.copy_(some[: len(piece)])


def _make(folder: Path) -> None:
    """A whole checkpoint of SD 1.5's shapes in half precision, and the configuration that diffusers asks for."""
    import torch
    from diffusers import DDIMScheduler
    from safetensors.torch import save_file
    from transformers import CLIPTextConfig

    from sdkeep.diffusion.assembly import build
    from sdkeep.diffusion.networks.config import ClipConfig, ModelConfig, UNetConfig, VaeConfig
    from sdkeep.ground.kinds import Family

    text = ClipConfig("cond_stage_model.transformer.text_model.")
    weights = {}
    for part in build(ModelConfig(Family.SD1, UNetConfig(), VaeConfig(), (text,))):
        for name, parameter in part.network.named_parameters():
            weights[part.prefix + name] = torch.empty(parameter.shape, dtype=torch.float16)
            _fill(weights[part.prefix + name])
    save_file(weights, folder / "model.safetensors")
    with torch.device("meta"):
        _their_unet().save_config(folder / "config" / "unet")
        _their_vae().save_config(folder / "config" / "vae")
    clip = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    clip.architectures = ["CLIPTextModel"]
    clip.save_pretrained(folder / "config" / "text_encoder")
    DDIMScheduler().save_pretrained(folder / "config" / "scheduler")
    parts = {
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.35.0", **parts}
    (folder / "config" / "model_index.json").write_text(json.dumps(index))


def _first(engine: str, folder: Path) -> None:
    import torch

    words = torch.full((2, 77), 49407)
    if engine == "sdkeep":
        from sdkeep.diffusion.checkpoint import open_checkpoint

        model = open_checkpoint(folder / "model.safetensors")
        model.text[0](words)
        _ = model.unet
        return
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTokenizer

    pipeline = StableDiffusionPipeline.from_single_file(
        str(folder / "model.safetensors"),
        config=str(folder / "config"),
        local_files_only=True,
        safety_checker=None,
        feature_extractor=None,
        tokenizer=CLIPTokenizer(),
        torch_dtype=torch.float32,
    )
    pipeline.text_encoder(words)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
