"""Files at a hub looked into from afar: what a look costs whatever their form, and servers that lie."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sdkeep.demo.exchange import Request, Response, file_response
from sdkeep.demo.server import Fault, Trouble
from sdkeep.ground.events import Stop
from tests.actions.test_scan import EVIL_VALUE, serving
from tests.makers.sparse import full_ema, sparse_checkpoint
from tests.makers.torchfiles import EVIL, mapping, pickled, saved, storage, tensor
from tests.makers.zips import Rec, make_zip
from tests.world import World

GIB = 1 << 30
MOST_BYTES, MOST_REQUESTS = 1 << 20, 12


def safetensors(path: Path, evil: bytes) -> Path:
    """An SD 1.x checkpoint with EMA whose numbers are holes."""
    at, entries = 0, {}
    for name, shape in full_ema(8 * GIB).items():
        size = 4 * _count(shape)
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    head = json.dumps(entries).encode()
    head += b" " * (-len(head) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        os.ftruncate(file.fileno(), 8 + len(head) + at)
    return path


def legacy(path: Path, evil: bytes) -> Path:
    """The same as torch saved it before version 1.6: five pickles, then every storage behind its length."""
    tensors = full_ema(8 * GIB)
    parts = {
        name: tensor(storage(str(place), numel=_count(shape)), shape, _strides(shape))
        for place, (name, shape) in enumerate(tensors.items())
    }
    body = pickled(mapping(**parts, **({"more": evil} if evil else {})))
    keys = [str(place) for place in range(len(tensors))]
    front = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    with path.open("wb") as file:
        file.write(b"".join(pickle.dumps(one, 2) for one in front) + body + pickle.dumps(keys, 2))
        for shape in tensors.values():
            file.write(struct.pack("<q", _count(shape)))
            file.seek(4 * _count(shape), os.SEEK_CUR)
        os.ftruncate(file.fileno(), file.tell())
    return path


def torch_zip(path: Path, evil: bytes) -> Path:
    return sparse_checkpoint(path, full_ema(8 * GIB), evil)


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_count(shape[place + 1 :]) for place in range(len(shape)))


FORMS: list[tuple[Callable[[Path, bytes], Path], bytes, str]] = [
    (torch_zip, b"", "clean"),
    (torch_zip, EVIL_VALUE, "dangerous"),
    (legacy, b"", "clean"),
    (legacy, EVIL_VALUE, "dangerous"),
    (safetensors, b"", "clean"),
]


@pytest.mark.parametrize(("make", "evil", "outcome"), FORMS)
def test_a_look_at_eight_gigabytes_costs_a_mebibyte_in_every_form(
    world: World, tmp_path: Path, make: Callable[[Path, bytes], Path], evil: bytes, outcome: str
) -> None:
    path = make(tmp_path / "big.bin", evil)
    assert path.stat().st_size > 7.9 * GIB
    (seen,) = world.json("scan", serving(world.civitai_server, "/big.bin", path)).data
    assert seen["verdict"]["outcome"] == outcome
    assert seen["verdict"]["basis"] == "ranges"
    assert seen["verdict"]["unread"] or make is safetensors
    assert (seen["glance"]["identity"]["kind"], seen["glance"]["identity"]["family"]) == ("checkpoint", "sd1")
    hits = [hit for hit in world.civitai_server.hits if hit.path == "/big.bin"]
    assert len(hits) <= MOST_REQUESTS
    assert sum(hit.sent for hit in hits) <= MOST_BYTES


LIES = {
    "ranges that begin elsewhere": Fault(Trouble.WRONG_RANGE, "/big.bin", times=None),
    "ranges of a longer file": Fault(Trouble.WRONG_TOTAL, "/big.bin", times=None, after=1),
    "several parts": Fault(Trouble.MULTIPART, "/big.bin", times=None),
    "compressed": Fault(Trouble.GZIP, "/big.bin", times=None),
    "another file from the second answer on": Fault(Trouble.CHANGED, "/big.bin", times=None, after=1),
    "nothing fits": Fault(Trouble.NOT_SATISFIABLE, "/big.bin", times=None),
    "the whole file each time": Fault(Trouble.IGNORE_RANGE, "/big.bin", times=None),
    "a login page": Fault(Trouble.LOGIN_PAGE, "/big.bin", times=None),
    "an error in JSON": Fault(Trouble.JSON_ERROR, "/big.bin", times=None),
    "cut answers": Fault(Trouble.CUT, "/big.bin", times=None, at=100),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_gets_no_clean_answer_and_no_more_than_a_look(
    world: World, tmp_path: Path, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stop, "wait", lambda _self, _seconds: None)
    path = torch_zip(tmp_path / "big.bin", b"")
    url = serving(world.civitai_server, "/big.bin", path)
    world.civitai_server.misbehave(LIES[lie])
    result = world.json("scan", url)
    assert result.status != 0
    assert all(one["verdict"]["outcome"] != "clean" for one in result.data or [])
    hits = [hit for hit in world.civitai_server.hits if hit.path == "/big.bin"]
    assert len(hits) <= MOST_REQUESTS
    assert not world.blobs()


def test_what_a_look_calls_clean_is_scanned_again_when_it_comes(world: World) -> None:
    """The server shows one file to who looks and sends another, of the same length, to who fetches."""
    good = saved({"weight": torch.zeros(400_000)})
    bad = make_zip([Rec("a/data.pkl", EVIL), Rec("a/data/0", bytes(len(good) - 400))])
    bad += bytes(len(good) - len(bad))
    seen: list[str] = []
    honest = [99]

    def two_faced(request: Request) -> Response | None:
        if request.path != "/face.pt":
            return None
        seen.append(request.headers.get("range", ""))
        return file_response(good if len(seen) <= honest[0] else bad, request)

    world.civitai_server.route(two_faced)
    url = world.civitai_server.url + "/face.pt"
    assert world.json("scan", url).data[0]["verdict"]["outcome"] == "clean"
    for honest[0] in range(4):  # however many of the answers to `get` are the good file's
        seen.clear()
        fetched = world.json("get", url, "--no-place", "--no-preview")
        assert fetched.status in (1, 2, 3), seen
        assert not world.blobs()
