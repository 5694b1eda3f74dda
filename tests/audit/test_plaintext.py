"""Configurations beside checkpoints: the classes they make a WebUI instantiate."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.audit.judge import judge
from sdkeep.audit.plaintext import judge_text
from sdkeep.audit.policy import load_policy
from sdkeep.formats.contents import Container, Contents
from sdkeep.ground.verdict import Outcome

LDM = """model:
  base_learning_rate: 1.0e-04
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    scheduler_config: # 10000 warmup steps
      target: ldm.lr_scheduler.LambdaLinearScheduler
    first_stage_config:
      target: "ldm.models.autoencoder.AutoencoderKL"   # the VAE
      params:
        lossconfig:
          target: torch.nn.Identity
    cond_stage_config: {target: cldm.cldm.ControlLDM, params: {}}
    control_stage_config:
      - target: modules.xlmr.BertSeriesModelWithTransformation
    on_target: yes
"""


def outcome(text: str, container: Container = Container.YAML) -> Outcome:
    return judge(Contents(container, len(text)), text=text).outcome


def test_the_configuration_of_stable_diffusion_is_clean() -> None:
    assert outcome(LDM) is Outcome.CLEAN
    assert outcome(LDM.replace("\n", "\r\n")) is Outcome.CLEAN


@pytest.mark.parametrize(
    "line",
    [
        "target: os.system", "target: 'subprocess.Popen'", "{target: os.system}", "target: modules.launch_utils.run",
        "target: ldm.util.instantiate_from_config", "target: ldm.os.system", "target: &a os.system", "target: *a",
        "target: >-\n    os.system", "target:\n    os.system", '"target": os.system', "? target\n: os.system",
        '"t\\x61rget": os.system', "- target: acme.Net", "_target_: os.system", "target: !!str os.system", "target:",
        "target: ldm.models.X os.system", "target: [os.system]", "&a target: os.system",
        "!!str target: os.system", "a: {b: 1, target: os.system}",
    ],
)  # fmt: skip
def test_any_other_target_is_suspicious(line: str) -> None:
    assert outcome("model:\n  " + line + "\n") is Outcome.SUSPICIOUS


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['id']", "a: !<tag:yaml.org,2002:python/object/new:os.system> x",
        "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system []", "a: !! python/name:os.system",
    ],
)  # fmt: skip
def test_python_tags_are_dangerous(text: str) -> None:
    assert outcome(text) is Outcome.DANGEROUS
    assert outcome(text, Container.TEXT) is Outcome.DANGEROUS


@pytest.mark.parametrize("text", ["red\ngreen\n__colors__\n", "on target: hit\n", "# a comment\n", ""])
def test_wildcards_and_notes_are_clean(text: str) -> None:
    assert outcome(text, Container.TEXT) is Outcome.CLEAN


HIDDEN_KEYS = {
    "spelt over two lines": 'model:\n  ? "tar\\\n    get"\n  : os.system\n',
    "spelt over two lines, with a comment": 'model:\n  ? "tar\\\n    get" # x\n  : os.system\n',
    "standing elsewhere": "a: &k target\nmodel:\n  *k : os.system\n",
    "standing elsewhere, in braces": "a: &k target\nmodel: {*k :os.system}\n",
    "standing elsewhere, behind a question mark": "a: &k target\nmodel:\n  ? *k # x\n  : os.system\n",
    "with a comment before its colon": "model:\n  ? target # x\n  : os.system\n",
    "with escapes and a comment": 'model:\n  ? "t\\x61rget" # x\n  : os.system\n',
    "in a block of its own": "model:\n  ? |-\n    target\n  : os.system\n",
}


@pytest.mark.parametrize("case", HIDDEN_KEYS)
def test_a_key_that_yaml_puts_together_is_never_clean(case: str) -> None:
    text = HIDDEN_KEYS[case]
    assert "target" in str(yaml.safe_load(text))
    assert outcome(text) is Outcome.SUSPICIOUS
    assert outcome(text, Container.TEXT) is Outcome.SUSPICIOUS


PIECES = st.sampled_from([
    "target", '"target"', "os.system", ": ", ":", "\n", "\n  ", "\n    ", "? ", "- ", "{", "}", ", ", "&k ", "*k ",
    "*k", "!!str ", "|-", ">-", "#c", "# x\n", "\\\n", '"tar', 'get"', " ", "a: ", "'", '"', '"t\\x61rget"', "\u2028",
    "\x85",
])  # fmt: skip
KEYED = [
    *HIDDEN_KEYS.values(),
    "model:\n  target: os.system\n",
    "model: {target: os.system}\n",
    "- target: os.system\n",
]


def targets(value: object, depth: int = 0) -> list[str]:
    """What a program that walks the tree would find under `target`."""
    if isinstance(value, dict) and depth < 20:
        own = [item for key, item in value.items() if key in ("target", "_target_") and isinstance(item, str)]
        return own + [found for item in value.values() for found in targets(item, depth + 1)]
    if isinstance(value, list) and depth < 20:
        return [found for item in value for found in targets(item, depth + 1)]
    return []


@settings(max_examples=600)
@given(
    st.sampled_from(KEYED),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), PIECES), max_size=4),
)
def test_no_target_that_yaml_finds_is_passed_over(text: str, changes: list[tuple[int, int, str]]) -> None:
    for at, length, piece in changes:
        text = text[:at] + piece + text[at + length :]
    try:
        found = targets(list(yaml.safe_load_all(text)))
    except (yaml.YAMLError, ValueError, TypeError):
        return
    if any(one for one in found):
        assert judge_text(text, load_policy())


def test_many_targets_do_not_flood_the_report() -> None:
    verdict = judge(Contents(Container.YAML, 0), text="target: os.system\n" * 10_000)
    assert len(verdict.findings) == 50
    assert verdict.findings[0].file_offset == 0


BROKEN_LINES = {
    "carriage returns": "model:\r  target: os.system\r",
    "next line": "model:\x85  target: os.system\x85",
    "line separators": "model:\u2028  target: os.system\u2028",
    "paragraph separators": "model:\u2029  target: os.system\u2029",
    "a byte order mark": "\ufefftarget: os.system\n",
}


@pytest.mark.parametrize("case", BROKEN_LINES)
def test_a_line_ends_wherever_yaml_says_so(case: str) -> None:
    (ruling,) = judge_text(BROKEN_LINES[case], load_policy())
    assert ruling.finding.rule == "yaml-target"


ODD_TAGS = {
    "escaped": "x: !<tag:yaml.org,2002:%70ython/object/apply:os.system> [id]\n",
    "escaped handle": "x: !!%70ython/object/apply:os.system [id]\n",
    "in pieces": "%TAG !y! tag:yaml.org,2002:pyth\n---\nx: !y!on/object/apply:os.system [id]\n",
    "verbatim": "x: !<whatever> [id]\n",
}


@pytest.mark.parametrize("case", ODD_TAGS)
def test_a_tag_that_could_be_any_tag_is_never_clean(case: str) -> None:
    assert [ruling for ruling in judge_text(ODD_TAGS[case], load_policy()) if ruling.outcome.rank >= 3]
