from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.ground.errors import LayoutError, WouldOverwrite
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Ui
from sdkeep.layouts.configs import safe_yaml
from sdkeep.layouts.folders import Installed, installed
from sdkeep.layouts.layout import find
from sdkeep.layouts.sharing import BACKUP, share, unshare
from tests.makers.trees import picture_of
from tests.makers.webuis import POSIX, make_webui

FILES = {
    "comfyui": ("extra_model_paths.yaml", "# mine\na111:\n    base_path: /x\n    loras: |\n        a\n        b\n"),
    "fooocus": ("config.txt", '{"path_loras": [], "default_model": "x", "n": [1, {"y": null}]}'),
    "swarmui": ("Data/Settings.fds", "#c\r\nPaths:\r\n    ModelRoot: Models\r\nNetwork:\r\n    Port: 7802\r\n"),
}


def made(tmp_path: Path, id: str, text: str | None = None) -> tuple[Installed, Path, Path]:
    """A WebUI with its configuration, and the folder of ours to share with it."""
    root = make_webui(tmp_path / "ui", id)
    file = root / FILES[id][0]
    file.parent.mkdir(exist_ok=True)
    wanted = FILES[id][1] if text is None else text
    if wanted:
        file.write_bytes(wanted.encode())
    return seen(root, id, ""), file, tmp_path / "ours"


def seen(root: Path, id: str, folder: str) -> Installed:
    return installed(Ui("mine", id, str(root), share=folder), find(id), POSIX)


@pytest.mark.parametrize("id", FILES)
def test_a_shared_folder_is_read_in_front_and_gone_without_a_trace(tmp_path: Path, id: str) -> None:
    here, file, ours = made(tmp_path, id)
    before = file.read_bytes()
    done = share(here, ours)
    assert done.changed
    assert "restart" in done.todo
    assert seen(here.root, id, str(ours)).folders[Kind.LORA][0].is_relative_to(ours)
    assert seen(here.root, id, str(ours)).folders[Kind.CHECKPOINT][0].is_relative_to(ours)
    assert seen(here.root, id, "").folders[Kind.LORA][0].is_relative_to(here.root)
    assert file.with_name(file.name + BACKUP).read_bytes() == before
    written = file.read_bytes()
    assert not share(here, ours).changed
    assert file.read_bytes() == written
    assert unshare(here, ours).changed
    assert file.read_bytes() == before
    assert not file.with_name(file.name + BACKUP).exists()
    assert not unshare(here, ours).changed


@pytest.mark.parametrize("id", ["comfyui", "fooocus"])
def test_a_file_made_for_it_alone_goes_again(tmp_path: Path, id: str) -> None:
    here, file, ours = made(tmp_path, id, "")
    share(here, ours)
    assert file.is_file()
    unshare(here, ours)
    assert not file.exists() or "ours" not in file.read_text()


def test_what_a_person_adds_later_stays(tmp_path: Path) -> None:
    here, file, ours = made(tmp_path, "comfyui")
    share(here, ours)
    file.write_text(file.read_text() + "later:\n    loras: /later\n")
    unshare(here, ours)
    assert file.read_text() == FILES["comfyui"][1] + "later:\n    loras: /later\n"
    assert file.with_name(file.name + BACKUP).read_text() == FILES["comfyui"][1]


@pytest.mark.parametrize(
    "id, text",
    [
        ("comfyui", "sdkeep:\n    loras: /theirs\n"),
        ("comfyui", "a: [\n"),
        ("comfyui", "- a list\n"),
        ("comfyui", "{a: {loras: x}}\n"),
        ("comfyui", "a: &x {loras: y}\nb: *x\n"),
        ("comfyui", "a:\n  loras: x\n---\nb:\n  loras: y\n"),
        ("comfyui", "a:\n  text: |\n     x\n    \ty"),
        ("fooocus", "[1]"),
        ("fooocus", "{"),
        ("swarmui", "Nothing: here\n"),
        ("swarmui", "Paths:\n    ModelRoot: a\nOther:\n    ModelRoot: b\n"),
        ("swarmui", ""),
    ],
)
def test_a_configuration_that_we_do_not_understand_is_left_bit_for_bit(tmp_path: Path, id: str, text: str) -> None:
    here, file, ours = made(tmp_path, id, text)
    before = picture_of(file.parent)
    with pytest.raises(WouldOverwrite):
        share(here, ours)
    assert picture_of(file.parent) == before


@pytest.mark.parametrize("id", FILES)
def test_a_linked_configuration_or_a_folder_in_its_place_is_left(tmp_path: Path, id: str) -> None:
    here, file, ours = made(tmp_path, id)
    real = tmp_path / "elsewhere"
    file.rename(real)
    file.symlink_to(real)
    with pytest.raises(WouldOverwrite):
        share(here, ours)
    assert real.read_bytes() == FILES[id][1].encode()
    file.unlink()
    file.mkdir()
    with pytest.raises(WouldOverwrite):
        share(here, ours)


@pytest.mark.parametrize("name", ["a$HOME", "a;b", "~a", "a%b%", "a\nb"])
def test_a_folder_whose_name_would_be_read_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    here, _, _ = made(tmp_path, "comfyui")
    with pytest.raises(LayoutError):
        share(here, tmp_path / name)


def test_a_webui_that_reads_one_folder_a_kind_says_so(tmp_path: Path) -> None:
    here = seen(make_webui(tmp_path / "ui", "sdnext"), "sdnext", "")
    with pytest.raises(LayoutError, match=r"SD\.Next cannot be given folders"):
        share(here, tmp_path / "ours")


def test_where_only_flags_help_they_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    root = make_webui(tmp_path / "ui", "a1111")
    before = picture_of(root)
    done = share(seen(root, "a1111", ""), tmp_path / "ours")
    assert f'--ckpt-dir "{tmp_path}/ours/checkpoint"' in done.todo
    assert "--lora-dir" not in done.todo  # it would take the place of the own folder
    assert picture_of(root) == before


names = st.text(st.characters(whitelist_categories=["L", "N"], whitelist_characters=" -_"), min_size=1, max_size=8)
sections = st.dictionaries(
    names.filter(lambda name: name != "sdkeep"),
    st.dictionaries(st.sampled_from(["loras", "vae", "base_path", "odd key"]), names, max_size=3),
    max_size=4,
)


@settings(max_examples=30)
@given(sections=sections, last=st.sampled_from(["", "\n", "\n\n", "\n# end", "\r\n"]))
def test_foreign_sections_mean_the_same_before_during_and_after(
    tmp_path_factory: pytest.TempPathFactory, sections: dict[str, dict[str, str]], last: str
) -> None:
    words = {json.dumps(name, ensure_ascii=False): json.dumps(sections[name], ensure_ascii=False) for name in sections}
    text = "\n".join(f"{name}: {keys}" for name, keys in words.items())
    here, file, ours = made(tmp_path_factory.mktemp("x"), "comfyui", (text + last) or "# none\n")
    before = file.read_bytes()
    share(here, ours)
    during = safe_yaml(file.read_bytes())
    assert isinstance(during, dict)
    assert {name: keys for name, keys in during.items() if name != "sdkeep"} == sections
    unshare(here, ours)
    assert file.read_bytes() == before
