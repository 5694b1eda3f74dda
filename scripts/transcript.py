"""Write docs/transcripts/first-three-releases.md: real releases through the real commands, without the network.

`SDKEEP_CORPUS` names a folder with recorded answers of Civitai and the files that they publish; none of it is part of
the project. `--check` compares instead of writing. The places, ports and times of the machine are normalised.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.huggingface import SampleHuggingFace, SampleRepo
from sdkeep.demo.server import Hit, SampleServer
from sdkeep.demo.stage import WEBUI, Stage, build_webui, variables

PAGE = Path(__file__).resolve().parent.parent / "docs" / "transcripts" / "first-three-releases.md"
REPOSITORY = "example/disney-inpainting-lora"
LORA = "models/lora_cloneofsimo_disney_inpainting.safetensors"

INTRODUCTION = """\
# Three real releases, from reference to prompt

Written by `scripts/transcript.py`; do not edit it. What runs here is the real command line. What answers is the sample
hub on the loopback, with two kinds of material that are not part of this project:

- **Civitai**: the API's recorded answers for three embeddings (July 2023), and the very bytes that they publish. The
  SHA-256 that sdkeep confirms is the one in the recorded answer.
- **Hugging Face**: no recorded answer whose files were at hand. The repository and its name are made up, in the hub's
  wire shape: the listing with sizes and digests, and the redirect to the storage of large files. The file is a real
  LoRA, so its size, its digest and its tensors are real.

Two of the three embeddings are pickles. Folders below the temporary home are shown as `~`, the port as `PORT`, dates
and times as `DATE` and `TIME`.
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """A recorded release and the file it publishes, whose bytes are at hand."""

    model: int
    version: int
    name: str
    sha256: str
    path: Path

    @property
    def forms(self) -> tuple[tuple[str, str], ...]:
        """The four ways to name exactly this release, each with what it is called."""
        return (
            ("model id", f"civitai:{self.model}@{self.version}"),
            ("page URL", f"https://civitai.com/models/{self.model}?modelVersionId={self.version}"),
            ("AIR", f"urn:air:sd1:embedding:civitai:{self.model}@{self.version}"),
            ("SHA-256", f"sha256:{self.sha256}"),
        )


def recorded(corpus: Path) -> tuple[tuple[Pair, ...], SampleCivitai]:
    """The pairs in the corpus, and a sample Civitai that answers as recorded and serves their files."""
    listed = json.loads((corpus / "pairs.json").read_text(encoding="utf-8"))
    records = [json.loads((corpus / one["record"]).read_text(encoding="utf-8")) for one in listed]
    files: dict[int, bytes | Path] = {}
    for one, record in zip(listed, records, strict=True):
        files[_file_id(record, one["version"], one["sha256"])] = corpus / one["file"]
    pairs = tuple(
        Pair(one["model"], one["version"], one["published_name"], one["sha256"].lower(), corpus / one["file"])
        for one in listed
    )
    return pairs, SampleCivitai(records, files)


def _file_id(record: dict[str, Any], version: int, sha256: str) -> int:
    """The id of the published file with this digest, as the recorded answer has it."""
    files = [file for one in record["modelVersions"] if one["id"] == version for file in one["files"]]
    return int(next(file["id"] for file in files if file["hashes"].get("SHA256") == sha256))


def repository(corpus: Path) -> SampleHuggingFace:
    """A sample Hugging Face with one real LoRA in one made-up repository."""
    card = b"---\nlicense: apache-2.0\n---\n"
    files: dict[str, bytes | Path] = {"README.md": card, "disney_inpainting.safetensors": corpus / LORA}
    about = {"license": "apache-2.0"}
    return SampleHuggingFace({REPOSITORY: SampleRepo(files, tags=("stable-diffusion", "lora"), card=about)})


@contextmanager
def opened(corpus: Path) -> Iterator[tuple[Stage, tuple[Pair, ...]]]:
    """A throw-away home with a pretend WebUI, the hubs filled from the corpus, and the pairs."""
    pairs, civitai = recorded(corpus)
    with tempfile.TemporaryDirectory(prefix="sdkeep-transcript-") as folder, SampleServer() as server:
        root = Path(folder).resolve()
        server.route(civitai)
        server.route(repository(corpus).handle)
        build_webui(root / WEBUI)
        yield Stage(root, server, variables(root, server.url)), pairs


