"""A throw-away home with a pretend WebUI, the sample hubs on the loopback, and the environment that leads there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdkeep.demo.samples import MALICIOUS_FILE, MALICIOUS_NAME, World, sample_world
from sdkeep.demo.server import SampleServer

WEBUI = "stable-diffusion-webui"
"""The pretend WebUI's folder, below the stage's root."""
DOWNLOADED = f"Downloads/{MALICIOUS_NAME}"
"""A malicious checkpoint that the person of the tour fetched with a browser, below the stage's root."""

_FOLDERS = ("modules", "embeddings", "models/Stable-diffusion", "models/Lora", "models/VAE", "models/hypernetworks")
_MARKS = ("webui.py", "modules/shared.py", "modules/sd_models.py")
_DROPPED = ("SDKEEP_", "CIVITAI_", "HF_", "HUGGING_FACE_")
_DROPPED_WHOLE = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"})


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a tour plays. `root` holds everything; `own` are the variables that make sdkeep live there."""

    root: Path
    server: SampleServer
    own: Mapping[str, str]

    @property
    def webui(self) -> Path:
        """The pretend WebUI."""
        return self.root / WEBUI

    @property
    def downloaded(self) -> Path:
        """The malicious file in the downloads folder."""
        return self.root / DOWNLOADED

    def environment(self, around: Mapping[str, str]) -> dict[str, str]:
        """The environment for a command on this stage: `around` without settings, tokens and proxies, plus ours."""
        kept = {
            name: value
            for name, value in around.items()
            if not name.upper().startswith(_DROPPED) and name.upper() not in _DROPPED_WHOLE
        }
        return kept | dict(self.own)

    def sent(self, file: int) -> int:
        """Bytes of a sample Civitai file that went over the wire so far."""
        return sum(hit.sent for hit in self.server.hits if hit.path.startswith(f"/signed/{file}/"))

    def tree(self) -> tuple[str, ...]:
        """The files in the pretend WebUI's model folders, relative to the stage's root, `/` between the parts."""
        marks = {self.webui / mark for mark in _MARKS}
        files = (path for path in self.webui.rglob("*") if path.is_file() and path not in marks)
        return tuple(sorted(path.relative_to(self.root).as_posix() for path in files))


@contextmanager
def staged(*, keep: bool = False, port: int = 0) -> Iterator[Stage]:
    """A stage for the length of a block; with `keep` its folder stays. `port` 0 takes any that is free."""
    root = Path(tempfile.mkdtemp(prefix="sdkeep-demo-")).resolve()
    try:
        with SampleServer(port) as server:
            world = sample_world()
            world.open_on(server)
            build_webui(root / WEBUI)
            _download(world, root / DOWNLOADED)
            yield Stage(root, server, variables(root, server.url))
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)


def _download(world: World, to: Path) -> None:
    data = world.civitai.files[MALICIOUS_FILE]
    to.parent.mkdir(parents=True)
    to.write_bytes(data if isinstance(data, bytes) else data.read_bytes())


def build_webui(folder: Path) -> None:
    """The folders of an AUTOMATIC1111 WebUI and the empty files by which one is known."""
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    for name in _MARKS:
        (folder / name).touch()


def variables(root: Path, url: str) -> dict[str, str]:
    """The variables that keep sdkeep inside `root` and send it to the hubs at `url`, without anybody's tokens."""
    return {
        "SDKEEP_HOME": str(root / "home"),
        "SDKEEP_CONFIG": str(root / "config.toml"),
        "SDKEEP_CIVITAI_URL": url,
        "SDKEEP_HF_URL": url,
        "HF_HOME": str(root / "huggingface"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
