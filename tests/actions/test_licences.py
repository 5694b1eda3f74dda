"""Which files of the house may not be used, and why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sdkeep.actions.house import House
from sdkeep.actions.licences import forbidden, uses_called, warnings_before
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Allowed, Licence, Use
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from tests.makers import checkpoints
from tests.makers.families import SD15
from tests.makers.records import artifact, release, sha
from tests.world import World

RAIL = Licence(id="creativeml-openrail-m", name="CreativeML Open RAIL-M", source="card")
NC = Licence(id="cc-by-nc-4.0", source="card")


@pytest.fixture
def house(world: World) -> Iterator[House]:
    with world.house() as opened:
        yield opened


def file(house: House, number: int, licence: Licence | None, *parents: Edge, kind: Kind = Kind.CHECKPOINT) -> None:
    house.book.put_artifact(artifact(number, kind=kind))
    house.book.put_edges(sha(number), parents)
    if licence:
        house.book.put_licence(sha(number), licence)


def of(value: str, trust: Trust = Trust.SHA256, relation: Relation = Relation.MERGE_OF, source: str = "x:y") -> Edge:
    return Edge(Parent(trust, value), relation, source)


def answer(house: House, number: int, use: Use = Use.SELL_PICTURES) -> Allowed:
    found = {one.sha256: one.permission.allowed for one in forbidden(house, use)}
    return found.get(sha(number), Allowed.YES)


def test_a_merge_with_one_non_commercial_parent_is_non_commercial(house: House) -> None:
    file(house, 1, RAIL, of(SD15, relation=Relation.FINETUNE_OF))
    file(house, 2, NC, of(SD15, relation=Relation.FINETUNE_OF))
    file(house, 3, RAIL, of(sha(1)), of(sha(2)))
    assert answer(house, 1) is Allowed.YES
    assert [one.name for one in forbidden(house, Use.SELL_PICTURES)] == ["model-2", "model-3"]
    (why,) = forbidden(house, Use.SELL_PICTURES)[1].permission.why
    assert why.startswith("`model-2`: ")


@pytest.mark.parametrize(
    ("licence", "parents", "allowed"),
    [
        (RAIL, (of(SD15),), Allowed.YES),
        (RAIL, (), Allowed.UNKNOWN),
        (None, (of(SD15),), Allowed.UNKNOWN),
        (None, (of(SD15, relation=Relation.CONVERTED_FROM),), Allowed.YES),
        (RAIL, (of(SD15), of(sha(99))), Allowed.UNKNOWN),
        (RAIL, (of("who-knows.ckpt", Trust.NAME),), Allowed.UNKNOWN),
        (RAIL, (of("v1-5-pruned-emaonly.safetensors", Trust.NAME),), Allowed.UNKNOWN),
        (RAIL, (of("SD 1.5", Trust.NAME, source="civitai"),), Allowed.YES),
        (RAIL, (of("SD 1.5", Trust.NAME, source="metadata:modelspec.merged_from"),), Allowed.UNKNOWN),
        (RAIL, (of("SDXL 0.9", Trust.NAME, source="civitai"),), Allowed.NO),
        (RAIL, (of("Pony", Trust.NAME, source="civitai"),), Allowed.UNKNOWN),
        (RAIL, (of(f"autov2:{SD15[:10]}", Trust.SHORT_HASH),), Allowed.YES),
        (RAIL, (of("autov1:01234567", Trust.SHORT_HASH),), Allowed.UNKNOWN),
        (RAIL, (of("hf:runwayml/stable-diffusion-v1-5", Trust.CARD),), Allowed.YES),
        (RAIL, (of("hf:somebody/unheard-of", Trust.CARD),), Allowed.UNKNOWN),
    ],
)
def test_an_unknown_parent_is_never_a_yes(
    house: House, licence: Licence | None, parents: tuple[Edge, ...], allowed: Allowed
) -> None:
    file(house, 1, licence, *parents)
    assert answer(house, 1) is allowed


def test_a_merge_whose_parents_are_not_listed_stays_unknown(house: House) -> None:
    file(house, 1, RAIL, of("SD 1.5", Trust.NAME, Relation.FINETUNE_OF, "civitai"))
    house.book.put_release(release(licence=RAIL, merged=True))
    house.book.link_file(sha(1), "civitai", "128713", "9001")
    (found,) = forbidden(house, Use.SELL_PICTURES)
    assert found.permission.allowed is Allowed.UNKNOWN
    assert found.permission.why == ("`model-1` is published as a merge, and what went into it is not listed",)


def test_who_publishes_a_model_anew_licenses_it_anew(house: House) -> None:
    """SDXL 1.0 grew out of the research-only 0.9; both are Stability AI's."""
    file(house, 1, RAIL, of("hf:stabilityai/stable-diffusion-xl-base-1.0", Trust.CARD, Relation.FINETUNE_OF))
    assert answer(house, 1) is Allowed.YES


def test_an_upscaler_needs_no_base_model(house: House) -> None:
    file(house, 1, Licence(id="mit", source="card"), kind=Kind.UPSCALER)
    assert answer(house, 1) is Allowed.YES


