"""Real releases whose recorded answers and whose published bytes are both at hand, through the whole main job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts.transcript import REPOSITORY, Pair, opened, run

from sdkeep.demo.stage import WEBUI, Stage

pytestmark = pytest.mark.corpus
PICKLED = (".pt", ".ckpt", ".bin")


@pytest.fixture(scope="module")
def world(corpus: Path) -> Iterator[tuple[Stage, tuple[Pair, ...]]]:
    with opened(corpus) as found:
        assert run(found[0], "ui", "add", WEBUI)[0] == 0
        yield found


@pytest.fixture(scope="module")
def stage(world: tuple[Stage, tuple[Pair, ...]]) -> Stage:
    return world[0]


@pytest.fixture(scope="module")
def pairs(world: tuple[Stage, tuple[Pair, ...]]) -> tuple[Pair, ...]:
    return world[1]


@pytest.fixture(scope="module")
def got(stage: Stage, pairs: tuple[Pair, ...]) -> list[dict[str, Any]]:
    """The files of all three releases, each asked for in another form."""
    refs = [pair.forms[at][1] for at, pair in enumerate(pairs)]
    return [one["files"][0] for one in answers(stage, "get", *refs)]


def answers(stage: Stage, *arguments: str) -> Any:
    status, output = run(stage, *arguments, "--json")
    assert status == 0, output
    return json.loads(output)["data"]


def test_every_form_of_every_release_leads_to_its_published_file(stage: Stage, pairs: tuple[Pair, ...]) -> None:
    refs = [(pair, ref) for pair in pairs for _, ref in pair.forms]
    found = answers(stage, "get", "--dry-run", *(ref for _, ref in refs))
    assert [(one["planned"][0]["file_name"], one["planned"][0]["sha256"]) for one in found] == [
        (pair.name, pair.sha256) for pair, _ in refs
    ]


def test_the_published_digest_is_confirmed_and_the_verdict_clean(got: list[dict[str, Any]]) -> None:
    assert [(file["confirmed"], file["verdict"]) for file in got] == [(True, "clean")] * 3


def test_each_is_an_sd1_embedding(got: list[dict[str, Any]]) -> None:
    assert [(file["kind"], file["family"]) for file in got] == [("embedding", "sd1")] * 3


def test_pickles_become_safetensors_with_an_edge_to_the_published_bytes(
    stage: Stage, got: list[dict[str, Any]], pairs: tuple[Pair, ...]
) -> None:
    pickles = [(file, pair) for file, pair in zip(got, pairs, strict=True) if pair.name.endswith(PICKLED)]
    assert len(pickles) == 2
    for file, pair in pickles:
        assert (file["converted_from"], file["file_name"]) == (pair.sha256, f"{Path(pair.name).stem}.safetensors")
        (shown,) = answers(stage, "show", file["name"])
        edges = [(edge["relation"], edge["parent"]["value"]) for edge in shown["parents"]]
        assert ("converted-from", pair.sha256) in edges


def test_safetensors_stay_the_published_bytes(got: list[dict[str, Any]], pairs: tuple[Pair, ...]) -> None:
    kept = [(file["sha256"], pair.sha256) for file, pair in zip(got, pairs, strict=True) if not file["converted_from"]]
    assert len(kept) == 1
    assert kept[0][0] == kept[0][1]


def test_all_lie_in_the_webui_with_sidecar_and_preview(stage: Stage, got: list[dict[str, Any]]) -> None:
    tree = stage.tree()
    for file in got:
        stem = file["file_name"].removesuffix(".safetensors")
        wanted = {f"{WEBUI}/embeddings/{stem}{end}" for end in (".safetensors", ".json", ".preview.png")}
        assert wanted <= set(tree)
        (placed,) = file["placed"]
        assert placed["path"] == str(stage.webui / "embeddings" / file["file_name"])


def test_what_is_here_is_not_fetched_again(stage: Stage, got: list[dict[str, Any]], pairs: tuple[Pair, ...]) -> None:
    before = len([hit for hit in stage.server.hits if hit.path.startswith("/signed/")])
    again = answers(stage, "get", *(f"sha256:{pair.sha256}" for pair in pairs))
    assert [one["files"][0]["already_here"] for one in again] == [True] * 3
    assert [one["files"][0]["sha256"] for one in again] == [file["sha256"] for file in got]
    assert len([hit for hit in stage.server.hits if hit.path.startswith("/signed/")]) == before


def test_a_real_lora_comes_through_hugging_face_s_redirect(stage: Stage) -> None:
    (file,) = answers(stage, "get", f"hf:{REPOSITORY}")[0]["files"]
    assert (file["kind"], file["family"], file["confirmed"]) == ("lora", "sd1", True)
    assert f"{WEBUI}/models/Lora/disney_inpainting.safetensors" in stage.tree()
    assert [hit.status for hit in stage.server.hits if "/resolve/" in hit.path] == [302]
    assert all("authorization" not in hit.headers for hit in stage.server.hits)


def test_everything_verifies(stage: Stage, got: list[dict[str, Any]]) -> None:
    status, output = run(stage, "verify")
    assert (status, "copies are sound" in output) == (0, True)
    assert len(got) == 3