def run(stage: Stage, *arguments: str) -> tuple[int, str]:
    """Run one command on the stage, in a process of its own: its exit status, and what it printed on both streams."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sdkeep", *arguments],
        cwd=stage.root,
        env=stage.environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


class Page:
    """The text as it grows."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.parts = [INTRODUCTION]

    def say(self, *paragraphs: str) -> None:
        """Add paragraphs, headings or tables."""
        self.parts += [paragraph + "\n" for paragraph in paragraphs]

    def show(self, *arguments: str) -> None:
        """Run a command and add what it printed; a status other than 0 ends everything."""
        status, output = run(self._stage, *arguments)
        if status:
            sys.exit(f"{shlex.join(arguments)} ended with {status}:\n{output}")
        typed = shlex.join(("sdkeep", *arguments))
        self.say(f"```console\n$ {typed}\n{self.normal(output)}```")

    def normal(self, text: str) -> str:
        """The text without what differs between machines and days."""
        text = text.replace(str(self._stage.root), "~").replace(str(self._stage.server.port), "PORT")
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
        return re.sub(r"\b20\d\d-\d\d-\d\d\b", "DATE", text).replace("\t", "  ")


def transcript(corpus: Path) -> str:
    """The whole page."""
    with opened(corpus) as (stage, pairs):
        page = Page(stage)
        first, second, third = pairs
        page.say("## The WebUI")
        page.show("ui", "add", WEBUI)
        page.say("## By model id: a safetensors file")
        page.show("get", f"civitai:{first.model}")
        page.say("## By the address of its page: a pickle, read without running it")
        page.show("get", f"https://civitai.com/models/{second.model}")
        page.say("## By SHA-256: another pickle")
        page.show("get", f"sha256:{third.sha256}")
        page.say("## By AIR: the same one again, without a second download")
        page.show("get", third.forms[2][1])
        page.say("## Each form names the same file", every_form(stage, pairs))
        page.say("## Hugging Face")
        start = len(stage.server.hits)
        page.show("get", f"hf:{REPOSITORY}")
        page.say("What was asked for that:", page.normal(_asked(stage.server.hits[start:])))
        page.say("## What lies in the WebUI now", "```text\n" + "\n".join(stage.tree()) + "\n```")
        page.say("## What is known")
        page.show("ls")
        page.show("show", "bad-prompt-version2-neg")
        page.show("verify")
    return "\n".join(page.parts)


def every_form(stage: Stage, pairs: Sequence[Pair]) -> str:
    """A table of what `get --dry-run` would fetch for each form; ends everything when one names another file."""
    forms = [(pair, called, ref) for pair in pairs for called, ref in pair.forms]
    status, output = run(stage, "get", "--dry-run", "--json", *(ref for _, _, ref in forms))
    answers = json.loads(output)["data"]
    if status or [answer["planned"][0]["sha256"] for answer in answers] != [pair.sha256 for pair, _, _ in forms]:
        sys.exit(f"a reference leads elsewhere:\n{output}")
    rows = []
    for (_, called, ref), answer in zip(forms, answers, strict=True):
        file = answer["planned"][0]
        rows.append(f"| {called} | `{_short(ref)}` | `{file['file_name']}` | `{file['sha256'][:12]}…` |")
    head = [
        "`sdkeep get --dry-run --json` on all twelve:",
        "",
        "| form | reference | file | SHA-256 |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def _short(ref: str) -> str:
    return f"{ref[:19]}…" if ref.startswith("sha256:") else ref


def _asked(hits: Sequence[Hit]) -> str:
    lines = []
    for hit in hits:
        path = hit.path if hit.path.startswith("/api/") else hit.path.partition("?")[0]
        short = re.sub(r"[0-9a-f]{40,64}", lambda found: found[0][:12] + "…", path)
        lines.append(f"{hit.status}  {hit.method} {short}" + (f"  ({hit.sent:,} bytes)" if hit.sent else ""))
    return "```text\n" + "\n".join(lines) + "\n```"


def main() -> None:
    """Write the page, or with `--check` compare it."""
    folder = os.environ.get("SDKEEP_CORPUS")
    if not folder:
        sys.exit("SDKEEP_CORPUS names no folder of recorded answers and real files")
    text = transcript(Path(folder).resolve())
    if "--check" in sys.argv[1:]:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit(f"{PAGE.name} is stale: run `python scripts/transcript.py`")
        return
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.name}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
