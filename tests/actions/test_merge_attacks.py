"""What goes wrong around a merge, on purpose: broken and hostile parents, names and recipes, kills, two at once."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from tests.makers import checkpoints
from tests.world import World, sha256

UNET = "model.diffusion_model.input_blocks.5.0.in_layers.2.weight"


@pytest.fixture
def pair(world: World) -> tuple[Path, Path]:
    """Two SD1 checkpoints in the folder that commands run in."""
    folder = world.root / "work"
    one, two = (
        checkpoints.write(folder / f"{name}.safetensors", checkpoints.tensors(seed=seed))
        for seed, name in enumerate(("photo", "anime"))
    )
    return one, two


def left_of(name: str) -> list[str]:
    return sorted(path.name for path in Path().iterdir() if name in path.name)


@pytest.mark.parametrize("method", ["weighted-sum", "slerp"])
def test_nan_is_said_before_work_starts_and_looked_for_once(
    world: World, pair: tuple[Path, Path], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = checkpoints.read(pair[1])
    broken[UNET][1, 2, 0, 0] = float("nan")
    checkpoints.write(pair[1], broken)
    asked = ("merge", *map(str, pair), "--method", method, "-o", "mix.safetensors")

    def never(*unused: object, **named: object) -> None:
        raise AssertionError("work has started")

    with monkeypatch.context() as patched:
        patched.setattr("sdkeep.merge.run.run", never)
        failed = world.json(*asked)
        assert (failed.status, failed.codes) == (2, ["format"])
        assert "`anime.safetensors` holds numbers that are not finite" in failed.document["errors"][0]["what"]
        patched.setattr("sdkeep.merge.finite.not_finite", never)
        assert world.json(*asked).codes == ["format"]
    assert left_of("mix") == []
    kept = world.good(*asked, "--non-finite", "keep")
    assert kept.data["non_finite"] == [UNET]
    assert any("NaN" in text for text in kept.document["warnings"])


def test_nan_in_a_part_that_is_not_merged_harms_nobody(world: World, pair: tuple[Path, Path]) -> None:
    broken = checkpoints.read(pair[1])
    broken["alphas_cumprod"][0] = float("inf")
    checkpoints.write(pair[1], broken)
    assert world.good("merge", *map(str, pair), "-o", "mix.safetensors").data["non_finite"] == []


def header_of(path: Path) -> tuple[dict[str, dict[str, object]], bytes]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def rewrite(path: Path, header: dict[str, dict[str, object]], payload: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + payload)


@pytest.mark.parametrize("dtype", ["F7", "C64", "F4", "F8_E8M0", ""])
def test_a_format_without_arithmetic_is_refused_by_name(world: World, pair: tuple[Path, Path], dtype: str) -> None:
    header, payload = header_of(pair[1])
    header[UNET]["dtype"] = dtype
    rewrite(pair[1], header, payload)
    failed = world.json("merge", *map(str, pair), "-o", "mix.safetensors")
    assert failed.status == 2
    assert "`anime.safetensors`" in failed.document["errors"][0]["what"]
    assert left_of("mix") == []


@pytest.mark.parametrize("length", [0, 4, 8, 200, 20_000, -1, -5000])
def test_a_truncated_parent_is_refused(world: World, pair: tuple[Path, Path], length: int) -> None:
    data = pair[1].read_bytes()
    pair[1].write_bytes(data[:length])
    failed = world.json("merge", *map(str, pair), "-o", "mix.safetensors")
    assert failed.status == 2
    assert failed.document["errors"][0]["what"]
    assert failed.document["errors"][0]["next"]
    assert left_of("mix") == []


@pytest.mark.parametrize("how", [os.symlink, os.link])
def test_an_output_that_is_a_parent_by_another_name_is_refused(
    world: World, pair: tuple[Path, Path], how: object
) -> None:
    assert callable(how)
    before = sha256(pair[1].read_bytes())
    how(pair[1], "mix.safetensors")
    failed = world.json("merge", *map(str, pair), "-o", "mix.safetensors")
    assert failed.status == 2
    assert "one of the models" in failed.document["errors"][0]["what"]
    assert sha256(pair[1].read_bytes()) == before


def test_a_dangling_link_is_not_written_through(world: World, pair: tuple[Path, Path]) -> None:
    os.symlink("elsewhere.safetensors", "mix.safetensors")
    assert world.json("merge", *map(str, pair), "-o", "mix.safetensors").codes == ["would-overwrite"]
    assert not Path("elsewhere.safetensors").exists()


@pytest.mark.parametrize("name", ["a\nb", "-x", "\x1b[31mred", "x" * 200, "🏰 château", "a b'c\"d"])
def test_odd_names_of_files_are_names(world: World, pair: tuple[Path, Path], name: str) -> None:
    source = pair[0].rename(pair[0].with_name(f"{name}.safetensors"))
    out = Path(f"out {name}.safetensors")
    shown = world.run("merge", f"./{source.name}", str(pair[1]), "-o", str(out))
    assert shown.status == 0, shown.stderr
    assert "\x1b" not in shown.stdout + shown.stderr
    assert out.is_file()
    again = world.good("merge", "--again", str(out), f"./{source.name}", str(pair[1]))
    assert again.data["agrees"] is True


@pytest.mark.parametrize("name", ["a\nb", "../../evil", "CON", "x" * 300, "🏰 château", "a/b"])
def test_odd_names_in_the_store_stay_inside(world: World, pair: tuple[Path, Path], name: str) -> None:
    folder = world.ui("a1111")
    world.good("merge", *map(str, pair), "--name", name)
    placed = [path for path in folder.rglob("*.safetensors") if path.is_file()]
    assert len(placed) == 1
    assert placed[0].resolve().is_relative_to(world.root)
    assert not list(world.root.rglob("evil*/..")) and not (world.root.parent / "evil.safetensors").exists()


def test_one_shard_of_a_model_is_no_model(world: World, pair: tuple[Path, Path]) -> None:
    shard = pair[0].rename("diffusion_pytorch_model-00001-of-00002.safetensors")
    failed = world.json("merge", str(shard), str(pair[1]), "-o", "mix.safetensors")
    assert failed.status == 2
    (error,) = failed.document["errors"]
    assert "one part of a model in 2 files" in error["what"]
    assert "convert" in error["next"]


@pytest.mark.parametrize(
    "recipe",
    [
        '{"format": 1}', "[]", "[" * 100_000, "\x00", '"' + "x" * 1000, "null", '{"a": NaN}',
        '{"type": "webui", "interp_method": 1e999, "primary_model_hash": {"x": []}}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["sd_merge_recipe", "sd_merge_models", "sdkeep.recipe"])
def test_hostile_metadata_of_a_parent_is_carried_or_dropped(
    world: World, pair: tuple[Path, Path], recipe: str, key: str
) -> None:
    checkpoints.write(pair[1], checkpoints.tensors(seed=1), {key: recipe})
    world.good("merge", *map(str, pair), "-o", "mix.safetensors")
    assert world.good("recipe", "show", "mix.safetensors").data[0]["steps"]
    Path("mix.safetensors").unlink()


HALF = '[[steps]]\nmethod="weighted-sum"\nmodels=["a","b"]\n'


def recipe_with(steps: str, models: str = 'a = "./photo.safetensors"\nb = "./anime.safetensors"\n') -> str:
    return f"[models]\n{models}{steps}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (recipe_with('[[steps]]\nname = "x"\nmethod = "slerp"\nmodels = ["x", "a"]\n'), "usage"),
        (recipe_with('[[steps]]\nname="x"\nmethod="slerp"\nmodels=["y","a"]\n'
                     '[[steps]]\nname="y"\nmethod="slerp"\nmodels=["x","a"]\n'), "usage"),
        (recipe_with('[[steps]]\nname="a"\nmethod="slerp"\nmodels=["a","b"]\n'), "format"),
        (recipe_with("".join(f'[[steps]]\nname="s{n}"\nmethod="average"\nmodels=["a"]\n' for n in range(3000))),
         "usage"),
        ("[models]\n" + "".join(f'm{n} = "./photo.safetensors"\n' for n in range(200_000)), "format"),
        (recipe_with(f'{HALF}alpha=nan\n'), "usage"),
        (recipe_with(f'{HALF}alpha=inf\n'), "usage"),
        (recipe_with(f'{HALF}alpha={{base=0.5,keys={{"(a+)+$"=2}}}}\n'), "usage"),
        (recipe_with(f'{HALF}alpha={{base=0.5,keys={{"("=0.2}}}}\n'), "usage"),
        (recipe_with(f'{HALF}[output]\ndiscard="("\n'), "usage"),
        (recipe_with(f'{HALF}', 'a="/etc/passwd"\nb="./anime.safetensors"\n'),
         "format"),
        (recipe_with(f'{HALF}', 'a="/dev/zero"\nb="./anime.safetensors"\n'),
         "not-found-here"),
    ],
    ids=["itself", "cycle", "shadow", "3000 steps", "200000 models", "nan", "inf", "out of range", "bad key",
         "bad discard", "passwd", "device"],
)  # fmt: skip
def test_hostile_recipe_files_are_errors_in_a_moment(
    world: World, pair: tuple[Path, Path], text: str, code: str
) -> None:
    assert pair
    Path("r.toml").write_text(text)
    begun = time.process_time()
    failed = world.json("merge", "r.toml", "-o", "mix.safetensors")
    assert (failed.status, failed.codes) == (2, [code]), failed.stdout
    assert time.process_time() - begun < 20
    assert left_of("mix") == []


def test_two_processes_that_write_one_file_leave_one_whole_result(world: World, pair: tuple[Path, Path]) -> None:
    runs = [
        world.start("merge", *map(str, pair), "--alpha", alpha, "-o", "mix.safetensors") for alpha in ("0.3", "0.3")
    ]
    ended = [(one.communicate(timeout=120), one.returncode)[1] for one in runs]
    assert 0 in ended
    assert left_of("mix") == ["mix.safetensors"]
    assert world.good("merge", "--again", "mix.safetensors", *map(str, pair)).data["agrees"] is True


def test_two_processes_that_make_one_name_leave_one_artifact(world: World, pair: tuple[Path, Path]) -> None:
    asked = ("merge", *map(str, pair), "--alpha", "0.3", "--name", "mix", "--no-place")
    runs = [world.start(*asked) for _ in range(2)]
    ended = [(one.communicate(timeout=120), one.returncode)[1] for one in runs]
    assert 0 in ended
    assert world.good(*asked).data["name"] == "mix"
    assert len(world.blobs()) == 1
    assert not world.staged()


def test_a_parent_that_changed_after_a_kill_starts_the_merge_anew(world: World, pair: tuple[Path, Path]) -> None:
    asked = ("merge", *map(str, pair), "--method", "slerp", "-o", "mix.safetensors")
    killed_somewhere(world, asked)
    checkpoints.write(pair[1], checkpoints.tensors(seed=77))
    changed = world.good(*asked)
    assert changed.data["resumed"] is False
    world.good(*asked[:-1], "whole.safetensors")
    assert Path("mix.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()


SLOWLY = """
import os, sys, time
from sdkeep.merge import jobs, arithmetic
jobs.ELEMENTS = arithmetic.ELEMENTS = 4096
from sdkeep.merge.part import Part
finish = Part.finish
def slow(self, job):
    finish(self, job)
    time.sleep(0.01)
    print(job, flush=True)
