"""Every real file that was collected is looked at, and every one that holds tensors converts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sdkeep.formats.cleanpt import write_clean_pt
from sdkeep.formats.contents import Container
from sdkeep.formats.convert import plan, write_safetensors
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from tests.conftest import CORPUS
from tests.makers.torchfiles import flat, raw

FOLDER = Path(CORPUS) / "models" if CORPUS else Path("no-corpus")
FILES = sorted(p.name for p in FOLDER.glob("*") if p.is_file() and p.suffix != ".md") if CORPUS else ["none"]
EMPTY = {"zip_a1111_empty.pt"}
NO_MODELS = {
    "damaged_crlf_empty.pt": Container.ZIP,
    "damaged_html_saved_as_ViT-L-14_stats.th": Container.HTML,
    "damaged_lfs_pointer_negative_v3.pt": Container.LFS_POINTER,
    "torchscript_silero_vad.jit": Container.TORCHSCRIPT,
}

pytestmark = pytest.mark.corpus


def expected(path: Path) -> dict[str, torch.Tensor] | None:
    """What torch itself reads, where it dares to, under the names we promise."""
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch refuses the file's globals
        return None
    if isinstance(value, dict):
        value = value.get("state_dict", value)
        if "string_to_param" in value:
            return {"emb_params": next(iter(value["string_to_param"].values()))}
    return dict(flat(value))


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_is_looked_at_and_converts(name: str, corpus: Path, tmp_path: Path) -> None:
    path = corpus / "models" / name
    with FileSource(path) as source:
        contents = look(source)
        if name in NO_MODELS:
            assert contents.container is NO_MODELS[name]
            return
        assert contents.flaws == ()
        if name in EMPTY:
            assert contents.tensors == ()
            return
        planned = plan(contents)
        written = write_safetensors(source, planned, tmp_path / "out")
        write_clean_pt(source, planned, tmp_path / "out.pt")
    found, wanted = load_file(written.path), expected(path)
    again = dict(flat(torch.load(tmp_path / "out.pt", weights_only=True)))
    for result in (found, again):
        for key, tensor in (wanted or found).items():
            assert (result[key].dtype, result[key].shape) == (tensor.dtype, tensor.shape)
            assert raw(result[key]) == raw(tensor)
    assert wanted is None or set(found) == set(wanted)
