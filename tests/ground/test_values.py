"""Vocabularies, verdicts, events, models: the small promises of each."""

from __future__ import annotations

import threading

import pytest

from sdkeep.ground.digest import Digest
from sdkeep.ground.events import Ended, Event, Moved, Started, Stop, Stopped, silent, stage
from sdkeep.ground.kinds import Family, Kind, NsfwLevel
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.ref import parse
from sdkeep.ground.verdict import Basis, Outcome, Verdict, worst


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LORA", "lora"),
        ("text_encoder", "text-encoder"),
        ("IP Adapter", "ip-adapter"),
        ("surprise", "unknown"),
        (None, "unknown"),
    ],
)
def test_unknown_outside_words_become_unknown(text: str | None, kind: str) -> None:
    assert Kind.of(text) == kind


def test_families_are_spelt_as_documented() -> None:
    assert Family.of("SDXL_refiner") is Family.SDXL_REFINER


def test_levels_are_a_ladder() -> None:
    assert [level.rank for level in NsfwLevel] == [0, 1, 2, 3, 4]


def test_outcomes_are_ordered_and_give_the_exit_status() -> None:
    assert [o.status for o in Outcome] == [0, 0, 2, 2, 2, 1, 1]
    assert [o for o in Outcome if o.placeable] == [Outcome.CLEAN, Outcome.CLEAN_WITH_NOTES]
    assert worst([Outcome.CLEAN, Outcome.DANGEROUS, Outcome.MALFORMED]) is Outcome.DANGEROUS
    assert worst([]) is Outcome.CLEAN


def test_ranges_never_clear_a_file() -> None:
    assert Verdict(Outcome.CLEAN, "torch-zip").placeable
    assert not Verdict(Outcome.CLEAN, "torch-zip", basis=Basis.RANGES).placeable


def test_a_stage_reports_its_end_even_when_it_breaks() -> None:
    heard: list[Event] = []
    with pytest.raises(RuntimeError), stage(heard.append, "j", "work", 3, "steps") as step:
        step(1)
        raise RuntimeError
    assert heard == [Started("j", "work", 3, "steps"), Moved("j", 1), Ended("j")]
    silent(heard[0])


def test_a_stop_token_wakes_who_waits() -> None:
    stop = Stop()
    stop.check()
    stop.wait(0)
    threading.Timer(0.01, stop.ask).start()
    with pytest.raises(Stopped):
        stop.wait(30)
    assert stop.asked
    with pytest.raises(Stopped):
        stop.check()


@pytest.mark.parametrize(
    ("hub", "model", "release"),
    [("civitai", "4384", "128713"), ("huggingface", "a/b", "refs/pr/1"), ("huggingface", "a/b", "")],
)
def test_a_release_prints_the_reference_that_finds_it_again(hub: str, model: str, release: str) -> None:
    ref = parse(Release(hub, model, release, "n", "v", Kind.LORA).ref)
    assert ref.hub == hub  # type: ignore[union-attr]


def test_a_file_knows_its_published_sha256() -> None:
    digest = Digest.of("sha256", "ab" * 32)
    assert digest is not None
    assert RemoteFile("1", "x", "u", digests=(digest,)).sha256 == digest
    assert RemoteFile("1", "x", "u").sha256 is None
