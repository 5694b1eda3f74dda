"""Merging whole files: the same bytes however it is run, and every bad input said before or instead of a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from sdkeep.formats.selection import Ema
from sdkeep.ground.errors import DiskFull, FormatError, UsageError, WouldOverwrite
from sdkeep.ground.events import Event, Moved, Stop, Stopped
from sdkeep.merge import arithmetic, jobs
from sdkeep.merge.blocks import Weighting
from sdkeep.merge.calculating import Manner
from sdkeep.merge.methods.method import Exactness
from sdkeep.merge.methods.registry import METHODS
from sdkeep.merge.parents import opened
from sdkeep.merge.plan import plan
from sdkeep.merge.recipe import Output
from sdkeep.merge.run import run
from tests.makers import checkpoints
from tests.merge.conftest import merge_files, recipe_of, sha256

Trio = tuple[Path, Path, Path]
UNET = "model.diffusion_model.input_blocks.5.0.in_layers.2.weight"
BY_HAND = [method for method in METHODS if method.origin != "arithmetic" and not method.name.endswith("-difference")]
BY_HAND += [method for method in METHODS if method.name in ("add-difference", "train-difference")]


def test_a_weighted_sum_is_computed_in_fp32_and_rounded_once(trio: Trio, tmp_path: Path) -> None:
    done = merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors", {"alpha": 0.3})
    a, b, result = (checkpoints.read(path) for path in (*trio[:2], done.path))
    merged = [key for key, value in result.items() if value.is_floating_point() and key != "alphas_cumprod"]
    for key in merged:
        ours, theirs = (one[key].numpy().astype(np.float32) for one in (a, b))
        assert np.array_equal(
            result[key].numpy(), (np.float32(0.7) * ours + np.float32(0.3) * theirs).astype(np.float16)
        )
    assert done.exactness is Exactness.EVERYWHERE


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_each_family_merges_as_numpy_says(tmp_path: Path, family: str, dtype: torch.dtype) -> None:
    files = [
        checkpoints.write(tmp_path / f"{seed}.safetensors", checkpoints.tensors(family, seed, dtype))
        for seed in range(3)
    ]
    a, b, c = map(checkpoints.read, files)
    kept = {"alphas_cumprod", checkpoints.position_ids(family)}
    result = checkpoints.read(merge_files(files, "add-difference", tmp_path / "o.safetensors", {"alpha": 0.6}).path)
    assert result.keys() == a.keys()
    for key, value in result.items():
        if key in kept:
            assert torch.equal(value, a[key])
            continue
        ours, theirs, base = (one[key].numpy().astype(np.float32) for one in (a, b, c))
        expected = ours + (theirs - base) * np.float32(0.6)
        assert np.array_equal(value.numpy(), expected.astype(value.numpy().dtype))


def test_integers_and_schedules_stay_those_of_the_first_model(trio: Trio, tmp_path: Path) -> None:
    result = checkpoints.read(merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors").path)
    key = checkpoints.position_ids()
    assert result[key].dtype is torch.int64
    assert torch.equal(result[key], torch.arange(77).unsqueeze(0))
    assert torch.equal(result["alphas_cumprod"], torch.linspace(1, 0, 10))


@pytest.mark.parametrize(("alpha", "kept"), [(0.0, 0), (1.0, 1)])
def test_at_its_ends_a_weighted_sum_is_one_of_the_models_to_the_bit(
    trio: Trio, tmp_path: Path, alpha: float, kept: int
) -> None:
    result = checkpoints.read(merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors", {"alpha": alpha}).path)
    wanted = checkpoints.read(trio[kept])
    assert all(torch.equal(result[key], wanted[key]) for key in wanted if key != "alphas_cumprod")


def test_the_order_of_two_models_does_not_matter_when_the_weight_turns_with_it(trio: Trio, tmp_path: Path) -> None:
    one = merge_files(trio[:2], "weighted-sum", tmp_path / "1.safetensors", {"alpha": 0.25})
    two = merge_files(trio[1::-1], "weighted-sum", tmp_path / "2.safetensors", {"alpha": 0.75})
    assert payload(one.path) == payload(two.path)


@pytest.mark.parametrize("method", BY_HAND, ids=lambda method: method.name)
def test_one_thread_and_four_write_the_same_bytes(trio: Trio, tmp_path: Path, method: object) -> None:
    from sdkeep.merge.methods.method import Method

    assert isinstance(method, Method)
    files = trio if method.most is None else trio[: method.most]
    digests = {
        sha256(merge_files(files, method.name, tmp_path / f"{n}.safetensors", manner=Manner(threads=n)).path)
        for n in (1, 4)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("method", ["weighted-sum", "add-difference", "train-difference", "similarity-add", "clamp"])
def test_pieces_of_any_size_give_the_same_bytes(
    trio: Trio, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = trio[: 2 if method == "weighted-sum" else 3]
    before = payload(merge_files(files, method, tmp_path / "1.safetensors").path)
    monkeypatch.setattr(jobs, "ELEMENTS", 1009)
    monkeypatch.setattr(arithmetic, "ELEMENTS", 1009)
    assert payload(merge_files(files, method, tmp_path / "2.safetensors").path) == before


PROCESSORS = """
import sys, torch
from pathlib import Path
sys.path.insert(0, ".")
from tests.merge.conftest import merge_files, sha256
folder = Path(sys.argv[1])
files = [folder / f"{name}.safetensors" for name in "abc"]
for method, count in (("weighted-sum", 2), ("add-difference", 3), ("train-difference", 3), ("sigmoid", 2),
                      ("triple-sum", 3), ("sum-twice", 3), ("similarity-add", 3), ("average", 3), ("clamp", 3)):
    out = folder / f"{torch.backends.cpu.get_cpu_capability()}-{method}.safetensors"
    print(method, sha256(merge_files(files[:count], method, out).path))
