"""The main job: find, choose, fetch, prove, convert, record, place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdkeep.actions import peek
from sdkeep.demo.exchange import Request, Response, file_response, text_response
from sdkeep.demo.faults import Fault, Trouble
from tests.makers import library, models
from tests.world import CIVITAI_KEY, HF_KEY, Result, World, sha256

INK_15 = 13


def _only(result: Result) -> dict:  # type: ignore[type-arg]
    (got,) = result.data
    (file,) = got["files"]
    return dict(file)


# references


def _references(world: World) -> dict[str, tuple[str, bytes]]:
    ink, mix = world.file(INK_15), world.file(2)
    main = library.repositories()["ada/castle-lora"].files["castle_lora.safetensors"]
    beta = library.repositories()["ada/castle-lora"].branches["v2/beta"]["weights/castle_beta.safetensors"]
    assert isinstance(main, bytes)
    assert isinstance(beta, bytes)
    return {
        "model": ("civitai:1001", mix),
        "version": ("civitai:1002@10021", ink),
        "file": ("civitai:1001@10011#4", world.file(4)),
        "page": ("https://civitai.com/models/1001/castle-mix", mix),
        "page-version": ("https://civitai.com/models/1002?modelVersionId=10021", ink),
        "download": ("https://civitai.com/api/download/models/10021?fileId=13", ink),
        "red": ("https://civitai.red/models/1001", mix),
        "air": ("urn:air:sd1:lora:civitai:1002@10021", ink),
        "air-without-urn": ("air:flux1:whatever:civitai:1002@10021", ink),
        "sha256": (f"sha256:{sha256(ink)}", ink),
        "bare-sha256": (sha256(ink).upper(), ink),
        "autov2": (sha256(ink)[:10], ink),
        "autov2-prefixed": (f"autov2:{sha256(ink)[:10]}", ink),
        "hf": ("hf:ada/castle-lora", main),
        "hf-page": ("https://huggingface.co/ada/castle-lora", main),
        "hf-revision-path": ("hf:ada/castle-lora@v2%2Fbeta/weights/castle_beta.safetensors", beta),
        "hf-resolve": ("https://huggingface.co/ada/castle-lora/resolve/main/castle_lora.safetensors", main),
    }


@pytest.mark.parametrize("form", sorted(_references(World.__new__(World))))
def test_every_form_of_a_reference_fetches_the_file_it_means(world: World, form: str) -> None:
    ref, data = _references(world)[form]
    file = _only(world.good("get", ref))
    assert file["sha256"] == sha256(data)
    assert file["confirmed"] is True
    assert world.blobs() == {sha256(data)}


def test_a_short_name_is_fetched_from_the_first_mirror_that_answers(world: World) -> None:
    file = _only(world.good("get", "sdxl-turbo"))
    assert (file["kind"], file["family"]) == ("checkpoint", "sd1")


def test_a_mirror_with_other_bytes_than_the_known_ones_is_refused(world: World) -> None:
    result = world.json("get", "sd15")
    assert result.status == 2
    assert result.document["errors"][0]["code"] == "not-on-hub"
    assert "SHA-256" in result.document["errors"][0]["why"]
    assert not world.blobs()


def test_a_plain_address_on_the_loopback_is_fetched(world: World) -> None:
    data = world.file(INK_15)

    @world.civitai_server.route
    def _plain(request: Request) -> Response | None:
        return file_response(data, request) if request.path == "/somewhere/plain.safetensors" else None

    file = _only(world.good("get", f"{world.civitai_server.url}/somewhere/plain.safetensors?x=1"))
    assert file["sha256"] == sha256(data)
    assert file["file_name"] == "plain.safetensors"
    assert file["confirmed"] is False


def test_a_catalogued_name_that_is_here_needs_no_hub(world: World) -> None:
    name = _only(world.good("get", "civitai:1002@10021"))["name"]
    asked = len(world.civitai_server.hits)
    file = _only(world.good("get", name, "--no-preview"))
    assert file["already_here"] is True
    assert len(world.civitai_server.hits) == asked


@pytest.mark.parametrize(
    ("ref", "status", "code"),
    [
        ("civitai:abc", 2, "bad-reference"),
        ("nonsense", 2, "not-found-here"),
        ("./model.ckpt", 2, "usage"),
        ("civitai:424242", 2, "not-on-hub"),
        ("hf:ada/nothing", 2, "not-on-hub"),
        ("sha256:" + "0" * 64, 2, "not-on-hub"),
        ("deadbeef", 2, "not-on-hub"),
        ("ftp:x", 2, "bad-reference"),
        ("", 2, "bad-reference"),
    ],
)
def test_what_names_nothing_is_an_error_that_tells_the_next_step(
    world: World, ref: str, status: int, code: str
) -> None:
    result = world.json("get", ref)
    assert (result.status, result.codes) == (status, [code])
    assert result.document["errors"][0]["next"]


# choices


@pytest.mark.parametrize(
    ("flags", "file"),
    [
        ([], 2),
        (["--format", "pickle"], 1),
        (["--precision", "fp32"], 3),
        (["--size", "full"], 2),
        (["--size", "full", "--precision", "fp32"], 3),
        (["--file", "castleMix_v2.ckpt"], 1),
        (["--file", "4"], 4),
    ],
)
def test_flags_choose_the_file(world: World, flags: list[str], file: int) -> None:
    (got,) = world.good("get", "civitai:1001", "--dry-run", *flags).data
    assert [plan["sha256"] for plan in got["planned"]] == [sha256(world.file(file))]
    assert got["why"]


def test_base_chooses_the_release_and_the_others_are_named(world: World) -> None:
    (got,) = world.good("get", "civitai:1002", "--base", "sd1", "--dry-run").data
    assert got["release"] == "civitai:1002@10021"
    assert {other["base"] for other in got["others"]} == {"Pony", "SDXL 1.0"}
    (newest,) = world.good("get", "civitai:1002", "--dry-run").data
    assert newest["release"] == "civitai:1002@10023"
    assert world.json("get", "civitai:1002", "--base", "flux1").codes == ["not-on-hub"]


def test_a_setting_of_the_project_chooses_too_and_a_flag_is_stronger(world: World) -> None:
    Path("sdkeep.toml").write_text('[settings]\nprecision = "fp32"\n')
    (by_project,) = world.good("get", "civitai:1001", "--dry-run").data
    (by_flag,) = world.good("get", "civitai:1001", "--dry-run", "--precision", "fp16").data
    assert by_project["planned"][0]["sha256"] == sha256(world.file(3))
    assert by_flag["planned"][0]["sha256"] == sha256(world.file(2))


def test_all_takes_every_file_but_training_data(world: World, a1111: Path) -> None:
    (got,) = world.good("get", "civitai:1001", "--all").data
    assert len(got["files"]) == 5
    assert sha256(world.file(6)) not in world.blobs()
    assert (a1111 / "models/VAE/castle.vae.safetensors").is_file()


def test_companions_come_along_when_asked_for(world: World, a1111: Path) -> None:
    (without,) = world.good("get", "civitai:1001", "--dry-run").data
    assert [plan["role"] for plan in without["companions"]] == ["vae", "config"]
    (got,) = world.good("get", "civitai:1001", "--with-companions").data
    assert {file["kind"] for file in got["files"]} == {"checkpoint", "vae", "config"}
    assert (a1111 / "models/VAE/castle.vae.safetensors").is_file()


def test_unknown_words_in_flags_are_usage_errors(world: World) -> None:
    for flags in (["--format", "exe"], ["--precision", "fp1"], ["--size", "huge"], ["--kind", "spaceship"]):
        result = world.json("get", "civitai:1001", *flags)
        assert (result.status, result.codes) == (2, ["usage"])


def test_an_unknown_ui_is_an_error_before_a_byte_is_fetched(world: World) -> None:
    assert world.json("get", "civitai:1001", "--in", "nowhere").codes == ["unknown-ui"]
    assert world.downloads() == []


def test_dry_run_fetches_and_writes_nothing(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1001", "--dry-run")
    assert world.downloads() == []
    assert world.blobs() == set()
    assert world.good("ls").data["rows"] == []


# proof


def test_a_wrong_published_hash_ends_with_1_and_nothing_is_kept(world: World, a1111: Path) -> None:
    result = world.json("get", f"civitai:{library.WRONG}")
    assert (result.status, result.codes) == (1, ["digest-mismatch"])
    assert world.blobs() == set()
    assert [path for path in world.staged() if path.suffix == ".part"] == []
    assert not list(a1111.rglob("wrong*"))
    assert world.good("ls", "--all").data["rows"] == []


def test_bytes_that_change_on_the_way_are_never_kept(world: World) -> None:
    world.civitai_server.misbehave(Fault(Trouble.FLIP, "/signed", times=None, at=1000))
    assert world.json("get", "civitai:1002@10021").status == 1
    assert world.blobs() == set()


def test_a_web_page_is_never_kept_as_a_model(world: World) -> None:
    world.civitai_server.misbehave(Fault(Trouble.LOGIN_PAGE, "/signed", times=None))
    result = world.json("get", "civitai:1002@10021")
    assert result.status in (3, 4)
    assert world.blobs() == set()


def test_a_second_get_transfers_nothing(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021", "civitai:1003", "civitai:1005")
    before = len(world.downloads())
    again = world.good("get", "civitai:1002@10021", "civitai:1003", "civitai:1005")
    assert len(world.downloads()) == before
    assert all(file["already_here"] for got in again.data for file in got["files"])
    assert all(placed["already"] for got in again.data for file in got["files"] for placed in file["placed"])


def test_an_interrupted_transfer_goes_on_where_it_stopped(world: World) -> None:
    world.civitai_server.misbehave(
        Fault(Trouble.CUT, "/signed", at=100_000), Fault(Trouble.STATUS, "/signed", times=None, after=1, status=503)
    )
    assert world.json("get", "civitai:1001").status == 3
    world.civitai_server.behave()
    world.civitai_server.hits.clear()
    world.good("get", "civitai:1001")
    sent = sum(hit.sent for hit in world.downloads())
    assert 0 < sent < len(world.file(2)) - 50_000


def test_the_preview_stays_within_the_allowed_level(world: World, a1111: Path) -> None:
    adult = _only(world.good("get", f"civitai:{library.ADULT}"))
    tame = _only(world.good("get", "civitai:1002@10021"))
    assert tame["preview"]
    assert (world.home / tame["preview"]).is_file()
    assert (a1111 / "models/Lora/ink.preview.png").is_file()
    assert adult["kind"] == "lora"


# conversion


def test_a_pickle_is_converted_and_its_origin_stays_for_ever(world: World, a1111: Path) -> None:
    original = sha256(world.file(21))
    file = _only(world.good("get", "civitai:1003"))
    assert file["converted_from"] == original
    assert file["file_name"] == "oldPickle.safetensors"
    assert (a1111 / "models/Stable-diffusion/oldPickle.safetensors").is_file()
    assert world.blobs() == {file["sha256"]}
    (shown,) = world.good("show", file["name"]).data
    assert {"trust": "sha256", "value": original} in [edge["parent"] for edge in shown["parents"]]
    (was,) = world.good("show", f"sha256:{original}").data
    assert was["artifact"]["origin"] == "civitai:1003@10031"
    assert was["artifact"]["stored"] is False
    assert was["page"] == shown["page"] != ""
    assert [child["name"] for child in was["children"]] == [file["name"]]
    assert [entry["sha256"] for entry in world.trash()] == [original]


def test_the_tensors_of_a_conversion_are_those_of_the_pickle(world: World) -> None:
    import safetensors.torch
    import torch

    file = _only(world.good("get", "civitai:1003"))
    (blob,) = world.root.rglob(f"blobs/sha256/*/{file['sha256']}")
    loaded = safetensors.torch.load(blob.read_bytes())
    for name, shape in models.small_checkpoint().items():
        assert torch.equal(loaded[name], torch.full(shape, 1.0, dtype=torch.float16))


def test_keep_original_keeps_both(world: World) -> None:
    file = _only(world.good("get", "civitai:1003", "--keep-original"))
    assert world.blobs() == {file["sha256"], sha256(world.file(21))}
    assert world.trash() == []


def test_a_published_hash_of_the_pickle_finds_its_conversion(world: World) -> None:
    world.good("get", "civitai:1003")
    before = len(world.downloads())
    assert _only(world.good("get", f"sha256:{sha256(world.file(21))}"))["already_here"]
    assert len(world.downloads()) == before


# danger


def test_a_trojan_is_refused_and_nothing_is_kept(world: World, a1111: Path) -> None:
    result = world.json("get", f"civitai:{library.TROJAN}")
    assert (result.status, result.codes) == (1, ["unsafe-file"])
    assert "--disarm" in result.document["errors"][0]["next"]
    assert world.blobs() == set()
    assert not list(a1111.rglob("gift*"))


def test_disarm_keeps_only_the_tensors(world: World, a1111: Path) -> None:
    file = _only(world.good("get", f"civitai:{library.TROJAN}", "--disarm"))
    assert file["verdict"] == "dangerous"
    placed = a1111 / "models/Stable-diffusion/gift.safetensors"
    assert world.good("scan", str(placed)).data[0]["verdict"]["outcome"] == "clean"
    assert world.blobs() == {file["sha256"]}
    assert not list(a1111.rglob("*.ckpt"))
    assert [entry["sha256"] for entry in world.trash()] == [sha256(world.file(71))]


def test_disarm_never_keeps_the_dangerous_original(world: World) -> None:
    file = _only(world.good("get", f"civitai:{library.TROJAN}", "--disarm", "--keep-original"))
    assert world.blobs() == {file["sha256"]}


def test_allow_unsafe_places_it_as_it_is(world: World, a1111: Path) -> None:
    file = _only(world.good("get", f"civitai:{library.TROJAN}", "--allow-unsafe"))
    assert file["verdict"] == "dangerous"
    assert (a1111 / "models/Stable-diffusion/gift.ckpt").read_bytes() == world.file(71)


def test_a_later_get_of_a_disarmed_file_transfers_nothing(world: World) -> None:
    world.good("get", f"civitai:{library.TROJAN}", "--disarm")
    before = len(world.downloads())
    assert _only(world.good("get", f"civitai:{library.TROJAN}"))["already_here"]
    assert len(world.downloads()) == before


def test_a_big_trojan_is_refused_by_a_look_before_the_download(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peek, "WORTH_IT", 1000)
    result = world.json("get", f"civitai:{library.TROJAN}")
    assert (result.status, result.codes) == (1, ["unsafe-file"])
    assert "before the download" in result.document["errors"][0]["what"]
    assert sum(hit.sent for hit in world.downloads()) < len(world.file(71)) / 2


def test_the_look_before_the_download_lets_a_clean_pickle_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peek, "WORTH_IT", 1000)
    assert _only(world.good("get", "civitai:1003"))["verdict"] == "clean"


def test_a_server_without_ranges_is_no_reason_to_refuse(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peek, "WORTH_IT", 1000)
    world.civitai_server.misbehave(Fault(Trouble.IGNORE_RANGE, "/signed", times=None))
    assert _only(world.good("get", "civitai:1003"))["verdict"] == "clean"


# archives


def test_an_archive_is_taken_apart_and_each_member_judged(world: World, a1111: Path) -> None:
    result = world.json("get", f"civitai:{library.PACK}")
    assert (result.status, result.codes) == (1, ["unsafe-file"])
    assert result.document["errors"][0]["ref"] == "pack.zip/bad.pt"
    (got,) = result.data
    assert [file["file_name"] for file in got["files"]] == ["one.safetensors"]
    assert got["files"][0]["confirmed"] is True
    assert (a1111 / "embeddings/one.safetensors").is_file()
    assert [path for path in world.staged() if path.suffix == ".part"] == []


def test_no_member_of_an_archive_leaves_its_place(world: World) -> None:
    result = world.good("get", f"civitai:{library.WILDCARDS}")
    assert [file["kind"] for file in result.data[0]["files"]] == ["wildcards"]
    assert not list(world.root.rglob("evil.txt"))


# placing


def test_a_hypernetwork_is_a_clean_pickle_where_only_those_are_listed(world: World, a1111: Path) -> None:
    comfy = world.ui("comfyui")
    world.good("get", "civitai:1005")
    placed = a1111 / "models/hypernetworks/waterNet.pt"
    assert world.good("scan", str(placed)).data[0]["verdict"]["outcome"] == "clean"
    assert (comfy / "models/hypernetworks/waterNet.safetensors").is_file()
    import torch

    loaded = torch.load(placed, weights_only=True)
    assert set(loaded) >= {320, 768}


def test_every_registered_ui_gets_its_link_to_one_copy(world: World, a1111: Path) -> None:
    forge, comfy = world.ui("forge"), world.ui("comfyui")
    file = _only(world.good("get", "civitai:1002@10021"))
    paths = [Path(placed["path"]) for placed in file["placed"]]
    assert {path.parent for path in paths} == {a1111 / "models/Lora", forge / "models/Lora", comfy / "models/loras"}
    assert len({path.stat().st_ino for path in paths}) == 1
    assert {placed["paste"] for placed in file["placed"]} == {"<lora:ink:0.8>", "ink.safetensors"}


def test_in_names_the_only_ui_and_no_place_none(world: World, a1111: Path) -> None:
    world.ui("comfyui")
    file = _only(world.good("get", "civitai:1002@10021", "--in", "comfyui"))
    assert [placed["ui"] for placed in file["placed"]] == ["comfyui"]
    assert _only(world.good("get", "civitai:1001", "--no-place"))["placed"] == []


def test_a_stem_that_is_taken_gets_a_suffix_and_a_note(world: World, a1111: Path) -> None:
    world.good("get", f"civitai:{library.TWIN_A}")
    file = _only(world.good("get", f"civitai:{library.TWIN_B}"))
    (placed,) = file["placed"]
    assert Path(placed["path"]).name == "Twin-v10161.safetensors"
    assert placed["paste"] == "<lora:Twin-v10161:0.8>"
    assert any("taken" in note for note in placed["notes"])
    assert (a1111 / "models/Lora/twin.safetensors").read_bytes() == world.file(95)


def test_a_folder_template_sorts_by_base_and_creator_and_stays_inside(world: World) -> None:
    root = world.ui("a1111", "--template", "{base}/{creator}")
    file = _only(world.good("get", "civitai:1002"))
    path = Path(file["placed"][0]["path"])
    assert path.is_relative_to(root / "models/Lora/Pony")
    assert ".." not in path.parts
    assert path.resolve().is_relative_to(root)


def test_odd_published_names_become_safe_ones_inside_the_folder(world: World, a1111: Path) -> None:
    (got,) = world.good("get", f"civitai:{library.ODD}", "--all").data
    assert len(got["files"]) == len(library.ODD_NAMES)
    folder = a1111 / "models/Lora"
    names = {path.name for path in folder.iterdir() if path.suffix == ".safetensors"}
    assert len(names) == len(library.ODD_NAMES)
    assert "con_.safetensors" in names
    assert "🏰 château.safetensors" in names
    assert all(len(name.encode()) <= 255 and not name.startswith(".") for name in names)
    assert all(len(file["name"]) <= 80 for file in got["files"])
    outside = [path for path in world.root.rglob("*evil*") if not path.is_relative_to(folder)]
    assert outside == []


def test_a_foreign_file_in_the_way_is_never_touched(world: World, a1111: Path) -> None:
    foreign = a1111 / "models/Lora/ink.safetensors"
    foreign.write_bytes(b"mine")
    file = _only(world.good("get", "civitai:1002@10021"))
    assert foreign.read_bytes() == b"mine"
    assert Path(file["placed"][0]["path"]).name == "ink-v10021.safetensors"


def test_a_person_may_say_the_kind(world: World, a1111: Path) -> None:
    data = world.file(INK_15)

    @world.civitai_server.route
    def _plain(request: Request) -> Response | None:
        return file_response(data, request) if request.path == "/plain.safetensors" else None

    url = f"{world.civitai_server.url}/plain.safetensors"
    assert _only(world.good("get", url, "--kind", "embedding"))["kind"] == "embedding"
    assert (a1111 / "embeddings/plain.safetensors").is_file()


# refusals


@pytest.mark.parametrize(
    ("ref", "status", "code"),
    [
        ("civitai:1007", 4, "early-access"),
        ("civitai:1007@10071", 4, "early-access"),
        ("civitai:1012", 4, "download-disabled"),
        ("civitai:1012@10121", 4, "download-disabled"),
        ("civitai:1013", 4, "download-disabled"),
        ("civitai:1013@10131", 4, "download-disabled"),
        ("civitai:1011", 2, "not-on-hub"),
        ("hf:ada/gated", 4, "gated"),
        ("hf:ada/gone", 4, "download-disabled"),
    ],
)
def test_a_closed_door_has_its_code_and_a_way_on(world: World, ref: str, status: int, code: str) -> None:
    result = world.json("get", ref)
    assert (result.status, result.codes) == (status, [code])
    assert result.document["errors"][0]["next"]
    assert world.blobs() == set()


def test_a_hidden_page_still_gives_its_versions(world: World) -> None:
    assert _only(world.good("get", "urn:air:sd1:lora:civitai:0@10111"))["kind"] == "lora"


@pytest.mark.parametrize(
    ("status", "exit_status", "code"),
    [
        (401, 4, "needs-login"),
        (403, 4, "access"),
        (404, 2, "not-on-hub"),
        (410, 4, "download-disabled"),
        (429, 3, "rate-limited"),
        (451, 4, "region-blocked"),
        (500, 3, "hub-down"),
        (503, 3, "hub-down"),
    ],
)
@pytest.mark.parametrize("where", ["/api/v1", "/api/download"])
def test_each_refusal_of_a_hub_has_its_exit_status(
    world: World, where: str, status: int, exit_status: int, code: str
) -> None:
    world.civitai_server.misbehave(Fault(Trouble.STATUS, where, times=None, status=status))
    result = world.json("get", "civitai:1002@10021")
    assert (result.status, result.codes) == (exit_status, [code])
    assert result.document["errors"][0]["next"]
    assert world.blobs() == set()


def test_a_hub_that_is_away_is_a_network_error(world: World) -> None:
    world.civitai_server.close()
    result = world.json("get", "civitai:1001")
    assert (result.status, result.codes) == (3, ["hub-down"])


def test_offline_says_that_it_was_asked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDKEEP_OFFLINE", "1")
    result = world.json("get", "civitai:1001")
    assert result.status == 3
    assert "offline" in result.document["errors"][0]["why"]


def test_a_token_opens_what_needs_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.civitai.token = CIVITAI_KEY
    assert world.json("get", "civitai:1002@10021").codes == ["needs-login"]
    monkeypatch.setenv("CIVITAI_API_TOKEN", CIVITAI_KEY)
    monkeypatch.setenv("HF_TOKEN", HF_KEY)
    world.good("get", "civitai:1002@10021", "hf:ada/gated")
    signed = [hit for hit in world.civitai_server.hits if hit.path.startswith("/signed")]
    assert signed
    assert all("authorization" not in hit.headers for hit in signed)


# batches


def test_a_batch_that_fails_in_part_ends_with_1_and_the_rest_is_done(world: World) -> None:
    result = world.json("get", "civitai:1002@10021", "civitai:1007")
    assert result.status == 1
    assert result.codes == ["early-access"]
    assert result.document["errors"][0]["ref"] == "civitai:1007"
    assert len(result.data) == 1


def test_a_batch_that_fails_whole_ends_with_the_highest_status(world: World) -> None:
    result = world.json("get", "civitai:424242", "civitai:1007")
    assert result.status == 4
    assert result.codes == ["not-on-hub", "early-access"]


def test_a_release_of_which_a_part_fails_keeps_the_rest(world: World) -> None:
    world.civitai_server.misbehave(Fault(Trouble.STATUS, "/signed/4/", times=None, status=404))
    result = world.json("get", "civitai:1001", "--with-companions")
    assert result.status == 1
    assert result.codes == ["not-on-hub"]
    assert len(result.data[0]["files"]) == 2


def test_a_full_answer_of_nonsense_is_no_crash(world: World) -> None:
    @world.civitai_server.route
    def _never(_request: Request) -> Response:
        return text_response("[1, 2", 200, "application/json")

    world.civitai_server._handlers.reverse()
    assert world.json("get", "civitai:1001").codes == ["hub-garbled"]


def test_links_are_read_only_and_share_the_bytes_of_the_store(world: World, a1111: Path) -> None:
    file = _only(world.good("get", "civitai:1002@10021"))
    (blob,) = world.root.rglob(f"blobs/sha256/*/{file['sha256']}")
    placed = a1111 / "models/Lora/ink.safetensors"
    assert os.path.samefile(blob, placed)
    assert blob.stat().st_mode & 0o222 == 0
