"""Pictures through the command line: files and what they carry, adapters found by name, repeating, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sdkeep.actions.generating.sample import sample_file
from sdkeep.actions.generating.saving import Album
from sdkeep.ground.events import Stop
from tests.makers.judge import judge
from tests.world import World

QUICK = ("--steps", "4", "--cfg", "2", "--seed", "3")
Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def digits() -> Path:
    path = sample_file("digits")
    assert path is not None, "the sample model comes with the package"
    return path


def lora(folder: Path, name: str, *, width: int = 64, extra: bool = False, alias: str = "") -> Path:
    draw = torch.Generator().manual_seed(1)
    tensors = {
        f"{Q}.lora_down.weight": torch.randn(2, width, generator=draw),
        f"{Q}.lora_up.weight": torch.randn(width, 2, generator=draw),
    }
    if extra:
        other = Q.replace("blocks_0_attentions", "blocks_9_attentions")
        tensors |= {key.replace(Q, other): value.clone() for key, value in tensors.items()}
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file(tensors, path, {"ss_output_name": alias} if alias else None)
    return path


def made(world: World, *arguments: str) -> dict[str, object]:
    data = world.good("generate", *arguments, *QUICK, "--model", "digits", "-o", "out").data
    assert isinstance(data, dict)
    return data


def text_of(path: object) -> str:
    with Image.open(str(path)) as picture:
        return str(picture.text["parameters"])  # type: ignore[attr-defined]


# Pictures


def test_the_sample_model_draws_what_the_prompt_says(world: World) -> None:
    data = made(world, "a photo of a {zero|zero}", "--count", "4", "--steps", "12")
    paths = [one["path"] for one in data["pictures"]]  # type: ignore[attr-defined]
    assert [Path(path).name for path in paths] == ["00001-3.png", "00002-4.png", "00003-5.png", "00004-6.png"]
    assert judge().share([Image.open(path) for path in paths], 0) >= 0.75


def test_a_picture_carries_infotext_with_the_models_true_hash_and_repeats_itself(world: World, digits: Path) -> None:
    first = made(world, "a photo of a seven", "--negative", "two, (blur:1.2)")["pictures"][0]  # type: ignore[index]
    digest = hashlib.sha256(digits.read_bytes()).hexdigest()
    said = text_of(first["path"])
    assert said == first["infotext"]
    assert f"Model hash: {digest[:10]}, Model: digits" in said
    assert said.startswith("a photo of a seven\nNegative prompt: two, (blur:1.2)\nSteps: 4, Sampler: DPM++ 2M, ")
    assert first["models"][0]["sha256"] == digest
    again = world.good("generate", "--from-image", str(first["path"]), "-o", "again").data
    assert Path(again["pictures"][0]["path"]).read_bytes() == Path(first["path"]).read_bytes()
    assert again["unhonoured"] == []


@pytest.mark.parametrize("form, suffix", [("jpeg", ".jpg"), ("webp", ".webp")])
def test_other_formats_carry_the_same_text(world: World, form: str, suffix: str) -> None:
    one = made(world, "a seven, für dich", "--format", form)["pictures"][0]  # type: ignore[index]
    assert Path(one["path"]).suffix == suffix
    shown = world.good("show", str(one["path"])).data[0]
    assert shown["prompt"] == "a seven, für dich"
    assert shown["settings"]["Seed"] == "3"


def test_numbers_go_on_and_nothing_is_written_over(world: World) -> None:
    Path("out").mkdir()
    Path("out/00041-old.png").write_bytes(b"mine")
    one = made(world, "seven")["pictures"][0]  # type: ignore[index]
    assert Path(one["path"]).name == "00042-3.png"
    assert Path("out/00041-old.png").read_bytes() == b"mine"
    assert not list(Path("out").glob(".*"))


def test_a_stop_keeps_what_is_done_and_tells_where_to_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Path] = []
    save, check = Album.save, Stop.check

    def counted(self: Album, *arguments: object) -> Path:
        saved.append(save(self, *arguments))  # type: ignore[arg-type]
        return saved[-1]

    def asked(self: Stop) -> None:
        if len(saved) == 2:
            self.ask()
        check(self)

    monkeypatch.setattr(Album, "save", counted)
    monkeypatch.setattr(Stop, "check", asked)
    result = world.json("generate", "seven", "--model", "digits", *QUICK, "--count", "50", "-o", "out")
    assert result.status == 130
    kept = result.data["pictures"]
    assert len(kept) == 2
    assert all(Path(one["path"]).is_file() for one in kept)
    assert result.data["next_seed"] == 3 + len(kept)
    assert result.codes == ["interrupted"]


# The catalogue


def test_generations_are_found_by_words_and_name_every_model(world: World, digits: Path) -> None:
    lora(Path("loras"), "ink")
    made(world, "a photo of a three <lora:ink:0.5>", "--lora-dir", "loras")
    made(world, "seven")
    listed = world.good("ls", "--generations", "three", "ink").data["pictures"]
    assert [one["prompt"] for one in listed] == ["a photo of a three <lora:ink:0.5>"]
    assert listed[0]["models"] == ["model digits.safetensors", "lora ink"]
    assert len(world.good("ls", "--generations").data["pictures"]) == 2
    Path(listed[0]["path"]).unlink()
    assert len(world.good("ls", "--generations").data["pictures"]) == 1
    assert world.run("ls", "--generations", "--kind", "lora").status == 2


def test_a_bare_file_makes_no_catalogue(world: World, digits: Path) -> None:
    world.catalogue.unlink()
    data = world.good("generate", "seven", "--model", str(digits), *QUICK, "-o", "out").data
    assert not data["recorded"]
    assert not world.catalogue.exists()


def test_a_catalogued_model_goes_by_its_name_and_its_licence_is_looked_at(world: World, digits: Path) -> None:
    name = world.good("add", str(digits)).data[0]["name"]
    data = world.good("generate", "seven", "--model", f"name:{name}", *QUICK, "--licence", "-o", "out").data
    assert data["sellable"] is False
    assert any("selling" in line or "sell" in line for line in data["licence"])


# Adapters


def test_a_lora_is_found_by_stem_and_by_its_trainers_name_and_changes_the_picture(world: World) -> None:
    lora(Path("loras"), "ink", alias="Ink_Wash")
    plain = made(world, "a photo of a three")["pictures"][0]  # type: ignore[index]
    by_stem = made(world, "a photo of a three <lora:INK:1>", "--lora-dir", "loras")["pictures"][0]  # type: ignore[index]
    by_alias = made(world, "a photo of a three <lora:ink_wash:1>", "--lora-dir", "loras")["pictures"][0]  # type: ignore[index]
    none = made(world, "a photo of a three <lora:ink:0>", "--lora-dir", "loras")["pictures"][0]  # type: ignore[index]
    pixels = [Image.open(one["path"]).tobytes() for one in (plain, by_stem, by_alias, none)]
    assert pixels[1] == pixels[2] != pixels[0] == pixels[3]
    assert 'Lora hashes: "INK: ' in by_stem["infotext"]


def test_an_embedding_is_used_where_its_name_stands(world: World) -> None:
    Path("embeddings").mkdir()
    draw = torch.Generator().manual_seed(2)
    save_file({"emb_params": torch.randn(2, 64, generator=draw)}, "embeddings/my-style.safetensors")
    digest = hashlib.sha256(Path("embeddings/my-style.safetensors").read_bytes()).hexdigest()
    plain = made(world, "a three", "--lora-dir", "embeddings")["pictures"][0]  # type: ignore[index]
    used = made(world, "a My-Style three", "--lora-dir", "embeddings")["pictures"][0]  # type: ignore[index]
    assert "TI hashes" not in plain["infotext"]
    assert f'TI hashes: "my-style: {digest[:12]}"' in used["infotext"]
    assert used["models"][1]["role"] == "embedding"


def test_a_missing_lora_is_named_with_its_neighbours_and_how_to_get_it(world: World) -> None:
    lora(Path("loras"), "paper-ink")
    result = world.json("generate", "x <lora:paper-onk:1>", "--model", "digits", "--lora-dir", "loras", "-o", "out")
    error = result.document["errors"][0]
    assert error["code"] == "not-found-here"
    assert "`paper-ink`" in error["why"]
    assert "sdkeep search paper-onk --kind lora" in error["next"]
    assert not Path("out").exists()


def test_a_partial_match_is_a_warning_and_with_strict_an_error(world: World) -> None:
    lora(Path("loras"), "half", extra=True)
    line = ("generate", "x <lora:half:1>", "--model", "digits", "--lora-dir", "loras", *QUICK, "-o", "out")
    assert "1 layer of 2" in world.good(*line).document["warnings"][0]
    assert world.json(*line, "--strict").codes == ["partial-match"]


def test_an_adapter_of_another_width_is_refused(world: World) -> None:
    lora(Path("loras"), "large", width=640)
    result = world.json("generate", "x <lora:large:1>", "--model", "digits", "--lora-dir", "loras", "-o", "out")
    assert result.codes == ["wrong-family"]


# Many pictures from one command


def test_a_grid_is_drawn_with_its_labels(world: World) -> None:
    data = made(world, "a three", "--grid", "Sampler: Euler, DDIM; CFG: 1, 4")
    assert len(data["pictures"]) == 4  # type: ignore[arg-type]
    grid = str(data["grids"][0])  # type: ignore[index]
    with Image.open(grid) as picture:
        assert picture.width > 2 * 128
        assert picture.height > 2 * 128


def test_a_matrix_makes_every_combination(world: World) -> None:
    data = made(world, "a three|bold|small", "--matrix")
    prompts = [text_of(one["path"]).splitlines()[0] for one in data["pictures"]]  # type: ignore[attr-defined]
    assert prompts == ["a three", "a three, bold", "a three, small", "a three, bold, small"]


def test_wildcards_are_drawn_by_the_seed_and_styles_put_around(world: World) -> None:
    Path("wild").mkdir()
    Path("wild/digit.txt").write_text("seven\neight # large\n\n")
    Path("styles.csv").write_text("name,prompt,negative_prompt\nPhoto,a photo of {prompt},blurry\n")
    line = ("__digit__", "--wildcards", "wild", "--style", "Photo", "--count", "3")
    texts = [[one["infotext"] for one in made(world, *line)["pictures"]] for _ in range(2)]  # type: ignore[attr-defined]
    assert texts[0] == texts[1]
    assert all(text.startswith(("a photo of seven\n", "a photo of eight\n")) for text in texts[0])
    assert all("Negative prompt: blurry" in text for text in texts[0])


def test_a_picture_to_begin_from_gives_the_size_and_a_mask_keeps_the_rest(world: World) -> None:
    begun = made(world, "a photo of a three")["pictures"][0]  # type: ignore[index]
    mask = Image.new("L", (32, 32))
    mask.paste(255, (16, 0, 32, 32))
    mask.save("mask.png")
    line = (
        "a photo of a six",
        "--init",
        str(begun["path"]),
        "--mask",
        "mask.png",
        "--denoising",
        "0.9",
        "--mask-blur",
        "0",
    )
    changed = made(world, *line)["pictures"][0]  # type: ignore[index]
    left = [Image.open(one["path"]).crop((0, 0, 12, 32)).tobytes() for one in (begun, changed)]
    assert left[0] == left[1]
    assert "Denoising strength: 0.9" in changed["infotext"]


# Repeating pictures


def test_what_cannot_be_honoured_is_listed_and_refused_with_strict(world: World) -> None:
    from PIL.PngImagePlugin import PngInfo

    text = (
        "a photo of a seven\nNegative prompt: two\nSteps: 4, Sampler: Euler a Karras, CFG scale: 2, Seed: 9, "
        'Size: 32x32, Model: digits, ADetailer model: face_yolov8n.pt, ControlNet 0: "Module: canny", '
        "Denoising strength: 0.4, RNG: CPU, Version: v1.10.1"
    )
    chunks = PngInfo()
    chunks.add_text("parameters", text)
    Image.new("RGB", (32, 32)).save("theirs.png", pnginfo=chunks)
    done = world.good("generate", "--from-image", "theirs.png", "-o", "out").data
    keys = [line.partition(":")[0] for line in done["unhonoured"]]
    assert keys == ["ADetailer model", "ControlNet 0", "Denoising strength"]
    assert "Sampler: Euler a, Schedule type: Karras, CFG scale: 2, Seed: 9" in done["pictures"][0]["infotext"]
    assert "RNG: CPU" in done["pictures"][0]["infotext"]
    refused = world.json("generate", "--from-image", "theirs.png", "--strict", "-o", "none")
    assert refused.codes == ["usage"]
    assert not Path("none").exists()


def test_options_overrule_the_pictures_parameters(world: World) -> None:
    first = made(world, "a photo of a seven")["pictures"][0]  # type: ignore[index]
    line = ("generate", "--from-image", str(first["path"]), "--seed", "8", "--sampler", "Euler", "-o", "again")
    again = world.good(*line).data["pictures"][0]
    assert "Sampler: Euler, " in again["infotext"]
    assert again["seed"] == 8


# Refusals


@pytest.mark.parametrize(
    "given, part",
    [
        (("x", "--sampler", "Eulr a"), "`Euler a`"),
        (("x", "--size", "33x32"), "32x32"),
        (("x", "--size", "big"), "512x768"),
        (("x", "--cfg", "nan"), "--cfg"),
        (("x", "--count", "0"), "--count"),
        (("x", "--mask", "m.png"), "--init FILE"),
        (("x", "--hires-steps", "4"), "--hires 2"),
        (("x", "--rng", "gpu"), "`nv`"),
        (("x", "--format", "bmp"), "png, jpeg, webp"),
        (("x", "--device", "tpu"), "--device cpu"),
        (("x", "--dtype", "fp8"), "fp32, fp16, bf16"),
        (("x", "--style", "nosuch"), "--styles"),
        (("x __nosuch__",), "--wildcards"),
        (("x", "--grid", "Colour: red"), "cannot vary"),
        (("x", "--matrix"), "nothing to combine"),
        (("x", "--init", "nosuch.png"), "nosuch.png"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_told_before_anything_is_made(world: World, given: tuple[str, ...], part: str) -> None:
    result = world.json("generate", *given, "--model", "digits", "-o", "out")
    assert result.status == 2, result.stdout
    error = result.document["errors"][0]
    assert part in " ".join((error["what"], error["why"], error["next"]))
    assert error["next"]
    assert not Path("out").exists()


def test_a_lora_named_as_the_model_is_told_apart(world: World) -> None:
    path = lora(Path("loras"), "ink")
    result = world.json("generate", "x", "--model", str(path), "-o", "out")
    assert result.codes == ["format"]
    assert "`<lora:ink:1>`" in result.document["errors"][0]["next"]


def test_a_dry_run_names_the_files_and_makes_nothing(world: World) -> None:
    lora(Path("loras"), "ink")
    data = made(world, "x <lora:ink:1>", "--lora-dir", "loras", "--count", "3", "--dry-run")
    assert data["planned"] == 3
    assert [one["name"] for one in data["models"]] == ["digits.safetensors", "ink"]  # type: ignore[attr-defined]
    assert not Path("out").exists()


def test_a_pickled_checkpoint_is_converted_and_never_run(world: World, digits: Path) -> None:
    from safetensors.torch import load_file

    torch.save({"state_dict": load_file(digits)}, "digits.ckpt")
    first = made(world, "seven")["pictures"][0]  # type: ignore[index]
    line = ("generate", "seven", "--model", "./digits.ckpt", *QUICK, "--size", "32x32", "-o", "pickled")
    second = world.good(*line).data["pictures"][0]
    assert Image.open(first["path"]).tobytes() == Image.open(second["path"]).tobytes()
