"""Baking, extracting, adding up, shrinking and renaming, on a checkpoint small enough to check by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch as st
import torch

from sdkeep.ground.errors import CannotConvert, PartialMatch, UsageError, WouldOverwrite, WrongFamily
from sdkeep.ground.kinds import Family
from sdkeep.merge.adapters.baking import Baking, baker
from sdkeep.merge.adapters.combining import Limits, combine
from sdkeep.merge.adapters.embeddings import Embedding, Way, embedding_of, merge
from sdkeep.merge.adapters.extracting import Extraction, extract
from sdkeep.merge.adapters.opened import Opened
from sdkeep.merge.adapters.ranks import Keep, Rule, clamped, factors_of, factors_of_kronecker, factors_of_product
from sdkeep.merge.adapters.renaming import Target, rename
from sdkeep.merge.adapters.saving import Made, Origin, hashed, write
from sdkeep.weights.adapters.strengths import Strength, block_weights
from tests.makers.adapters import Tensors, lora, parsed, roles

UNET, TE = "model.diffusion_model.", "cond_stage_model.transformer.text_model.encoder.layers.0."
SHAPES = {
    f"{UNET}input_blocks.1.0.in_layers.2.weight": (8, 8, 3, 3),
    f"{UNET}input_blocks.1.1.proj_in.weight": (8, 8, 1, 1),
    f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 6),
    f"{UNET}input_blocks.1.1.norm.weight": (8,),
    f"{UNET}input_blocks.1.1.norm.bias": (8,),
    f"{UNET}output_blocks.3.1.proj_in.weight": (8, 8, 1, 1),
    f"{UNET}time_embed.0.weight": (32, 8),
    f"{TE}self_attn.q_proj.weight": (6, 6),
    f"{TE}mlp.fc1.weight": (12, 6),
}
TO_K = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
KEY = f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
CONV = "lora_unet_down_blocks_0_resnets_0_conv1"
Q = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(before)


def model() -> Tensors:
    return {key: torch.randn(shape) for key, shape in SHAPES.items()}


def adapter(alpha: float | None = 1.0) -> Tensors:
    return lora(TO_K, 8, 6, 2, alpha=alpha) | lora(CONV, 8, 8, 2, kernel=3, alpha=alpha) | lora(Q, 6, 6, 2, alpha=alpha)


def baking(tensors: Tensors, strength: Strength | None = None, name: str = "x") -> Baking:
    return Baking(name, parsed(tensors), lambda part: roles(part, tensors), strength or Strength())


def baked(base: Tensors, *bakings: Baking) -> Tensors:
    changes = baker(bakings, {key: tuple(tensor.shape) for key, tensor in base.items()}).changes
    return {key: changes[key](tensor) if key in changes else tensor for key, tensor in base.items()}


def close(one: Tensors, other: Tensors, tolerance: float = 1e-5) -> None:
    assert one.keys() == other.keys()
    for key in one:
        torch.testing.assert_close(one[key].float(), other[key].float(), rtol=tolerance, atol=tolerance, msg=key)


def saved(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> Opened:
    st.save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, metadata)
    return Opened(path)


def test_a_baked_layer_is_the_base_and_the_product() -> None:
    base, state = model(), adapter()
    made = baked(base, baking(state, Strength(0.5, 0.0)))
    wanted = base[KEY] + 0.5 * 0.5 * state[f"{TO_K}.lora_up.weight"] @ state[f"{TO_K}.lora_down.weight"]
    torch.testing.assert_close(made[KEY], wanted)
    assert made[f"{TE}self_attn.q_proj.weight"] is base[f"{TE}self_attn.q_proj.weight"]


def test_baking_two_is_baking_one_after_the_other_and_strengths_add_up() -> None:
    base, one, two = model(), adapter(), adapter()
    close(baked(base, baking(one), baking(two)), baked(baked(base, baking(one)), baking(two)))
    halves = baked(base, baking(one, Strength(0.5, 0.5)), baking(one, Strength(0.25, 0.25)))
    close(halves, baked(base, baking(one, Strength(0.75, 0.75))))


def test_blocks_have_their_own_strengths_and_text_encoders_are_base() -> None:
    base, state = model(), adapter() | lora("lora_unet_up_blocks_1_attentions_0_proj_in", 8, 8, 2)
    base |= {f"{UNET}output_blocks.2.1.conv.weight": torch.randn(8, 8, 3, 3)}
    made = baked(base, baking(state, Strength(blocks=block_weights("OUTALL"))))
    changed = {key for key in base if not torch.equal(made[key], base[key])}
    assert changed == {f"{UNET}output_blocks.3.1.proj_in.weight", f"{TE}self_attn.q_proj.weight"}


def test_an_adapter_of_another_family_is_refused_by_name() -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in model().items()}
    with pytest.raises(WrongFamily, match="`style`") as caught:
        baker([baking(lora(TO_K, 8, 99, 2), name="style")], shapes)
    assert "8x99" in caught.value.why
    with pytest.raises(WrongFamily, match="another kind of model"):
        baker([baking(lora("lora_te_text_model_encoder_layers_7_mlp_fc1", 12, 6, 2))], shapes)


def test_a_partial_match_is_counted_and_named_and_strict_refuses_it() -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in model().items()}
    lost = "lora_te_text_model_encoder_layers_7_mlp_fc1"
    state = adapter() | lora(lost, 12, 6, 2) | {"bundle.x": torch.ones(1)}
    (fit,) = baker([baking(state)], shapes).fits
    assert (fit.matched, fit.unmatched, fit.leftovers) == (3, (lost,), ("bundle.x",))
    assert [lost in fit.told()[0], "bundle.x" in fit.told()[1]] == [True, True]
    with pytest.raises(PartialMatch) as caught:
        baker([baking(state)], shapes, strict=True)
    assert caught.value.names == (lost, "bundle.x")


def test_what_was_baked_comes_out_again_at_full_rank(tmp_path: Path) -> None:
    base = model()
    tuned = baked(base, baking(adapter())) | {f"{UNET}input_blocks.1.1.norm.bias": torch.randn(8)}
    options = Extraction(Rule(value=8), Rule(value=8), rest=True, dtype="F32")
    with saved(tmp_path / "b.safetensors", base) as original, saved(tmp_path / "t.safetensors", tuned) as file:
        made = extract(file, original, options, Origin({}, Family.SD1))
    assert made.ranks.keys() == {TO_K, CONV, Q}
    assert made.metadata["ss_base_model_version"] == "sd_v1"
    close(baked(base, baking(dict(made.tensors))), tuned, 2e-5)


def test_a_lower_rank_keeps_the_best_of_it_and_says_what_it_lost(tmp_path: Path) -> None:
    base = model()
    tuned = {key: tensor + torch.randn(tensor.shape) for key, tensor in base.items()}
    with saved(tmp_path / "b.safetensors", base) as original, saved(tmp_path / "t.safetensors", tuned) as file:
        made = extract(file, original, Extraction(Rule(value=2), text=False, dtype="F32"), Origin())
        with pytest.raises(UsageError, match="do not differ"):
            extract(file, file, Extraction(), Origin())
    assert set(made.ranks.values()) == {2}
    wanted = torch.linalg.svdvals(tuned[KEY] - base[KEY])
    found = tuned[KEY] - baked(base, baking(dict(made.tensors)))[KEY]
    assert float(found.norm()) == pytest.approx(float(wanted[2:].norm()), rel=1e-4)
    assert 0 < made.lost < 1


def test_models_of_different_kinds_have_no_difference(tmp_path: Path) -> None:
    other = {key: torch.randn(3, 3) for key in model()}
    with (
        saved(tmp_path / "b.safetensors", other) as original,
        saved(tmp_path / "t.safetensors", model()) as file,
        pytest.raises(WrongFamily, match="not of one kind"),
    ):
        extract(file, original, Extraction(), Origin())


def test_side_by_side_is_the_sum() -> None:
    base, one, two = model(), adapter(3.0), adapter(None)
    first, second = baking(one, Strength(0.5, 0.25)), baking(two, Strength(-1, 2))
    made = combine((first, second), Limits(), Origin(), dtype="F32")
    assert set(made.ranks.values()) == {4}
    close(baked(base, baking(dict(made.tensors))), baked(base, first, second), 2e-5)


def test_within_the_full_rank_the_sum_is_kept_too_and_within_less_it_is_the_best() -> None:
    base, one, two = model(), adapter(), adapter()
    whole = combine((baking(one), baking(two)), Limits(Rule(value=6)), Origin(), dtype="F32")
    close(baked(base, baking(dict(whole.tensors))), baked(base, baking(one), baking(two)), 5e-5)
    less = combine((baking(one), baking(two)), Limits(Rule(value=1)), Origin(), dtype="F32")
    wanted = torch.linalg.svdvals(baked(base, baking(one), baking(two))[KEY] - base[KEY])
    left = baked(base, baking(one), baking(two))[KEY] - baked(base, baking(dict(less.tensors)))[KEY]
    assert float(left.norm()) == pytest.approx(float(wanted[1:].norm()), rel=1e-4)


def test_adapters_of_other_algorithms_become_a_plain_lora() -> None:
    state = {f"{TO_K}.lokr_w1": torch.randn(2, 2), f"{TO_K}.lokr_w2": torch.randn(4, 3)}
    state |= {f"{CONV}.lokr_w1": torch.randn(2, 2), f"{CONV}.lokr_w2_a": torch.randn(4, 2)}
    state |= {f"{CONV}.lokr_w2_b": torch.randn(2, 36), f"{CONV}.alpha": torch.tensor(2.0)}
    made = combine((baking(state),), Limits(Rule(value=8)), Origin(), dtype="F32")
    assert made.tensors[f"{CONV}.lora_down.weight"].shape == (8, 8, 3, 3)
    base = model()
    close(baked(base, baking(dict(made.tensors))), baked(base, baking(state)), 5e-5)


def test_what_depends_on_the_weight_does_not_add_up() -> None:
    state = lora(TO_K, 8, 6, 2) | {f"{TO_K}.dora_scale": torch.ones(8, 1)}
    with pytest.raises(CannotConvert, match="cannot be added"):
        combine((baking(state), baking(adapter())), Limits(), Origin())
    with pytest.raises(WrongFamily):
        combine((baking(lora(TO_K, 8, 7, 2)), baking(adapter())), Limits(), Origin())


def test_names_go_to_peft_and_back_and_do_the_same() -> None:
    base, state = model(), adapter(1.0)
    peft = rename(parsed(state), state.__getitem__, {}, Target.PEFT)
    assert "unet.down_blocks.0.resnets.0.conv1.lora_A.weight" in peft.tensors
    assert "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_B.weight" in peft.tensors
    close(baked(base, baking(dict(peft.tensors))), baked(base, baking(state)))
    back = rename(parsed(peft.tensors), peft.tensors.__getitem__, {}, Target.KOHYA)
    assert back.tensors.keys() == state.keys()
    close(baked(base, baking(dict(back.tensors))), baked(base, baking(state)))
    again = rename(parsed(back.tensors), back.tensors.__getitem__, {}, Target.PEFT)
    assert all(torch.equal(again.tensors[key], peft.tensors[key]) for key in peft.tensors)


def test_sdxl_is_spelt_by_its_own_blocks_and_back() -> None:
    state = lora("unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q", 8, 8, 2)
    state |= lora("text_encoder.text_model.encoder.layers.0.mlp.fc1", 8, 8, 2)
    made = rename(parsed(state), state.__getitem__, {}, Target.KOHYA).tensors
    assert "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q.lora_up.weight" in made
    assert "lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha" in made
    back = rename(parsed(made), made.__getitem__, {}, Target.PEFT).tensors
    assert {key.replace("lora_A", "lora_down").replace("lora_B", "lora_up") for key in back} == state.keys()


def test_what_peft_has_no_name_for_is_refused() -> None:
    state = {f"{TO_K}.lokr_w1": torch.randn(2, 2), f"{TO_K}.lokr_w2": torch.randn(4, 3)}
    with pytest.raises(CannotConvert, match="cannot be written in PEFT"):
        rename(parsed(state), state.__getitem__, {}, Target.PEFT)


def test_a_written_file_has_the_hashes_of_its_payload(tmp_path: Path) -> None:
    made = Made({"a.alpha": torch.tensor(1.0), "a.x": torch.randn(600, 600)}, {"ss_network_dim": "4", "title": "x"})
    write(made, tmp_path / "x.safetensors")
    raw = (tmp_path / "x.safetensors").read_bytes()
    front = 8 + int.from_bytes(raw[:8], "little")
    metadata = json.loads(raw[8:front])["__metadata__"]
    assert metadata["sshs_model_hash"] == hashlib.sha256(raw[front:]).hexdigest()
    reference = st.save(dict(made.tensors), {"ss_network_dim": "4"})
    wanted = hashlib.sha256(reference[0x100000:0x110000]).hexdigest()[:8]
    assert metadata["sshs_legacy_hash"] == wanted
    with pytest.raises(WouldOverwrite):
        write(made, tmp_path / "x.safetensors")


@pytest.mark.corpus
def test_the_hashes_of_a_real_file_are_found_again(corpus: Path) -> None:
    with Opened(corpus / "models" / "lycoris_lokr_dim4_smart_falcon.safetensors") as file:
        tensors = {name: file.tensor(name) for name in file.shapes}
        found = hashed(tensors, file.metadata)
        assert found["sshs_model_hash"] == file.metadata["sshs_model_hash"]
        assert found["sshs_legacy_hash"] == file.metadata["sshs_legacy_hash"]


def test_ranks_are_chosen_as_said() -> None:
    values = torch.tensor([4.0, 2.0, 1.0, 0.5])
    rules = {
        Rule(value=3): 3, Rule(value=9): 4, Rule(Keep.THRESHOLD, 0.9): 3, Rule(Keep.RATIO, 0.4): 2,
        Rule(Keep.QUANTILE, 0.75): 2, Rule(Keep.FRO, 0.99): 3, Rule(Keep.FRO, 1, 2): 2, Rule(Keep.THRESHOLD, 99): 1,
    }  # fmt: skip
    assert {rule: rule.rank(values) for rule in rules} == rules
    for keep, value in (
        (Keep.FIXED, 0),
        (Keep.FIXED, 1.5),
        (Keep.RATIO, 2),
        (Keep.FRO, -1),
        (Keep.FIXED, float("nan")),
    ):
        with pytest.raises(UsageError):
            Rule(keep, value)


def test_the_randomised_factors_are_near_the_best_and_always_the_same() -> None:
    matrix = torch.randn(400, 12) @ torch.randn(12, 300) + 0.01 * torch.randn(400, 300)
    one, two = (factors_of(matrix, Rule(value=12), seed=5, name="x") for _ in range(2))
    assert torch.equal(one.up, two.up)
    best = float(torch.linalg.svdvals(matrix)[12:].norm())
    assert float((matrix - one.up @ one.down).norm()) <= best * 1.02
    assert one.lost == pytest.approx(best / float(matrix.norm()), rel=0.05)


def test_factors_of_a_product_are_those_of_the_matrix() -> None:
    up, down = torch.randn(9, 4), torch.randn(4, 11)
    one, two = factors_of_product(up, down, Rule(value=2)), factors_of(up @ down, Rule(value=2))
    torch.testing.assert_close(one.up @ one.down, two.up @ two.down, rtol=1e-4, atol=1e-4)
    held = clamped(one, 0.5)
    assert float(held.up.abs().max()) < float(one.up.abs().max())


def embedding(name: str, count: int = 2, width: int = 768) -> Embedding:
    return embedding_of(name, {"emb_params": (count, width)}, lambda _: torch.randn(count, width))


def test_embeddings_are_averaged_weighted_and_joined() -> None:
    one, two = embedding("a"), embedding("b")
    a, b = one.vectors["emb_params"], two.vectors["emb_params"]
    torch.testing.assert_close(merge((one, two), Way.AVERAGE).tensors["emb_params"], (a + b) / 2)
    found = merge((one, two), Way.WEIGHTED, (0.75, -1)).tensors["emb_params"]
    torch.testing.assert_close(found, 0.75 * a - b)
    assert torch.equal(merge((one, two), Way.CONCAT).tensors["emb_params"], torch.cat((a, b)))


def test_pairs_of_sdxl_stay_pairs_whatever_their_names() -> None:
    def pair(left: str, right: str) -> Embedding:
        shapes = {left: (2, 768), right: (2, 1280)}
        return embedding_of("x", shapes, lambda key: torch.ones(shapes[key]))

    made = merge((pair("clip_l", "clip_g"), pair("emb", "emb2")), Way.CONCAT).tensors
    assert {key: tuple(tensor.shape) for key, tensor in made.items()} == {"clip_l": (4, 768), "clip_g": (4, 1280)}


def test_embeddings_that_do_not_go_together_are_told() -> None:
    with pytest.raises(WrongFamily):
        merge((embedding("a"), embedding("b", width=1024)), Way.AVERAGE)
    with pytest.raises(UsageError, match="different lengths"):
        merge((embedding("a"), embedding("b", 3)), Way.AVERAGE)
    with pytest.raises(UsageError, match="need 2 weights"):
        merge((embedding("a"), embedding("b")), Way.WEIGHTED, (1,))


@pytest.mark.parametrize("kernel", [(), (3, 3)])
@pytest.mark.parametrize("rule", [Rule(Keep.FIXED, 5), Rule(Keep.FRO, 0.8), Rule(Keep.RATIO, 0.3), Rule(value=20)])
def test_a_kronecker_product_is_factored_without_being_made(kernel: tuple[int, ...], rule: Rule) -> None:
    draw = torch.Generator().manual_seed(4)
    first, second = torch.randn(4, 3, generator=draw), torch.randn(7, 5, *kernel, generator=draw)
    whole = torch.kron(first, second.flatten(1))
    found, dense = factors_of_kronecker(first, second, rule), factors_of(whole, rule)
    assert found.rank == dense.rank
    assert found.lost == pytest.approx(dense.lost, abs=1e-3)
    torch.testing.assert_close(found.up @ found.down, dense.up @ dense.down, rtol=1e-3, atol=1e-4)


def test_lokr_becomes_the_lora_that_its_whole_change_would() -> None:
    draw = torch.Generator().manual_seed(5)
    target = "lora_unet_down_blocks_0_attentions_0_proj_in"
    state = {
        f"{target}.lokr_w1": torch.randn(2, 4, generator=draw),
        f"{target}.lokr_w2_a": torch.randn(4, 2, generator=draw),
        f"{target}.lokr_w2_b": torch.randn(2, 2, generator=draw),
        f"{target}.alpha": torch.tensor(1.0),
    }
    made = combine([baking(state, Strength(0.5, 0.5))], Limits(Rule(value=8)), Origin(), dtype="F32").tensors
    product = made[f"{target}.lora_up.weight"] @ made[f"{target}.lora_down.weight"]
    whole = torch.kron(state[f"{target}.lokr_w1"], state[f"{target}.lokr_w2_a"] @ state[f"{target}.lokr_w2_b"])
    torch.testing.assert_close(product, 0.5 * 0.5 * whole, rtol=1e-4, atol=1e-5)
