"""Checkpoints and prompts made to harm: refused by name before anything is allocated, or answered in little time."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.diffusion.assembly import build, check_sizes, keyed
from sdkeep.diffusion.checkpoint import Model, Opening, open_checkpoint
from sdkeep.diffusion.conditioning import Reader
from sdkeep.diffusion.guidance import Guide, Scales, negative, scheduled
from sdkeep.diffusion.jobs import Job, checked
from sdkeep.diffusion.networks.config import ClipConfig, ModelConfig, Shapes, UNetConfig, VaeConfig, infer
from sdkeep.diffusion.prompt.chunks import chunk, known_embeddings
from sdkeep.diffusion.prompt.emphasis import parse_emphasis
from sdkeep.diffusion.prompt.schedule import Steps
from sdkeep.formats.selection import Component
from sdkeep.ground.errors import FormatError, UsageError
from sdkeep.ground.kinds import Family
from tests.makers.ldmkeys import Weights
from tests.makers.tinymodels import save, tiny

FILE = Path("model.safetensors")
TOKENS = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
UNET = UNetConfig(width=32, mults=(1, 2), res_blocks=(1, 1), depths=(1, 1), depths_out=(1,) * 4, context=64)
TEXT = ClipConfig("cond_stage_model.transformer.text_model.", 99, 77, 64, 128, 2, 1)
SIZES: Shapes = {
    part.prefix + name: tuple(weight.shape)
    for part in build(ModelConfig(Family.SD1, UNET, VaeConfig(32, (1, 2), 1), (TEXT,)))
    for name, weight in part.network.named_parameters()
}
SIDES = st.sampled_from([0, 1, 2, 31, 33, 64, 2**20, 2**31, 2**62])
EDITS = st.one_of(st.none(), st.lists(SIDES, max_size=5).map(tuple))


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted(SIZES)), EDITS, min_size=1, max_size=4))
def test_sizes_that_lie_are_refused_and_allocate_nothing(edits: dict[str, tuple[int, ...] | None]) -> None:
    shapes = {key: shape for key, shape in (SIZES | edits).items() if shape is not None}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        check_sizes(shapes, FILE)
        keyed(infer(shapes), shapes, FILE)
    except FormatError as error:
        assert error.rule in ("key-shape", "key-missing", "key-unknown", "unsupported-network", "not-a-checkpoint")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10  # KiB


@pytest.fixture(scope="module")
def weights() -> Weights:
    return tiny("sd1").weights()


@pytest.mark.parametrize("shape", [(0,), (), (0, 64), (64, 0)])
def test_a_weight_without_numbers_is_named(tmp_path: Path, weights: Weights, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "m.safetensors", weights | {TOKENS: torch.zeros(shape)})
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    assert (caught.value.rule, TOKENS in caught.value.why) == ("key-shape", True)


@pytest.mark.parametrize("rows", [2**30, 2**23])
def test_a_table_that_claims_more_rows_than_are_stored_is_refused(tmp_path: Path, weights: Weights, rows: int) -> None:
    """One row, repeated by a stride of nought: what a torch archive can say in a few bytes."""
    path = tmp_path / "m.ckpt"
    torch.save({"state_dict": weights | {TOKENS: weights[TOKENS][:1].expand(rows, -1)}}, path)
    with pytest.raises(FormatError) as caught:
        _ = open_checkpoint(path, Opening(needs=frozenset({Component.TEXT_ENCODER}))).text
    assert TOKENS in caught.value.what + caught.value.why


def test_a_distilled_networks_extra_input_is_refused_by_name(tmp_path: Path, weights: Weights) -> None:
    """LCM's own UNets are told the scale of guidance through a layer that no WebUI's code has."""
    key = "model.diffusion_model.time_embed.cond_proj.weight"
    with pytest.raises(FormatError, match="do not fit") as caught:
        open_checkpoint(save(tmp_path / "lcm.safetensors", weights | {key: torch.zeros(32, 256)}))
    assert key in caught.value.why


def test_a_text_encoder_that_prompts_do_not_fit_is_refused(tmp_path: Path, weights: Weights) -> None:
    with pytest.raises(FormatError) as caught:
        Reader(open_checkpoint(save(tmp_path / "m.safetensors", weights)))
    assert "99 words" in caught.value.why


def test_a_prompt_of_a_hundred_thousand_words_is_read_in_a_moment() -> None:
    begun = time.process_time()
    known = known_embeddings({f"style{place}": 4 for place in range(20)})
    assert sum(len(one.tokens) - 2 for one in chunk("cat, " * 50_000, known)) >= 100_000
    for prompt in ("(a" * 30_000, "(a" * 20_000 + ")" * 20_000):
        assert "".join(part.text for part in parse_emphasis(prompt)) == "a" * prompt.count("a")
    assert time.process_time() - begun < 20


def test_a_hundred_prompts_at_once_are_asked_a_few_at_a_time(sd1: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    predict = sd1.predict

    def counted(x: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        asked.append(len(x))
        return predict(x, *more)

    monkeypatch.setattr(sd1, "predict", counted)
    reader, steps = Reader(sd1), Steps(4)
    parts = scheduled(reader, " AND ".join(["a cat"] * 100), steps)
    guide = Guide(sd1, [parts], [negative(reader, "", steps)], Scales(7.0), (32, 32))
    x = torch.randn(1, 4, 4, 4)
    assert torch.isfinite(guide(x, torch.tensor(500.0))).all()
    assert (sum(asked), max(asked)) == (101, 3)


@pytest.mark.parametrize("steps", [0, 10**6, 2**70])
def test_a_million_steps_are_refused(steps: int) -> None:
    with pytest.raises(UsageError, match="steps"):
        checked(Job("a cat", steps=steps))
