"""Containers, flaws, problems, allowances, and the files that honest programs write."""

from __future__ import annotations

import argparse
import collections
import datetime
import pathlib
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.audit.judge import ENGINE, judge
from sdkeep.audit.policy import allowed_for, load_policy, policy_id
from sdkeep.formats.contents import Container, Contents, Flaw, PickleMember, Tensor
from sdkeep.formats.pickled.budget import Budget
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.ground.verdict import Allowance, Outcome, Severity
from tests.audit.conftest import judged
from tests.makers.pickles import Assembler, assemble, calling


def of(container: Container, **parts: Any) -> Outcome:
    return judge(Contents(container, 1000, **parts)).outcome


@pytest.mark.parametrize("container", Container)
def test_every_container_has_an_outcome_and_only_known_forms_are_clean(container: Container) -> None:
    clean = {Container.SAFETENSORS, Container.PNG, Container.JPEG, Container.WEBP}
    assert (of(container) is Outcome.CLEAN) == (container in clean)


@pytest.mark.parametrize(
    ("container", "outcome"),
    [
        (Container.HTML, Outcome.MALFORMED),
        (Container.LFS_POINTER, Outcome.MALFORMED),
        (Container.EMPTY, Outcome.MALFORMED),
        (Container.TORCH_ZIP, Outcome.MALFORMED),
        (Container.JSON, Outcome.UNSUPPORTED),
        (Container.UNKNOWN, Outcome.UNSUPPORTED),
        (Container.SEVEN_ZIP, Outcome.UNSUPPORTED),
        (Container.RAR, Outcome.UNSUPPORTED),
        (Container.TAR, Outcome.UNSUPPORTED),
        (Container.TORCHSCRIPT, Outcome.SUSPICIOUS),
        (Container.YAML, Outcome.INCONCLUSIVE),
        (Container.GGUF, Outcome.UNSUPPORTED),
    ],
)
def test_what_a_container_is_worth_by_itself(container: Container, outcome: Outcome) -> None:
    assert of(container) is outcome


def test_a_gguf_whose_header_lists_tensors_is_clean() -> None:
    assert of(Container.GGUF, tensors=(Tensor("a", "F16", (1,)),)) is Outcome.CLEAN


@pytest.mark.parametrize(
    ("container", "rule", "grave", "outcome"),
    [
        (Container.SAFETENSORS, "payload-hole", True, Outcome.MALFORMED),
        (Container.SAFETENSORS, "duplicate-key", True, Outcome.MALFORMED),
        (Container.SAFETENSORS, "two-containers", True, Outcome.SUSPICIOUS),
        (Container.SAFETENSORS, "duplicate-metadata", False, Outcome.CLEAN_WITH_NOTES),
        (Container.PNG, "two-containers", True, Outcome.SUSPICIOUS),
        (Container.TORCH_ZIP, "duplicate-member", True, Outcome.SUSPICIOUS),
        (Container.TORCH_ZIP, "local-name-mismatch", True, Outcome.SUSPICIOUS),
        (Container.TORCH_ZIP, "crc-mismatch", True, Outcome.SUSPICIOUS),
        (Container.TORCH_ZIP, "directory-missing", True, Outcome.MALFORMED),
        (Container.TORCH_ZIP, "a-flaw-of-tomorrow", True, Outcome.SUSPICIOUS),
        (Container.TORCH_ZIP, "zip-comment", False, Outcome.CLEAN_WITH_NOTES),
        (Container.TORCH_ZIP, "member-too-large", True, Outcome.INCONCLUSIVE),
    ],
)
def test_what_a_flaw_is_worth(container: Container, rule: str, grave: bool, outcome: Outcome) -> None:
    pickles = (PickleMember("", 0, read_pickle(b"}.")),) if container is Container.TORCH_ZIP else ()
    flaw = Flaw(rule, "why", 7, "member", grave)
    verdict = judge(Contents(container, 1000, pickles=pickles, flaws=(flaw,)))
    assert verdict.outcome is outcome
    assert (verdict.findings[0].rule, verdict.findings[0].file_offset, verdict.findings[0].member) == (
        rule,
        7,
        "member",
    )


