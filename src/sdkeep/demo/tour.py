"""The guided tour: the main job in a dozen real commands, each with a sentence before and one after.

The steps are data; whoever plays them hands in the way to run a command.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sdkeep.demo.samples import CHECKPOINT, LORA, MALICIOUS, REPOSITORY
from sdkeep.demo.stage import DOWNLOADED, WEBUI


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the tour: what it is for, what is typed, what was to be seen, the exit status it must have.

    In `after`, `{read}` and `{size}` stand for how much of the malicious file went over the wire, and all of it.
    """

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
        "The pickle was read, never run. Its tensors were copied out byte for byte; the WebUI gets safetensors.",
    ),
    Step(
        "lora",
        "Get a LoRA by the address of its page",
        ("get", f"https://civitai.com/models/{LORA}/paper-lantern"),
        "`paste` is the line for your prompt; its preview and a sidecar with the trigger words lie beside the file.",
    ),
    Step(
        "scan",
        "Look inside a file that you downloaded yourself",
        ("scan", DOWNLOADED),
        "A WebUI that loads it runs that command. sdkeep reads the opcodes and runs none. The exit status is 1.",
        expected=1,
    ),
    Step(
        "refused",
        "Try to get the same file from the hub, whose own scanner calls it fine",
        ("get", f"civitai:{MALICIOUS}"),
        "Refused before the download: {read} of its {size} were enough to find the call. The exit status is 1.",
        expected=1,
    ),
    Step(
        "disarmed",
        "Take its tensors and leave the program behind",
        ("get", f"civitai:{MALICIOUS}", "--disarm"),
        "Only numbers and their names were copied. The call was never made.",
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
        "Ask where files came from, what may be done with them, and what to paste",
        ("show", "lanternharbour-v10", "paper-lantern"),
        "Lineage: the checkpoint was converted from the published pickle, and the LoRA says it was trained on that.",
    ),
    Step(
        "verify",
        "Check every copy against its digest",
        ("verify",),
        "Each file in the store and in the WebUI still has the bytes that were proved when it came.",
    ),
)


PICTURES = "pictures"
"""Where the engine's part of the tour saves, below the stage's root."""
_WORDS = "zero, one, two, three, four, five, six, seven, eight, nine"

ENGINE_STEPS: tuple[Step, ...] = (
    Step(
        "generate",
        "Make a picture with the sample model that comes with sdkeep",
        ("generate", "a photo of a seven", "--model", "digits", "--seed", "2", "-o", PICTURES),
        "Plain torch, no WebUI. The sample model knows handwritten digits of 32x32, and nothing else.",
    ),
    Step(
        "repeat",
        "Make the same picture again from nothing but the picture",
        ("generate", "--from-image", f"{PICTURES}/00001-2.png", "-o", PICTURES),
        "Its prompt, seed, sampler and the hash of its model are inside it. The two files have the same bytes.",
    ),
    Step(
        "generations",
        "Find pictures by words of their prompts",
        ("ls", "--generations", "seven"),
        "The catalogue keeps each picture with every model it was made with.",
    ),
    Step(
        "grid",
        "Draw every digit in one labelled picture",
        ("generate", "a photo of a zero", "--model", "digits", "--steps", "12",
         "--grid", f"Prompt S/R: {_WORDS}; Seed: 2-3", "-o", f"{PICTURES}/grid"),
        "Twenty pictures, and all of them in one that anyone can read.",
    ),
)  # fmt: skip
"""What `sdkeep demo --engine` shows besides; it needs torch."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a step. `output` is what it printed, empty where that went to the screen."""

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
    """What came of the whole tour: its steps, and the files that lie in the pretend WebUI at its end.

    `picture` is where the engine's last picture was left, empty without the engine.
    """

    ok: bool
    steps: tuple[Played, ...]
    files: tuple[str, ...]
    root: str
    kept: bool
    picture: str = ""


Perform = Callable[[tuple[str, ...]], tuple[int, str]]
"""Runs the command line with these arguments on the stage: the exit status, and what was printed if it was caught."""


def tour(
    perform: Perform, clock: Callable[[], float] = time.monotonic, steps: Sequence[Step] = STEPS
) -> Iterator[Step | Played]:
    """Play the steps: each is given before it runs and once more when it is done.

    Ends early with the first step whose exit status is not the expected one.
    """
    for step in steps:
        yield step
        began = clock()
        status, output = perform(step.command)
        took = round(clock() - began, 2)
        ok = status == step.expected
        yield Played(step.name, step.title, step.line, status, step.expected, ok, took, output)
        if not ok:
            return
