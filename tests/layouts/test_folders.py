from __future__ import annotations

from pathlib import Path

import pytest

from sdkeep.ground.kinds import Kind
from sdkeep.layouts.surroundings import Surroundings
from tests.makers.webuis import POSIX, WINDOWS, make_webui, register


def starts_with(root: Path, arguments: str) -> None:
    (root / "webui-user.sh").write_text(f'export COMMANDLINE_ARGS="{arguments}"\n')


def test_without_a_configuration_the_default_folders_hold(tmp_path: Path) -> None:
    here = register(make_webui(tmp_path, "a1111"), "a1111")
    assert here.folders[Kind.CHECKPOINT] == (tmp_path / "models/Stable-diffusion",)
    assert here.folders[Kind.LORA] == (tmp_path / "models/Lora", tmp_path / "models/LyCORIS")
    assert here.notes == ()


def test_a_moved_lora_folder_takes_the_place_of_the_default(tmp_path: Path) -> None:
    starts_with(make_webui(tmp_path, "a1111"), "--medvram --lora-dir /mnt/loras")
    here = register(tmp_path, "a1111")
    assert here.folders[Kind.LORA] == (Path("/mnt/loras"), tmp_path / "models/LyCORIS")
    assert here.notes == ("`/mnt/loras` (--lora-dir)",)


def test_a_checkpoint_folder_is_added_in_front_of_the_default(tmp_path: Path) -> None:
    starts_with(make_webui(tmp_path, "a1111"), "--ckpt-dir=../shared")
    here = register(tmp_path, "a1111")
    assert here.folders[Kind.CHECKPOINT] == (tmp_path.parent / "shared", tmp_path / "models/Stable-diffusion")


def test_the_data_folder_moves_everything_and_the_models_folder_what_is_below_models(tmp_path: Path) -> None:
    starts_with(make_webui(tmp_path, "a1111"), "--data-dir /data --models-dir /big")
    here = register(tmp_path, "a1111")
    assert here.folders[Kind.EMBEDDING] == (Path("/data/embeddings"),)
    assert here.folders[Kind.VAE] == (Path("/big/VAE"),)
    assert len(here.notes) == 2


def test_on_windows_the_batch_file_counts_and_elsewhere_the_shell_script(tmp_path: Path) -> None:
    starts_with(make_webui(tmp_path, "a1111"), "--vae-dir /sh")
    (tmp_path / "webui-user.bat").write_text("set COMMANDLINE_ARGS=--vae-dir /bat")
    assert register(tmp_path, "a1111", around=POSIX).folders[Kind.VAE][0] == Path("/sh")
    assert register(tmp_path, "a1111", around=WINDOWS).folders[Kind.VAE][0] == Path("/bat")


def test_a_home_sign_that_the_webui_does_not_expand_is_not_followed(tmp_path: Path) -> None:
    starts_with(make_webui(tmp_path, "a1111"), "--lora-dir ~/loras")
    here = register(tmp_path, "a1111")
    assert here.folders[Kind.LORA][0] == tmp_path / "models/Lora"
    assert "not followed" in here.notes[0]


def test_forge_looks_into_the_a1111_it_refers_to(tmp_path: Path) -> None:
    a1111 = make_webui(tmp_path / "a1111", "a1111")
    forge = make_webui(tmp_path / "forge", "forge")
    starts_with(forge, f"--forge-ref-a1111-home {a1111} --vae-dir /vaes")
    here = register(forge, "forge")
    assert here.folders[Kind.CHECKPOINT][0] == a1111 / "models/Stable-diffusion"
    assert here.folders[Kind.EMBEDDING][0] == a1111 / "embeddings"
    assert here.folders[Kind.VAE][0] == Path("/vaes")
    assert here.folders[Kind.LORA][0] == forge / "models/Lora"


def test_folders_of_an_extension_are_there_only_with_the_extension(tmp_path: Path) -> None:
    make_webui(tmp_path, "a1111")
    assert Kind.WILDCARDS not in register(tmp_path, "a1111").folders
    (tmp_path / "extensions/sd-dynamic-prompts").mkdir(parents=True)
    assert register(tmp_path, "a1111").folders[Kind.WILDCARDS] == (
        tmp_path / "extensions/sd-dynamic-prompts/wildcards",
    )


EXTRA = """\
a111:
    base_path: ~/webui
    checkpoints: models/Stable-diffusion
    loras: |
         models/Lora
         models/LyCORIS
mine:
    base_path: $BIG
    is_default: true
    vae: vae/
    unet: /abs/unet
beside:
    embeddings: here
off:
"""


def test_comfyui_adds_the_folders_of_its_path_file(tmp_path: Path) -> None:
    (make_webui(tmp_path, "comfyui") / "extra_model_paths.yaml").write_text(EXTRA)
    here = register(tmp_path, "comfyui", around=Surroundings({"BIG": "/big"}, Path("/home/me"), False))
    assert here.folders[Kind.CHECKPOINT][1] == Path("/home/me/webui/models/Stable-diffusion")
    assert here.folders[Kind.LORA][1:] == (Path("/home/me/webui/models/Lora"), Path("/home/me/webui/models/LyCORIS"))
    assert here.folders[Kind.VAE] == (Path("/big/vae"), tmp_path / "models/vae")
    assert here.folders[Kind.DIFFUSION_MODEL][0] == Path("/abs/unet")
    assert here.folders[Kind.EMBEDDING][-1] == tmp_path / "here"
    assert len(here.notes) == 6


@pytest.mark.parametrize(
    "text", ["a: [", "\t", "- list", "a: 5", "a: {loras: [x]}", "&a [*a]", "!!python/object:os.system x", "\0"]
)
def test_a_path_file_that_cannot_be_read_moves_nothing(tmp_path: Path, text: str) -> None:
    (make_webui(tmp_path, "comfyui") / "extra_model_paths.yaml").write_text(text)
    here = register(tmp_path, "comfyui")
    assert here.folders[Kind.LORA] == (tmp_path / "models/loras",)


@pytest.mark.parametrize("id, name", [("a1111", "webui-user.sh"), ("comfyui", "extra_model_paths.yaml")])
def test_a_configuration_that_cannot_be_one_is_a_note(tmp_path: Path, id: str, name: str) -> None:
    file = make_webui(tmp_path, id) / name
    file.write_bytes(b"#" * (2 << 20))
    assert "too long" in register(tmp_path, id).notes[0]
    file.unlink()
    file.mkdir()
    assert "cannot be read" in register(tmp_path, id).notes[0]