def test_two_files_with_one_short_hash_leave_it_open(house: House) -> None:
    twin = (Digest(DigestKind.AUTOV2, "0123456789"),)
    for number, licence in ((1, RAIL), (2, NC)):
        house.book.put_artifact(artifact(number, digests=twin, kind=Kind.CHECKPOINT))
        house.book.put_edges(sha(number), [of(SD15)])
        house.book.put_licence(sha(number), licence)
    file(house, 3, RAIL, of("autov2:0123456789", Trust.SHORT_HASH, Relation.TRAINED_ON))
    assert answer(house, 3) is Allowed.UNKNOWN


def test_the_way_to_the_file_that_forbids_is_told(house: House) -> None:
    file(house, 1, NC, of(SD15, relation=Relation.FINETUNE_OF))
    file(house, 2, RAIL, of(sha(1)))
    file(house, 3, RAIL, of(sha(2)))
    paths = {one.name: one.path for one in forbidden(house, Use.SELL_PICTURES)}
    assert paths == {"model-1": (), "model-2": ("model-1",), "model-3": ("model-2", "model-1")}


def test_every_licence_that_is_recorded_counts_the_hubs_and_the_files_own(house: House) -> None:
    file(house, 1, Licence(id="mit", source="civitai"), of(SD15))
    assert answer(house, 1) is Allowed.YES
    house.book.put_licence(sha(1), Licence(id="cc-by-nc-4.0", source="metadata:modelspec.license"))
    assert answer(house, 1) is Allowed.NO
    house.book.put_licence(sha(1), Licence(id="apache-2.0", source="somebody else"))
    assert answer(house, 1) is Allowed.NO, "a later one does not hide it"


def test_commercial_sums_up_three_uses() -> None:
    assert uses_called("commercial") == (Use.SELL_PICTURES, Use.SELL_MODEL, Use.SERVE)
    assert uses_called("Service") == (Use.SERVE,)
    with pytest.raises(UsageError):
        uses_called("fun")


def test_a_warning_names_the_file_the_reason_and_that_it_is_advice(house: House) -> None:
    file(house, 1, NC, of(SD15))
    file(house, 2, RAIL, of(SD15))
    assert warnings_before(house, [sha(2)], Use.SERVE) == ()
    first, last = warnings_before(house, [sha(1), sha(2), sha(1)], Use.SERVE)
    assert "`model-1` does not allow running it as a service" in first
    assert "copyrighted works" in last


@pytest.mark.parametrize(
    ("licences", "status"), [((NC, RAIL), 1), ((RAIL, None), 2), ((RAIL,), 0)], ids=["forbidden", "unknown", "allowed"]
)
def test_audit_answers_for_a_use_by_its_exit_status(
    world: World, house: House, licences: tuple[Licence | None, ...], status: int
) -> None:
    for number, licence in enumerate(licences, 1):
        file(house, number, licence, of(SD15))
    result = world.json("audit", "--licence", "sell-pictures")
    assert result.status == status
    assert result.data["counted"] == len(licences)
    assert "copyrighted works" in result.data["advice"]


def test_audit_of_licences_can_be_narrowed(world: World, house: House) -> None:
    file(house, 1, NC, of(SD15))
    file(house, 2, NC, of(SD15), kind=Kind.LORA)
    lines = world.run("audit", "--licence", "commercial", "model-2", "-q").lines
    assert lines == [f"no\t{use}\tmodel-2" for use in ("sell-pictures", "sell-model", "serve")]
    assert {one["name"] for one in world.json("audit", "--licence", "serve", "--kind", "checkpoint").data["files"]} == {
        "model-1"
    }
    assert world.json("audit", "--licence", "serve", "nobody").codes == ["not-found-here"]
    assert world.json("audit", "--licence", "serve", "--report", "sarif").codes == ["usage"]


def test_a_merge_warns_before_a_byte_is_written_and_inherits_the_refusal(world: World) -> None:
    folder = world.root / "work"
    for seed, name in enumerate(("free", "tied")):
        path = checkpoints.write(folder / f"{name}.safetensors", checkpoints.tensors(seed=seed))
        world.good("add", str(path))
    with world.house() as house:
        for name, licence in (("free", RAIL), ("tied", Licence(id="cc-by-nc-nd-4.0", source="card"))):
            found = house.book.by_name(name)
            assert found is not None
            assert found.sha256 is not None
            house.book.put_licence(found.sha256, licence)
            house.book.put_edges(found.sha256, [of(SD15, relation=Relation.FINETUNE_OF)])
    planned = world.good("merge", "free", "tied", "--name", "both", "--dry-run")
    assert any("`tied` does not allow" in told for told in planned.document["warnings"])
    assert world.run("show", "both").status != 0
    merged = world.good("merge", "free", "tied", "--name", "both")
    assert any("`tied` does not allow" in told for told in merged.document["warnings"])
    refused = {one["name"] for one in world.json("audit", "--licence", "commercial").data["files"]}
    assert refused == {"tied", "both"}
