"""The sample world: what the tour shows must be so, and no file in it may run anything while it is made."""

from __future__ import annotations

import io
import sys

import pytest

from sdkeep.audit.judge import judge
from sdkeep.demo.assembling import calling, safetensors, torch_zip
from sdkeep.demo.samples import MALICIOUS_FILE, SENTENCE, World, sample_world
from sdkeep.demo.server import Request
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.formats.source import BytesSource
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.verdict import Outcome


@pytest.fixture(scope="module")
def world() -> World:
    return sample_world()


def data(world: World, file: int) -> bytes:
    found = world.civitai.files[file]
    assert isinstance(found, bytes)
    return found


def test_two_worlds_are_the_same_bytes(world: World) -> None:
    assert sample_world().civitai.files == world.civitai.files


@pytest.mark.parametrize(
    ("file", "kind", "outcome"),
    [
        (3001, Kind.CHECKPOINT, Outcome.CLEAN),
        (3002, Kind.LORA, Outcome.CLEAN),
        (MALICIOUS_FILE, Kind.CHECKPOINT, Outcome.DANGEROUS),
    ],
)
def test_each_sample_is_what_the_tour_says(world: World, file: int, kind: Kind, outcome: Outcome) -> None:
    contents = look(BytesSource(data(world, file)))
    assert (identify(contents).kind, identify(contents).family) == (kind, Family.SD1)
    assert judge(contents).outcome is outcome
    assert not contents.flaws


def test_the_malicious_sample_would_print_its_sentence(world: World) -> None:
    found = [one for one in judge(look(BytesSource(data(world, MALICIOUS_FILE)))).findings if one.opcode == "REDUCE"]
    assert [(one.callable, SENTENCE in one.arguments) for one in found] == [("os.system", True)]


def test_the_hub_itself_calls_the_malicious_sample_fine(world: World) -> None:
    answer = world.civitai(Request("GET", "/api/v1/models/1003", headers={"host": "127.0.0.1"}))
    assert answer is not None
    assert b'"pickleScanResult": "Success"' in answer.read(0, answer.size)


def test_torch_itself_reads_the_zip_that_was_put_together_here() -> None:
    torch = pytest.importorskip("torch")
    header = {"a.weight": (3, 5), "b": (7,), "scale": ()}
    loaded = torch.load(io.BytesIO(torch_zip(header, wrapper="state_dict")), weights_only=True)
    assert {name: tuple(tensor.shape) for name, tensor in loaded["state_dict"].items()} == header
    assert loaded["state_dict"]["b"].dtype == torch.float16


def test_the_reference_library_reads_the_safetensors_that_were_put_together_here() -> None:
    reference = pytest.importorskip("safetensors.numpy")
    loaded = reference.load(safetensors({"a": (3, 5), "b": ()}, {"who": "me"}))
    assert {name: array.shape for name, array in loaded.items()} == {"a": (3, 5), "b": ()}


def test_a_call_is_only_spelt_while_a_file_is_made() -> None:
    module = "sdkeep_no_such_module"
    data = torch_zip({"a": (2,)}, before=calling(module, "run", "now"))
    assert module.encode() in data
    assert module not in sys.modules
