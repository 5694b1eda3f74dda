"""The whole catalogue under audit."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sdkeep.actions import audit_cases
from sdkeep.actions.audit import AHEAD, PAGE, Audit, AuditRequest, audit
from sdkeep.audit import judge as judging
from sdkeep.audit.policy import load_policy
from sdkeep.ground.events import Ended, Moved, Started, Stopped
from sdkeep.ground.kinds import Kind
from sdkeep.ground.model import Claim
from sdkeep.ground.record import Artifact, Location, Method
from sdkeep.ground.verdict import Outcome, Verdict
from tests.makers import library, models
from tests.makers.pickles import foreign
from tests.world import World, sha256


def run(world: World, *names: str, **more: Any) -> Audit:
    with world.house() as house:
        return audit(house, AuditRequest(names, **more))


def in_place(world: World, name: str, data: bytes) -> Path:
    """A file catalogued where it lies."""
    path = world.root / "models" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    world.json("add", "--in-place", str(path))
    return path


def lora(fill: int) -> bytes:
    return models.safetensors(models.small_lora(), fill)


def by_name(answer: Audit) -> dict[str, Any]:
    return {file.name: file for file in answer.files}


def claimed(world: World, name: str, claim: Claim) -> None:
    """Let the hub say this of the file."""
    with world.house() as house:
        found = house.book.by_name(name)
        release = house.book.release_of(found.sha256 or "") if found else None
        assert release
        house.book.put_release(replace(release, files=tuple(replace(one, claims=(claim,)) for one in release.files)))


def old_policy(world: World, name: str) -> None:
    """Make the verdict on record one that an older policy gave."""
    with world.house() as house:
        found = house.book.by_name(name)
        assert found
        assert found.sha256
        verdict = house.book.verdict_of(found.sha256)
        assert verdict
        house.book.put_verdict(found.sha256, replace(verdict, policy="2020.1"))


def test_an_empty_catalogue_is_clean(world: World) -> None:
    answer = run(world)
    assert (answer.files, answer.status, answer.outcomes) == ((), 0, {})


def test_a_verdict_of_today_answers_from_the_record_and_an_older_one_does_not(world: World) -> None:
    in_place(world, "a.safetensors", lora(61))
    in_place(world, "b.safetensors", lora(62))
    old_policy(world, "b")
    answer = run(world)
    assert {name: file.judged for name, file in by_name(answer).items()} == {"a": "stored", "b": "scanned"}
    assert run(world).judged == {"stored": 2}
    assert run(world, rescan=True).judged == {"scanned": 2}


def test_another_engine_makes_everything_be_scanned_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    in_place(world, "a.safetensors", lora(63))
    monkeypatch.setattr(judging, "ENGINE", "sdkeep-audit 99")
    monkeypatch.setattr(audit_cases, "ENGINE", "sdkeep-audit 99")
    (file,) = run(world).files
    assert file.judged == "scanned"
    assert file.verdict
    assert file.verdict.engine == "sdkeep-audit 99"
    assert run(world).judged == {"stored": 1}


def test_the_status_is_that_of_the_worst_file(world: World) -> None:
    in_place(world, "good.safetensors", lora(64))
    assert run(world).status == 0
    in_place(world, "odd.pt", b"\x80\x02garbage")
    assert run(world).status == 2
    in_place(world, "bad.ckpt", models.trojan(6.0))
    answer = run(world)
    assert answer.status == 1
    assert next(iter(answer.outcomes)) == "dangerous"
    assert run(world, "good").status == 0


def test_a_changed_file_is_judged_by_what_lies_there_and_never_by_the_record(world: World) -> None:
    path = in_place(world, "a.safetensors", lora(65))
    path.write_bytes(models.trojan(7.0))
    (file,) = run(world).files
    assert (file.judged, file.outcome, file.sha256) == ("changed", Outcome.DANGEROUS, "")
    assert [note.rule for note in file.notes] == ["changed-since-catalogued"]
    with world.house() as house:
        kept = house.book.verdict_of(sha256(lora(65)))
    assert kept
    assert kept.outcome is Outcome.CLEAN


def test_a_file_that_was_only_touched_is_undecided_and_not_clean(world: World) -> None:
    path = in_place(world, "a.safetensors", lora(66))
    os.utime(path, ns=(1, 1))
    answer = run(world)
    assert (answer.files[0].judged, answer.files[0].outcome, answer.status) == ("changed", Outcome.INCONCLUSIVE, 2)


def test_the_stored_copy_vouches_for_itself_while_a_changed_copy_is_reported(world: World, a1111: Path) -> None:
    placed = Path(world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"][0]["path"])
    placed.unlink()
    placed.write_bytes(models.trojan(8.0))
    kept, changed = run(world).files
    assert (kept.judged, kept.outcome) == ("stored", Outcome.CLEAN)
    assert "blobs" in kept.path
    assert (changed.judged, changed.outcome, changed.path) == ("changed", Outcome.DANGEROUS, str(placed))


def test_a_hard_link_that_was_written_to_takes_its_blob_along(world: World, a1111: Path) -> None:
    placed = Path(world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"][0]["path"])
    if placed.stat().st_nlink < 2:
        pytest.skip("this file system has no hard links")
    placed.chmod(0o644)
    placed.write_bytes(models.trojan(9.0))
    found = run(world).files
    assert {file.judged for file in found} == {"changed"}
    assert {file.outcome for file in found} == {Outcome.DANGEROUS}


def test_what_is_not_here_is_said_to_be_absent(world: World) -> None:
    path = in_place(world, "a.safetensors", lora(67))
    path.unlink()
    (file,) = run(world).files
    assert (file.judged, file.outcome) == ("absent", Outcome.CLEAN)
    with world.house() as house:
        house.book.put_artifact(Artifact("e" * 64, "ghost", "ghost.pt"))
        house.book.put_location(Location("/nowhere/ghost.pt", "e" * 64, Method.IN_PLACE, False))
    answer = run(world)
    assert by_name(answer)["ghost"].outcome is None
    assert answer.status == 0


def test_a_store_whose_drive_is_away_is_absent_and_no_crash(world: World) -> None:
    world.good("get", "civitai:1002@10021")
    shutil.move(world.home / "store", world.home / "unplugged")
    assert [file.judged for file in run(world).files] == ["absent"]


def test_names_and_kinds_narrow_it_and_an_unknown_name_is_an_error_beside_the_rest(world: World) -> None:
    in_place(world, "a.safetensors", lora(68))
    in_place(world, "b.safetensors", models.safetensors(models.small_checkpoint(), 68))
    assert [file.name for file in run(world, kind=Kind.CHECKPOINT).files] == ["b"]
    assert [file.name for file in run(world, "a", "a").files] == ["a"]
    answer = run(world, "a", "nobody")
    assert ([file.name for file in answer.files], answer.status) == (["a"], 1)
    assert answer.failures[0][1].code == "not-found-here"
    assert run(world, "nobody").status == 2


def test_missing_origins_and_licences_are_noted(world: World) -> None:
    in_place(world, "a.safetensors", lora(69))
    world.good("get", "hf:ada/castle-lora")
    answer = run(world)
    assert (answer.no_origin, answer.no_licence) == (1, 1)
    assert {note.rule for note in by_name(answer)["a"].notes} == {"no-origin", "no-licence"}


def test_the_hubs_own_claim_stands_beside_ours_and_is_explained(world: World) -> None:
    world.good("get", "civitai:1002@10021")
    claim = Claim("civitai-pickle", "Danger", "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")
    claimed(world, "ink", claim)
    answer = run(world)
    assert answer.disagreements == 1
    assert answer.files[0].claims == (claim,)
    assert "Lightning" in answer.files[0].notes[0].why
    assert answer.status == 0


def test_a_converted_pickle_is_audited_as_what_it_became(world: World) -> None:
    world.json("get", f"civitai:{library.TROJAN}", "--disarm")
    claimed(world, "gift", Claim("civitai-pickle", "Danger", "posix.system"))
    (file,) = run(world).files
    assert (file.outcome, file.parents[0].relation) == (Outcome.CLEAN, "converted-from")
    assert "its conversion, which holds tensors only" in file.notes[0].why


def test_what_a_person_allowed_holds_until_it_is_taken_back(world: World) -> None:
    in_place(world, "net.pt", foreign())
    assert run(world).status == 1
    world.good("allow", "acme.nets.Net", "net")
    answer = run(world)
    assert (answer.status, answer.judged) == (0, {"stored": 1})
    with world.house() as house:
        house.book.disallow(sha256(foreign()), "acme.nets.Net")
    answer = run(world)
    assert (answer.status, answer.judged) == (1, {"scanned": 1})


def test_many_files_come_in_order_with_progress(world: World) -> None:
    count = PAGE + AHEAD + 3
    folder = world.root / "many"
    folder.mkdir()
    with world.house() as house, house.book.transaction():
        for number in range(count):
            path = folder / f"{number}.pt"
            path.write_bytes(foreign(number))
            info = path.stat()
            house.book.put_artifact(
                Artifact(sha256(foreign(number)), f"n{number}", path.name, added=f"{9999 - number}")
            )
            house.book.put_location(
                Location(
                    str(path), sha256(foreign(number)), Method.IN_PLACE, False, "", 0, info.st_mtime_ns, info.st_size
                )
            )
    (folder / "5.pt").unlink()
    answer = run(world)
    assert [file.name for file in answer.files] == [f"n{number}" for number in range(count)]
    assert answer.outcomes == {"dangerous": count - 1}
    assert run(world).judged == {"stored": count - 1, "absent": 1}
    jobs = [event for event in world.said if isinstance(event, Started | Ended) and event.job == "audit"]
    assert jobs[0] == Started("audit", "auditing", count, "files")
    assert [event.done for event in world.said if isinstance(event, Moved)][count - 1] == count


def test_a_stop_keeps_the_verdicts_that_were_reached(world: World) -> None:
    in_place(world, "a.safetensors", lora(70))
    in_place(world, "b.safetensors", lora(71))
    for name in ("a", "b"):
        old_policy(world, name)
    with world.house() as house:
        house.stop.ask()
        with pytest.raises(Stopped):
            audit(house, AuditRequest())
    assert run(world).judged == {"scanned": 2}


def test_an_unreadable_file_is_a_failure_beside_the_rest(world: World) -> None:
    path = in_place(world, "a.safetensors", lora(72))
    in_place(world, "b.safetensors", lora(73))
    old_policy(world, "a")
    path.unlink()
    path.mkdir()
    answer = run(world)
    assert (answer.status, [ref for ref, _ in answer.failures]) == (1, ["a"])


def test_the_policy_on_record_is_that_of_the_verdict(world: World) -> None:
    in_place(world, "a.safetensors", lora(74))
    verdict = run(world).files[0].verdict
    assert isinstance(verdict, Verdict)
    assert verdict.policy == load_policy().version


def test_a_configuration_beside_a_model_is_judged_for_it(world: World) -> None:
    path = in_place(world, "model.safetensors", lora(1))
    config = path.with_suffix(".yaml")
    config.write_text("model:\n  target: os.system\n  params:\n    command: id\n")
    found = run(world)
    (beside,) = [file for file in found.files if file.judged == "beside"]
    assert (beside.path, beside.outcome, beside.sha256) == (str(config), Outcome.SUSPICIOUS, "")
    assert found.status == 1
    assert "WebUIs read this configuration for model" in world.run("audit").stdout


def test_an_ordinary_configuration_beside_a_model_is_no_matter(world: World) -> None:
    path = in_place(world, "model.safetensors", lora(1))
    path.with_suffix(".yaml").write_text("model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n")
    assert run(world).status == 0
