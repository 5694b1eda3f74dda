"""A hub's claim beside our verdict."""

from __future__ import annotations

import pytest

from sdkeep.audit.claims import against
from sdkeep.audit.policy import load_policy
from sdkeep.ground.model import Claim
from sdkeep.ground.verdict import Finding, Outcome, Severity, Verdict

LIGHTNING = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
NOTED = Verdict(
    Outcome.CLEAN_WITH_NOTES, "torch-zip", (Finding("inert-name", Severity.NOTE, "state", callable=LIGHTNING),)
)
CLEAN = Verdict(Outcome.CLEAN, "torch-zip")
BAD = Verdict(Outcome.DANGEROUS, "torch-zip")
CUT = Verdict(Outcome.MALFORMED, "torch-zip")


def why(claim: Claim, verdict: Verdict, *, converted: bool = False) -> str:
    found = against(claim, verdict, load_policy(), converted=converted)
    return found.why if found else ""


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ("Success", CLEAN),
        ("Success", CUT),
        ("Danger", BAD),
        ("Pending", CLEAN),
        ("Error", CLEAN),
        ("", BAD),
        ("unsafe", CUT),
    ],
)
def test_agreement_and_silence_need_no_words(result: str, verdict: Verdict) -> None:
    assert not why(Claim("civitai-pickle", result), verdict)


def test_the_full_training_checkpoints_that_civitai_calls_danger_are_explained() -> None:
    named = Claim("civitai-pickle", "Danger", f"**Detected Pickle imports (9)**\n*{LIGHTNING}*")
    assert "Lightning callback" in why(named, CLEAN)
    assert "Lightning callback" in why(Claim("civitai-pickle", "Danger"), NOTED)
    assert "civitai-pickle says Danger, sdkeep says clean-with-notes" in why(named, NOTED)


def test_another_danger_gets_the_general_reason_or_that_of_the_conversion() -> None:
    assert "goes by names" in why(Claim("civitai-pickle", "Danger", "os.system"), CLEAN)
    assert "conversion" in why(Claim("huggingface", "unsafe"), CLEAN, converted=True)


def test_a_virus_scanner_is_never_explained_away() -> None:
    assert "find out" in why(Claim("civitai-virus", "Danger"), CLEAN)
    assert "find out" in why(Claim("civitai-virus", "Danger"), CLEAN, converted=True)


def test_a_hub_that_lets_a_bad_file_pass_is_named() -> None:
    assert "lets others pass" in why(Claim("huggingface", "no issue found"), BAD)
