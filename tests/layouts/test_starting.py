from __future__ import annotations

import json
from pathlib import Path

from sdkeep.ground.kinds import Kind
from sdkeep.layouts.layout import find
from sdkeep.layouts.starting import read_start
from tests.makers.webuis import POSIX, WINDOWS, make_webui, register


def test_comfyuis_portable_launcher_is_read_beside_its_folder_on_windows(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "portable" / "ComfyUI", "comfyui")
    line = '.\\python_embeded\\python.exe -s ComfyUI\\main.py --base-directory "/data/comfy" --port 8190\n'
    (root.parent / "run_nvidia_gpu.bat").write_text("rem ComfyUI\\main.py --base-directory /no\n" + line + "pause\n")
    assert read_start(root, find("comfyui"), WINDOWS).value("--base-directory") == "/data/comfy"
    assert read_start(root, find("comfyui"), POSIX).arguments == ()
    here = register(root, "comfyui", around=WINDOWS)
    assert here.folders[Kind.LORA] == (Path("/data/comfy/models/loras"),)
    assert here.url == "http://127.0.0.1:8190"


def test_what_stabilitymatrix_passes_to_a_package_counts(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "Packages" / "ComfyUI", "comfyui")
    extra = tmp_path / "paths.yaml"
    extra.write_text("mine:\n  loras: /my/loras\n")
    options = [
        {"Name": "--lowvram", "Type": "Bool", "OptionValue": True},
        {"Name": "--cpu", "Type": "Bool", "OptionValue": False},
        {"Name": "--extra-model-paths-config", "Type": "String", "OptionValue": str(extra)},
        {"Name": "", "Type": "String", "OptionValue": "--port 8200"},
    ]
    package = {"LibraryPath": "Packages\\ComfyUI", "LaunchArgs": options}
    (tmp_path / "settings.json").write_text(json.dumps({"InstalledPackages": [{"LibraryPath": "x"}, package]}))
    here = register(root, "comfyui")
    assert here.folders[Kind.LORA] == (root / "models/loras", Path("/my/loras"))
    assert here.url == "http://127.0.0.1:8200"


def test_settings_of_a_manager_that_are_junk_move_nothing(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "Packages" / "ComfyUI", "comfyui")
    for text in ("[]", "{", '{"InstalledPackages": [5, {"LibraryPath": 7}]}'):
        (tmp_path / "settings.json").write_text(text)
        assert register(root, "comfyui").folders[Kind.LORA] == (root / "models/loras",)
