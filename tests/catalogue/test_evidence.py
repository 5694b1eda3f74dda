"""Verdicts and licences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from sdkeep.catalogue.book import Book
from sdkeep.ground.licence import Licence, Use
from sdkeep.ground.verdict import Basis, Outcome, Verdict
from tests.makers import records
from tests.makers.records import artifact, noon, release, sha

once = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@once
@given(records.verdicts)
def test_a_verdict_comes_back_with_its_evidence(path: Path, verdict: Verdict) -> None:
    with Book.open(path, noon) as book:
        book.put_artifact(artifact(1))
        book.put_verdict(sha(1), verdict)
        assert book.verdict_of(sha(1)) == verdict


@once
@given(records.licences)
def test_a_licence_comes_back_as_it_was_stated(path: Path, licence: Licence) -> None:
    with Book.open(path, noon) as book:
        book.put_artifact(artifact(1))
        book.put_licence(sha(1), licence)
        assert book.licence_of(sha(1)) == licence


def test_the_last_verdict_counts_and_one_engine_has_one(book: Book) -> None:
    book.put_artifact(artifact(1))
    assert book.verdict_of(sha(1)) is None
    bad = Verdict(Outcome.DANGEROUS, "pickle", engine="1", policy="1")
    book.put_verdict(sha(1), bad)
    book.put_verdict(sha(1), replace(bad, policy="2", outcome=Outcome.CLEAN))
    assert book.verdict_of(sha(1)).outcome is Outcome.CLEAN  # type: ignore[union-attr]
    book.put_verdict(sha(1), bad)
    assert book.verdict_of(sha(1)) == bad
    assert book.stats().verdicts == 2


def test_a_verdict_from_parts_of_a_file_is_never_stored(book: Book) -> None:
    book.put_artifact(artifact(1))
    with pytest.raises(ValueError, match="never stored"):
        book.put_verdict(sha(1), Verdict(Outcome.CLEAN, "pickle", basis=Basis.RANGES))
    assert book.verdict_of(sha(1)) is None


def test_a_licence_of_the_release_serves_until_the_artifact_has_its_own(book: Book) -> None:
    published = Licence("creativeml-openrail-m", allows={Use.MERGE: True, Use.SELL_MODEL: False}, source="civitai")
    own = Licence("mit", source="metadata")
    book.put_release(release(licence=published))
    book.put_artifact(artifact(1))
    assert book.licence_of(sha(1)) is None
    book.link_file(sha(1), "civitai", "128713", "9001")
    assert book.licence_of(sha(1)) == published
    book.put_licence(sha(1), own)
    assert book.licence_of(sha(1)) == own


def test_a_source_that_changes_its_mind_is_recorded_once(book: Book) -> None:
    book.put_artifact(artifact(1))
    book.put_licence(sha(1), Licence("mit", source="card"))
    book.put_licence(sha(1), Licence("apache-2.0", source="hub"))
    book.put_licence(sha(1), Licence("cc0", source="card"))
    assert book.licence_of(sha(1)) == Licence("cc0", source="card")
