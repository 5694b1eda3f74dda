"""Recipes as people and files write them: TOML, flags, JSON in metadata; each mistake named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.errors import FormatError, UsageError
from sdkeep.merge.blocks import Compat, Map, Weighting
from sdkeep.merge.draft import Asked, adapter_of, from_toml
from sdkeep.merge.mecha import from_mecha
from sdkeep.merge.reading import from_json
from sdkeep.merge.recipe import Adapter, Model, Output, Parent, Recipe, Step, checked, shares, to_json

TOML = """
[models]
a = "sd15"
b = "./b.safetensors"
c = "civitai:1@2"

[[steps]]
name = "mixed"
method = "weighted-sum"
models = ["a", "b"]
alpha = { base = 0.3, blocks = "GRAD_V", keys = { "attn2" = 0.7 } }

[[steps]]
method = "add-difference"
models = ["mixed", "c", "a"]
alpha = 0.5

[output]
precision = "fp16"
vae = "vae-mse"
lora = ["detail:0.6", "civitai:9:0.2:0.1"]
"""


def test_a_recipe_file_is_a_graph() -> None:
    draft = from_toml(TOML, "mix.toml")
    assert draft.refs == ("sd15", "./b.safetensors", "civitai:1@2", "vae-mse", "detail", "civitai:9")
    assert draft.primary == 0
    recipe = draft.recipe([Parent(name, "0" * 64) for name in "abcvde"], Map(12))
    mixed, last = recipe.steps[3:]
    assert isinstance(mixed, Step)
    assert mixed.inputs == (0, 1)
    assert mixed.numbers["alpha"].base == 0.0  # the preset's own base
    assert mixed.numbers["alpha"].blocks["IN00"] == 1.0
    assert mixed.numbers["alpha"].keys == (("attn2", 0.7),)
    assert isinstance(last, Step)
    assert last.inputs == (3, 2, 0)
    assert recipe.output.vae == 3
    assert recipe.output.adapters == (Adapter(4, "0.6"), Adapter(5, "0.2:0.1"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[models]", "[model]"), "known are models, output, steps"),
        (('models = ["a", "b"]', 'models = "a"'), "needs `models`"),
        (('models = ["mixed", "c", "a"]', 'models = ["mixed", "x", "a"]'), "`x` is neither a model nor a step"),
        (("alpha = 0.5", 'alpha = "much"'), "a number is needed"),
        (("alpha = 0.5", "gamma = 0.5"), "takes no `gamma`"),
        (('name = "mixed"', 'name = "a"'), "two models or steps have this name"),
        (('precision = "fp16"', 'precision = "fp12"'), "no precision to write"),
        (('precision = "fp16"', 'precison = "fp16"'), "`precison` is nothing that is known there"),
        (('method = "weighted-sum"', 'method = "wieghted-sum"'), "is no merge method"),
        (("GRAD_V", "GRAD_W"), "no preset of block weights"),
        (('"weighted-sum"', "weighted"), "it is no TOML"),
    ],
)
def test_a_mistake_in_a_recipe_file_is_named(change: tuple[str, str], said: str) -> None:
    text = TOML.replace(*change)
    assert text != TOML
    with pytest.raises((FormatError, UsageError)) as caught:
        from_toml(text, "mix.toml").recipe([Parent(name, "0" * 64) for name in "abcvde"], Map(12))
    assert said in f"{caught.value.what} {caught.value.why}"
    assert caught.value.next


@pytest.mark.parametrize(
    ("text", "ref", "strength"),
    [
        ("detail", "detail", "1"), ("detail:0.8", "detail", "0.8"), ("civitai:12", "civitai:12", "1"),
        ("civitai:12:0.7", "civitai:12", "0.7"), ("./a b.safetensors:1:0.5", "./a b.safetensors", "1:0.5"),
        ("x:0.8:lbw=OUTALL", "x", "0.8:lbw=OUTALL"), (r"C:\m\l.safetensors:0.5", r"C:\m\l.safetensors", "0.5"),
        ("hf:a/b/c.safetensors:-1", "hf:a/b/c.safetensors", "-1"),
    ],
)  # fmt: skip
def test_a_lora_and_its_strength_are_told_apart(text: str, ref: str, strength: str) -> None:
    found = adapter_of(text)
    assert (found.ref, found.strength) == (ref, strength)


numbers = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 6))
weightings = st.builds(
    Weighting, numbers, st.dictionaries(st.sampled_from(["IN00", "M00", "VAE", "unet"]), numbers),
    st.lists(st.tuples(st.sampled_from(["attn", "to_k$", "é"]), numbers), max_size=2).map(tuple),
)  # fmt: skip


@given(weightings, weightings, st.sampled_from(["", "fp16", "fp8"]), st.booleans())
def test_a_recipe_comes_back_from_its_json(one: Weighting, two: Weighting, precision: str, prune: bool) -> None:
    parents = tuple(Parent(f"{digit}.safetensors", digit * 64) for digit in "123")
    steps = (
        Model(0), Model(1), Model(2), Step("weighted-sum", (0, 1), {"alpha": one}),
        Step("sum-twice", (3, 1, 2), {"alpha": one, "beta": two}),
    )  # fmt: skip
    recipe = checked(Recipe(parents, steps, Output(precision, 2, prune=prune, discard="^x", compat=Compat.SUPERMERGER)))
    text = to_json(recipe)
    again = from_json(text, "x")
    assert again == recipe
    assert to_json(again) == text
    assert again.seed == recipe.seed


def test_the_seed_depends_on_models_and_steps_and_nothing_else() -> None:
    parents = (Parent("a", "1" * 64), Parent("b", "2" * 64))
    steps = (Model(0), Model(1), Step("dare", (0, 1), {"density": Weighting(0.3)}))
    recipe = Recipe(parents, steps)
    assert recipe.seed == Recipe((Parent("x", "1" * 64), parents[1]), steps, Output("fp16")).seed
    assert recipe.seed != Recipe((Parent("a", "3" * 64), parents[1]), steps).seed
    assert recipe.seed != Recipe(parents, (*steps[:2], Step("dare", (0, 1), {"density": Weighting(0.4)}))).seed


@pytest.mark.parametrize(
    ("method", "numbers_", "expected"),
    [
        ("weighted-sum", {"alpha": 0.3}, (0.7, 0.3, 0.0)),
        ("add-difference", {"alpha": 0.5}, (1.0, 0.5, -0.5)),
        ("average", {}, (1 / 3, 1 / 3, 1 / 3)),
        ("slerp", {"alpha": 0.3}, (None, None, None)),
    ],
)
def test_how_much_of_each_model_is_in_it(method: str, numbers_: dict[str, float], expected: tuple[float, ...]) -> None:
    parents = tuple(Parent(name, name * 64) for name in "123")
    count = 2 if method in ("weighted-sum", "slerp") else 3
    step = Step(method, tuple(range(count)), {name: Weighting(value) for name, value in numbers_.items()})
    found = shares(Recipe(parents, (*map(Model, range(3)), step)))
    assert found == pytest.approx(expected) if expected[0] is not None else found == expected


RECIPE = json.loads(to_json(checked(Recipe((Parent("a", "1" * 64),), (Model(0), Step("no-interpolation", (0,)))))))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99}, {"parents": [{"name": "a", "sha256": "../../x"}]}, {"parents": "a"}, {"steps": []},
        {"steps": [{"model": 7}]}, {"steps": [{"model": -1}]}, {"steps": [{"model": True}]},
        {"steps": [{"method": "no-interpolation", "inputs": [0], "numbers": {}}]},
        {"output": {**RECIPE["output"], "vae": 5}}, {"output": {**RECIPE["output"], "ema": "x"}},
        {"output": {**RECIPE["output"], "adapters": [[9, "1"]]}}, {"output": {**RECIPE["output"], "adapters": [[0]]}},
        {"ancestors": 3},
    ],
)  # fmt: skip
def test_a_recipe_that_somebody_edited_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((FormatError, UsageError)):
        from_json(json.dumps({**RECIPE, **change}), "x.safetensors")


@given(st.text(max_size=60))
def test_no_text_breaks_the_readers(text: str) -> None:
    for reader in (from_json, from_toml, from_mecha):
        with pytest.raises((FormatError, UsageError)):
            reader(text, "x")
    with pytest.raises((FormatError, UsageError)):
        from_mecha(f"version 0.1.0\n{text}", "x")


def test_names_in_a_recipe_lose_their_folders() -> None:
    text = json.dumps({**RECIPE, "parents": [{"name": "C:\\me\\a.safetensors", "sha256": "1" * 64}]})
    assert from_json(text, "x").parents[0].name == "a.safetensors"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('merge "rebasin" &0 &1', "has no counterpart here"),
        ('merge "weighted_sum" &0 &7', "refers to nothing before it"),
        ('merge "weighted_sum" &0 &1 strange=3', "`strange=3.0` has no counterpart"),
        ('merge "clamp" &0 &1 &1 stiffness=0.5', "has no counterpart"),
        ('model "x.safetensors" model_config="sd1-ldm" merge_space="delta"', "is no model but a delta"),
        ('run "rm -rf"', "is no instruction"),
        ('model "x', "a quotation mark is missing"),
    ],
)
def test_what_cannot_be_followed_to_the_letter_is_refused_with_its_line(line: str, said: str) -> None:
    text = f'version 0.1.0\nmodel "a.safetensors"\nmodel "b.safetensors"\n{line}\n'
    with pytest.raises(FormatError) as caught:
        from_mecha(text, "x.mecha")
    assert "line 4" in caught.value.why
    assert said in caught.value.why


def test_a_number_keeps_its_default_where_only_blocks_are_given() -> None:
    assert Asked(None, "IN00=1").weighting(0.5, Map(12)) == Weighting(0.5, {"IN00": 1.0})
