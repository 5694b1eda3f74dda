from __future__ import annotations

from pathlib import Path

import pytest

from sdkeep.ground.record import Ui
from sdkeep.layouts.detect import check, detect
from sdkeep.layouts.layout import BUILT_IN
from tests.makers.people import as_nobody, public_folder
from tests.makers.webuis import POSIX, make_webui


@pytest.mark.parametrize("id", BUILT_IN)
def test_an_installed_webui_is_recognised_and_what_it_claims(tmp_path: Path, id: str) -> None:
    root = make_webui(tmp_path / "ui", id)
    found = detect(root)
    assert found is not None
    assert (found.layout.id, found.root) == (id, root)
    assert found.evidence
    assert check(Ui("x", id, str(root)), POSIX) == []


@pytest.mark.parametrize("outer, id", [("ComfyUI", "comfyui"), ("webui", "a1111"), ("webui", "forge")])
def test_a_portable_package_is_recognised_by_its_inner_folder(tmp_path: Path, outer: str, id: str) -> None:
    make_webui(tmp_path / outer, id)
    found = detect(tmp_path)
    assert found is not None
    assert (found.layout.id, found.root) == (id, tmp_path / outer)


def test_a_folder_of_pictures_is_no_webui(tmp_path: Path) -> None:
    (tmp_path / "cat.png").touch()
    assert detect(tmp_path) is None
    assert detect(tmp_path / "none") is None


@pytest.mark.parametrize(
    "other, id",
    [
        ("ldm_patched", "reforge"),
        ("modules_forge/packages", "forge-neo"),
        ("modules_forge/uv_hook.py", "forge-classic"),
    ],
)
def test_a_relative_of_forge_is_not_taken_for_forge(tmp_path: Path, other: str, id: str) -> None:
    (make_webui(tmp_path, "forge") / other).mkdir()
    found = detect(tmp_path)
    assert found is not None
    assert found.layout.id == id


def test_a_folder_that_went_is_a_problem(tmp_path: Path) -> None:
    assert "no folder any more" in check(Ui("x", "a1111", str(tmp_path / "none")), POSIX)[0]


def test_a_layout_that_nobody_knows_is_a_problem(tmp_path: Path) -> None:
    assert "comfyui" in check(Ui("x", "comfy", str(tmp_path)), POSIX)[0]


def test_a_webui_that_is_another_one_is_named(tmp_path: Path) -> None:
    make_webui(tmp_path, "forge")
    problems = check(Ui("x", "a1111", str(tmp_path)), POSIX)
    assert any("(`forge`) instead" in problem for problem in problems)
    make_webui(tmp_path / "c", "comfyui")
    assert any("is missing" in problem for problem in check(Ui("x", "a1111", str(tmp_path / "c")), POSIX))


def test_a_model_folder_that_leads_nowhere_is_a_problem(tmp_path: Path) -> None:
    folder = make_webui(tmp_path, "a1111") / "models/Lora"
    folder.rmdir()
    folder.symlink_to(tmp_path / "gone")
    assert any("leads nowhere" in problem for problem in check(Ui("x", "a1111", str(tmp_path)), POSIX))


def test_a_model_folder_that_may_not_be_written_is_a_problem() -> None:
    with public_folder() as root:
        (make_webui(root, "a1111") / "models/Lora").chmod(0o555)

        def work() -> None:
            problems = check(Ui("x", "a1111", str(root)), POSIX)
            assert any("Lora` (lora) may not be written" in problem for problem in problems)

        as_nobody(work)
