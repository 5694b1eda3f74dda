"""Artifacts: what goes in comes out, and nothing known is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from sdkeep.catalogue.book import Book
from sdkeep.ground.digest import DIGITS, Digest, DigestKind
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.kinds import Family, Kind, NsfwLevel
from sdkeep.ground.record import Artifact
from tests.makers import records
from tests.makers.records import artifact, noon, sha

once = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@once
@given(records.artifacts)
def test_an_artifact_comes_back_as_it_went_in(path: Path, given_artifact: Artifact) -> None:
    with Book.open(path, noon) as book:
        book.forget(given_artifact.sha256 or "")
        put = book.put_artifact(given_artifact)
        found = book.artifact(put.sha256 or "")
    assert found == put == replace(given_artifact, name=put.name)


def test_a_known_fact_is_not_replaced_by_not_knowing(book: Book) -> None:
    first = artifact(1, kind=Kind.LORA, family=Family.SDXL, trigger_words=("ohwx",), origin="civitai:1@2")
    book.put_artifact(first)
    again = book.put_artifact(Artifact(sha(1), "", "found-on-disk.safetensors", size=7))
    assert again.kind is Kind.LORA
    assert again.trigger_words == ("ohwx",)
    assert again.origin == "civitai:1@2"
    assert (again.file_name, again.size) == ("found-on-disk.safetensors", 7)


def test_a_better_fact_replaces_the_old_one(book: Book) -> None:
    book.put_artifact(artifact(1, kind=Kind.LORA))
    assert book.put_artifact(artifact(1, kind=Kind.LYCORIS)).kind is Kind.LYCORIS


def test_a_milder_level_never_replaces_a_stricter_one(book: Book) -> None:
    book.put_artifact(artifact(1, level=NsfwLevel.R))
    assert book.put_artifact(artifact(1)).level is NsfwLevel.R
    assert book.put_artifact(artifact(1, level=NsfwLevel.XXX)).level is NsfwLevel.XXX


def test_the_time_of_the_first_record_stays(book: Book) -> None:
    assert book.put_artifact(artifact(1, added="")).added == "2026-07-13T12:00:00Z"
    assert book.put_artifact(artifact(1, added="2030-01-01T00:00:00Z")).added == "2026-07-13T12:00:00Z"


def test_a_parent_known_only_by_label_is_one_row_without_sha256(book: Book) -> None:
    label = Artifact(None, "sd-v1-5", "", title="Stable Diffusion v1.5")
    assert book.put_artifact(label).name == "sd-v1-5"
    assert book.put_artifact(label).name == "sd-v1-5"
    assert book.list().items == ()


@pytest.mark.parametrize("kind", [DigestKind.AUTOV1, DigestKind.CRC32, DigestKind.BLAKE3, DigestKind.AUTOV3])
def test_an_artifact_is_found_by_any_of_its_digests(book: Book, kind: DigestKind) -> None:
    value = Digest(kind, "ab12" * (DIGITS[kind] // 4))
    book.put_artifact(artifact(1, digests=(value,)))
    assert [found.name for found in book.by_digest(value)] == ["model-1"]


def test_an_artifact_is_found_by_the_start_of_its_sha256_even_when_nobody_recorded_it(book: Book) -> None:
    book.put_artifact(artifact(1))
    assert book.by_digest(Digest(DigestKind.AUTOV2, sha(1)[:10]))[0].sha256 == sha(1)
    assert book.by_digest(Digest(DigestKind.SHA256, sha(1)))[0].sha256 == sha(1)
    assert book.by_digest(Digest(DigestKind.SHA256, sha(2))) == ()


def test_a_computed_digest_comes_before_a_claimed_one(book: Book) -> None:
    shared = Digest(DigestKind.AUTOV1, "deadbeef")
    book.put_artifact(artifact(1))
    book.put_artifact(artifact(2, digests=(shared,)))
    book.add_digests(sha(1), [shared], ours=False)
    assert [found.name for found in book.by_digest(shared)] == ["model-2", "model-1"]
    assert book.digests_of(sha(1)) == ()
    assert book.digests_of(sha(1), claimed=True) == (shared,)


def test_a_claim_never_takes_a_computed_digest_away(book: Book) -> None:
    ours = Digest(DigestKind.CRC32, "00000001")
    book.put_artifact(artifact(1, digests=(ours,)))
    book.add_digests(sha(1), [ours], ours=False)
    assert book.digests_of(sha(1)) == (ours,)


def test_a_forgotten_artifact_leaves_nothing_behind(book: Book) -> None:
    book.put_artifact(artifact(1, digests=(Digest(DigestKind.CRC32, "00000001"),)))
    book.put_blob(sha(1), "/root", 5)
    assert book.forget(sha(1))
    assert not book.forget(sha(1))
    assert book.artifact(sha(1)) is None
    assert book.search("model") == ()
    assert book.check() == ()
    assert book.stats().blobs == 0


def test_bytes_that_nobody_recorded_are_named_in_the_error(book: Book) -> None:
    with pytest.raises(NotFoundHere, match=sha(9)):
        book.put_blob(sha(9), "/root", 1)
