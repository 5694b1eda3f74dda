"""One module a verb (or a housekeeping group). Actions are imported inside the bodies, so that help stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

VERBS = {
    "search": ("search", "Look for models at Civitai and Hugging Face."),
    "get": ("get", "Fetch models: choose the file, transfer, verify, scan, convert to safetensors, catalogue, place."),
    "show": ("show", "Tell all about catalogued files, releases at the hubs, files on disk, and pictures."),
    "lineage": (
        "lineage",
        "Draw the family tree of models, both ways, and name the base model with the path that proves it.",
    ),
    "ls": ("ls", "List catalogued files, newest first."),
    "add": (
        "add",
        "Take in files from this machine: scanned, converted where pickled, catalogued. Originals stay untouched.",
    ),
    "sync": (
        "sync",
        "Find what was added, moved, renamed, edited, removed or doubled by hand, and record it. Deletes nothing.",
    ),
    "outdated": ("outdated", "List newer releases for the same base model. Exit status 1 when there are any."),
    "pin": (
        "outdated",
        "Hold models as they are, so that `outdated` and `update` leave them alone; without arguments, list them.",
    ),
    "unpin": ("outdated", "Let `outdated` and `update` see models again."),
    "update": ("update", "Fetch newer releases for the same base model, beside the old files unless told otherwise."),
    "scan": ("scan", "Say whether files can run code when a WebUI loads them. Nothing is executed, ever."),
    "audit": (
        "audit",
        "Judge every catalogued file: by the verdict on record, or anew where engine, policy or file changed.",
    ),
    "allow": (
        "allow",
        "Let one file, told by its SHA-256, use one name that the policy does not list. You vouch for it.",
    ),
    "convert": (
        "convert",
        "Copy the tensors of a pickle into a safetensors file. Works on dangerous files too: nothing is executed.",
    ),
    "generate": (
        "generate",
        "Make pictures with an SD 1.x, 2.x or SDXL checkpoint. Each is saved when it is done, its parameters inside.",
    ),
    "merge": (
        "merge",
        "Merge models: planned from their headers, streamed, the recipe kept in the file. Inputs are never touched.",
    ),
    "verify": (
        "verify",
        "Hash stored and placed files again, the longest unread first. Exit status 1 when any is not as it should.",
    ),
    "place": ("place", "Put files into the folders where registered WebUIs look for their kind."),
    "unplace": ("place", "Take files out of WebUIs; the store keeps them. Only what sdkeep put there goes."),
    "rm": ("rm", "Take files out of every WebUI and put their bytes into the trash; `restore` brings them back."),
    "restore": ("rm", "Bring files back from the trash; without arguments, list what is in it."),
    "lock": ("lock", "Write sdkeep.lock: the exact files of the models that sdkeep.toml lists under [models]."),
    "dedupe": (
        "dedupe",
        "Make one stored copy, and links, of the same bytes in several places. Each is compared byte by byte.",
    ),
    "eject": ("dedupe", "Turn placements into plain files that need no store. The store keeps its copy."),
    "du": ("du", "Sizes by WebUI, kind and store, what only a store still holds, and what links save."),
    "gc": ("gc", "Put what nothing uses into the trash, and let go of old trash."),
    "doctor": (
        "doctor",
        "Check this machine, the catalogue, the stores, the WebUIs and the tokens; settle what a crash left open.",
    ),
    "demo": (
        "demo",
        "Take the tour: the main job with sample models in a throw-away home, with no network and no token.",
    ),
    "recipe": ("recipe", "Recipes of merges: show, check, list the methods."),
    "lora": ("lora", "Adapters made out of models and out of each other."),
    "embedding": ("embedding", "Textual inversions."),
    "ui": ("ui", "The WebUIs that files are placed in."),
    "auth": ("auth", "Tokens for the hubs."),
    "config": ("config", "Settings."),
    "db": ("db", "The catalogue's database."),
}
"""Verbs and groups in the order that help lists them: the module that brings each, and what it says of itself."""


def register(app: typer.Typer, word: str | None = None) -> None:
    """Put every verb on `app`; the module of `word` alone, for a run needs no other; names alone when it is empty."""
    if word == "":
        for verb, (_, line) in VERBS.items():
            app.command(verb, help=line)(_unread)
        return
    modules = (VERBS[word][0],) if word in VERBS else dict.fromkeys(module for module, _ in VERBS.values())
    for name in modules:
        import_module(f"{__name__}.{name}").register(app)


def _unread() -> None:
    """Stands for every verb in the list that help shows; a line that names one loads it."""
