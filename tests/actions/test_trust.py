"""Nothing that sdkeep did not make is ever lost: every command in any order, with a crash between any two file steps.

The machine holds a tree of foreign files, links of every sort, and folders where links were expected. A crash is a
process that stops dead: from the chosen step on, every further step of the run fails, cleaning up included, and what
was in memory is gone. After each rule every foreign file still shows its bytes, and at the end `doctor` finds nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sdkeep.catalogue import connection
from sdkeep.demo.civitai_records import SampleFile, SampleVersion, sample_model
from sdkeep.store import copying, platform
from tests.makers import library, models
from tests.world import World, blank_catalogue, sha256, world_in

SHARED = models.safetensors(models.small_lora(), 91)
OTHER = models.safetensors(models.small_lora(), 92)
REFS = ("civitai:1002@10021", "civitai:1003", "civitai:1004")
NEWER = tuple(models.safetensors(models.small_lora(), 93 + number) for number in range(3))
PROJECT = """# mine, word for word
[models]
ink = "civitai:1002@10021"
old = { ref = "civitai:1003", kind = "checkpoint" }
"""
STEPS = ("rename", "replace", "link", "unlink", "symlink", "fsync", "mkdir", "chmod", "utime")


class Crash(BaseException):
    """The process is gone."""


class Fuse:
    """Counts file steps; from step `at` on every one of them is a crash."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.steps = 0
        self.blown = False

    def light(self, at: int | None) -> None:
        self.at, self.steps, self.blown = at, 0, False

    def step(self) -> None:
        if self.at is None:
            return
        self.steps += 1
        if self.blown or self.steps >= self.at:
            self.blown = True
            raise Crash


FUSE = Fuse()


