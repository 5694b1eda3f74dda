"""What an audit asks of many artifacts at once, and people's decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.dossiers import Dossier
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.model import Claim
from sdkeep.ground.record import Location, Method
from sdkeep.ground.verdict import Allowance, Basis, Outcome, Verdict
from tests.makers.records import artifact, release, sha

DECISION = Allowance("acme.Net", sha(1), "ada", "2026-07-13T12:00:00Z", "ours")


def test_a_dossier_says_what_the_single_questions_say(book: Book) -> None:
    claim = Claim("civitai-pickle", "Danger", "imports")
    published = release()
    published = replace(
        published, licence=Licence("mit"), page="https://page", files=(replace(published.files[0], claims=(claim,)),)
    )
    book.put_release(published)
    for number in (1, 2, 3):
        book.put_artifact(artifact(number))
        for outcome in (Outcome.MALFORMED, Outcome.CLEAN):
            book.put_verdict(sha(number), Verdict(outcome, "safetensors", engine=str(outcome)))
        book.put_blob(sha(number), f"/root{number}", 7)
        book.put_location(Location(f"/ui/{number}", sha(number), Method.IN_PLACE, False, size=7))
        book.put_edges(sha(number), [Edge(Parent(Trust.NAME, f"p{number}"), Relation.MERGE_OF, "card")])
    book.link_file(sha(2), "civitai", "128713", "9001")
    book.put_licence(sha(3), Licence("own"))
    book.allow(DECISION)
    found = book.dossiers([sha(1), sha(2), sha(3), sha(4)])
    for number in (1, 2, 3):
        record = found[sha(number)]
        assert record.verdict == book.verdict_of(sha(number))
        assert record.licence == book.licence_of(sha(number))
        assert record.parents == book.parents_of(sha(number))
        assert record.locations == book.locations_of(sha(number))
        assert record.blobs == book.blobs_of(sha(number))
        assert record.allowances == book.allowances(sha(number))
    assert (found[sha(2)].claims, found[sha(2)].page) == ((claim,), "https://page")
    assert found[sha(1)].claims == ()
    assert found[sha(4)] == Dossier()


def test_a_decision_is_kept_by_name_and_bytes_and_the_last_word_counts(book: Book) -> None:
    book.allow(DECISION)
    book.allow(replace(DECISION, by="bob", reason=""))
    book.allow(replace(DECISION, sha256=sha(2), at=""))
    assert book.allowances(sha(1)) == (replace(DECISION, by="bob", reason=""),)
    assert book.allowances(sha(2))[0].at == "2026-07-13T12:00:00Z"
    assert len(book.allowances()) == 2
    assert book.disallow(sha(1), "acme.Net")
    assert not book.disallow(sha(1), "acme.Net")
    assert book.allowances(sha(1)) == ()


def test_many_verdicts_at_once_are_as_one_by_one(book: Book) -> None:
    for number in (1, 2):
        book.put_artifact(artifact(number))
        book.put_verdict(sha(number), Verdict(Outcome.MALFORMED, "zip", engine="new", policy="1"))
    made = {sha(number): Verdict(Outcome.CLEAN, f"form{number}", engine="new", policy="1") for number in (1, 2, 3)}
    book.put_verdicts(made)
    assert [book.verdict_of(sha(number)) for number in (1, 2, 3)] == [made[sha(1)], made[sha(2)], None]
    book.put_verdicts({})
    with pytest.raises(ValueError, match="provisional"):
        book.put_verdicts({sha(1): Verdict(Outcome.CLEAN, "zip", basis=Basis.RANGES)})


def test_a_decision_outlives_the_record_of_the_file(book: Book) -> None:
    book.put_artifact(artifact(1))
    book.allow(DECISION)
    book.forget(sha(1))
    assert book.allowances(sha(1)) == (DECISION,)
