"""What may be done with a file once everything it was made from is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats import bases, known
from sdkeep.formats.licences import licence_called, table, terms_of
from sdkeep.formats.permissions import Holder, Standing, conditions, effective
from sdkeep.ground.licence import Allowed, Licence, Use

RAIL = Licence(id="creativeml-openrail-m", name="CreativeML Open RAIL-M")
RAIL_XL = Licence(id="openrail++", name="CreativeML Open RAIL++-M")
FREE = Licence(id="cc0-1.0")
APACHE = Licence(id="apache-2.0")
NC = Licence(id="cc-by-nc-4.0")
RESEARCH = Licence(id="sdxl-0.9-research")
COMMUNITY = Licence(id="stabilityai-ai-community")
FLUX = Licence(id="flux-1-dev-non-commercial-license")
STATED = Licence(id="civitai-permissions", allows={Use.SELL_PICTURES: True, Use.SELL_MODEL: False})
Y, N, U = Allowed.YES, Allowed.NO, Allowed.UNKNOWN


@pytest.mark.parametrize(
    ("use", "own", "parents", "answer"),
    [
        (Use.SELL_PICTURES, RAIL, [], Y),
        (Use.SELL_PICTURES, FREE, [RAIL], Y),
        (Use.NO_CREDIT, FREE, [], Y),
        (Use.NO_CREDIT, FREE, [RAIL], N),
        (Use.RELICENSE, APACHE, [RAIL_XL], N),
        (Use.SELL_PICTURES, RAIL, [RAIL, NC], N),
        (Use.SELL_MODEL, APACHE, [APACHE, NC], N),
        (Use.SERVE, RAIL_XL, [RESEARCH], N),
        (Use.MERGE, RAIL_XL, [RESEARCH], U),
        (Use.SELL_PICTURES, STATED, [RAIL], Y),
        (Use.SELL_MODEL, STATED, [RAIL], N),
        (Use.SERVE, STATED, [RAIL], U),
        (Use.SELL_PICTURES, APACHE, [COMMUNITY], U),
        (Use.SELL_PICTURES, APACHE, [FLUX], U),
        (Use.SERVE, APACHE, [FLUX], N),
        (Use.SELL_PICTURES, RAIL, [None], U),
        (Use.SELL_PICTURES, None, [RAIL], U),
        (Use.SELL_PICTURES, NC, [None], N),
        (Use.MERGE, Licence(id="something-else"), [], U),
    ],
)
def test_the_strictest_licence_of_the_lineage_decides(
    use: Use, own: Licence | None, parents: list[Licence | None], answer: Allowed
) -> None:
    above = [Holder(f"parent-{index}", licence) for index, licence in enumerate(parents)]
    permission = effective(use, Holder("mine", own), above)
    assert permission.allowed is answer
    assert permission.why


def test_a_no_names_the_parent_and_the_licence_that_forbid() -> None:
    found = effective(Use.SELL_MODEL, Holder("mix", APACHE), [Holder("sdxl", RAIL_XL), Holder("tuned", NC)])
    (why,) = found.why
    assert "`tuned`" in why
    assert "NonCommercial" in why
    assert "sdxl" not in why
    assert found.conditions == ()


def test_an_unknown_parent_makes_it_unknown_and_is_named() -> None:
    found = effective(Use.SELL_PICTURES, Holder("mix", RAIL), [Holder("lost")])
    assert (found.allowed, found.why) == (U, ("`lost`: no licence is known",))


def test_a_conversion_keeps_the_licence_of_what_it_was_converted_from() -> None:
    converted = Holder("mine", None, inherits=True)
    assert effective(Use.SELL_PICTURES, converted, [Holder("original", RAIL)]).allowed is Y
    assert effective(Use.SELL_PICTURES, converted, [Holder("original", NC)]).allowed is N
    assert effective(Use.SELL_PICTURES, converted, [Holder("original")]).allowed is U
    assert effective(Use.SELL_PICTURES, converted).allowed is U


def test_a_parent_that_is_only_named_can_forbid_and_never_allow() -> None:
    named = Holder("sdxl", RAIL_XL, Standing.CLAIMED)
    assert effective(Use.SELL_PICTURES, Holder("mine", FREE), [named]).allowed is U
    assert effective(Use.SELL_PICTURES, Holder("mine", FREE), [Holder("nc", NC, Standing.CLAIMED)]).allowed is N


def test_one_of_several_files_with_the_same_label_decides_nothing() -> None:
    twins = [Holder("one", NC, Standing.ONE_OF), Holder("other", FREE, Standing.ONE_OF)]
    assert effective(Use.SELL_PICTURES, Holder("mine", FREE), twins).allowed is U


def test_a_gap_in_the_lineage_is_never_a_yes() -> None:
    gap = Holder("mine", RAIL, gap="nothing says what `mine` was made from")
    found = effective(Use.SELL_PICTURES, gap)
    assert (found.allowed, found.why) == (U, ("nothing says what `mine` was made from",))


def test_use_restrictions_pass_on_to_children() -> None:
    found = effective(Use.SELL_PICTURES, Holder("mine", APACHE), [Holder("sd15", RAIL)])
    assert found.allowed is Y
    assert found.conditions == ("the use restrictions of CreativeML Open RAIL-M (`sd15`) hold, and must be passed on",)
    assert conditions([Holder("mine", APACHE)]) == ()


def test_many_parents_with_one_licence_are_told_in_one_sentence() -> None:
    (why,) = effective(Use.SELL_PICTURES, Holder("mine", RAIL), [Holder(f"p{n}", RAIL) for n in range(9)]).why
    assert why.startswith("`mine`, `p0`, `p1`, `p2` and 6 more: CreativeML Open RAIL-M allows")


licences = st.one_of(st.none(), st.sampled_from([RAIL, RAIL_XL, FREE, APACHE, NC, RESEARCH, COMMUNITY, FLUX, STATED]))
holders = st.builds(
    Holder, st.sampled_from("pqrs"), licences, st.sampled_from(Standing), st.booleans(), st.sampled_from(["", "a gap"])
)


@given(holders, st.lists(holders, max_size=5), holders, st.sampled_from(Use))
def test_another_ancestor_never_allows_more(own: Holder, others: list[Holder], more: Holder, use: Use) -> None:
    order = [Allowed.YES, Allowed.UNKNOWN, Allowed.NO]
    own = replace(own, inherits=False)  # a conversion without its original has no answer yet
    before, after = effective(use, own, others), effective(use, own, [*others, more])
    assert order.index(after.allowed) >= order.index(before.allowed)


@given(holders, st.lists(holders, max_size=5), st.sampled_from(Use))
def test_a_yes_needs_a_yes_from_everybody(own: Holder, others: list[Holder], use: Use) -> None:
    if effective(use, own, others).allowed is Y:
        for holder in (own, *others):
            assert not holder.gap
            assert holder.inherits or holder.licence is not None
            assert holder.licence is None or terms_of(holder.licence).allows[use] is True


def test_every_licence_of_a_known_model_has_terms() -> None:
    ids = {model.licence.id for model in known.everything() if model.licence.id}
    assert {id_ for id_ in ids if licence_called(id_) is None} == set()


def test_a_base_that_forbids_commercial_use_does_so_in_its_terms() -> None:
    strict = [base for name in bases.names() if (base := bases.named(name)) and not base.commercial]
    assert strict
    for base in strict:
        allows = terms_of(base.licence).allows
        assert (allows[Use.SELL_MODEL], allows[Use.SERVE]) == (False, False), base.name
        assert allows.get(Use.SELL_PICTURES) is not True, base.name


def test_a_stated_refusal_stands_beside_the_table() -> None:
    stricter = Licence(id="apache-2.0", allows={Use.SERVE: False, Use.NO_CREDIT: True})
    assert terms_of(stricter).allows[Use.SERVE] is False
    assert terms_of(stricter).allows[Use.NO_CREDIT] is False, "a permission beyond the licence is not believed"


def test_every_row_is_well_formed_and_found_by_its_own_ids() -> None:
    for row in table():
        assert row.ids or row.match
        assert all(licence_called(id_) is row for id_ in row.ids)
        assert not set(row.depends) & set(row.allows)
    assert licence_called("") is None
    assert licence_called("other", "") is None


def test_a_licence_that_calls_itself_non_commercial_sells_no_model() -> None:
    found = licence_called("other", "some-new-model-non-commercial-license")
    assert found is not None
    assert found.allows == {Use.SELL_MODEL: False, Use.SERVE: False}
