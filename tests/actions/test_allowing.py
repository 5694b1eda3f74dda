"""A person allows one name to one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdkeep.ground.verdict import Outcome
from tests.makers import library, models
from tests.makers.pickles import foreign
from tests.world import World, sha256

NAME = "acme.nets.Net"


@pytest.fixture
def net(world: World) -> Path:
    """A file that uses an unknown name, not catalogued."""
    path = world.root / "net.pt"
    path.write_bytes(foreign())
    return path


def outcome(world: World, name: str) -> str:
    (one,) = world.json("scan", name).data
    return str(one["verdict"]["outcome"])


def test_an_allowed_file_can_be_added_and_every_verdict_says_on_whose_word(
    world: World, net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "ada")
    assert world.json("add", str(net)).codes == ["unsafe-file"]
    (made,) = world.good("allow", NAME, str(net), "--because", "our own trainer").data
    assert (made["sha256"], made["by"], made["verdict"]) == (sha256(foreign()), "ada", "clean-with-notes")
    assert world.good("add", str(net)).data[0]["verdict"] == "clean-with-notes"
    (one,) = world.good("scan", "net").data
    (finding,) = [one for one in one["verdict"]["findings"] if one["rule"] == "allowed-by-user"]
    assert (finding["severity"], finding["callable"]) == ("note", NAME)
    assert "by ada on " in finding["why"]
    assert finding["why"].endswith(": our own trainer")


def test_it_counts_for_these_bytes_alone_and_for_this_name_alone(world: World, net: Path) -> None:
    world.good("allow", NAME, str(net))
    world.good("add", str(net))
    other = world.root / "other.pt"
    other.write_bytes(foreign(2))
    assert world.json("add", str(other)).codes == ["unsafe-file"]
    trojan = world.root / "gift.ckpt"
    trojan.write_bytes(models.trojan(4.0))
    world.good("allow", NAME, str(trojan))
    assert world.json("add", str(trojan)).codes == ["unsafe-file"]


def test_a_catalogued_file_is_judged_anew_when_a_decision_is_made_or_taken_back(world: World, net: Path) -> None:
    world.json("add", "--in-place", str(net))
    assert outcome(world, "name:net") == "dangerous"
    (made,) = world.good("allow", NAME, "net").data
    assert (made["file"], made["verdict"]) == ("net", "clean-with-notes")
    assert world.good("show", "net").data[0]["verdict"]["outcome"] == "clean-with-notes"
    (taken,) = world.good("allow", NAME, "net", "--remove").data
    assert (taken["removed"], taken["verdict"]) == (True, "dangerous")
    assert world.good("show", "net").data[0]["verdict"]["outcome"] == "dangerous"
    assert world.json("allow", NAME, "net", "--remove").codes == ["not-found-here"]


def test_get_takes_a_file_whose_name_was_allowed_by_its_published_digest(world: World) -> None:
    ref = f"civitai:{library.TROJAN}"
    refused = world.json("get", ref)
    assert refused.codes == ["unsafe-file"]
    (made,) = world.good("allow", "posix.system", ref).data
    assert (made["sha256"], made["verdict"]) == (sha256(world.file(71)), None)
    assert world.good("get", ref).data[0]["files"]


def test_a_bare_path_is_scanned_without_the_catalogue_and_without_decisions(world: World, net: Path) -> None:
    world.good("allow", NAME, str(net))
    assert outcome(world, str(net)) == "dangerous"


def test_a_name_that_the_file_does_not_use_is_said_to_change_nothing(world: World, net: Path) -> None:
    result = world.good("allow", "acme.nets.Nett", str(net))
    assert f"it uses `{NAME}`" in result.document["warnings"][0]


@pytest.mark.parametrize("name", ["acme.*", "acme", "*", "acme.nets.*", "a b.c", "acme..Net", ".Net", "os.system()"])
def test_only_exact_names_are_taken(world: World, net: Path, name: str) -> None:
    assert world.json("allow", name, str(net)).codes == ["usage"]
    assert world.good("allow", "--list").data == []


def test_one_file_at_a_time(world: World, net: Path) -> None:
    assert world.json("allow", NAME, str(world.root)).codes == ["usage"]
    assert world.json("allow", NAME).codes == ["usage"]
    assert world.json("allow", NAME, "nobody").codes == ["not-found-here"]
    assert world.json("allow", NAME, str(net), "--list").codes == ["usage"]


def test_a_digest_may_be_named_before_its_bytes_come(world: World, net: Path) -> None:
    (made,) = world.good("allow", NAME, f"sha256:{sha256(foreign())}").data
    assert made["verdict"] is None
    assert world.good("add", str(net)).data[0]["verdict"] == "clean-with-notes"


def test_the_list_shows_every_decision_with_the_verdict(world: World, net: Path) -> None:
    assert world.good("allow").data == []
    world.good("allow", NAME, str(net), "--because", "ours")
    world.good("allow", "b.C", "sha256:" + "e" * 64)
    world.good("add", str(net))
    first, second = world.good("allow", "--list").data
    assert (first["file"], first["reason"], first["verdict"]) == ("net", "ours", str(Outcome.CLEAN_WITH_NOTES))
    assert (second["file"], second["sha256"], second["verdict"]) == ("", "e" * 64, None)
    assert "ours" in world.run("allow").stdout
    assert world.run("allow", "-q").lines[0].split() == [NAME, f"sha256:{sha256(foreign())}"]


def test_no_project_file_can_allow_anything(world: World, net: Path) -> None:
    for text in ('[settings]\nallow = ["acme.nets.Net"]\n', '[allow]\nnames = ["acme.nets.Net"]\n'):
        (world.root / "work" / "sdkeep.toml").write_text(text)
        assert world.json("add", str(net)).codes in (["bad-setting"], ["unsafe-file"])


def test_a_decision_about_a_changed_file_does_not_bless_the_change(world: World, net: Path) -> None:
    world.json("add", "--in-place", str(net))
    world.good("allow", NAME, "net")
    net.write_bytes(foreign(2))
    result = world.json("scan", "name:net")
    assert (result.data[0]["verdict"]["outcome"], result.status) == ("dangerous", 1)
    assert "changed since it was catalogued" in result.document["warnings"][0]
    (made,) = world.good("allow", "acme.nets.Other", "name:net").data
    assert made["verdict"] is None
    assert world.json("audit").status == 1
    assert world.json("audit").data["judged"] == {"changed": 1}