"""


def test_every_processor_writes_the_same_bytes(trio: Trio) -> None:
    answers = set()
    for capability in ("default", "avx2"):
        environ = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
        done = subprocess.run(
            [sys.executable, "-c", PROCESSORS, str(trio[0].parent)], env=environ, capture_output=True, text=True,
            cwd=Path(__file__).parents[2], check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers.add(done.stdout)
    assert len(answers) == 1


@pytest.mark.parametrize("method", ["add-difference", "ties", "cosine-a"])
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stop_at=st.floats(0.0, 1.0))
def test_a_stopped_merge_goes_on_to_the_same_bytes(trio: Trio, tmp_path: Path, method: str, stop_at: float) -> None:
    recipe = recipe_of(trio if method != "cosine-a" else trio[:2], method)
    whole, out = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    out.unlink(missing_ok=True)
    with opened([(path.name, path) for path in trio]) as parents:
        planned = plan(recipe, dict(enumerate(parents[: len(recipe.parents)])))
        if not whole.exists():
            run(planned, whole, Manner(threads=1))
        stop, turns = Stop(), iter(range(10**6))
        limit = int(stop_at * 12)

        class Counting(Stop):
            def check(self) -> None:
                if next(turns) >= limit:
                    stop.ask()
                stop.check()

        try:
            run(planned, out, Manner(threads=1), stop=Counting())
        except Stopped:
            assert not out.exists()
        done = run(planned, out, Manner(threads=2)) if not out.exists() else None
    assert out.read_bytes() == whole.read_bytes()
    assert done is None or not list(tmp_path.glob(".stopped*"))


def test_a_journal_with_half_a_record_is_believed_up_to_there(trio: Trio, tmp_path: Path) -> None:
    recipe = recipe_of(trio[:2], "weighted-sum")
    whole, out = tmp_path / "whole.safetensors", tmp_path / "out.safetensors"
    with opened([(path.name, path) for path in trio[:2]]) as parents:
        planned = plan(recipe, dict(enumerate(parents)))
        run(planned, whole, Manner(threads=1))
        stop = Stop()

        def halfway(event: Event) -> None:
            if isinstance(event, Moved):
                stop.ask()

        with pytest.raises(Stopped):
            run(planned, out, Manner(threads=1), report=halfway, stop=stop)
        journal = tmp_path / ".out.safetensors.merge-journal"
        with journal.open("ab") as file:
            file.write(b"\1\0")
        run(planned, out, Manner(threads=1))
    assert out.read_bytes() == whole.read_bytes()


def test_another_merge_of_the_same_name_does_not_go_on_with_the_first(trio: Trio, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    stop = Stop()
    stop.ask()
    with opened([(path.name, path) for path in trio[:2]]) as parents:
        with pytest.raises(Stopped):
            run(
                plan(recipe_of(trio[:2], "weighted-sum", {"alpha": 0.1}), dict(enumerate(parents))),
                out,
                Manner(1),
                stop=stop,
            )
        done = run(plan(recipe_of(trio[:2], "weighted-sum", {"alpha": 0.9}), dict(enumerate(parents))), out, Manner(1))
    assert not done.resumed
    other = merge_files(trio[:2], "weighted-sum", tmp_path / "other.safetensors", {"alpha": 0.9})
    assert out.read_bytes() == other.path.read_bytes()


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, ".")
from sdkeep.merge import jobs, arithmetic
jobs.ELEMENTS = arithmetic.ELEMENTS = 2048
from tests.merge.conftest import merge_files
from sdkeep.merge.calculating import Manner
folder = Path(sys.argv[1])
print("begun", flush=True)
files = [folder / f"{name}.safetensors" for name in "abc"]
merge_files(files, "train-difference", folder / sys.argv[2], manner=Manner(2))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_at_random_moments_cost_time_and_nothing_else(trio: Trio) -> None:
    import random
    import time

    folder, draw = trio[0].parent, random.Random(7)
    before = {path: sha256(path) for path in trio}

    def start(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", KILLED, str(folder), name], stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip

    with start("whole.safetensors") as first:
        assert first.wait() == 0
    kills = 0
    while not (folder / "killed.safetensors").exists():
        with start("killed.safetensors") as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(draw.random() * 0.6)
            if kills < 4:
                running.kill()
            running.wait()
        kills += 1
    assert (folder / "killed.safetensors").read_bytes() == (folder / "whole.safetensors").read_bytes()
    assert {path: sha256(path) for path in trio} == before


def test_nothing_is_written_over(trio: Trio, tmp_path: Path) -> None:
    (tmp_path / "o.safetensors").write_bytes(b"mine")
    with pytest.raises(WouldOverwrite):
        merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors")
    assert (tmp_path / "o.safetensors").read_bytes() == b"mine"


def test_a_parent_is_never_the_result(trio: Trio) -> None:
    before = sha256(trio[1])
    with pytest.raises(UsageError, match="one of the models"):
        merge_files(trio[:2], "weighted-sum", trio[1])
    assert sha256(trio[1]) == before


def test_a_full_disk_is_said_before_anything_is_written(
    trio: Trio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 0, 10))  # type: ignore[attr-defined]
    with pytest.raises(DiskFull):
        merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors")
    assert not list(tmp_path.glob(".o*merge"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("method", ["weighted-sum", "slerp"])
def test_numbers_that_are_not_finite_name_their_model_and_tensor(
    trio: Trio, tmp_path: Path, bad: float, method: str
) -> None:
    broken = checkpoints.read(trio[1])
    broken[UNET][1, 2, 0, 0] = bad
    checkpoints.write(trio[1], broken)
    with pytest.raises(FormatError, match=r"`b\.safetensors` holds numbers that are not finite") as caught:
        merge_files(trio[:2], method, tmp_path / "o.safetensors")
    assert UNET in caught.value.why
    assert not list(tmp_path.glob("*o.safetensors*"))
    done = merge_files(trio[:2], method, tmp_path / "o.safetensors", manner=Manner(2, keep_non_finite=True))
    assert done.non_finite == (UNET,)


def test_numbers_too_large_for_the_precision_are_told(trio: Trio, tmp_path: Path) -> None:
    large = {key: value.float() for key, value in checkpoints.read(trio[0]).items()}
    large[UNET][0] = 60000.0
    a = checkpoints.write(tmp_path / "large.safetensors", large)
    done = merge_files(
        (a, a, trio[2]), "add-difference", tmp_path / "o.safetensors", {"alpha": 1.0}, output=Output("fp16")
    )
    assert done.overflowed == (UNET,)
    assert done.non_finite == ()


def test_weights_differ_by_block_component_and_pattern(trio: Trio, tmp_path: Path) -> None:
    given_ = Weighting(0.5, {"IN05": 0.0, "text-encoder": 1.0, "VAE": 0.25}, (("time_embed", 1.0),))
    result = checkpoints.read(merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors", {"alpha": given_}).path)
    a, b = checkpoints.read(trio[0]), checkpoints.read(trio[1])
    text = next(key for key in a if key.startswith("cond_stage_model") and a[key].is_floating_point())
    vae = next(key for key in a if key.startswith("first_stage_model"))
    assert torch.equal(result[UNET], a[UNET])
    assert torch.equal(result[text], b[text])
    time = "model.diffusion_model.time_embed.0.weight"
    assert torch.equal(result[time], b[time])
    assert torch.equal(result[vae], (a[vae].float() * 0.75 + b[vae].float() * 0.25).half())


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", "F32"), ("fp16", "F16"), ("bf16", "BF16"), ("fp8", "F8_E4M3")]
)
def test_the_result_is_written_in_the_precision_asked_for(
    trio: Trio, tmp_path: Path, precision: str, dtype: str
) -> None:
    done = merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors", output=Output(precision))
    with safe_open(done.path, "pt") as file:
        assert file.get_slice(UNET).get_dtype() == dtype
        assert file.get_slice(checkpoints.position_ids()).get_dtype() == "I64"
        bias = file.get_slice("model.diffusion_model.out.0.bias").get_dtype()
    assert bias == ("F16" if precision == "fp8" else dtype)


def test_averaged_weights_are_dropped_used_or_kept(trio: Trio, tmp_path: Path) -> None:
    a = checkpoints.read(trio[0])
    average = "model_ema." + UNET.removeprefix("model.").replace(".", "")
    a[average] = torch.full_like(a[UNET], 3.0)
    a["model_ema.decay"] = torch.tensor(0.99)
    path = checkpoints.write(tmp_path / "ema.safetensors", a)
    results = {
        ema: checkpoints.read(
            merge_files((path,), "no-interpolation", tmp_path / f"{ema}.safetensors", output=Output(ema=ema)).path
        )
        for ema in Ema
    }
    assert average not in results[Ema.DROP]
    assert torch.equal(results[Ema.DROP][UNET], a[UNET])
    assert average in results[Ema.KEEP]
    assert torch.equal(results[Ema.USE][UNET], a[average])


def test_pruning_and_discarding_leave_tensors_out(trio: Trio, tmp_path: Path) -> None:
    output = Output(prune=True, discard=r"^first_stage_model\.")
    result = checkpoints.read(merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors", output=output).path)
    assert "alphas_cumprod" not in result
    assert not any(key.startswith("first_stage_model.") for key in result)
    assert UNET in result


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_vae_is_baked_in(trio: Trio, tmp_path: Path, prefix: str) -> None:
    c = checkpoints.read(trio[2])
    stem = "first_stage_model."
    vae = {prefix + key.removeprefix(stem): value.float() for key, value in c.items() if key.startswith(stem)}
    vae["loss.logvar"] = torch.zeros(1)
    path = checkpoints.write(tmp_path / "vae.safetensors", vae)
    done = merge_files((*trio[:2], path), "weighted-sum", tmp_path / "o.safetensors", output=Output(vae=2))
    result = checkpoints.read(done.path)
    for key in (one for one in c if one.startswith(stem)):
        assert torch.equal(result[key], c[key])
    assert "first_stage_model.loss.logvar" not in result


def test_an_inpainting_model_takes_four_channels_of_a_plain_one(trio: Trio, tmp_path: Path) -> None:
    a = checkpoints.tensors(seed=9, channels=9)
    path = checkpoints.write(tmp_path / "inpaint.safetensors", a)
    b, c = checkpoints.read(trio[0]), checkpoints.read(trio[1])
    first = "model.diffusion_model.input_blocks.0.0.weight"
    done = merge_files((path, *trio[:2]), "add-difference", tmp_path / "o.safetensors", {"alpha": 0.5})
    result = checkpoints.read(done.path)[first]
    assert torch.equal(result[:, 4:], a[first][:, 4:])
    assert torch.equal(result[:, :4], (a[first][:, :4].float() + 0.5 * (b[first].float() - c[first].float())).half())
    with pytest.raises(UsageError, match=r"`inpaint\.safetensors` is an inpainting model"):
        merge_files((trio[0], path), "weighted-sum", tmp_path / "o2.safetensors")


def test_the_recipe_in_the_file_tells_no_folder(trio: Trio, tmp_path: Path) -> None:
    done = merge_files(trio[:2], "weighted-sum", tmp_path / "o.safetensors", {"alpha": 0.3})
    with safe_open(done.path, "pt") as file:
        metadata = file.metadata()
    assert str(tmp_path) not in json.dumps(metadata)
    webui = json.loads(metadata["sd_merge_recipe"])
    assert (webui["interp_method"], webui["multiplier"]) == ("Weighted sum", 0.3)
    assert webui["primary_model_hash"] == sha256(trio[0])
    assert set(json.loads(metadata["sd_merge_models"])) == {sha256(path) for path in trio[:2]}


def test_a_merge_of_a_merge_carries_its_ancestors(trio: Trio, tmp_path: Path) -> None:
    first = merge_files(trio[:2], "weighted-sum", tmp_path / "1.safetensors").path
    with opened([(path.name, path) for path in (first, trio[2])]) as parents:
        recipe = recipe_of((first, trio[2]), "weighted-sum")
        recipe = recipe.named({}, {0: parents[0].metadata["sdkeep.recipe"]})
        planned = plan(recipe, dict(enumerate(parents)))
    ancestors = json.loads(planned.metadata["sdkeep.recipe"])["ancestors"]
    assert list(ancestors) == [sha256(first)]
    assert [one["sha256"] for one in ancestors[sha256(first)]["parents"]] == [sha256(path) for path in trio[:2]]
    assert sha256(trio[0]) in json.loads(planned.metadata["sd_merge_models"])


def payload(path: Path) -> bytes:
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]
