"""The guided tour: the main job in a dozen real commands, each with a sentence before and one after.

The steps are data; every command is run as a person would, in a process of its own.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sdkeep.demo.samples import CHECKPOINT, LORA, MALICIOUS, REPOSITORY
from sdkeep.demo.stage import WEBUI, Stage

PATIENCE = 120.0
"""Seconds after which a step counts as hung."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the tour: what it is for, what is typed, the exit status it must have, what was to be seen."""

    name: str
    title: str
    command: tuple[str, ...]
    after: str
    expected: int = 0

    @property
    def line(self) -> str:
        """The command as a person types it."""
        return shlex.join(("sdkeep", *self.command))


STEPS: tuple[Step, ...] = (
    Step(
        "register",
        "Tell sdkeep where your WebUI lives",
        ("ui", "add", WEBUI),
        "It was recognised by its own files. From now on, whatever you get is placed where it looks.",
    ),
    Step(
        "search",
        "Search both hubs at once",
        ("search", "lantern"),
        "The first column is what `get` takes. Page URLs, AIRs and hashes work as well.",
    ),
    Step(
        "pickle",
        "Get a checkpoint that is published as a pickle (.ckpt)",
        ("get", f"civitai:{CHECKPOINT}"),
        "Its pickle was read, never run; the tensors were copied out of it byte for byte, and the WebUI gets safetensors.",
    ),
    Step(
        "lora",
        "Get a LoRA by the address of its page",
        ("get", f"https://civitai.com/models/{LORA}/paper-lantern"),
        "`paste` is the line for your prompt; its preview and a sidecar with the trigger words lie beside the file.",
    ),
    Step(
        "refused",
        "Try a checkpoint that starts a program when a WebUI loads it",
        ("get", f"civitai:{MALICIOUS}"),
        "Refused before the download: a few ranges of the file were enough to find the call. The exit status is 1.",
        expected=1,
    ),
    Step(
        "disarmed",
        "Take its tensors and leave the program behind",
        ("get", f"civitai:{MALICIOUS}", "--disarm"),
        "Only numbers and their names were copied. The call was never made, and the pickle lies in the trash.",
    ),
    Step(
        "huggingface",
        "Get a VAE from Hugging Face",
        ("get", f"hf:{REPOSITORY}"),
        "Of the two formats in the repository, the one that cannot run code was chosen.",
    ),
    Step(
        "list",
        "List what you have",
        ("ls",),
        "Kind and family are proved by the tensors in each file, not by its name.",
    ),
    Step(
        "show",
        "Ask where a file came from, and what may be done with it",
        ("show", "lanternharbour-v10"),
        "`converted-from` names the published pickle by its SHA-256, so updates and picture look-ups still find it.",
    ),
    Step(
        "verify",
        "Check every copy against its digest",
        ("verify",),
        "Each file in the store and in the WebUI still has the bytes that were proved when it came.",
    ),
)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a step. `output` is what it printed, empty where it printed to the screen."""

    name: str
    title: str
    command: str
    status: int
    expected: int
    ok: bool
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class Toured:
    """What came of the whole tour: its steps, and the files that now lie in the pretend WebUI."""

    ok: bool
    steps: tuple[Played, ...]
    files: tuple[str, ...]
    root: str
    kept: bool


def play(step: Step, stage: Stage, around: Mapping[str, str], *, capture: bool, clock: Callable[[], float]) -> Played:
    """Run one step on the stage. Without `capture` its output goes to our own standard output, errors included."""
    began = clock()
    done = subprocess.run(  # noqa: S603  # our own program, with arguments from the table above
        [sys.executable, "-P", "-m", "sdkeep", *step.command],
        cwd=stage.root,
        env=stage.environment(around),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )
    output = (done.stdout or b"").decode(errors="replace")
    ok = done.returncode == step.expected
    took = round(clock() - began, 2)
    return Played(step.name, step.title, step.line, done.returncode, step.expected, ok, took, output)


def tour(
    stage: Stage,
    around: Mapping[str, str],
    *,
    capture: bool,
    kept: bool,
    before: Callable[[Step], None],
    after: Callable[[Step, Played], None],
    clock: Callable[[], float] = time.monotonic,
) -> Toured:
    """Play every step, `before` and `after` around each; stops at the first with an unexpected exit status."""
    played: list[Played] = []
    for step in STEPS:
        before(step)
        played.append(play(step, stage, around, capture=capture, clock=clock))
        after(step, played[-1])
        if not played[-1].ok:
            break
    return Toured(all(one.ok for one in played), tuple(played), stage.tree(), str(stage.root), kept)
