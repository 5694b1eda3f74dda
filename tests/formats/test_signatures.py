"""The rule file and its condition language."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.contents import Tensor
from sdkeep.formats.identity.adapters import compile_modules
from sdkeep.formats.identity.conditions import compile_all, holding, readings
from sdkeep.formats.identity.index import Index, fold, fold_all
from sdkeep.formats.identity.signatures import compiled, signatures

FIELDS = {
    "early": {"kind", "family", "variant", "part", "sure", "note", "when", "family_by", "families", "variants"}
    | {"only", "formats"},
    "structure": {"kind", "family", "variant", "part", "sure", "note", "when", "family_by", "families", "variants"}
    | {"only", "formats"},
    "adapter": {"kind", "family", "variant", "sure", "note", "when"},
    "suffix": {"match", "hints", "part", "algorithm"},
    "component": {"name", "when"},
    "quantised": {"precision", "when"},
}


def index(*names: str, shape: tuple[int, ...] = (4, 8)) -> Index:
    return Index([Tensor(name, "F16", shape) for name in names])


def holds(text: str, found: Index, root: str = "") -> bool:
    return holding(compile_all([text], {"both": ["x.weight", "y.weight"]}), found, root) is not None


def test_every_rule_has_only_fields_that_are_read() -> None:
    data = tomllib.loads(files("sdkeep.formats").joinpath("signatures.toml").read_text("utf-8"))
    for table, fields in FIELDS.items():
        assert data[table]
        for rule in data[table]:
            assert set(rule) <= fields, rule


def test_the_rules_are_compiled_once() -> None:
    assert signatures() is signatures()


def test_a_misspelt_rule_is_an_error_and_not_a_rule_that_never_holds() -> None:
    with pytest.raises(KeyError):
        compiled({})
    with pytest.raises(ValueError, match="measures nothing"):
        readings("a.weight", {})
    with pytest.raises(ValueError, match="no condition"):
        compile_modules(["to_k in = 768"])
    with pytest.raises(ValueError, match="no word"):
        compile_modules(["/#$/ top >= 2"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.1.weight", True),
        ("a.2.weight", False),
        ("a.#.weight", True),
        ("!a.1.weight", False),
        ("!b", True),
        ("a.", True),
        ("a.#.weight.", False),
        ("*.weight", True),
        ("*.bias", False),
        ("a.1.weight[0] = 3,4", True),
        ("a.1.weight[-1] = 8", True),
        ("a.1.weight[2] = 8", False),
        ("a.1.weight[*] = 2", True),
        ("a.1.weight[size] = 32", True),
        ("a.1.weight[0] != 4", False),
        ("a.1.weight[1] >= 8", True),
        ("a.1.weight[1] <= 7", False),
        ("b or a.1.weight", True),
        ("b or c", False),
        ("$both", False),
        ("!$both", True),
        ("count = 1", True),
        ("count >= 2", False),
        ("each[0] = 4", True),
        ("each[0] = 5", False),
        ("every a\\.", True),
        ("every b", False),
    ],
)
def test_a_condition_holds_or_not(text: str, expected: bool) -> None:
    assert holds(text, index("a.1.weight")) is expected


def test_keys_are_looked_up_below_a_root_unless_they_begin_with_a_slash() -> None:
    found = index("model.a.weight", "v_pred")
    assert holds("a.weight", found, "model.")
    assert not holds("v_pred", found, "model.")
    assert holds("/v_pred", found, "model.")


@pytest.mark.parametrize(
    ("key", "folded"),
    [
        ("down_blocks.3.attn2.to_k", "down_blocks.#.attn2.to_k"),
        ("lora_unet_down_blocks_0_attentions_11_conv1", "lora_unet_down_blocks_#_attentions_#_conv1"),
        ("unet:10:down", "unet:#:down"),
        ("768.0.linear", "#.#.linear"),
        ("w1", "w1"),
        ("", ""),
    ],
)
def test_numbers_that_stand_alone_are_folded(key: str, folded: str) -> None:
    assert fold(key) == folded


@given(st.lists(st.text(alphabet="ab1_.:\n", max_size=12), max_size=20))
def test_folding_many_keys_folds_each_as_if_alone(keys: list[str]) -> None:
    assert fold_all(keys) == [fold(key) for key in keys]


def test_a_very_deep_key_costs_no_more_than_its_first_segments() -> None:
    deep = index("a." * 200_000 + "weight")
    assert len(deep.paths) < 100
    assert "weight" in deep.tails