Part.finish = slow
from sdkeep.cli.app import run
sys.exit(run())
"""


def killed_somewhere(world: World, asked: tuple[str, ...], jobs: int = 3) -> None:
    """Start a merge and kill it after some jobs."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *asked, "--threads", "1", "-q"], env=world.environ, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        for _ in range(jobs):
            running.stdout.readline()
        running.send_signal(signal.SIGKILL)
        running.wait(60)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["weighted-sum", "train-difference", "ties"])
def test_after_kills_anywhere_the_bytes_are_those_of_one_run(
    world: World, pair: tuple[Path, Path], method: str
) -> None:
    third = checkpoints.write(Path("third.safetensors"), checkpoints.tensors(seed=5))
    files = [str(one) for one in (*pair, third)][: 2 if method == "weighted-sum" else 3]
    asked = ("merge", *files, "--method", method, "-o")
    draw = random.Random(method)
    for turn in range(4):
        out = f"mix{turn}.safetensors"
        for _ in range(3):
            killed_somewhere(world, (*asked, out), draw.randrange(1, 30))
            if Path(out).exists():
                break
        if not Path(out).exists():
            world.good(*asked, out)
    world.good(*asked, "whole.safetensors")
    assert {Path(f"mix{turn}.safetensors").read_bytes() for turn in range(4)} == {
        Path("whole.safetensors").read_bytes()
    }


