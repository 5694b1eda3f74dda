"""The guided tour, as a newcomer runs it: in a process of its own, with a home that must stay untouched."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from sdkeep.demo.samples import SENTENCE
from sdkeep.demo.stage import DOWNLOADED, WEBUI, staged
from sdkeep.demo.tour import STEPS, Played, tour

SDKEEP = [sys.executable, "-m", "sdkeep"]


@dataclass(frozen=True)
class Place:
    """Folders for one run: `home` is the person's, `temporary` where the tour may play."""

    home: Path
    temporary: Path
    environ: dict[str, str]

    def demo(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*SDKEEP, "demo", *options],
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


def _place(folder: Path) -> Place:
    home, temporary = folder / "person", folder / "temporary"
    home.mkdir()
    temporary.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SDKEEP_")}
    environ |= {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}
    environ |= {"HOME": str(home), "USERPROFILE": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environ |= {"HF_TOKEN": "hf_never_to_be_shown", "HTTPS_PROXY": "http://127.0.0.1:9", "SDKEEP_NSFW": "nonsense"}
    return Place(home, temporary, environ)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return _place(tmp_path_factory.mktemp("tour"))


@pytest.fixture(scope="module")
def told(place: Place) -> subprocess.CompletedProcess[str]:
    """The tour, taken once for all the tests that only read what it said."""
    return place.demo("--keep")


@pytest.fixture(scope="module")
def root(place: Place, told: subprocess.CompletedProcess[str]) -> Path:
    """The folder that the tour left."""
    assert told.returncode == 0, told.stdout + told.stderr
    (found,) = place.temporary.glob("sdkeep-demo-*")
    return found


def test_every_step_is_shown_as_it_is_typed_and_explained(told: subprocess.CompletedProcess[str]) -> None:
    assert told.returncode == 0, told.stdout + told.stderr
    typed = [line.removeprefix("$ ") for line in told.stdout.splitlines() if line.startswith("$ ")]
    assert typed == [step.line for step in STEPS]
    assert told.stdout.count("\n  -> ") == len(STEPS)
    assert "the tour ends here" not in told.stdout + told.stderr


@pytest.mark.parametrize(
    "fact",
    [
        "Paper Lantern",
        "15 tensors copied to safetensors",
        "the published SHA-256 is confirmed",
        "<lora:paper_lantern:0.8>",
        "GLOBAL os.system",
        "is dangerous, by a look before the download",
        "17 tensors copied to safetensors",
        "safetensors can hold no code",
        "converted-from ",
        "trained-on ",
        "copies are sound",
        "sdkeep doctor",
    ],
)
def test_the_tour_shows(told: subprocess.CompletedProcess[str], fact: str) -> None:
    assert fact in told.stdout


def test_the_malicious_file_ran_nowhere(told: subprocess.CompletedProcess[str]) -> None:
    lines = [line for line in (told.stdout + told.stderr).splitlines() if SENTENCE in line]
    assert lines, "the evidence quotes the sentence"
    assert all("echo" in line for line in lines), "as an argument, never as the output of the command"


def test_little_of_the_malicious_file_was_read_to_refuse_it(told: subprocess.CompletedProcess[str]) -> None:
    said = re.search(r"Refused before the download: (\d+) KiB of its ([\d.]+) MiB", told.stdout)
    assert said
    assert int(said[1]) < 1024 < float(said[2]) * 1024


def test_nothing_is_written_outside_the_throw_away_home(place: Place, root: Path) -> None:
    assert list(place.home.rglob("*")) == []
    assert list(place.temporary.iterdir()) == [root]


def test_no_token_and_no_setting_of_the_person_gets_in(told: subprocess.CompletedProcess[str], root: Path) -> None:
    assert "hf_never_to_be_shown" not in told.stdout + told.stderr
    assert b"hf_never_to_be_shown" not in (root / "home" / "registry.db").read_bytes()
    assert "nonsense" not in told.stdout + told.stderr


def test_the_webui_has_only_safetensors(root: Path) -> None:
    models = [path for path in (root / WEBUI / "models").rglob("*") if path.suffix in (".safetensors", ".ckpt", ".pt")]
    assert {path.suffix for path in models} == {".safetensors"}
    assert len(models) == 4
    assert (root / DOWNLOADED).is_file(), "what lay in the downloads was looked at, not taken"


def test_a_kept_folder_can_be_looked_around_in(place: Place, told: subprocess.CompletedProcess[str]) -> None:
    exported = dict(re.findall(r"^  export (\w+)=(\S+)$", told.stdout, re.MULTILINE))
    assert {"SDKEEP_HOME", "SDKEEP_CONFIG"} <= exported.keys()
    listed = subprocess.run(
        [*SDKEEP, "ls", "-q"],
        env={**place.environ, **exported, "SDKEEP_NSFW": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "paper-lantern" in listed.stdout.split()


def test_as_json_it_is_one_document_and_the_folder_goes(tmp_path: Path) -> None:
    place = _place(tmp_path)
    done = place.demo("--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], done.stderr) == (0, True, "")
    steps = document["data"]["steps"]
    assert [(one["name"], one["status"], one["ok"]) for one in steps] == [(s.name, s.expected, True) for s in STEPS]
    assert [one["command"] for one in steps] == [step.line for step in STEPS]
    assert f"{WEBUI}/models/Lora/paper_lantern.safetensors" in document["data"]["files"]
    assert list(place.temporary.iterdir()) == []


def test_the_hubs_stay_open_until_interrupted(tmp_path: Path) -> None:
    place = _place(tmp_path)
    process = subprocess.Popen(
        [*SDKEEP, "demo", "--serve"], cwd=place.home, env=place.environ, stdout=subprocess.PIPE, text=True
    )
    try:
        exported = dict(_exports(process))
        with urlopen(exported["SDKEEP_CIVITAI_URL"] + "/api/v1/models/1002") as answer:
            assert json.load(answer)["name"] == "Paper Lantern"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
    assert list(place.temporary.iterdir()) == []


def _exports(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    for line in process.stdout:
        name, _, value = line.strip().removeprefix("export ").partition("=")
        yield name, value
        if name == "PYTHON_KEYRING_BACKEND":
            return


def test_the_tour_ends_with_the_first_step_that_goes_wrong() -> None:
    wrong = STEPS[2]
    events = list(tour(_failing(wrong.command), clock=lambda: 0.0))
    played = [event for event in events if isinstance(event, Played)]
    assert [one.ok for one in played] == [True, True, False]
    assert (played[-1].name, played[-1].status, played[-1].output) == (wrong.name, 7, "said")


def _failing(command: tuple[str, ...]) -> Callable[[tuple[str, ...]], tuple[int, str]]:
    return lambda arguments: (7, "said") if arguments == command else (0, "")


def test_a_stage_keeps_tokens_settings_and_proxies_of_the_person_out() -> None:
    around = {"PATH": "/bin", "HF_TOKEN": "x", "Https_Proxy": "p", "CIVITAI_TOKEN": "x", "SDKEEP_UI": "u", "LANG": "C"}
    with staged() as stage:
        environment = stage.environment(around)
        assert stage.root.is_dir()
    assert environment == {"PATH": "/bin", "LANG": "C", **stage.own}
    assert not stage.root.exists()
