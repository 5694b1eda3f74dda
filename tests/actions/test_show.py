"""What is known: of names, releases, paths; lists; searches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.makers import library, models
from tests.world import World, sha256


def test_a_fetched_file_is_shown_with_all_that_is_known(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021")
    (shown,) = world.good("show", "ink").data
    assert shown["artifact"]["origin"] == "civitai:1002@10021"
    assert shown["verdict"]["outcome"] == "clean"
    assert shown["licence"]["allows"]
    assert shown["paste"] == ["<lora:ink:0.8>"]
    assert shown["trigger_words"] == ["ink wash", "brush"]
    assert shown["page"].endswith("modelVersionId=10021")


@pytest.mark.parametrize("ref", ["civitai:1002@10021", "civitai:1002", "name:ink", "SHA256", "AUTOV2", "PATH"])
def test_every_form_names_the_same_catalogued_file(world: World, a1111: Path, ref: str) -> None:
    world.good("get", "civitai:1002@10021")
    digest = sha256(world.file(13))
    spelt = {"SHA256": digest, "AUTOV2": digest[:10], "PATH": str(a1111 / "models/Lora/ink.safetensors")}
    (shown,) = world.good("verify" if ref == "PATH" else "show", spelt.get(ref, ref)).data[:1]
    assert shown["name" if ref == "PATH" else "artifact"] is not None


def test_a_release_that_is_not_here_is_asked_of_its_hub(world: World) -> None:
    (shown,) = world.good("show", "civitai:1002@10022").data
    assert shown["release"]["id"] == "10022"
    (model,) = world.good("show", "civitai:1002").data
    assert len(model["model"]["releases"]) == 3
    (repo,) = world.good("show", "hf:ada/castle-lora").data
    assert repo["model"]["name"]


def test_a_path_is_identified_without_a_catalogue(world: World) -> None:
    path = world.root / "x.safetensors"
    path.write_bytes(models.safetensors(models.small_lora(), 54, {"ss_output_name": "mine"}))
    (shown,) = world.good("show", str(path)).data
    assert (shown["identity"]["kind"], shown["identity"]["family"]) == ("lora", "sd1")
    assert "ss_output_name" in world.run("show", str(path), "--metadata").stdout


def test_nothing_is_an_error_with_the_nearest_name(world: World) -> None:
    world.good("get", "civitai:1001")
    result = world.json("show", "castlemix-v3")
    assert result.codes == ["not-found-here"]
    assert "castlemix-v2" in result.document["errors"][0]["why"]


def test_broken_files_are_shown_with_their_flaws(world: World) -> None:
    for name, data in (("a.safetensors", b"\xff" * 40), ("b.ckpt", b"PK\x03\x04"), ("c.pt", b""), ("d.txt", b"hello")):
        path = world.root / name
        path.write_bytes(data)
        assert world.json("show", str(path)).status in (0, 2)
        assert "bug" not in world.json("show", str(path)).codes


# ls


def test_ls_pages_and_filters(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021", "civitai:1001", "civitai:1003")
    rows = world.good("ls").data["rows"]
    assert [row["name"] for row in rows] == ["oldpickle", "castlemix-v2", "ink"]
    first = world.good("ls", "--limit", "2").data
    rest = world.good("ls", "--limit", "2", "--cursor", first["next_cursor"]).data
    assert [row["name"] for row in first["rows"] + rest["rows"]] == [row["name"] for row in rows]
    assert rest["next_cursor"] is None
    for flags, names in (
        (("--kind", "lora"), ["ink"]),
        (("castle",), ["castlemix-v2"]),
        (("--family", "sdxl"), []),
        (("--in", "a1111", "--kind", "lora"), ["ink"]),
        (("ink", "brush"), ["ink"]),
    ):
        assert [row["name"] for row in world.good("ls", *flags).data["rows"]] == names
    assert len(world.good("ls", "--all").data["rows"]) == 4
    assert world.run("ls", "-q").lines == ["oldpickle", "castlemix-v2", "ink"]


def test_mistakes_in_ls_are_errors(world: World) -> None:
    assert world.json("ls", "--kind", "spaceship").codes == ["usage"]
    assert world.json("ls", "--limit", "0").codes == ["usage"]
    assert world.json("ls", "--cursor", "nonsense").status == 2
    assert world.json("ls", "--in", "nowhere").status in (0, 2)
    for words in ('"', "AND OR", "a*", "'; DROP TABLE artifact", "(", "né"):
        assert world.good("ls", words).data["rows"] == []


# search


def test_both_hubs_are_searched_and_hits_can_be_fetched(world: World) -> None:
    hits = world.good("search", "castle").data
    assert {hit["hub"] for hit in hits} == {"civitai", "huggingface"}
    assert world.good("get", "--dry-run", *(hit["ref"] for hit in hits)).status == 0


def test_filters_reach_the_hub(world: World) -> None:
    assert {hit["ref"] for hit in world.good("search", "--kind", "hypernetwork", "--hub", "civitai").data} == {
        "civitai:1005"
    }
    assert [hit["ref"] for hit in world.good("search", "--creator", "Ada", "--hub", "civitai").data] == ["civitai:1001"]
    assert world.good("search", "--hub", "hf", "castle").data[0]["ref"] == "hf:ada/castle-lora"
    assert world.json("search", "x", "--hub", "github").codes == ["usage"]
    assert world.json("search", "x", "--origin", "stolen").codes == ["usage"]
    assert world.json("search", "x", "--nsfw", "lots").status == 2


def test_the_allowed_level_governs_search(world: World) -> None:
    adult = f"civitai:{library.ADULT}"
    assert adult not in {hit["ref"] for hit in world.good("search", "castle").data}
    assert adult in {hit["ref"] for hit in world.good("search", "castle", "--nsfw", "xxx").data}


def test_one_hub_down_leaves_the_others_hits_and_status_1(world: World) -> None:
    world.hf_server.close()
    result = world.json("search", "castle")
    assert (result.status, result.codes) == (1, ["hub-down"])
    assert {hit["hub"] for hit in result.data} == {"civitai"}
    assert result.document["errors"][0]["ref"] == "huggingface"


def test_both_hubs_down_is_a_network_error(world: World) -> None:
    world.hf_server.close()
    world.civitai_server.close()
    result = world.json("search", "castle")
    assert (result.status, set(result.codes)) == (3, {"hub-down"})


def test_nothing_found_is_no_error(world: World) -> None:
    assert world.good("search", "zzzzqq").data == []


def test_a_folder_is_no_catalogued_file_and_the_way_in_is_named(world: World, tmp_path: Path) -> None:
    result = world.json("show", str(tmp_path))
    assert result.status == 2
    assert result.document["errors"][0]["next"] == f"`sdkeep add '{tmp_path}'` takes it in"


def test_what_is_no_plain_file_is_said_to_be_none(world: World) -> None:
    assert "neither a file nor a folder" in world.run("scan", "/dev/null").stderr


def test_verify_counts_nothing_where_nothing_was_found(world: World) -> None:
    assert "copies" not in world.run("verify", "nobody").stdout
