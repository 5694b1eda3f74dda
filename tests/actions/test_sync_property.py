"""Whatever happens in a folder between two syncs: the catalogue equals the tree after them, and no byte changed."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdkeep.actions.adopt import AdoptRequest, adopt
from sdkeep.actions.sync import SyncRequest, apply, plan
from tests.makers import models
from tests.makers.trees import picture_of
from tests.world import World

NAMES = st.sampled_from(["a", "b", "A", "ü\n", "\udcff", "sub/a", "sub/c", "sub/deep/d"])
SEEDS = st.integers(1, 4)
EDITS = st.one_of(
    st.tuples(st.just("write"), NAMES, SEEDS),
    st.tuples(st.just("delete"), NAMES, SEEDS),
    st.tuples(st.just("touch"), NAMES, SEEDS),
    st.tuples(st.just("move"), NAMES, NAMES),
    st.tuples(st.just("copy"), NAMES, NAMES),
    st.tuples(st.just("link"), NAMES, NAMES),
    st.tuples(st.just("hardlink"), NAMES, NAMES),
    st.tuples(st.just("sync"), NAMES, SEEDS),
)


def edit(root: Path, what: str, name: str, other: str | int) -> None:
    """One thing that a person does to a folder; what is impossible is not done."""
    path = root / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "write":
        path.unlink(missing_ok=True)
        path.write_bytes(models.safetensors(models.small_lora(), int(other)))
    elif what == "delete":
        path.unlink(missing_ok=True)
    elif what == "touch" and path.is_file():
        os.utime(path, (1_000_000 * int(other), 1_000_000 * int(other)))
    elif isinstance(other, str) and path.is_file():
        target = root / f"{other}.safetensors"
        target.parent.mkdir(parents=True, exist_ok=True)
        if what == "move":
            path.rename(target)
        elif not os.path.lexists(target):
            {"copy": shutil.copy2, "link": lambda a, b: b.symlink_to(a), "hardlink": os.link}[what](path, target)


def there(root: Path) -> dict[str, str]:
    """Every model of a tree with its sha256, each folder by its own name; broken links are nothing."""
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.safetensors") if path.is_file()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDITS, max_size=14))
def test_after_a_sync_the_catalogue_is_the_tree(world: World, edits: list[tuple[str, str, str | int]]) -> None:
    root = world.root / "tree"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    (root / "readme.txt").write_text("an empty folder might be a drive that is not mounted")
    with world.house() as house:
        adopt(house, [root], AdoptRequest())

        def sync() -> None:
            before = picture_of(root)
            request = SyncRequest()
            apply(house, plan(house, request), request)
            assert picture_of(root) == before
            recorded = {one.path: one.sha256 for one in house.book.locations(unhashed=True) if not one.missing}
            assert recorded == there(root)
            assert plan(house, request).drift == []
            assert house.book.check() == ()

        for what, name, other in edits:
            if what == "sync":
                sync()
            else:
                edit(root, what, name, other)
        sync()
