"""One test per published bypass: each gadget and each trick is dangerous, with the evidence in the finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sdkeep.audit.judge import judge
from sdkeep.audit.policy import load_policy
from sdkeep.formats.contents import Container, Contents, Flaw, Member, PickleMember
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.ground.verdict import Finding, Outcome, Severity, Verdict
from tests.audit.conftest import judged
from tests.makers.advisories import GADGETS, UNLISTED, Row
from tests.makers.pickles import Assembler, assemble, calling, frame_divergence

BENIGN = b"\x80\x02}q\x00."


def worst_of(verdict: Verdict) -> Finding:
    return next(finding for finding in verdict.findings if finding.severity is Severity.DANGEROUS)


@pytest.mark.parametrize("row", GADGETS, ids=lambda row: row[0])
def test_a_published_gadget_is_dangerous_and_named(row: Row) -> None:
    advisory, dotted, arguments = row
    verdict = judged(calling(dotted, *arguments))
    assert verdict.outcome is Outcome.DANGEROUS
    (call,) = [finding for finding in verdict.findings if finding.rule == "dangerous-call"]
    assert call.callable == dotted.replace(":", ".")
    assert call.opcode == "REDUCE" and call.offset == len(calling(dotted, *arguments)) - 2
    assert "-".join(advisory.split("-")[:4]) in call.advisories or advisory in call.advisories


@pytest.mark.parametrize("row", UNLISTED, ids=lambda row: row[0])
def test_a_gadget_without_an_advisory_is_dangerous_too(row: Row) -> None:
    assert judged(calling(row[1], *row[2])).outcome is Outcome.DANGEROUS


@pytest.mark.parametrize("row", GADGETS + UNLISTED, ids=lambda row: row[0])
def test_safety_does_not_rest_on_the_list_of_dangerous_names(row: Row) -> None:
    data = calling(row[1], *row[2])
    contents = Contents(Container.PICKLE, len(data), pickles=(PickleMember("", 0, read_pickle(data)),))
    verdict = judge(contents, replace(load_policy(), dangers={}))
    assert verdict.outcome is Outcome.DANGEROUS


def _system() -> Assembler:
    return Assembler().name("os", "system")


TRICKS: dict[str, bytes] = {
    "GHSA-9gvj-pp9x-gcfr-string-operands": Assembler()
    .string("os").string("system").stack_global().string("ls").tuple1().reduce().stop(),
    "picklescan-22-memo-operands": Assembler()
    .unicode("os").put(2).pop().unicode("system").put(3).pop().unicode("torch").put(0).pop().unicode("LongStorage")
    .put(1).pop().get(2).get(3).stack_global().mark().unicode("cat flag").tuple().reduce().stop(),
    "keyerror-memo": assemble().name("os", "system").unicode("x").tuple1().reduce().pop()
    .short("os").memoize().get(3).get(0).stack_global().stop(),
    "type-confusion": assemble().name("os", "system").unicode("x").tuple1().reduce().pop()
    .binint(42).memoize().short("os").memoize().get(0).get(1).stack_global().stop(),
    "operand-of-wrong-type": assemble().binint(42).short("os").stack_global().stop(),
    "GHSA-mxhj-88fx-4pcv-obj-pop": Assembler().mark().name("os", "system").string("id").obj().pop().none().stop(),
    "inst": Assembler().mark().string("id").inst("os", "system").stop(),
    "newobj": assemble(2).name("os", "system").string("id").tuple1().newobj().stop(),
    "newobj-ex": assemble(4).name("os", "system").string("id").tuple1().empty_dict().newobj_ex().stop(),
    "reduce-popped": _system().string("id").tuple1().reduce().pop().none().stop(),
    "reduce-with-list": _system().empty_list().string("id").append().reduce().stop(),
    "GHSA-mhc9-48gj-9gp3-reduce-build": assemble().call("acme:Thing").empty_dict().build().stop(),
    "GHSA-cffv-grgg-g429-ml-name": calling("torch.hub:load", "x/y", "z"),
    "ext1": assemble(2).ext1(1).empty_tuple().reduce().stop(),
    "ext1-alone": assemble(2).ext1(1).stop(),
    "dotted-through-torch": assemble().call("torch:os.system", "id").stop(),
    "GHSA-5j3x-jp52-966f-dotted-through-stdlib": assemble().call("logging:os.system", "id").stop(),
    "dotted-globals": assemble().call("torch._utils:_rebuild_tensor_v2.__globals__.get", "os").stop(),
    "dotted-only-named": assemble().short("torch").short("os.system").stack_global().stop(),
    "dotted-twin-of-a-safe-name": assemble().call("torch:_utils._rebuild_parameter", "x").stop(),
    "call-of-a-result": assemble(2).name("functools", "partial").name("os", "system").tuple1().reduce()
    .empty_tuple().reduce().stop(),
    "call-of-a-constant": assemble(2).string("os.system").empty_tuple().reduce().stop(),
    "computed-name": assemble().call("builtins:str", "os").short("system").stack_global().stop(),
    "setstate-smuggled": assemble(2).name("argparse", "Namespace").empty_tuple().newobj()
    .mark().string("__setstate__").name("os", "system").raw(b"d").build().string("id").build().stop(),
    "slot-state-on-a-class": assemble(2).name("collections", "OrderedDict")
    .none().empty_dict().string("__new__").name("os", "system").setitem().tuple2().build().stop(),
    "sys-modules-override": Assembler().name("sys", "modules").string("json").name("os", "system").setitem().stop(),
    "sys-path-append": Assembler().name("sys", "path").string("/tmp/x").append().stop(),
    "python2-rename": assemble(2).name("__builtin__", "eval").string("1").tuple1().reduce().stop(),
    "python2-name-in-protocol-4": assemble(4).name("__builtin__", "eval").string("1").tuple1().reduce().stop(),
    "reconstructor": assemble(2).name("copy_reg", "_reconstructor").name("acme", "Loader")
    .name("__builtin__", "object").none().tuple3().reduce().stop(),
    "nullifai-broken-after-payload": _system().string("id").tuple1().reduce().raw(b"\xff\xff").stop(),
    "payload-then-truncated": bytes(_system().string("id").tuple1().reduce().code),
    "cpython-154848-frame": frame_divergence(),
    "frame-straddled-by-benign": assemble().frame(3).binunicode("harmless").stop(),
    "behind-a-persistent-id": assemble(2).mark().unicode("module").name("os", "system").tuple().binpersid()
    .string("id").tuple1().reduce().stop(),
    "metadata-keyword-new": assemble(4).name("acme", "X").empty_tuple().empty_dict().newobj_ex().stop(),
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_does_not_hide_the_danger(name: str) -> None:
    verdict = judged(TRICKS[name])
    assert verdict.outcome is Outcome.DANGEROUS, verdict.findings
    assert not verdict.placeable


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("place", range(5))
def test_each_of_the_five_pickles_of_a_legacy_file_is_judged(name: str, place: int) -> None:
    five = [BENIGN] * 5
    five[place] = TRICKS[name]
    assert judged(*five, container=Container.TORCH_LEGACY).outcome is Outcome.DANGEROUS


def test_a_mention_alone_is_suspicious_when_unknown_and_dangerous_when_known() -> None:
    assert judged(assemble(2).name("acme", "thing").stop()).outcome is Outcome.SUSPICIOUS
    assert judged(assemble(2).name("os", "system").stop()).outcome is Outcome.DANGEROUS


def test_duplicate_and_case_variant_members_are_each_judged() -> None:
    evil, benign = calling("os:system", "id"), BENIGN
    members = (
        Member("archive/data.pkl", 100, len(evil), len(evil)),
        Member("archive/DATA.PKL", 400, len(benign), len(benign)),
    )
    pickles = (
        PickleMember("archive/data.pkl", 100, read_pickle(evil)),
        PickleMember("archive/DATA.PKL", 400, read_pickle(benign)),
    )
    flaw = Flaw("case-variant-member", "`archive/DATA.PKL` and `archive/data.pkl` are one name to torch", 60)
    verdict = judge(Contents(Container.TORCH_ZIP, 1000, pickles=pickles, members=members, flaws=(flaw,)))
    assert verdict.outcome is Outcome.DANGEROUS
    call = worst_of(verdict)
    assert call.member == "archive/data.pkl"
    assert call.offset is not None and call.file_offset == 100 + call.offset
    assert {"case-variant-member", "dangerous-call"} <= {finding.rule for finding in verdict.findings}


def test_a_payload_between_two_benign_twins_of_one_name_is_found_where_it_lies() -> None:
    evil = calling("os:system", "id")
    members = tuple(Member("a/data.pkl", at, 80, 80) for at in (100, 300, 500))
    pickles = tuple(PickleMember("a/data.pkl", at, read_pickle(data)) for at, data in ((100, BENIGN), (300, evil)))
    verdict = judge(Contents(Container.TORCH_ZIP, 1000, pickles=pickles, members=members))
    call = worst_of(verdict)
    assert call.offset is not None and call.file_offset == 300 + call.offset


def test_offsets_inside_a_compressed_member_have_no_place_in_the_file() -> None:
    evil = calling("os:system", "id")
    member = Member("a/data.pkl", 100, len(evil), 30, compressed=True)
    pickle = PickleMember("a/data.pkl", 100, read_pickle(evil))
    call = worst_of(judge(Contents(Container.TORCH_ZIP, 1000, pickles=(pickle,), members=(member,))))
    assert call.offset == len(evil) - 2 or call.rule == "dangerous-name"
    assert call.file_offset is None


@pytest.mark.parametrize("opener", ["pickle:loads", "torch:load", "dill:loads", "acme:unpack"])
def test_a_pickle_inside_the_bytes_of_a_call_is_read_for_evidence(opener: str) -> None:
    inner = calling("os:system", "curl example.invalid")
    verdict = judged(calling(opener, inner))
    nested = [finding for finding in verdict.findings if finding.callable == "os.system" and finding.opcode == "REDUCE"]
    assert nested and "curl example.invalid" in nested[0].arguments
    assert "!" in nested[0].member and nested[0].file_offset is None


def test_pickles_nested_without_end_are_followed_to_a_depth() -> None:
    data = calling("os:system", "id")
    for _ in range(30):
        data = calling("pickle:loads", data)
    assert judged(data).outcome is Outcome.DANGEROUS


def test_setting_items_of_a_tensor_names_the_memory_corruption_in_torch() -> None:
    storage = assemble(2).mark().string("storage").name("torch", "FloatStorage").string("0").string("cpu").binint1(4)
    storage.tuple().binpersid()
    code = assemble(2).name("torch._utils", "_rebuild_tensor_v2").mark().raw(bytes(storage.code[2:]))
    code.binint1(0).binint1(4).tuple1().binint1(1).tuple1().raw(b"\x89").empty_dict().tuple().reduce()
    assert judged(code.stop()).outcome is Outcome.CLEAN
    verdict = judged(code.binint1(0).binint1(7).setitem().stop())
    assert verdict.outcome is Outcome.SUSPICIOUS
    assert "CVE-2026-24747" in verdict.findings[0].advisories