PLAIN = [None, True, 1, -(2**80), 1.5, "é", b"\xff", (), (1, (2,)), [1, [2]], {"a": {1: 2}}, {1, 2}, frozenset({3})]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("data", PLAIN, ids=repr)
def test_plain_data_of_every_protocol_are_clean(data: object, protocol: int) -> None:
    assert judged(pickle.dumps(data, protocol)).outcome is Outcome.CLEAN


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    ),
    st.sampled_from(range(6)),
)
def test_any_plain_data_are_clean(data: object, protocol: int) -> None:
    assert judged(pickle.dumps(data, protocol)).outcome is Outcome.CLEAN


INERT = [
    argparse.Namespace(a=1, b=[2]),
    pathlib.PurePosixPath("/home/x"),
    datetime.datetime(2023, 1, 2, tzinfo=datetime.UTC),
    datetime.timedelta(1),
    collections.defaultdict(list, {"a": [1]}),
    collections.Counter("aab"),
    collections.deque([1, 2], 5),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("data", INERT, ids=lambda data: type(data).__name__)
def test_what_trainers_keep_beside_weights_is_clean_with_notes(data: object, protocol: int) -> None:
    verdict = judged(pickle.dumps({"hyper_parameters": data}, protocol))
    assert verdict.outcome is Outcome.CLEAN_WITH_NOTES, verdict.findings
    assert {finding.severity for finding in verdict.findings} == {Severity.NOTE}


@pytest.mark.parametrize("protocol", range(6))
def test_an_ordered_dict_with_attributes_is_clean(protocol: int) -> None:
    state = collections.OrderedDict([("a", 1)])
    state._metadata = collections.OrderedDict(version=1)  # type: ignore[attr-defined]
    assert judged(pickle.dumps(state, protocol)).outcome is Outcome.CLEAN


def test_a_lightning_callback_as_a_key_is_noted_not_condemned() -> None:
    name = "pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"
    verdict = judged(assemble(2).empty_dict().name(*name).empty_dict().setitem().stop())
    assert verdict.outcome is Outcome.CLEAN_WITH_NOTES
    assert verdict.findings[0].rule == "inert-name"


def test_a_whole_module_is_suspicious_and_its_functions_are_not_called() -> None:
    linear = assemble(2).name("torch.nn.modules.linear", "Linear").empty_tuple()
    whole = Assembler().raw(bytes(linear.code)).newobj().empty_dict().build().stop()
    assert judged(whole).outcome is Outcome.SUSPICIOUS
    assert judged(Assembler().raw(bytes(linear.code)).reduce().stop()).outcome is Outcome.DANGEROUS


@pytest.mark.parametrize(
    ("dotted", "arguments"),
    [
        ("_codecs:encode", ("x", "rot13")),
        ("builtins:bytearray", (1 << 30,)),
        ("builtins:object", ()),
        ("torch:float16", (1,)),
        ("collections:OrderedDict", ("x",)),
        ("collections:defaultdict", ("x",)),
        ("torch._utils:_rebuild_tensor_v2", (1, 2, 3, 4)),
        ("torch._utils:_rebuild_parameter", (1, 2)),
        ("torch._tensor:_rebuild_from_type_v2", (1, 2, 3, 4)),
        ("numpy:dtype", ("O8", "x")),
        ("numpy:dtype", ("|V8,O8",)),
        ("numpy.core.multiarray:scalar", ("f8", b"12345678")),
        ("numpy.core.multiarray:_reconstruct", ("x", "y", b"b")),
        ("copyreg:_reconstructor", ("x", "y", None)),
        ("argparse:Namespace", ("x",)),
        ("pytorch_lightning.callbacks.model_checkpoint:ModelCheckpoint", ()),
    ],
    ids=str,
)
def test_a_listed_name_used_in_another_way_is_suspicious(dotted: str, arguments: tuple[str | bytes | int, ...]) -> None:
    assert judged(calling(dotted, *arguments)).outcome is Outcome.SUSPICIOUS


def test_a_default_factory_that_runs_something_is_not_cleared() -> None:
    code = assemble(2).name("collections", "defaultdict").name("acme", "run").tuple1().reduce().stop()
    assert judged(code).outcome is Outcome.SUSPICIOUS


def test_dtype_flags_that_turn_bytes_into_pointers_are_suspicious() -> None:
    def state(flags: int) -> bytes:
        code = assemble().call("numpy:dtype", "f8", 0, 1).mark().binint(3).string("<").none().none().none()
        return code.binint(-1).binint(-1).binint(flags).tuple().build().stop()

    assert judged(state(0)).outcome is Outcome.CLEAN
    assert judged(state(63)).outcome is Outcome.SUSPICIOUS


@pytest.mark.parametrize("pid", ["x", "storage"])
def test_a_persistent_id_that_is_no_storage_is_suspicious(pid: str) -> None:
    assert judged(assemble(2).string(pid).binpersid().stop()).outcome is Outcome.SUSPICIOUS
    assert judged(assemble(2).persid(pid).stop()).outcome is Outcome.SUSPICIOUS


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_benign_pickle_cut_short_is_malformed_never_clean(cut: int) -> None:
    whole = pickle.dumps({"a": [1, 2, 3], "b": ("x" * 10, 2.5)}, 2)
    verdict = judged(whole[:-cut])
    assert verdict.outcome is Outcome.MALFORMED and not verdict.placeable


def test_events_before_the_break_keep_their_weight() -> None:
    assert judged(calling("os:system", "id")[:-1]).outcome is Outcome.DANGEROUS
    assert judged(assemble(2).name("acme", "x").raw(b"\xff").stop()).outcome is Outcome.SUSPICIOUS


def test_a_budget_that_ran_out_is_inconclusive() -> None:
    reading = read_pickle(b"N0" * 100 + b"N.", budget=Budget(opcodes=50))
    verdict = judge(Contents(Container.PICKLE, 202, pickles=(PickleMember("", 0, reading),)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.findings[0].rule == "budget-opcodes"


def test_a_judge_kept_busy_gives_up_without_clearing() -> None:
    code = assemble(2).name("builtins", "set").put(0).empty_list().put(1).mark()
    code.raw(b"K\x01" * 20_000 + b"e" + b"h\x00h\x01\x85R0" * 300)
    assert judged(code.stop()).outcome is Outcome.INCONCLUSIVE


def test_a_safe_name_called_with_anything_but_a_tuple_is_suspicious() -> None:
    code = assemble(2).name("builtins", "set").empty_list().reduce().stop()
    assert judged(code).outcome is Outcome.SUSPICIOUS


def test_adding_to_what_a_constant_would_return_is_dangerous() -> None:
    code = assemble(4).string("x").empty_tuple().reduce().raw(b"(K\x01\x90").stop()
    opcodes = {finding.opcode for finding in judged(code).findings if finding.rule == "call-of-result"}
    assert opcodes == {"REDUCE", "ADDITEMS"}


def test_pickles_in_bytes_are_read_only_up_to_a_budget() -> None:
    inner = b"cos\nsystem\n)R" + b"N0" * 90_000 + b"N."
    code = assemble(2).binbytes(inner).put(0).pop()
    for number in range(20):
        code.name("acme", f"f{number}").get(0).tuple1().reduce().pop()
    nested = {finding.member for finding in judged(code.none().stop()).findings if "!" in finding.member}
    assert 0 < len(nested) < 20


def test_a_reading_that_broke_off_without_a_reason_is_not_cleared() -> None:
    reading = replace(read_pickle(b"}."), complete=False)
    verdict = judge(Contents(Container.PICKLE, 2, pickles=(PickleMember("", 0, reading),)))
    assert verdict.outcome is Outcome.MALFORMED


def test_many_equal_acts_are_one_finding_with_their_number() -> None:
    code = assemble(2).name("acme", "f").put(0).pop()
    for _ in range(500):
        code.get(0).empty_tuple().reduce().pop()
    calls = [finding for finding in judged(code.none().stop()).findings if finding.opcode == "REDUCE"]
    assert len(calls) == 1 and "499 more" in calls[0].why


def test_many_different_names_do_not_flood_the_report() -> None:
    code = assemble(2)
    for number in range(5000):
        code.name("acme", f"f{number}").pop()
    verdict = judged(code.call("os:system", "id").stop())
    assert verdict.outcome is Outcome.DANGEROUS
    assert len(verdict.findings) < 250


def test_a_person_can_allow_one_name_for_one_file() -> None:
    data = assemble(2).name("acme.net", "Net").empty_tuple().newobj().empty_dict().build().stop()
    decision = Allowance("acme.net.Net", "ab" * 32, "ada", "2026-07-13T12:00:00Z", "our own trainer")
    assert allowed_for([decision], "AB" * 32) == {"acme.net.Net": decision}
    assert allowed_for([decision], "cd" * 32) == allowed_for([decision], "") == {}
    assert judged(data).outcome is Outcome.DANGEROUS
    verdict = judged(data, allowed={"acme.net.Net": decision})
    assert verdict.outcome is Outcome.CLEAN_WITH_NOTES
    assert verdict.findings[0].rule == "allowed-by-user"
    assert verdict.findings[0].why == "allowed for this very file by ada on 2026-07-13: our own trainer"
    assert judged(data, allowed={"acme.net.Other": decision}).outcome is Outcome.DANGEROUS


def test_a_verdict_records_that_it_stands_on_a_decision() -> None:
    policy, data = load_policy(), assemble(2).empty_dict().stop()
    allowed = {"acme.Net": Allowance("acme.Net", "ab" * 32)}
    assert judged(data).policy == policy_id(policy) == policy.version
    assert judged(data, allowed=allowed).policy == policy_id(policy, allowed) != policy.version
    assert policy_id(policy, allowed | {"acme.B": allowed["acme.Net"]}) != policy_id(policy, allowed)


def test_names_that_torchscript_resolves_by_itself_are_not_held_against_it() -> None:
    data = assemble(2).name("__torch__.net", "Net").empty_tuple().newobj().empty_dict().build().stop()
    verdict = judged(data, container=Container.TORCHSCRIPT)
    assert [finding.rule for finding in verdict.findings] == ["torchscript"]
    assert judged(data).outcome is Outcome.DANGEROUS


def test_the_verdict_names_engine_policy_and_what_was_not_read() -> None:
    verdict = judge(Contents(Container.PNG, 10, unread=("pixels",)))
    assert (verdict.engine, verdict.policy) == (ENGINE, load_policy().version)
    assert verdict.unread == ("pixels",)


def test_the_worst_findings_come_first() -> None:
    data = assemble(2).name("argparse", "Namespace").pop().name("acme", "x").pop().call("os:system", "id").stop()
    ranks = [finding.severity for finding in judged(data).findings]
    assert ranks == sorted(ranks, key=[*reversed(Severity)].index)


@given(st.binary(max_size=120))
def test_judging_random_bytes_never_raises(data: bytes) -> None:
    verdict = judged(b"\x80\x04" + data)
    assert verdict.outcome in Outcome


NAMES = ("os system", "builtins set", "collections OrderedDict", "numpy dtype", "copyreg _reconstructor",
         "torch._utils _rebuild_tensor_v2", "numpy.core.multiarray _reconstruct")  # fmt: skip
PIECES = [b"c%b\n%b\n" % tuple(name.encode().split()) for name in NAMES]
PIECES += [bytes([code]) for code in b"()]}tR\x81\x92bsaue\x90NQ\x85\x86\x8702old\x93"]
PIECES += [b"q\x00", b"h\x00", b"K\x01", b"X\x01\x00\x00\x00a"]


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_judging_any_program_never_raises_and_a_named_shell_is_never_placed(pieces: list[bytes]) -> None:
    data = b"\x80\x04" + b"".join(pieces) + b"."
    verdict = judged(data)
    reading = read_pickle(data)
    if any("os.system" in str(getattr(event.target, "dotted", "")) for event in reading.events):
        assert not verdict.placeable


@pytest.mark.parametrize("count", [49, 50, 51, 5000])
def test_thousands_of_flaws_of_a_kind_are_told_by_their_number(count: int) -> None:
    flaws = tuple(Flaw("duplicate-key", f"`{number}` twice", number) for number in range(count))
    findings = judge(Contents(Container.SAFETENSORS, 10, flaws=(*flaws, Flaw("payload-hole", "a hole")))).findings
    assert len(findings) == min(count, 50) + 1
    assert any("4,950 more" in finding.why for finding in findings) == (count == 5000)
    assert any("more like it" in finding.why for finding in findings) == (count > 50)
