"""Walking trees that lie, loop and branch."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sdkeep.actions.walk import Link, Walk, best_path, nearest, reached, strongest_first, walk, within
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust

nodes = st.sampled_from("abcdefgh")
links = st.lists(
    st.builds(
        lambda child, parent, trust, candidates: Link(
            child, parent, Edge(Parent(trust, parent), Relation.MERGE_OF, "somebody"), candidates
        ),
        nodes,
        nodes,
        st.sampled_from(Trust),
        st.integers(1, 2),
    ),
    max_size=24,
)


def upward(found: Sequence[Link], start: str = "a", depth: int = 99, most: int = 99) -> Walk:
    return walk(start, lambda node: [link for link in found if link.child == node], up=True, depth=depth, most=most)


def link(child: str, parent: str, trust: Trust = Trust.SHA256) -> Link:
    return Link(child, parent, Edge(Parent(trust, parent), Relation.FINETUNE_OF, "somebody"))


@given(links)
def test_any_claims_are_walked_to_an_end_with_nothing_twice(found: list[Link]) -> None:
    walked = upward(found)
    assert len(walked.links) == len(set(walked.links))
    assert set(walked.distance) == set(reached("a", found))
    assert {one.child for one in walked.links} <= walked.distance.keys()
    assert {one.parent for one in walked.links} <= walked.distance.keys()
    assert walked.cut == frozenset()


@given(links, st.integers(0, 4))
def test_nothing_lies_deeper_than_asked_and_what_was_left_out_is_said(found: list[Link], depth: int) -> None:
    whole, walked = upward(found), upward(found, depth=depth)
    assert max(walked.distance.values()) <= depth
    assert bool(walked.cut) == (whole.distance.keys() != walked.distance.keys())
    shown = within(whole, depth, up=True)
    assert shown.distance == walked.distance
    assert set(shown.links) >= set(walked.links)
    assert bool(shown.cut) == bool(walked.cut)


@given(links, st.integers(1, 4))
def test_the_number_of_nodes_is_bounded(found: list[Link], most: int) -> None:
    walked = upward(found, most=most)
    assert len(walked.distance) <= most
    assert bool(walked.cut) == (len(upward(found).distance) > len(walked.distance))


@given(links, st.sets(nodes))
def test_the_best_path_is_no_weaker_than_any_other(found: list[Link], goals: set[str]) -> None:
    goals -= {"a"}
    path = best_path("a", found, goals)
    every = list(_paths("a", found, goals, frozenset("a")))
    assert (path is None) == (not every)
    if path is not None:
        assert [one.child for one in path] == ["a", *(one.parent for one in path[:-1])]
        assert path[-1].parent in goals
        worst = max(one.weakness for one in path)
        assert worst == min(max(one.weakness for one in other) for other in every)
        assert len(path) == min(len(other) for other in every if max(one.weakness for one in other) == worst)


def _paths(node: str, found: list[Link], goals: set[str], seen: frozenset[str]) -> list[tuple[Link, ...]]:
    paths: list[tuple[Link, ...]] = []
    for one in dict.fromkeys(found):
        if one.child == node and one.parent not in seen:
            if one.parent in goals:
                paths.append((one,))
            else:
                paths += [(one, *rest) for rest in _paths(one.parent, found, goals, seen | {one.parent})]
    return paths


def test_the_strongest_claim_comes_first_whoever_spoke_first() -> None:
    said = [link("a", parent, trust) for parent, trust in zip("bcdef", reversed(Trust), strict=True)]
    assert [one.edge.parent.trust for one in strongest_first(said)] == list(Trust)
    assert [one.edge.parent.trust for one in upward(said).links] == list(Trust)


def test_a_label_that_fits_two_files_is_weaker_than_a_name() -> None:
    one_of_two = Link("a", "b", Edge(Parent(Trust.SHORT_HASH, "autov1:01234567"), Relation.TRAINED_ON, "somebody"), 2)
    named = link("a", "c", Trust.NAME)
    assert strongest_first([one_of_two, named]) == [named, one_of_two]


def test_a_longer_proved_way_beats_a_short_claimed_one() -> None:
    found = [link("a", "base", Trust.NAME), link("a", "b"), link("b", "base")]
    path = best_path("a", found, {"base"})
    assert path is not None
    assert [one.parent for one in path] == ["b", "base"]


def test_goals_behind_a_goal_are_not_nearest() -> None:
    found = [link("a", "b"), link("b", "c"), link("a", "d")]
    assert nearest("a", found, {"b", "c", "d"}) == ("b", "d")
