"""What starting a verb loads: each library costs every run of every script its time."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.makers.models import checkpoint_pickle
from tests.makers.records import artifact
from tests.world import World

PROGRAM = """
import json, sys
from sdkeep.cli.app import run
status = run(sys.argv[1:])
json.dump(sorted(sys.modules), sys.stderr)
sys.exit(status)
"""
NEVER = {"torch", "alembic", "sqlmodel", "httpx2", "huggingface_hub", "rich", "numpy", "PIL", "yaml", "pathvalidate"}
NO_CATALOGUE = NEVER | {"sqlalchemy", "sdkeep.catalogue", "sdkeep.settings", "sdkeep.hubs", "sdkeep.net"}
LOADS_NOT = {
    "help": (["--help"], NO_CATALOGUE | {"pydantic", "sdkeep.actions", "sdkeep.formats", "sdkeep.audit"}),
    "version": (["--version"], NO_CATALOGUE | {"pydantic", "sdkeep.actions", "sdkeep.formats", "sdkeep.audit"}),
    "help of a verb": (["get", "--help"], NO_CATALOGUE | {"sdkeep.actions", "sdkeep.formats", "sdkeep.audit"}),
    "ls": (["ls"], NEVER | {"sdkeep.formats", "sdkeep.audit", "sdkeep.store.blobs", "sdkeep.layouts", "sdkeep.net"}),
    "ls WORD": (["ls", "model"], NEVER | {"sdkeep.formats", "sdkeep.audit", "sdkeep.store.blobs", "sdkeep.layouts"}),
    "show NAME": (["show", "model-1"], NEVER | {"sdkeep.formats.look", "sdkeep.audit", "sdkeep.net", "sdkeep.hubs"}),
    "show PATH": (["show", "model.ckpt"], NO_CATALOGUE - {"numpy"}),
    "scan PATH": (["scan", "model.ckpt"], NO_CATALOGUE | {"sdkeep.layouts.layout"}),
    "convert PATH": (["convert", "model.ckpt", "-o", "out.safetensors"], NO_CATALOGUE | {"sdkeep.layouts.layout"}),
}


@pytest.mark.parametrize(("arguments", "unwanted"), LOADS_NOT.values(), ids=LOADS_NOT)
def test_a_verb_loads_only_what_it_needs(
    world: World, tmp_path: Path, arguments: list[str], unwanted: set[str]
) -> None:
    with world.house() as house:
        house.book.put_artifact(artifact(1))
    (tmp_path / "model.ckpt").write_bytes(checkpoint_pickle())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=world.environ, cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert sorted(loaded & unwanted) == []


@pytest.mark.parametrize("name", sorted(NO_CATALOGUE - {"torch"}))
def test_the_names_above_are_those_of_modules(name: str) -> None:
    assert importlib.util.find_spec(name) is not None
