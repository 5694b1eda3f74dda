"""Advisories whose files are not public, or that are about what loads a pickle: what their fixes refuse is refused."""

from __future__ import annotations

import _pickle
import pickle

import pytest

from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome
from tests.makers.pickles import Assembler, assemble, calling
from tests.makers.zips import Rec, make_zip

CODE = "__import__('os').system('id')"

REFUSED_SINCE_THE_FIX: tuple[tuple[str, tuple[str | bytes | int | None, ...]], ...] = (
    ("ctypes:CDLL", (None,)),
    ("ctypes:WinDLL", ("kernel32",)),
    ("ctypes:PyDLL", (None,)),
    ("ctypes:memmove", (0, 0, 8)),
    ("ctypes.util:find_library", ("c",)),
    ("distutils.file_util:write_file", ("sitecustomize.py", CODE)),
    ("distutils.file_util:copy_file", ("a", "b")),
    ("distutils.file_util:move_file", ("a", "b")),
    ("numpy.f2py:compile", (CODE,)),
    ("numpy.f2py.crackfortran:getlincoef", (CODE, "")),
    ("numpy.f2py.crackfortran:_eval_length", (CODE, None)),
    ("numpy.f2py.crackfortran:_eval_scalar", (CODE, None)),
    ("numpy.f2py.crackfortran:myeval", (CODE,)),
    ("numpy.f2py.crackfortran:param_eval", (CODE,)),
    ("numpy.f2py.diagnose:run_command", ("id",)),
    ("operator:attrgetter", ("system",)),
    ("operator:itemgetter", ("system",)),
    ("operator:methodcaller", ("system", "id")),
    ("pty:spawn", ("/bin/sh",)),
    ("pydoc:locate", ("os.system",)),
    ("pydoc:pipepager", ("text", "id")),
    ("pydoc:tempfilepager", ("text", "id")),
)
"""What picklescan began to refuse on 2025-12-26, in the change that names this advisory and ten of the others."""


@pytest.mark.parametrize(
    ("dotted", "arguments"),
    REFUSED_SINCE_THE_FIX,
    ids=[f"GHSA-x843-g5mx-g377-{dotted}" for dotted, _ in REFUSED_SINCE_THE_FIX],
)
def test_what_the_fix_of_a_denylist_refuses_is_dangerous(
    dotted: str, arguments: tuple[str | bytes | int | None, ...]
) -> None:
    data = calling(dotted, *arguments)
    assert scan(BytesSource(data, "model.pkl")).outcome is Outcome.DANGEROUS
    inside = make_zip([Rec("archive/data.pkl", data), Rec("archive/version", b"3\n")])
    assert scan(BytesSource(inside, "model.ckpt")).outcome is Outcome.DANGEROUS


THREE_ZERO_DAYS = {
    "wrong-extension": (calling("os:system", "id"), "pytorch_model.bin"),
    "checksum": (make_zip([Rec("archive/data.pkl", calling("os:system", "id"), crc=7)]), "model.pt"),
    "module-below-a-listed-one": (
        calling("asyncio.unix_events:_UnixSubprocessTransport._start", None, "id"),
        "model.pkl",
    ),
}


@pytest.mark.parametrize("case", THREE_ZERO_DAYS, ids=lambda case: f"GHSA-gx77-x2pv-48v7-{case}")
def test_each_of_the_three_published_together_is_dangerous(case: str) -> None:
    data, name = THREE_ZERO_DAYS[case]
    assert scan(BytesSource(data, name)).outcome is Outcome.DANGEROUS


def _popen() -> bytes:
    """`subprocess.Popen(["echo", "BYPASS"])`, as the advisory's reproduction pickles it."""
    listed = Assembler().empty_list().mark().short("echo").short("BYPASS").raw(b"e")
    return assemble().short("subprocess").short("Popen").stack_global().raw(bytes(listed.code)).tuple1().reduce().stop()


ENTRY_POINTS = (
    (pickle, "load"),
    (pickle, "loads"),
    (pickle, "Unpickler"),
    (pickle, "_load"),
    (pickle, "_loads"),
    (pickle, "_Unpickler"),
    (_pickle, "load"),
    (_pickle, "loads"),
    (_pickle, "Unpickler"),
)


@pytest.mark.parametrize(
    "data",
    [_popen(), calling("os:system", "echo")],
    ids=["GHSA-wccx-j62j-r448", "GHSA-fphw-536r-4p88"],
)
def test_no_entry_point_that_a_hook_forgets_matters_to_a_reader_of_bytes(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(*_: object, **__: object) -> None:
        raise AssertionError("pickle was asked to load")

    for module, name in ENTRY_POINTS:
        monkeypatch.setattr(module, name, reached)
    assert scan(BytesSource(data, "model.pkl")).outcome is Outcome.DANGEROUS
