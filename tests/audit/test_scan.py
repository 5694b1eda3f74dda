"""From bytes to verdict: real torch output, real files, and the proof that nothing in a file is ever run."""

from __future__ import annotations

import collections
import io
import warnings
import zipfile
from pathlib import Path

import pytest

from sdkeep.audit.report import as_lines
from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.ground.events import Stop, Stopped
from sdkeep.ground.verdict import Basis, Outcome, Verdict
from tests.makers.pickles import calling
from tests.makers.picture_embeddings import embedding, with_text
from tests.makers.pictures import png

HOLDING_CODE = {
    "lightning_1.8_omegaconf_partial.ckpt",
    "lightning_2.4_function_global.ckpt",
    "torchscript_silero_vad.jit",
}


@pytest.mark.corpus
def test_no_real_file_is_suspicious_unless_it_holds_code(corpus: Path) -> None:
    for path in sorted((corpus / "models").iterdir()):
        if path.is_dir():
            continue
        with FileSource(path) as source:
            verdict = scan(source)
        assert (verdict.outcome.rank >= 3) == (path.name in HOLDING_CODE), "\n".join(as_lines(verdict, path.name))
        if path.suffix == ".safetensors":
            assert verdict.outcome is Outcome.CLEAN
        if path.name.startswith("damaged_"):
            assert verdict.outcome is Outcome.MALFORMED


def of(data: bytes, basis: Basis = Basis.WHOLE) -> Verdict:
    return scan(BytesSource(data), basis=basis)


def test_a_bare_call_is_dangerous_and_plain_words_are_clean() -> None:
    assert of(calling("os:system", "id")).outcome is Outcome.DANGEROUS
    assert of(b"a red house\na green house\n").outcome is Outcome.CLEAN


def test_a_configuration_is_read_and_judged() -> None:
    assert of(b"model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n").outcome is Outcome.CLEAN
    assert of(b"model:\n  target: os.system\n").outcome is Outcome.SUSPICIOUS


def test_a_configuration_too_long_to_read_is_not_cleared() -> None:
    assert of(b"a: b\n" * 1_000_000).outcome is Outcome.INCONCLUSIVE


def test_a_text_too_long_to_read_is_not_cleared_whatever_it_seems_to_be() -> None:
    assert of(b"? target\n: os.system\n").outcome is Outcome.SUSPICIOUS
    assert of(b"? target\n: os.system\n" + b"a red house\n" * 400_000).outcome is Outcome.INCONCLUSIVE


NO_MODELS = {
    "text": b"a red house\n",
    "yaml": b"model: 1\n",
    "html": b"<!DOCTYPE html><html>Just a moment...</html>",
    "json": b'{"error": "not found"}',
    "lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    "empty": b"",
    "png": png(),
    "unknown": b"\x01\x02\x03" * 20,
}


@pytest.mark.parametrize("container", NO_MODELS)
@pytest.mark.parametrize("name", ["model.safetensors", "https://host/Model.CKPT", "dir/a.pt", "x.gguf"])
def test_what_is_called_a_model_and_is_none_is_never_cleared_and_says_what_it_is(container: str, name: str) -> None:
    verdict = scan(BytesSource(NO_MODELS[container], name))
    assert (verdict.container, verdict.outcome.status) == (container, 2)
    assert verdict.findings[0].rule == f"container-{container}"
    headline = as_lines(verdict, name)[0]
    assert "no model at all" in headline or "unsupported" in headline


@pytest.mark.parametrize("name", ["README.md", "prompts.txt", "v1-inference.yaml", "preview.png", ""])
@pytest.mark.parametrize("container", ["text", "yaml", "png"])
def test_texts_and_pictures_under_names_of_their_own_stay_clean(container: str, name: str) -> None:
    assert scan(BytesSource(NO_MODELS[container], name)).outcome is Outcome.CLEAN


def test_an_embedding_in_a_picture_may_be_called_a_model() -> None:
    data = with_text(embedding([[0.5] * 768]))
    assert scan(BytesSource(data, "style.pt")).outcome.placeable


def test_a_verdict_from_ranges_clears_nothing() -> None:
    verdict = of(b"a red house\na green house\n", Basis.RANGES)
    assert verdict.outcome is Outcome.CLEAN and not verdict.placeable


