from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.kinds import Kind
from sdkeep.layouts.configs import fds_escaped, fds_unescaped, read_config, safe_yaml
from tests.makers.webuis import make_webui, register

FDS = """#This is a comment
Paths:
    #Root path
    ModelRoot: Models;D:\\sAI\\sModels
    SDLoraFolder: Lora;loras
    Inner:
        Deep: 1
Network:
	Port: 7805
IsInstalled: true
list:
- one
"""


def test_three_formats_become_one_flat_table(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text(FDS)
    said, doubts = read_config(file, "fds")
    assert said["Paths.ModelRoot"] == ("Models;D:\\AI\\Models",)
    assert (said["Paths.Inner.Deep"], said["Network.Port"], doubts) == (("1",), ("7805",), ())
    file.write_text(json.dumps({"a": ["x", 5, None], "b": {"c": "y"}, "d": True, "e": ""}))
    assert read_config(file, "json")[0] == {"a": ("x", "5"), "b.c": ("y",)}
    file.write_text("models_dir: /big\nport: 9191\n")
    assert read_config(file, "yaml")[0] == {"models_dir": ("/big",), "port": ("9191",)}


@pytest.mark.parametrize("format", ["json", "yaml"])
@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000, b"\xff\xfe", b"{" * 60_000, b"a: &a [*a, *a]\nb: *a", b"!!python/tuple [x]"],
)
def test_a_hostile_file_is_a_doubt(tmp_path: Path, format: str, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    said, doubts = read_config(tmp_path / "x", format)
    assert said == {}
    assert len(doubts) == 1


def test_a_yaml_of_aliases_that_grow_is_not_even_parsed() -> None:
    bomb = b"a: &a [x]\n" + b"\n".join(b"%c: &%c [*%c,*%c]" % (c, c, c - 1, c - 1) for c in range(98, 120))
    assert safe_yaml(bomb) is None
    assert safe_yaml(b"a: b\n" * 100_000) is None


def test_there_is_nothing_to_say_of_a_missing_or_an_empty_file(tmp_path: Path) -> None:
    assert read_config(tmp_path / "none", "json") == ({}, ())
    (tmp_path / "x").write_text("# only words\n\n")
    assert read_config(tmp_path / "x", "yaml") == ({}, ())
    (tmp_path / "dir").mkdir()
    assert len(read_config(tmp_path / "dir", "json")[1]) == 1


def test_a_huge_file_is_a_doubt(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b" " * (5 << 20))
    assert "too long" in read_config(tmp_path / "x", "json")[1][0]


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_what_fds_escapes_it_reads_back(text: str) -> None:
    assert fds_unescaped(fds_escaped(text)) == text or "\\" in text


def test_sdnext_moves_single_kinds_and_all_models(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "ui", "sdnext")
    (root / "config.json").write_text(json.dumps({"models_dir": "/big", "lora_dir": "mine/Lora", "vae_dir": ""}))
    here = register(root, "sdnext")
    assert here.folders[Kind.CHECKPOINT] == (Path("/big/Stable-diffusion"),)
    assert here.folders[Kind.LORA] == (root / "mine/Lora",)
    assert here.folders[Kind.VAE] == (Path("/big/VAE"),)
    (root / "webui-user.sh").write_text("export COMMANDLINE_ARGS='--models-dir /flag --data-dir /data'")
    assert register(root, "sdnext").folders[Kind.CHECKPOINT] == (Path("/flag/Stable-diffusion"),)


def test_fooocus_ignores_a_list_with_a_folder_that_is_not_there(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "ui", "fooocus")
    (tmp_path / "a").mkdir()
    file = root / "config.txt"
    file.write_text(json.dumps({"path_checkpoints": [str(tmp_path / "a"), str(root / "models/checkpoints")]}))
    assert register(root, "fooocus").folders[Kind.CHECKPOINT] == (tmp_path / "a", root / "models/checkpoints")
    file.write_text(json.dumps({"path_checkpoints": [str(tmp_path / "a"), "/none"]}))
    here = register(root, "fooocus")
    assert here.folders[Kind.CHECKPOINT] == (root / "models/checkpoints",)
    assert "not there" in here.notes[0]


def test_swarmui_looks_in_each_name_below_each_root(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "ui", "swarmui")
    (root / "Data").mkdir(exist_ok=True)
    (root / "Data/Settings.fds").write_text("Paths:\n    ModelRoot: Models;/big\n    SDLoraFolder: Lora;loras\n")
    here = register(root, "swarmui")
    assert here.folders[Kind.LORA] == (
        root / "Models/Lora",
        root / "Models/loras",
        Path("/big/Lora"),
        Path("/big/loras"),
    )
    assert here.folders[Kind.CHECKPOINT] == (root / "Models/Stable-Diffusion", Path("/big/Stable-Diffusion"))
    assert here.folders[Kind.WILDCARDS] == (root / "Data/Wildcards",)


def test_stabilitymatrix_may_keep_its_models_elsewhere(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "ui", "stabilitymatrix")
    (root / "settings.json").write_text(json.dumps({"ModelDirectoryOverride": "/big"}))
    assert register(root, "stabilitymatrix").folders[Kind.LORA] == (Path("/big/Lora"),)


def test_addresses_follow_the_ports_that_are_set(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "invoke", "invokeai")
    (root / "invokeai.yaml").write_text("port: 9191\n")
    assert register(root, "invokeai").url == "http://127.0.0.1:9191"
    (root / "invokeai.yaml").write_text("port: 99999999\n")
    assert register(root, "invokeai").url == "http://127.0.0.1:9090"
