"""Releases: restored exactly, linked to what they became."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from sdkeep.catalogue.book import Book
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.model import Release, RemoteFile
from tests.makers import records
from tests.makers.records import artifact, noon, release, sha


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(records.releases)
def test_a_release_comes_back_as_it_went_in(path: Path, given_release: Release) -> None:
    with Book.open(path, noon) as book:
        book.put_release(given_release)
        found = book.releases_for_model(given_release.hub, given_release.model_id)
    assert next(one for one in found if one.id == given_release.id) == given_release


def test_an_artifact_leads_to_its_release_and_back(book: Book) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1))
    assert book.release_of(sha(1)) is None
    book.link_file(sha(1), "civitai", "128713", "9001")
    assert book.release_of(sha(1)) == release()
    assert [found.sha256 for found in book.by_origin("civitai", "128713")] == [sha(1)]
    assert book.by_origin("huggingface", "128713") == ()


def test_a_fresh_answer_of_the_hub_replaces_the_old_one_and_keeps_the_link(book: Book) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1))
    book.link_file(sha(1), "civitai", "128713", "9001")
    fresh = replace(release(), description="new", files=(RemoteFile("7", "vae.pt", "u"), *release().files))
    book.put_release(fresh)
    assert book.release_of(sha(1)) == fresh
    assert len(book.releases_for_model("civitai", "4384")) == 1


def test_a_file_that_the_hub_dropped_keeps_its_artifact_linked(book: Book) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1))
    book.link_file(sha(1), "civitai", "128713", "9001")
    book.put_release(release(files=()))
    assert book.release_of(sha(1)) == release(files=())
    book.put_release(release())
    assert book.release_of(sha(1)) == release()


def test_forgetting_an_artifact_leaves_the_release(book: Book) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1))
    book.link_file(sha(1), "civitai", "128713", "9001")
    book.forget(sha(1))
    assert book.releases_for_model("civitai", "4384") == (release(),)
    assert book.by_origin("civitai", "128713") == ()


def test_two_repositories_may_share_a_revision(book: Book) -> None:
    for repo in ("one/x", "two/x"):
        book.put_release(release(repo, "main", hub="huggingface"))
    assert [found.model_id for found in book.releases_for_model("huggingface", "one/x")] == ["one/x"]


def test_a_size_that_no_file_has_is_survived(book: Book) -> None:
    book.put_release(release(files=(RemoteFile("1", "x", "u", size=10**30),)))
    assert book.releases_for_model("civitai", "4384")[0].files[0].size == 2**63 - 1


@pytest.mark.parametrize(("release_id", "file_id"), [("128713", "nope"), ("nope", "9001")])
def test_linking_to_an_unknown_file_is_an_error(book: Book, release_id: str, file_id: str) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1))
    with pytest.raises(NotFoundHere):
        book.link_file(sha(1), "civitai", release_id, file_id)
