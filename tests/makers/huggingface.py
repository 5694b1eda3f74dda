"""A small Hugging Face for tests: a few repositories of every kind that matters, behind a real socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sdkeep.demo.huggingface import SampleHuggingFace, SampleRepo
from sdkeep.demo.server import SampleServer
from sdkeep.hubs.huggingface.hub import HuggingFace
from sdkeep.net.client import Web, WebPolicy
from sdkeep.net.retry import RetryPolicy

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
TOKENS = {"hf_ada_ada_ada_ada": "ada", "hf_bob_bob_bob_bob": "bob"}

PIXEL = SampleRepo(
    files={
        "README.md": b"# Pixel Art XL",
        "pixel-art-xl.safetensors": b"weights of pixel art",
        "sample images/a cat.png": b"picture",
        "clip.mp4": b"moving",
    },
    tags=("text-to-image", "lora"),
    card={"license": "creativeml-openrail-m", "base_model": SDXL, "instance_prompt": "'pixel art'", "tags": ["lora"]},
    downloads=900,
    likes=5,
    modified="2024-05-06T07:08:09.000Z",
)
PIPELINE = SampleRepo(
    files={
        "model_index.json": b"{}",
        "sd_xl_base_1.0.safetensors": b"everything in one",
        "sd_xl_base_1.0_0.9vae.safetensors": b"everything in one, other vae",
        "unet/config.json": b"{}",
        "unet/diffusion_pytorch_model.fp16.safetensors": b"unet half",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors": b"shard",
        "text_encoder_2/model.safetensors": b"text encoder",
        "vae/diffusion_pytorch_model.bin": b"vae",
    },
    tags=("text-to-image", "diffusers:StableDiffusionXLPipeline"),
    card={"license": "openrail++"},
    downloads=5000,
    issues={"vae/diffusion_pytorch_model.bin": "unsafe"},
)
MIX = SampleRepo(
    files={"mix.ckpt": b"pickled", "mix.fp16-pruned.ckpt": b"pickled half", "mix.vae.pt": b"vae", "v1.yaml": b"model:"},
    branches={"fp32/new": {"mix.fp32.safetensors": b"another branch"}},
    tags=("stable-diffusion", "not-for-all-audiences", "merge"),
    card={
        "license": "other",
        "license_name": "faipl-1.0-sd",
        "license_link": "LICENSE.md",
        "base_model": ["ada/one", "ada/two", "a name only"],
        "base_model_relation": "merge",
    },
    downloads=10,
)
GATED = SampleRepo(
    files={"big.safetensors": b"gated"}, tags=("text-to-image",), gated="auto", members=frozenset({"ada"}), downloads=7
)
SECRET = SampleRepo(files={"mine.safetensors": b"private"}, private=True, members=frozenset({"ada"}))
GONE = SampleRepo(files={"x.safetensors": b"x"}, disabled=True)

REPOS: Mapping[str, SampleRepo] = {
    "nerijs/pixel-art-xl": PIXEL,
    SDXL: PIPELINE,
    "ada/mix": MIX,
    "ada/gated": GATED,
    "ada/secret": SECRET,
    "ada/gone": GONE,
}
RENAMED = {"runway/old-name": "ada/mix"}

QUICK = RetryPolicy(attempts=2, first=0.001, most=0.001, patience=0.0)


@contextmanager
def sample(
    repos: Mapping[str, SampleRepo] = REPOS, page: int = 1000
) -> Iterator[tuple[SampleServer, SampleHuggingFace]]:
    """A running server with these repositories."""
    hub = SampleHuggingFace(repos, TOKENS, RENAMED, page)
    with SampleServer() as server:
        server.route(hub.handle)
        yield server, hub


@contextmanager
def asked(server: SampleServer, token: str = "") -> Iterator[HuggingFace]:
    """The hub at this server, signed in with `token`."""
    tokens = {f"127.0.0.1:{server.port}": token} if token else {}
    with Web(WebPolicy(tokens=tokens, retry=QUICK), sleep=lambda _: None) as web:
        yield HuggingFace(web, server.url)
