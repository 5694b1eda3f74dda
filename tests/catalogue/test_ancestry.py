"""Lineage: claims pile up, and a parent finds its children by whatever it was called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdkeep.catalogue.book import Book
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from tests.makers import records
from tests.makers.records import artifact, noon, release, sha


def merge_of(trust: Trust, value: str, source: str = "card") -> Edge:
    return Edge(Parent(trust, value), Relation.MERGE_OF, source, weight=0.5)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(records.edges, max_size=5, unique=True))
def test_edges_come_back_in_the_order_they_were_claimed(path: Path, edges: list[Edge]) -> None:
    with Book.open(path, noon) as book:
        book.forget(sha(1))
        book.put_artifact(artifact(1))
        book.put_edges(sha(1), edges)
        book.put_edges(sha(1), edges)
        assert book.parents_of(sha(1)) == tuple(edges)


def test_a_second_claim_stands_beside_the_first(book: Book) -> None:
    book.put_artifact(artifact(1))
    claims = [merge_of(Trust.NAME, "SD 1.5", "metadata"), merge_of(Trust.HUB_ID, "civitai:1@2", "card")]
    for claim in claims:
        book.put_edges(sha(1), [claim])
    assert book.parents_of(sha(1)) == tuple(claims)


@pytest.mark.parametrize(
    ("trust", "value"),
    [
        (Trust.SHA256, sha(1)),
        (Trust.SHA256, f"sha256:{sha(1)}"),
        (Trust.SHORT_HASH, f"autov2:{sha(1)[:10]}"),
        (Trust.SHORT_HASH, "autov1:cc6cb271"),
        (Trust.HUB_ID, "civitai:4384@128713"),
        (Trust.HUB_ID, "urn:air:sd1:checkpoint:civitai:4384@128713"),
        (Trust.HUB_ID, "air:other:unknown:civitai:0@128713"),
    ],
)
def test_a_parent_finds_the_child_that_names_it(book: Book, trust: Trust, value: str) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1, digests=(Digest(DigestKind.AUTOV1, "cc6cb271"),)))
    book.link_file(sha(1), "civitai", "128713", "9001")
    book.put_artifact(artifact(2))
    book.put_edges(sha(2), [merge_of(trust, value)])
    ((child, edge),) = book.children_of(sha(1))
    assert child.sha256 == sha(2)
    assert edge == merge_of(trust, value)


def test_a_repository_finds_the_children_that_name_it_without_a_revision(book: Book) -> None:
    book.put_release(release("runwayml/sd", "main", hub="huggingface"))
    book.put_artifact(artifact(1))
    book.put_artifact(artifact(2))
    book.put_edges(sha(2), [merge_of(Trust.HUB_ID, "hf:runwayml/sd")])
    assert book.children_of(sha(1)) == ()
    book.link_file(sha(1), "huggingface", "main", "9001")
    assert len(book.children_of(sha(1))) == 1


@pytest.mark.parametrize(
    ("trust", "value"),
    [
        (Trust.NAME, sha(1)),
        (Trust.NAME, "model-1"),
        (Trust.HUB_ID, "civitai:4384@1287130"),
        (Trust.HUB_ID, "urn:air:sd1:checkpoint:civitai:128713@1"),
        (Trust.SHORT_HASH, "autov1:" + sha(1)[:8]),
    ],
)
def test_a_name_or_another_id_finds_nobody(book: Book, trust: Trust, value: str) -> None:
    book.put_release(release())
    book.put_artifact(artifact(1))
    book.link_file(sha(1), "civitai", "128713", "9001")
    book.put_artifact(artifact(2))
    book.put_edges(sha(2), [merge_of(trust, value)])
    assert book.children_of(sha(1)) == ()


def test_a_child_with_two_claims_on_one_parent_shows_both(book: Book) -> None:
    for number in (1, 2):
        book.put_artifact(artifact(number, origin=f"civitai:{number}@{number}"))
    book.put_edges(sha(2), [merge_of(Trust.SHA256, sha(1)), merge_of(Trust.HUB_ID, "civitai:1@1")])
    assert [edge.parent.trust for _, edge in book.children_of(sha(1))] == [Trust.SHA256, Trust.HUB_ID]


def test_children_are_found_by_a_label_of_something_that_is_not_recorded(book: Book) -> None:
    book.put_artifact(artifact(2))
    claims = [merge_of(Trust.CARD, "hf:org/repo"), merge_of(Trust.SHA256, sha(9)), merge_of(Trust.NAME, "name")]
    book.put_edges(sha(2), claims)
    assert [edge for _, edge in book.children_naming([sha(9), "hf:org/repo", "name"])] == claims[:2]
    assert book.children_naming([]) == ()