def test_a_stop_is_heeded() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        scan(BytesSource(calling("os:system", "id")), stop=stop)


def zipped(*members: tuple[str, bytes]) -> bytes:
    """A stored zip with these members in this order, doubles included."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


EVIL, BENIGN, VERSION = calling("os:system", "id"), b"\x80\x02}q\x00.", ("a/version", b"3\n")


@pytest.mark.parametrize(
    "data",
    [
        zipped(("a/data.pkl", EVIL), ("a/data.pkl", BENIGN), VERSION),
        zipped(("a/data.pkl", BENIGN), ("a/data.pkl", EVIL), VERSION),
        zipped(("a/DATA.PKL", EVIL), ("a/data.pkl", BENIGN), VERSION),
        zipped(("a/data.pkl", BENIGN), VERSION, ("a/extra.pkl", EVIL)),
        zipped(("a/data.pkl", BENIGN), VERSION, ("a/readme.txt", EVIL)),
        zipped(("a/data.pkl", BENIGN + EVIL), VERSION),
        EVIL + zipped(("a/data.pkl", BENIGN), VERSION),
        BENIGN + EVIL,
    ],
    ids=[
        "double-first",
        "double-last",
        "case-variant",
        "second-pickle",
        "renamed",
        "stacked",
        "polyglot",
        "bare-stacked",
    ],
)
def test_a_payload_is_found_wherever_a_loader_could_find_it(data: bytes) -> None:
    assert of(data).outcome is Outcome.DANGEROUS


def test_two_benign_twins_are_suspicious_by_themselves() -> None:
    data = zipped(("a/data.pkl", BENIGN), ("a/data.pkl", b"\x80\x02]q\x00."), VERSION)
    assert of(data).outcome is Outcome.SUSPICIOUS


@pytest.fixture(scope="module")
def torch_files() -> dict[str, bytes]:
    """What torch itself writes: every storage type, wrapper and container that a model host sees."""
    torch = pytest.importorskip("torch")
    numpy = pytest.importorskip("numpy")
    names = (
        "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool complex64 float8_e4m3fn float8_e5m2 uint16"
    )
    dtypes = [getattr(torch, name) for name in names.split()]
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    layer = torch.nn.Linear(2, 3)
    objects: dict[str, object] = {
        "dtypes": {str(dtype): torch.zeros(3).to(dtype) for dtype in dtypes},
        "state-dict": layer.state_dict(),
        "parameter": {"p": torch.nn.Parameter(tensor), "buffer": torch.nn.Buffer(tensor)},
        "views": [tensor, tensor.t(), tensor[1:], tensor.expand(4, 2, 3)],
        "bare": tensor,
        "optimizer": torch.optim.AdamW(layer.parameters()).state_dict(),
        "numpy": {"a": numpy.arange(4.0), "s": numpy.float64(1.5), "u": numpy.array(["x"]), "b": numpy.array([True])},
        "misc": {
            "size": tensor.shape,
            "device": torch.device("cpu"),
            "dtype": torch.float16,
            "set": {1},
            "bytes": b"x",
        },
        "sparse": {"s": torch.eye(3).to_sparse()},
        "ordered": collections.OrderedDict(a=collections.OrderedDict(b=tensor)),
        "empty": {},
        "module": layer,
    }
    files: dict[str, bytes] = {}
    for name, value in objects.items():
        for form, options in {
            "zip": {},
            "zip4": {"pickle_protocol": 4},
            "zip5": {"pickle_protocol": 5},
            "legacy": {"_use_new_zipfile_serialization": False},
        }.items():
            buffer = io.BytesIO()
            torch.save(value, buffer, **options)
            files[f"{name}/{form}"] = buffer.getvalue()
    return files


def test_what_torch_writes_is_clean_and_a_whole_module_is_suspicious(torch_files: dict[str, bytes]) -> None:
    for name, data in torch_files.items():
        verdict = of(data)
        wanted = {"module": Outcome.SUSPICIOUS, "sparse": Outcome.CLEAN_WITH_NOTES}.get(
            name.split("/")[0], Outcome.CLEAN
        )
        assert verdict.outcome is wanted, "\n".join(as_lines(verdict, name))
