"""Every bypass that was published, whole files end to end: what each must come to, and that none has been left out."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from sdkeep.audit.report import as_lines
from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome, Verdict
from tests.audit.test_advisories import TRICKS
from tests.audit.test_container_advisories import ZIPS
from tests.formats.test_safetensors import blob, entry
from tests.makers.advisories import GADGETS, UNLISTED
from tests.makers.pickles import assemble, calling, frame_divergence
from tests.makers.zips import Rec, deflated, make_zip

CALL = calling("os:system", "id")
PLAIN = b"\x80\x02}q\x00."
VERSION = Rec("a/version", b"3\n")
DANGER, BAD = (Outcome.DANGEROUS,), (Outcome.SUSPICIOUS, Outcome.DANGEROUS)
UNSURE = (Outcome.MALFORMED, Outcome.INCONCLUSIVE, Outcome.UNSUPPORTED)
HARMLESS = (Outcome.CLEAN, Outcome.CLEAN_WITH_NOTES)

# fmt: off
PICKLESCAN = (
    "46h3", "955r", "84r2", "vvpj", "g38g", "7wx9", "x696", "6vqj", "49gj", "9w88", "5qwp", "g344", "cj3c", "fqq6",
    "xp4f", "3gf5", "j343", "3vg9", "6w4w", "7cq8", "8r4j", "9xph", "m869", "f54q", "p9w7", "jgw4", "q77w", "4675",
    "vqmv", "m273", "r8g5", "4r9r", "4whj", "86cj", "f4x7", "f745", "jhph", "h3qp", "vr7h", "vv6j", "v7x6", "9726",
    "hgrh", "3329", "cffc", "rrxm", "6556", "f7qq", "9gvj", "mjqp", "655q", "x843", "gx77",
)
FICKLING = (
    "r7v6", "565g", "wfq2", "p523", "q5qq", "5hvc", "h4rm", "5hwf", "mxhj", "mhc9", "cffv", "6ggj", "5j3x", "83pf",
    "wccx", "fphw",
)
CVES = (
    "CVE-2025-1716", "CVE-2025-1889", "CVE-2025-1944", "CVE-2025-1945", "CVE-2025-10155", "CVE-2025-10156",
    "CVE-2025-10157", "CVE-2025-32434", "CVE-2026-22608", "CVE-2026-24747", "CVE-2024-5480", "CVE-2024-48063",
    "CVE-2022-45907", "CVE-2019-6446",
)
# fmt: on


def torch_file(*records: Rec, **options: bytes) -> bytes:
    return make_zip([*(records or (Rec("a/data.pkl", PLAIN),)), VERSION], **options)  # type: ignore[arg-type]


def legacy(*, magic: bytes = b"", body: bytes = PLAIN, keys: bytes = b"\x80\x02].", behind: bytes = b"") -> bytes:
    front = magic or pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    return front + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2) + body + keys + behind


def magic_by_call() -> bytes:
    return assemble(2).name("builtins", "int").string("119547037146038801333356").tuple1().reduce().stop()


def setitem_of_a_tensor() -> bytes:
    storage = assemble(2).mark().string("storage").name("torch", "FloatStorage").string("0").string("cpu").binint1(4)
    made = assemble(2).name("torch._utils", "_rebuild_tensor_v2").mark()
    made.raw(bytes(storage.tuple().binpersid().code[2:])).binint1(0).binint1(4).tuple1().binint1(1).tuple1()
    return made.raw(b"\x89").empty_dict().tuple().reduce().binint1(0).binint1(7).setitem().stop()


def doubling() -> bytes:
    return b"\x80\x02]q\x000" + b"".join(b"h%ch%c\x86q%c0" % (n, n, n + 1) for n in range(40)) + b"h\x28."


FILES: dict[str, tuple[Callable[[], bytes], tuple[Outcome, ...]]] = {
    "nullifai-broken-after-the-payload": (lambda: CALL[:-1] + b"\xff\xff.", DANGER),
    "nullifai-broken-without-one": (lambda: PLAIN[:-1] + b"\xff\xff.", (Outcome.MALFORMED,)),
    "nullifai-7z": (lambda: b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(64), (Outcome.UNSUPPORTED,)),
    "CVE-2025-1889-and-10155-wrong-extension": (lambda: CALL, DANGER),
    "CVE-2025-1945-flag-bits": (lambda: torch_file(Rec("a/data.pkl", CALL, local={"flags": 1})), DANGER),
    "CVE-2025-1944-local-name": (lambda: torch_file(Rec("a/data.pkl", CALL, local={"name": b"a/data.txt"})), DANGER),
    "CVE-2025-10156-checksum": (lambda: torch_file(Rec("a/data.pkl", CALL, crc=1)), DANGER),
    "CVE-2025-10157-submodule": (lambda: calling("torch.serialization.x:load", "y"), DANGER),
    "duplicate-entry-evil-first": (lambda: torch_file(Rec("a/data.pkl", CALL), Rec("a/data.pkl", PLAIN)), DANGER),
    "duplicate-entry-evil-last": (lambda: torch_file(Rec("a/data.pkl", PLAIN), Rec("a/data.pkl", CALL)), DANGER),
    "case-variant": (lambda: torch_file(Rec("a/DATA.PKL", CALL), Rec("a/data.pkl", PLAIN)), DANGER),
    "dotted-name": (lambda: assemble(4).short("torch").short("os.system").stack_global().stop(), DANGER),
    "dotted-globals": (lambda: calling("torch._utils:_rebuild_tensor_v2.__globals__.get", "os"), DANGER),
    "memo-games": (lambda: TRICKS["picklescan-22-memo-operands"], DANGER),
    "memo-missing-key": (lambda: TRICKS["keyerror-memo"], DANGER),
    "sys-modules-override": (lambda: TRICKS["sys-modules-override"], DANGER),
    "legacy-magic-by-a-call": (lambda: legacy(magic=magic_by_call()), BAD),
    "legacy-evil-magic": (lambda: legacy(magic=CALL), DANGER),
    "legacy-fourth-pickle": (lambda: legacy(body=CALL), DANGER),
    "legacy-fifth-pickle": (lambda: legacy(keys=CALL), DANGER),
    "legacy-trailing-pickle": (lambda: legacy(behind=CALL), DANGER),
    "junk-before-a-second-pickle": (lambda: PLAIN + b"\0\0" + CALL, (*BAD, *UNSURE)),
    "python/cpython#154848-frame": (frame_divergence, DANGER),
    "ext1": (lambda: assemble(2).ext1(1).empty_tuple().reduce().stop(), DANGER),
    "ext2": (lambda: b"\x80\x02\x83\x01\x02)R.", DANGER),
    "ext4": (lambda: b"\x80\x02\x84\x01\x02\x03\x04)R.", DANGER),
    "build-with-setstate": (lambda: TRICKS["setstate-smuggled"], DANGER),
    "newobj": (lambda: TRICKS["newobj"], DANGER),
    "newobj-ex": (lambda: TRICKS["newobj-ex"], DANGER),
    "inst": (lambda: TRICKS["inst"], DANGER),
    "obj-popped": (lambda: TRICKS["GHSA-mxhj-88fx-4pcv-obj-pop"], DANGER),
    "result-popped": (lambda: TRICKS["reduce-popped"], DANGER),
    "nested-pickle-loads": (lambda: calling("pickle:loads", CALL), DANGER),
    "nested-torch-load": (lambda: calling("torch:load", "x.pt"), DANGER),
    "nested-numpy-load": (lambda: calling("numpy:load", "x.npy"), DANGER),
    "zip-comment": (lambda: torch_file(comment=b"a comment"), HARMLESS),
    "zip-trailing-bytes": (lambda: torch_file(suffix=b"behind it"), UNSURE),
    "zip-prefix": (lambda: torch_file(prefix=b"before it" * 20), (*BAD, *UNSURE)),
    "pickle-then-zip": (lambda: torch_file(prefix=CALL), DANGER),
    "pickle-then-zip-of-shifted-offsets": (lambda: torch_file(prefix=CALL, shift_offsets=b"1"), DANGER),
    "path-traversal": (lambda: torch_file(Rec("a/data.pkl", PLAIN), Rec("../../evil.py", b"x")), (*BAD, *UNSURE)),
    "bomb-zip": (lambda: torch_file(Rec("a/data.pkl", PLAIN), deflated("a/data/0", bytes(1 << 26))), HARMLESS),
    "bomb-memo-doubling": (doubling, (*HARMLESS, *UNSURE)),
    "bomb-long4": (lambda: b"\x80\x02\x8b\xff\xff\xff\x7f" + bytes(100) + b".", UNSURE),
    "bomb-nesting": (lambda: b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", (*HARMLESS, *UNSURE)),
    "bomb-opcodes": (lambda: b"\x80\x02" + b"N0" * 1_100_000 + b"N.", (Outcome.INCONCLUSIVE,)),
    "torchscript-CVE-2022-45907": (
        lambda: torch_file(Rec("a/data.pkl", PLAIN), Rec("a/code/__torch__.py", b"x"), Rec("a/constants.pkl", PLAIN)),
        (Outcome.SUSPICIOUS,),
    ),
    "CVE-2025-32434-load-of-another-file": (lambda: torch_file(Rec("a/data.pkl", calling("torch:load", "b"))), DANGER),
    "CVE-2026-24747-setitem-of-a-tensor": (setitem_of_a_tensor, (Outcome.SUSPICIOUS,)),
    "CVE-2024-5480-rpc": (
        lambda: calling("torch.distributed.rpc.internal:_internal_rpc_pickler.deserialize", b""), DANGER,
    ),
    "CVE-2024-48063-remote-module": (
        lambda: calling("torch.distributed.nn.api.remote_module:RemoteModule", "host", b""), DANGER,
    ),
    "yaml-target": (lambda: b"model:\n  target: os.system\n", (Outcome.SUSPICIOUS,)),
    "yaml-python-tag": (lambda: b"model: !!python/object/apply:os.system ['id']\n", DANGER),
    "safetensors-huge-header": (lambda: (1 << 40).to_bytes(8, "little") + b'{"x":1}' + bytes(20), UNSURE),
    "safetensors-overlap": (lambda: blob('{"x":' + entry() + ',"y":' + entry("I8", "[4]", "[4,8]") + "}"), UNSURE),
    "safetensors-hole": (lambda: blob('{"x":' + entry("I8", "[4]", "[4,8]") + "}"), UNSURE),
    "safetensors-out-of-bounds": (lambda: blob('{"x":' + entry("I8", "[99]", "[0,99]") + "}"), UNSURE),
    "safetensors-size-mismatch": (lambda: blob('{"x":' + entry("F32", "[8]") + "}"), UNSURE),
    "safetensors-shape-overflow": (lambda: blob('{"x":' + entry("I8", "[4294967296,4294967296]") + "}"), UNSURE),
    "safetensors-negative-dimension": (lambda: blob('{"x":' + entry("I8", "[-8]") + "}"), UNSURE),
    "safetensors-metadata-no-text": (lambda: blob(f'{{"__metadata__":{{"a":1}},"x":{entry()}}}'), UNSURE),
    "safetensors-duplicate-keys": (lambda: blob(f'{{"x":{entry()},"x":{entry("U8")}}}'), UNSURE),
    "safetensors-trailing-zip": (lambda: blob(f'{{"x":{entry()}}}') + torch_file(Rec("a/data.pkl", CALL)), DANGER),
    "safetensors-trailing-pickle": (lambda: blob(f'{{"x":{entry()}}}') + CALL, (*BAD, *UNSURE)),
    "safetensors-hostile-metadata": (
        lambda: blob('{"__metadata__":{"a":"\\u001b]0;x\\u0007<script>{{7*7}}"},"x":' + entry() + "}"), HARMLESS,
    ),
}  # fmt: skip


def judged(name: str) -> Verdict:
    return scan(BytesSource(FILES[name][0](), "pytorch_model.bin" if "extension" in name else ""))


@pytest.mark.parametrize("name", FILES)
def test_a_published_trick_comes_to_what_it_must(name: str) -> None:
    verdict = judged(name)
    assert verdict.outcome in FILES[name][1], "\n".join(as_lines(verdict, name))
    assert not any("\x1b" in line for line in as_lines(verdict, name))


def bearing() -> set[str]:
    """The ids that tests bear: of gadgets, of tricks, of containers, and of what came later."""
    from tests.audit.test_advisory_fixes import REFUSED_SINCE_THE_FIX, THREE_ZERO_DAYS

    assert REFUSED_SINCE_THE_FIX
    assert THREE_ZERO_DAYS
    later = {"GHSA-x843-g5mx-g377", "GHSA-gx77-x2pv-48v7", "GHSA-wccx-j62j-r448", "GHSA-fphw-536r-4p88"}
    return {row[0] for row in (*GADGETS, *UNLISTED)} | set(TRICKS) | set(ZIPS) | set(FILES) | later


@pytest.mark.parametrize("short", [*PICKLESCAN, *FICKLING])
def test_an_advisory_has_a_test_that_bears_its_id(short: str) -> None:
    assert any(f"GHSA-{short}-" in name for name in bearing())


@pytest.mark.parametrize("cve", CVES)
def test_a_vulnerability_has_a_test_that_bears_its_number(cve: str) -> None:
    year, number = cve.removeprefix("CVE-").split("-")
    assert any(cve in name or (f"CVE-{year}" in name and f"-{number}-" in name) for name in bearing())
