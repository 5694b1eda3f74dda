"""Downloads that are cut anywhere, killed, interrupted, raced, and out of room: the bytes are right or not there."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.demo.server import Fault, SampleServer, Trouble, file_response
from sdkeep.net.client import Web
from sdkeep.net.journal import load
from sdkeep.net.transfer import TransferOptions, Wanted, transfer
from tests.net.conftest import DATA, HASTE, SHA256, Fetch

ROOT = Path(__file__).parents[2]
SMALL = DATA[:60_001]

CUTS = st.lists(
    st.tuples(
        st.sampled_from([Trouble.CUT, Trouble.RESET, Trouble.NO_LENGTH, Trouble.WRONG_RANGE, Trouble.IGNORE_RANGE]),
        st.integers(1, len(SMALL)),
    ),
    max_size=12,
)


def test_whatever_is_cut_wherever_the_bytes_are_the_same(web: Web) -> None:
    with SampleServer() as server:
        server.route(lambda request: file_response(SMALL, request))

        @settings(max_examples=40)
        @given(cuts=CUTS, connections=st.integers(1, 4), published=st.booleans())
        def check(cuts: list[tuple[Trouble, int]], connections: int, published: bool) -> None:
            server.behave()
            server.misbehave(*(Fault(trouble, after=n, at=at) for n, (trouble, at) in enumerate(cuts)))
            options = TransferOptions(
                retry=replace(HASTE, attempts=50), connections=connections, split_from=8192, grain=4096, reserve=0
            )
            sha256 = hashlib.sha256(SMALL).hexdigest() if published else None
            with tempfile.TemporaryDirectory() as folder:
                wanted = Wanted(server.url + "/small", size=len(SMALL), sha256=sha256)
                assert transfer(web, wanted, Path(folder), options=options).path.read_bytes() == SMALL

        check()


def start(server: SampleServer, staging: Path, lock_wait: float = 0, path: str = "/file") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.net.fetching", server.url + path, SHA256, str(staging), str(lock_wait)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_bytes(server: SampleServer, more: int, process: subprocess.Popen[str]) -> None:
    goal = sum(hit.sent for hit in server.hits) + more
    deadline = time.monotonic() + 20
    while sum(hit.sent for hit in server.hits) < goal and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def killed_again_and_again(server: SampleServer, staging: Path, times: int) -> None:
    server.misbehave(Fault(Trouble.SLOW, times=None, seconds=0.02))
    dice = random.Random(times)
    for _ in range(times):
        process = start(server, staging)
        wait_for_bytes(server, dice.randrange(10_000, 2 * len(DATA) // times), process)
        process.kill()
        process.communicate()
    server.behave()


def test_16_killed_at_any_moment_the_next_run_resumes(fetch: Fetch, server: SampleServer, staging: Path) -> None:
    killed_again_and_again(server, staging, 3)
    journal = load(staging / f"{SHA256}.json")
    assert journal is not None
    for begin, end in journal.done:
        with (staging / f"{SHA256}.part").open("rb") as file:
            file.seek(begin)
            assert file.read(end - begin) == DATA[begin:end]
    fetched = fetch()
    assert fetched.path.read_bytes() == DATA
    assert fetched.resumed_from > 0


@pytest.mark.slow
def test_16_killed_forty_times(fetch: Fetch, server: SampleServer, staging: Path) -> None:
    killed_again_and_again(server, staging, 40)
    assert fetch().path.read_bytes() == DATA


def test_21_two_processes_fetch_it_once_and_both_have_it(server: SampleServer, staging: Path) -> None:
    server.misbehave(Fault(Trouble.SLOW, times=None, seconds=0.002))
    both = [start(server, staging, lock_wait=30) for _ in range(2)]
    outputs = [process.communicate(timeout=30)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert all(words[:2] == [str(len(DATA)), SHA256] for words in outputs)
    assert sorted(words[2] for words in outputs) == ["0", str(len(DATA))]
    whole = len(DATA) + 4 * 512 * 1024  # what sockets held when a part was split
    assert sum(hit.sent for hit in server.hits) <= whole


def test_22_the_lock_of_a_killed_process_does_not_stay(fetch: Fetch, server: SampleServer, staging: Path) -> None:
    server.misbehave(Fault(Trouble.STALL, at=100_000, seconds=30))
    process = start(server, staging)
    wait_for_bytes(server, 90_000, process)
    process.kill()
    process.communicate()
    assert fetch().path.read_bytes() == DATA


def test_23_an_interrupted_process_leaves_within_a_second_and_is_resumed(
    fetch: Fetch, server: SampleServer, staging: Path
) -> None:
    server.misbehave(Fault(Trouble.SLOW, times=None, seconds=0.05))
    process = start(server, staging)
    wait_for_bytes(server, 200_000, process)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - begun < 3
    server.behave()
    fetched = fetch()
    assert fetched.path.read_bytes() == DATA
    assert fetched.resumed_from >= 100_000


def small_disk(folder: Path, size: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where `folder` is a disk of `size`, in a mount name space of its own."""
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && "$@"; status=$?; ls "$0"; exit $status'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(folder), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_19_a_disk_that_fills_up_on_the_way_is_told_and_the_part_is_kept(server: SampleServer, tmp_path: Path) -> None:
    if shutil.which("unshare") is None or small_disk(tmp_path, "1m", ["true"]).returncode:
        pytest.skip("no small disk can be mounted here")
    server.misbehave(Fault(Trouble.IGNORE_RANGE, times=None), Fault(Trouble.NO_LENGTH, times=None))
    command = [sys.executable, "-m", "tests.net.fetching", server.url + "/file", SHA256, str(tmp_path), "0"]
    done = small_disk(tmp_path, "512k", command)
    assert (done.returncode, done.stderr.strip()) == (2, "disk-full")
    assert f"{SHA256}.part" in done.stdout
    assert len(server.hits) == 1


@pytest.mark.slow
@pytest.mark.parametrize("call", ["fdatasync", "fsync", "pwrite64", "rename"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_20_a_disk_error_is_told_and_nothing_unwritten_is_vouched_for(
    fetch: Fetch, server: SampleServer, staging: Path, call: str, nth: int
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not here to make a call fail")
    server.misbehave(Fault(Trouble.SLOW, times=None, seconds=0.01))
    inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error=EIO:when={nth}"]
    command = [sys.executable, "-m", "tests.net.fetching", server.url + "/file", SHA256, str(staging), "0"]
    done = subprocess.run([*inject, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "store")
    server.behave()
    assert fetch().path.read_bytes() == DATA
