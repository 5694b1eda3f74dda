"""The policy file itself: well-formed, disjoint, complete."""

from __future__ import annotations

import re

import pytest

from sdkeep.audit.checks import CHECKS, STATE_CHECKS
from sdkeep.audit.policy import Deed, Level, load_policy, parse_policy
from tests.makers.advisories import GADGETS, UNLISTED

POLICY = load_policy()


def test_the_version_is_a_date_and_a_number() -> None:
    assert re.fullmatch(r"20\d\d\.\d{1,2}\.\d+", POLICY.version)


def test_every_check_that_the_policy_names_exists_and_every_check_is_named() -> None:
    used = {rule.check for rule in POLICY.rules.values()}
    assert used == set(CHECKS)
    assert set(STATE_CHECKS) <= used


def test_a_name_that_may_be_called_or_made_has_its_arguments_checked_or_is_inert() -> None:
    for name, rule in POLICY.rules.items():
        if Deed.CALL in rule.allows:
            assert rule.check, name


def test_inert_names_say_why() -> None:
    assert all(rule.why for rule in POLICY.rules.values() if rule.level is Level.INERT)


def test_no_gadget_is_listed_as_safe() -> None:
    for _, dotted, _ in GADGETS + UNLISTED:
        assert POLICY.rule(dotted.replace(":", ".")).level is Level.UNKNOWN, dotted


@pytest.mark.parametrize(
    "name",
    [
        "getattr",
        "eval",
        "exec",
        "compile",
        "open",
        "__import__",
        "globals",
        "vars",
        "type",
        "map",
        "filter",
        "breakpoint",
    ],
)
def test_builtins_that_reach_further_are_not_listed(name: str) -> None:
    assert POLICY.rule(f"builtins.{name}").level is Level.UNKNOWN


def test_a_library_entry_stands_for_the_names_below_it_only() -> None:
    assert POLICY.rule("torch.nn.modules.linear.Linear").level is Level.OBJECT
    assert POLICY.rule("torch.nn.modulesque").level is Level.UNKNOWN
    assert POLICY.rule("torch.nn.modules.container.ParameterDict").level is Level.INERT


def test_the_longest_dangerous_entry_gives_the_words() -> None:
    general, special = POLICY.danger("torch.utils.x"), POLICY.danger("torch.utils.collect_env.run")
    assert general and special and special.advisories and not general.advisories
    assert POLICY.danger("osmosis.system") is None
    assert POLICY.danger("os") is None
    assert POLICY.danger("os." + "a." * 100_000 + "b") is not None


def test_advisory_ids_have_their_form() -> None:
    form = re.compile(r"GHSA(-[0-9a-z]{4}){3}|CVE-20\d\d-\d{4,}")
    for danger in POLICY.dangers.values():
        assert all(form.fullmatch(advisory) for advisory in danger.advisories)


def test_a_name_listed_twice_is_refused() -> None:
    text = 'version="1"\n[[safe]]\nnames=["a.b"]\n[[safe]]\nnames=["a.b"]\n'
    with pytest.raises(ValueError, match=r"a\.b is listed twice"):
        parse_policy(text + "[[inert]]\nnames=[]\n")
