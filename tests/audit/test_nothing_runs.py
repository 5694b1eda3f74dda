"""Nothing of a file is ever run: Python's own audit hook watches while every malicious file is scanned and converted.

A first look at harmless files of every form loads what the scanner itself loads late. From then on an import, a
compiled text, a process, a socket or a file outside of the folder is told of by Python and fails the test.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import subprocess
import sys
import tarfile
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome
from tests.audit.test_advisories import TRICKS
from tests.audit.test_advisory_fixes import REFUSED_SINCE_THE_FIX
from tests.audit.test_published import BAD, FILES
from tests.formats.pickled.test_joblib import wrapped
from tests.formats.test_safetensors import blob, entry
from tests.makers.advisories import GADGETS, UNLISTED
from tests.makers.pickles import assemble, calling
from tests.makers.torchfiles import mapping, pickled, storage, tensor, torch_zip
from tests.makers.zips import Rec, deflated, make_zip

ROOT = Path(__file__).parents[2]
PACKERS = (gzip.compress, zlib.compress, bz2.compress, lzma.compress)
SYSTEM = calling("os:system", "id")


def npy(body: bytes, descr: str = "|O") -> bytes:
    words = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}".encode()
    return b"\x93NUMPY\x01\0" + (len(words) + 1).to_bytes(2, "little") + words + b"\n" + body


def tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("data.pkl")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def forms(body: bytes) -> Iterator[bytes]:
    """A pickle in every form in which a loader could come upon it."""
    yield body
    yield torch_zip(body)
    yield make_zip([deflated("a/data.pkl", body), Rec("a/version", b"3\n")])
    yield make_zip([Rec("a/data.pkl", b"\x80\x02}."), Rec("a/x.npy", npy(body)), Rec("a/y", torch_zip(body))])
    yield pickle.dumps(0x1950A86A20F9469CFC6C, 2) + b"\x80\x02M\xe9\x03.\x80\x02}." + body + b"\x80\x02]."
    yield npy(body)
    yield make_zip([Rec("x.npy", npy(body))])
    yield tar(body)
    yield wrapped(body, code="O8")
    yield from (packer(body) for packer in PACKERS)


def harmless() -> list[bytes]:
    """One file of every form, so that whatever is loaded late is loaded."""
    plain = pickled(mapping(weight=tensor(storage("0"))))
    texts = [b"a red house\n", b"a: b\n", b"<html>", b"{}", b"7z\xbc\xaf\x27\x1c" + bytes(30), b"GGUF" + bytes(30)]
    codecs = [b"\x80\x02Vword\n.", make_zip([Rec(b"a/\xff\xfe", b"cp437"), Rec("a/data.pkl", plain)])]
    return [*forms(plain), *codecs, torch_zip(plain), blob(f'{{"x":{entry()}}}'), *texts]


def malicious() -> list[bytes]:
    """Every gadget bare and beside a tensor, every trick, every published file, and a call in every form."""
    rows = [calling(dotted, *given) for _, dotted, given in (*GADGETS, *UNLISTED)]
    rows += [calling(dotted, *given) for dotted, given in REFUSED_SINCE_THE_FIX]
    beside = [torch_zip(pickled(mapping(weight=tensor(storage("0")), evil=row[2:-1]))) for row in rows]
    nested = [calling("pickle:loads", row) for row in rows]
    files = [build() for build, outcomes in FILES.values() if set(outcomes) <= set(BAD)]
    return [*rows, *beside, *nested, *TRICKS.values(), *files, *forms(SYSTEM), *forms(assemble(2).ext1(1).stop())]


PROBE = """
    import sys
    from pathlib import Path
    from sdkeep.audit.report import as_json, as_lines
    from sdkeep.audit.scan import scan
    from sdkeep.formats.cleanpt import write_clean_pt
    from sdkeep.formats.convert import plan, write_safetensors
    from sdkeep.formats.identify import identify
    from sdkeep.formats.leftovers import write_leftovers
    from sdkeep.formats.look import look
    from sdkeep.formats.payloads import checked
    from sdkeep.formats.source import FileSource
    from sdkeep.ground.errors import CannotConvert
    from sdkeep.ground.events import silent

    folder = Path(sys.argv[1])

    def take(path):
        with FileSource(path) as source:
            verdict = scan(source, full=silent)
            assert as_lines(verdict, path.name) and as_json(verdict)
            contents = look(source)
            identify(contents)
            checked(source, contents)
            out = folder / f"{path.name}.out"
            write_leftovers(contents.root, out.with_suffix(".json"))
            try:
                planned = plan(contents)
            except CannotConvert:
                return verdict, 0
            write_safetensors(source, planned, out.with_suffix(".made"))
            write_clean_pt(source, planned, out.with_suffix(".clean"))
            return verdict, 1

    for path in sorted(folder.glob("*.good")):
        take(path)
    modules = set(sys.modules)
    seen = []
    forbidden = tuple("import exec compile subprocess. socket. pickle. ctypes. shutil. marshal.".split())
    forbidden += tuple("os.system os.exec os.fork os.posix".split())

    def hook(event, args):
        if event.startswith(forbidden):
            seen.append(f"{event} {args}")
        elif event == "open" and isinstance(args[0], str) and not args[0].startswith(str(folder)):
            seen.append(f"open {args[0]}")

    sys.addaudithook(hook)
    made = count = 0
    placeable = []
    for path in sorted(folder.glob("*.bad")):
        verdict, converted = take(path)
        made, count = made + converted, count + 1
        if verdict.placeable:
            placeable.append(path.name)
    found, loaded = list(seen), set(sys.modules) - modules
    assert not found, found[:5]
    assert not loaded, loaded
    assert not placeable, placeable
    for name in "pickle torch numpy joblib pty ctypes profile idlelib pydoc runpy imaplib".split():
        assert name not in sys.modules, name
    print("quiet", count, made)
"""


def watched(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", "-c", textwrap.dedent(PROBE), str(folder)]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


def test_scanning_and_converting_malicious_files_imports_opens_and_runs_nothing(tmp_path: Path) -> None:
    for number, data in enumerate(harmless()):
        (tmp_path / f"{number:04}.good").write_bytes(data)
    bad = malicious()
    for number, data in enumerate(bad):
        (tmp_path / f"{number:04}.bad").write_bytes(data)
    done = watched(tmp_path)
    assert done.returncode == 0, done.stderr
    quiet, count, made = done.stdout.split()
    assert (quiet, int(count)) == ("quiet", len(bad))
    assert int(made) >= len(GADGETS) + len(UNLISTED)  # each lies beside a tensor, which comes out
    for path in tmp_path.glob("*.made"):
        assert scan(BytesSource(path.read_bytes())).outcome is Outcome.CLEAN


@pytest.mark.parametrize("deed", ["import gzip", "open('/etc/hosts')", "eval('1')", "import socket; socket.socket()"])
def test_the_watch_itself_would_see_it(deed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = "verdict, converted = take(path)"
    monkeypatch.setattr(f"{__name__}.PROBE", PROBE.replace(step, f"{deed}; {step}"))
    (tmp_path / "0.good").write_bytes(b"a: b\n")
    (tmp_path / "0.bad").write_bytes(SYSTEM)
    done = watched(tmp_path)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