def test_a_file_that_may_not_grow_is_an_error_and_leaves_nothing(world: World, pair: tuple[Path, Path]) -> None:
    code = "import sys; from sdkeep.cli.app import run; sys.exit(run())"

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        [sys.executable, "-c", code, "merge", *map(str, pair), "-o", "mix.safetensors"], env=world.environ,
        preexec_fn=limited, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert left_of("mix") == []


def test_a_folder_that_cannot_be_written_is_an_error(world: World, pair: tuple[Path, Path]) -> None:
    failed = world.json("merge", *map(str, pair), "-o", "nowhere/mix.safetensors")
    assert failed.status == 2
    assert "nowhere" in failed.document["errors"][0]["what"]


def test_a_parent_that_shrinks_while_it_is_read_is_an_error(
    world: World, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdkeep.merge.part import Part

    lock, reserve = threading.Lock(), Part._reserve

    def cutting(self: Part) -> None:
        with lock:
            reserve(self)
            os.truncate(pair[1], 5000)

    monkeypatch.setattr(Part, "_reserve", cutting)
    failed = world.json("merge", *map(str, pair), "-o", "mix.safetensors")
    assert (failed.status, failed.codes) == (2, ["format"])
    assert left_of("mix") == []


def test_torch_and_numpy_know_the_same_parent(world: World, pair: tuple[Path, Path]) -> None:
    wide = {key: value.to(torch.float8_e4m3fn) if value.dim() > 1 else value for key, value in
            checkpoints.read(pair[1]).items() if value.is_floating_point()}  # fmt: skip
    narrow = checkpoints.write(Path("narrow.safetensors"), checkpoints.read(pair[1]) | wide)
    done = world.good("merge", str(pair[0]), str(narrow), "-o", "mix.safetensors").data
    assert done["exactness"] == "everywhere"
