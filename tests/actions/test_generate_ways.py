"""Pictures whose models come from a hub, upscalers, refiners, whole processes: the ways around the plain one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from sdkeep.actions.generating.sample import sample_file, sample_folder
from sdkeep.demo.civitai_records import SampleFile, SampleVersion, sample_model
from sdkeep.diffusion import estimate
from tests.makers.esrgan import esrgan
from tests.world import World, interrupt

QUICK = ("--steps", "3", "--cfg", "2", "--seed", "3", "--size", "32x32")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def digits() -> Path:
    path = sample_file("digits")
    assert path is not None
    return path


def publish(world: World, id_: int, name: str, type_: str, path: Path) -> None:
    """Put a file on the sample hub."""
    data = path.read_bytes()
    file = SampleFile(id_, path.name, data, primary=True)
    world.civitai.add(sample_model(id_, name, type_, [SampleVersion(id_, "v1", "SD 1.5", [file])]))
    world.civitai.files[id_] = data  # type: ignore[index]


def told(world: World, *line: str) -> tuple[str, str, str, str]:
    """The code and the three parts of a refusal."""
    result = world.json("generate", *line)
    assert result.status == 2, result.stdout
    error = result.document["errors"][0]
    assert error["what"] and error["why"] and error["next"]
    return error["code"], error["what"], error["why"], error["next"]


# Models that are not here


def test_a_model_named_as_a_hub_does_is_fetched_and_recorded_with_the_picture(world: World, digits: Path) -> None:
    publish(world, 9001, "Digits", "Checkpoint", digits)
    one = world.good("generate", "seven", "--model", "civitai:9001", *QUICK, "-o", "out").data["pictures"][0]
    assert one["models"][0]["sha256"] == hashlib.sha256(digits.read_bytes()).hexdigest()
    kept = world.good("ls", "--generations").data["pictures"]
    assert [picture["path"] for picture in kept] == [str(Path(one["path"]).absolute())]


def test_a_picture_fetches_its_own_models_by_their_hashes(world: World, digits: Path) -> None:
    Path("mine").mkdir()
    save_file(load_file(digits), "mine/numerals.safetensors")  # other bytes than the sample's, so it is no sample
    Path("mine/slanted.safetensors").write_bytes((sample_folder() / "slanted.safetensors").read_bytes())
    line = ("a seven <lora:slanted:1>", "--model", "mine/numerals.safetensors", "--lora-dir", "mine", *QUICK)
    first = world.good("generate", *line, "-o", "out").data["pictures"][0]
    publish(world, 9002, "Numerals", "Checkpoint", Path("mine/numerals.safetensors"))
    publish(world, 9003, "Slanted", "LORA", Path("mine/slanted.safetensors"))
    for path in Path("mine").iterdir():
        path.unlink()
    planned = world.good("generate", "--from-image", first["path"], "--dry-run").data
    assert len(planned["missing"]) == 2
    again = world.good("generate", "--from-image", first["path"], "--strict", "-o", "again").data
    assert Image.open(again["pictures"][0]["path"]).tobytes() == Image.open(first["path"]).tobytes()
    assert {one["role"] for one in again["pictures"][0]["models"]} == {"model", "lora"}


def test_the_lineage_of_a_picture_is_that_of_its_models(world: World, digits: Path) -> None:
    name = world.good("add", str(digits)).data[0]["name"]
    one = world.good("generate", "seven", "--model", f"name:{name}", *QUICK, "-o", "out").data["pictures"][0]
    trees = world.good("lineage", one["path"]).data
    assert [tree["ref"] for tree in trees] == [f"sha256:{hashlib.sha256(digits.read_bytes()).hexdigest()}"]
    Image.new("RGB", (8, 8)).save("bare.png")
    assert world.json("lineage", "bare.png").codes == ["format"]


# Refiner


def test_a_lora_and_an_embedding_reach_a_refiner_that_they_fit(world: World, digits: Path) -> None:
    line = ("generate", "a seven <lora:slanted:1>", "--model", "digits", *QUICK, "--refiner", str(digits))
    only_refined = world.good(*line, "--refiner-at", "0", "-o", "out").data["pictures"][0]
    plain = world.good("generate", "a seven", *line[2:], "--refiner-at", "0", "-o", "out").data["pictures"][0]
    unrefined = world.good("generate", "a seven <lora:slanted:1>", *line[2:-2], "-o", "out").data["pictures"][0]
    pixels = [Image.open(one["path"]).tobytes() for one in (only_refined, plain, unrefined)]
    assert pixels[0] == pixels[2] != pixels[1]


@pytest.mark.slow
def test_what_does_not_fit_a_refiner_is_left_out_with_a_warning(world: World, digits: Path) -> None:
    from tests.makers.tinymodels import save, tiny

    save(Path("refiner.safetensors"), tiny("sdxl-refiner", vocab=49408).weights())
    line = ("generate", "a seven <lora:slanted:1>", "--model", "digits", *QUICK, "--refiner", "./refiner.safetensors")
    done = world.good(*line, "-o", "out").document
    assert any("`slanted` does not fit the refiner" in warning for warning in done["warnings"])


# Upscalers


def test_a_network_for_hires_fix_is_found_and_its_package_asked_for(world: World) -> None:
    Path("up").mkdir()
    torch.save(esrgan(), "up/4x-Tiny.pth", _use_new_zipfile_serialization=False)
    line = ("x", "--model", "digits", *QUICK, "--hires", "2", "-o", "out", "--hires-upscaler")
    try:
        import spandrel  # type: ignore[import-not-found]
    except ImportError:
        code, what, _, then = told(world, *line, "4x-tiny", "--lora-dir", "up")
        assert (code, "4x-Tiny" in what, "sdkeep[upscale]" in then) == ("usage", True, True)
        assert "sdkeep[upscale]" in told(world, *line, "up/4x-Tiny.pth")[3]
    else:
        del spandrel
        one = world.good("generate", *line, "4x-tiny", "--lora-dir", "up").data["pictures"][0]
        assert (one["width"], one["models"][-1]["role"]) == (64, "upscaler")
        assert "Hires upscaler: 4x-tiny" in one["infotext"]
    assert "--kind upscaler" in told(world, *line, "R-ESRGAN 4x+")[3]
    assert "`Lanczos`" in told(world, *line, "Lancos")[2]
    assert not Path("out").exists() or len(list(Path("out").iterdir())) == 1


# Refusals


def test_what_is_no_checkpoint_is_told_by_what_it_is(world: World, digits: Path) -> None:
    Path("letter.txt").write_text("dear model")
    Image.new("RGB", (8, 8)).save("picture.png")
    Path("cut.safetensors").write_bytes(digits.read_bytes()[:1000])
    for name in ("letter.txt", "picture.png", "cut.safetensors"):
        code, what, _, then = told(world, "x", "--model", f"./{name}")
        assert (code, what, "sdkeep show" in then) == ("format", f"`{name}` is no checkpoint", True)


@pytest.mark.parametrize(
    ("prefix", "word", "flag"),
    [
        ("first_stage_model.", "VAE", "--vae"),
        ("cond_stage_model.", "text encoder", "--base"),
        ("model.", "no checkpoint", ""),
    ],
)
def test_a_missing_part_is_named_with_the_option_that_lends_it(
    world: World, digits: Path, prefix: str, word: str, flag: str
) -> None:
    weights = {key: value for key, value in load_file(digits).items() if not key.startswith(prefix)}
    save_file(weights, "part.safetensors", {"modelspec.resolution": "32x32"})
    _, what, _, then = told(world, "x", "--model", "./part.safetensors", *QUICK)
    assert word in what
    assert flag in then
    if flag:
        line = ("generate", "x", "--model", "./part.safetensors", *QUICK, flag, str(digits), "-o", "out")
        assert world.good(*line).data["pictures"]


def test_a_picture_that_cannot_fit_into_memory_is_refused_before_it_is_begun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "_free_here", lambda _path: 2**28)
    code, what, why, then = told(world, "x", "--model", "digits", "--size", "4096x4096", "-o", "out")
    assert (code, "4096x4096" in what, "0.2 GiB are free" in why) == ("usage", True, True)
    assert "--size" in then
    assert "2048x2048" in told(world, "x", "--model", "digits", *QUICK[:-1], "512x512", "--hires", "4")[1]


def test_torch_running_out_of_memory_is_told_in_three_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdkeep.diffusion.checkpoint import Model

    def full(*_given: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(Model, "predict", full)
    _, what, _, then = told(world, "x", "--model", "digits", *QUICK)
    assert "not enough memory" in what
    assert "--low-memory" in then


def test_seeds_beyond_64_bits_and_sizes_beyond_reason_are_refused(world: World) -> None:
    largest = str(2**64 - 1)
    assert "too large" in told(world, "x", "--model", "digits", "--seed", str(2**64))[1]
    assert "too large" in told(world, "x", "--model", "digits", "--seed", largest, "--count", "2")[1]
    assert "1024x1024" in told(world, "x", "--model", "digits", "--size", "100000x100000")[3]
    assert "`--count 1000000000`" in told(world, "x", "--model", "digits", "--count", "1000000000")[1]


def test_only_loras_are_named_as_neighbours_of_a_missing_lora(world: World) -> None:
    assert told(world, "x <lora:slantet:1>", "--model", "digits")[2] == "the nearest are `slanted`"


def test_names_that_lead_out_of_a_folder_find_nothing(world: World) -> None:
    Path("wild").mkdir()
    Path("secret.txt").write_text("secret")
    Path("secret.safetensors").write_bytes(b"x")
    assert "`../secret`" in told(world, "x <lora:../secret:1>", "--model", "digits", "--lora-dir", "wild")[1]
    assert "../secret" in told(world, "__../secret__", "--model", "digits", "--wildcards", "wild")[1]


def test_wildcards_that_name_themselves_end(world: World) -> None:
    Path("wild").mkdir()
    Path("wild/a.txt").write_text("__b__")
    Path("wild/b.txt").write_text("__a__ __a__")
    assert "never end" in told(world, "__a__", "--model", "digits", "--wildcards", "wild")[1]


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "ftfy", "regex"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
from sdkeep.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def test_without_the_engine_every_way_says_how_to_install_it(world: World) -> None:
    for line in (["generate", "x", "--model", "digits"], ["gen", "--from-image", "no.png"], ["demo", "--engine"]):
        done = subprocess.run(
            [sys.executable, "-c", BLOCKED, *line, "--json"], env=world.environ, capture_output=True, text=True
        )
        error = json.loads(done.stdout)["errors"][0]
        assert (done.returncode, error["code"]) == (2, "usage")
        assert "torch" in error["what"]
        assert 'pip install "sdkeep[engine]"' in error["next"]


# Whole processes


@pytest.mark.slow
def test_ctrl_c_in_a_batch_keeps_and_records_what_is_done(world: World) -> None:
    running = world.start(
        "generate", "three", "--model", "digits", "--count", "500", "--seed", "5", "-o", "out", "--json"
    )
    deadline = time.monotonic() + 60
    while len(list(Path("out").glob("*.png"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    result = interrupt(running)
    kept = result.data["pictures"]
    assert (result.status, result.data["next_seed"]) == (130, 5 + len(kept))
    assert sorted(one["path"] for one in kept) == sorted(map(str, Path("out").iterdir()))
    recorded = world.good("ls", "--generations", "--all").data["pictures"]
    assert len(recorded) == len(kept) >= 2


@pytest.mark.slow
def test_two_processes_in_one_folder_lose_nothing(world: World) -> None:
    line = ("generate", "three", "--model", "digits", "--count", "8", "--steps", "2", "--seed", "1", "-o", "out")
    running = [world.start(*line) for _ in range(2)]
    assert [one.wait(timeout=100) for one in running] == [0, 0]
    for one in running:
        one.communicate()
    assert len(list(Path("out").iterdir())) == 16


@pytest.mark.slow
def test_the_preview_is_drawn_in_a_terminal(world: World) -> None:
    import pty

    child, screen = pty.fork()
    if child == 0:
        environ = {**world.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
        line = ["generate", "three", "--model", "digits", "--steps", "6", "--seed", "1", "--preview", "-o", "out"]
        os.execve(sys.executable, [sys.executable, "-m", "sdkeep", *line], environ)
    seen = b""
    while True:
        try:
            some = os.read(screen, 65536)
        except OSError:
            break
        seen += some
    assert os.waitpid(child, 0)[1] == 0
    assert seen.count("▀".encode()) > 100


def test_prompts_of_any_letters_end_soon_and_well(world: World) -> None:
    data = world.good("generate", "a \udcff seven\nin two lines", "--model", "digits", *QUICK, "-o", "out").data
    assert data["pictures"][0]["infotext"].startswith("a ? seven\nin two lines\n")
    for prompt in ("<a:" * 16_000, "{" * 49_000, "[" * 20_000):
        world.good("generate", prompt, "--model", "digits", "--dry-run")
    assert "1,000,000 letters" in told(world, "x" * 1_000_000, "--model", "digits")[2]