@contextmanager
def fused(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every function that changes the disk burns a step of the fuse first."""

    def guard(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def guarded(*arguments: Any, **named: Any) -> Any:
            FUSE.step()
            return real(*arguments, **named)

        patch.setattr(owner, name, guarded)

    for name in STEPS:
        guard(os, name)
    guard(platform, "_rename_with")
    guard(copying, "_pour")
    guard(connection.Connections, "writing")  # a dead process writes no rows either
    yield


class Library(RuleBasedStateMachine):
    """One home, three WebUIs, both hubs; `kept` are the foreign files by path, `blobbed` what must never be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = ExitStack()
        self.root = Path(tempfile.mkdtemp(prefix="trust-"))
        self.closing.callback(shutil.rmtree, self.root, ignore_errors=True)
        patch = self.closing.enter_context(pytest.MonkeyPatch.context())
        blank = blank_catalogue(self.root / "blank")
        self.world: World = self.closing.enter_context(world_in(self.root / "world", blank, patch))
        self.closing.enter_context(fused(patch))
        FUSE.light(None)
        self.kept: dict[Path, bytes] = {}
        self.links: dict[Path, str] = {}
        self.number = 0

    @initialize()
    def furnish(self) -> None:
        """The foreign tree: doubles, links of every sort, and folders where a link was expected."""
        self.a1111, self.comfy = self.world.ui("a1111"), self.world.ui("comfyui")
        lora, loras = self.a1111 / "models/Lora", self.comfy / "models/loras"
        self.outside = self.root / "outside"
        self.outside.mkdir()
        for path, data in (
            (lora / "shared.safetensors", SHARED),
            (loras / "sub/shared.safetensors", SHARED),
            (lora / "other.safetensors", OTHER),
            (self.outside / "precious.safetensors", SHARED),
            (lora.parent / "Stable-diffusion/oldPickle.safetensors/inside.txt", b"a folder where the file goes"),
            (lora / "notes.txt", b"mine"),
        ):
            self.write(path, data)
        os.link(lora / "other.safetensors", self.outside / "other name.safetensors")
        self.kept[self.outside / "other name.safetensors"] = OTHER
        for link, to in (
            (loras / "linked.safetensors", str(self.outside / "precious.safetensors")),
            (loras / "broken.safetensors", "nowhere"),
            (self.comfy / "models/vae/folder", str(self.outside)),
            (loras / "loop", str(loras)),
        ):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(to)
            self.links[link] = to
        (Path.cwd() / "sdkeep.toml").write_text(PROJECT)
        self.neighbour = self.root / "neighbour/store"
        blob = library.civitai_files()[13]
        self.write(self.neighbour / "blobs/sha256" / sha256(blob)[:2] / sha256(blob), blob)
        self.run(0, "get", REFS[0])
        self.run(0, "add", "--in-place", str(self.outside), str(lora))
        self.run(0, "add", str(lora / "shared.safetensors"))

    def write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.kept[path] = data

    def run(self, crash: int, *arguments: str) -> None:
        """One command, stopped dead at a step or not; it may fail in words, never with a mistake of ours."""
        FUSE.light(crash or None)
        try:
            result = self.world.run(*arguments)
            assert "sdkeep itself broke" not in result.stderr, (arguments, result.stderr)
        except Crash:
            pass
        finally:
            FUSE.light(None)

    def called(self, which: int) -> str:
        """One of the catalogue's names, or one that it does not hold."""
        with self.world.house() as house:
            names = sorted(one.name for one in house.book.list(limit=None).items)
        return [*names, "nobody"][which % (len(names) + 1)]

    def publish(self, newest: int) -> None:
        """The ink brush comes out anew."""
        data = NEWER[newest]
        file = SampleFile(200 + newest, f"ink_{newest}.safetensors", data)
        more = SampleVersion(
            10500 + newest, f"again {newest}", library.SD1, (file,), published=f"2026-0{7 + newest}-01"
        )
        old = library.versions()[library.INK]
        self.world.civitai.add(sample_model(library.INK, "Ink Brush", "LORA", (more, *old)))
        self.world.civitai.files = {**self.world.civitai.files, 200 + newest: data}

    def out(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """`-o` with a folder of theirs, or with a file that must not be written over."""
        where = {"outside": self.outside, "foreign": self.outside / "precious.safetensors"}
        return tuple(str(where.get(word, word)) for word in words)

    crashes = st.integers(0, 30)
    long_crashes = st.integers(0, 90)
    uis = st.sampled_from(["a1111", "comfyui"])
    names = st.integers(0, 11)

    @rule(crash=long_crashes, ref=st.sampled_from(REFS))
    def get(self, crash: int, ref: str) -> None:
        self.run(crash, "get", ref)

    @rule(crash=long_crashes, flag=st.sampled_from([(), ("--in-place",)]), where=st.sampled_from(["outside", "lora"]))
    def add(self, crash: int, flag: tuple[str, ...], where: str) -> None:
        folder = self.outside if where == "outside" else self.a1111 / "models/Lora"
        self.run(crash, "add", *flag, str(folder))

    @rule(crash=crashes, name=names, ui=uis)
    def place(self, crash: int, name: int, ui: str) -> None:
        self.run(crash, "place", self.called(name), "--in", ui)

    @rule(crash=crashes, name=names)
    def unplace(self, crash: int, name: int) -> None:
        self.run(crash, "unplace", self.called(name))

    @rule(crash=crashes, name=names)
    def rm(self, crash: int, name: int) -> None:
        self.run(crash, "rm", self.called(name), "--yes")

    @rule(crash=crashes, name=names)
    def restore(self, crash: int, name: int) -> None:
        self.run(crash, "restore", self.called(name))

    @rule(crash=crashes)
    def gc(self, crash: int) -> None:
        self.run(crash, "gc", "--keep-days", "0", "--yes")

    @rule(crash=long_crashes, what=st.sampled_from([(), ("--undo",), ("a1111",)]))
    def dedupe(self, crash: int, what: tuple[str, ...]) -> None:
        self.run(crash, "dedupe", *what, "--yes")

    @rule(crash=crashes, what=st.sampled_from([("--all",), ("--ui", "comfyui"), ("ink",), ("shared",)]))
    def eject(self, crash: int, what: tuple[str, ...]) -> None:
        self.run(crash, "eject", *what, "--yes")

    @rule(crash=crashes)
    def sync(self, crash: int) -> None:
        self.run(crash, "sync", "--yes")

    @rule(crash=long_crashes, flag=st.sampled_from([("--replace",), ()]), newest=st.integers(0, 2))
    def update(self, crash: int, flag: tuple[str, ...], newest: int) -> None:
        self.publish(newest)
        self.run(crash, "update", *flag, "--yes")

    @rule(flag=st.sampled_from(["pin", "unpin"]), name=names, crash=crashes)
    def pin(self, flag: str, name: int, crash: int) -> None:
        self.run(crash, flag, self.called(name))

    @rule(
        crash=crashes, what=st.sampled_from([(), ("--update-all",), ("--from-ui", "a1111"), ("--from-ui", "comfyui")])
    )
    def lock(self, crash: int, what: tuple[str, ...]) -> None:
        self.run(crash, "lock", *what)

    @rule(crash=long_crashes, source=st.booleans())
    def sync_locked(self, crash: int, source: bool) -> None:
        if not (Path.cwd() / "sdkeep.lock").exists():
            self.run(0, "lock")
        self.run(crash, "sync", "--locked", *(("--from", str(self.neighbour)) if source else ()))

    @rule(crash=crashes, name=names, out=st.sampled_from([(), ("-o", "outside"), ("-o", "foreign")]))
    def convert(self, crash: int, name: int, out: tuple[str, ...]) -> None:
        self.run(crash, "convert", self.called(name), "--precision", "bf16", *self.out(out))

    @rule(crash=crashes, name=names, out=st.sampled_from([(), ("-o", "foreign")]))
    def edit_metadata(self, crash: int, name: int, out: tuple[str, ...]) -> None:
        self.run(crash, "show", self.called(name), "--set-metadata", "modelspec.title=Mine", *self.out(out))

    @rule(
        crash=crashes, what=st.sampled_from([("db", "backup"), ("doctor",), ("sync", "--forget", "--yes"), ("audit",)])
    )
    def keep_house(self, crash: int, what: tuple[str, ...]) -> None:
        self.run(crash, *what)

    @rule(crash=crashes, name=names)
    def allow(self, crash: int, name: int) -> None:
        self.run(crash, "allow", "acme.nets.Net", self.called(name), "--because", "mine")

    @rule(crash=crashes)
    def verify(self, crash: int) -> None:
        self.run(crash, "verify")

    @rule(crash=long_crashes, flag=st.sampled_from([(), ("--verify",)]))
    def rebuild(self, crash: int, flag: tuple[str, ...]) -> None:
        self.run(crash, "db", "rebuild", *flag, "--yes")

    @rule()
    def lose_the_catalogue(self) -> None:
        """The folder of the catalogue is lost; the stores are not."""
        for path in self.world.home.glob("registry.db*"):
            path.unlink()
        self.run(0, "db", "rebuild")

    @rule(crash=crashes, ui=uis)
    def forget_and_register(self, crash: int, ui: str) -> None:
        self.run(crash, "ui", "rm", ui)
        self.run(0, "ui", "add", str(self.a1111 if ui == "a1111" else self.comfy), "--name", ui)

    @rule(which=st.sampled_from(["comfyui", "store"]), verb=st.sampled_from(["sync", "gc", "update", "place"]))
    def a_drive_is_away(self, which: str, verb: str) -> None:
        """A folder is an empty mount point for one command, then it is back."""
        store = next(self.world.root.rglob("sdkeep-store.json"), None)
        folder = self.comfy if which == "comfyui" or store is None else store.parent
        kept = folder.with_name("unmounted")
        folder.rename(kept)
        folder.mkdir()
        more = {"gc": ("--keep-days", "0", "--yes"), "place": ("ink",)}.get(verb, ("--yes",))
        self.run(0, verb, *more)
        assert not list(folder.iterdir()), f"{verb} wrote into an empty mount point"
        folder.rmdir()
        kept.rename(folder)

    @rule(data=st.sampled_from([SHARED, OTHER, b"not a model"]), name=st.sampled_from(["late", "new", "ink"]))
    def a_person_writes_a_file(self, data: bytes, name: str) -> None:
        """A new file of theirs, or one of theirs saved anew as programs do: beside, then renamed over it."""
        path = self.comfy / "models/loras" / f"{name}.safetensors"
        if path in self.kept or not os.path.lexists(path):
            draft = path.with_suffix(".draft")
            draft.write_bytes(data)
            draft.replace(path)
            self.kept[path] = data

    @precondition(lambda self: len(self.kept) > 4)
    @rule(which=st.integers(0, 20))
    def a_person_moves_a_file(self, which: int) -> None:
        path = sorted(self.kept)[which % len(self.kept)]
        self.number += 1
        to = path.with_name(f"moved {self.number}{path.suffix}")
        path.rename(to)
        self.kept[to] = self.kept.pop(path)

    @rule(which=st.integers(0, 20))
    def a_person_replaces_what_we_placed(self, which: int) -> None:
        """Something of theirs lies where a placement was."""
        placed = [path for path in self.placements() if path not in self.kept]
        if placed:
            path = placed[which % len(placed)]
            path.unlink()
            self.write(path, b"mine now " + str(which).encode())

    def placements(self) -> list[Path]:
        found = [
            *(self.a1111 / "models/Lora").glob("*.safetensors"),
            *(self.comfy / "models/loras").glob("*.safetensors"),
        ]
        return sorted(path for path in found if path.is_file() and path not in self.links)

    @invariant()
    def foreign_files_show_their_bytes(self) -> None:
        for path, data in self.kept.items():
            assert path.is_file(), f"{path} is gone"
            assert path.read_bytes() == data, f"{path} has changed"
        for link, to in self.links.items():
            assert link.is_symlink(), f"{link} is no link any more"
            assert os.readlink(link) == to

    @invariant()
    def a_project_keeps_its_words(self) -> None:
        path = Path.cwd() / "sdkeep.toml"
        assert not path.exists() or path.read_text().startswith(PROJECT.rstrip())

    @invariant()
    def every_blob_is_what_its_name_says(self) -> None:
        self.world.blobs()

    def teardown(self) -> None:
        """A repair, then nothing is wrong any more, and the catalogue says of each path what lies there."""
        try:
            if hasattr(self, "comfy"):
                self.foreign_files_show_their_bytes()
                self.repair()
        finally:
            FUSE.light(None)
            self.closing.close()

    def repair(self) -> None:
        self.world.run("doctor")
        self.world.run("sync", "--yes")
        self.world.run("verify")
        self.world.run("sync", "--yes")
        self.foreign_files_show_their_bytes()
        with self.world.house() as house:
            assert house.book.check() == ()
            assert house.book.open_intents() == ()
            for location in house.book.locations():
                if not location.missing and location.method.value in ("hardlink", "symlink"):
                    blob = next(self.world.root.rglob(f"blobs/sha256/*/{location.sha256}"), None)
                    assert blob is not None, location
                    assert Path(location.path).samefile(blob), location
                if location.ours:
                    assert Path(location.path) not in self.kept, location


def test_no_order_of_commands_and_crashes_loses_a_foreign_file() -> None:
    run_state_machine_as_test(
        Library, settings=settings(max_examples=4, stateful_step_count=12, deadline=None, derandomize=True)
    )


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_no_long_order_of_commands_and_crashes_loses_a_foreign_file() -> None:
    run_state_machine_as_test(
        Library, settings=settings(max_examples=20, stateful_step_count=25, deadline=None, derandomize=False)
    )
