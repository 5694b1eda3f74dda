"""Everything that Civitai was recorded to answer, from 2023 to 2026."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.server import SampleServer
from sdkeep.ground.digest import Digest, DigestKind, sha256
from sdkeep.ground.errors import KeepError
from sdkeep.ground.kinds import Access, Family, Format, Kind, Role
from sdkeep.ground.licence import Use
from sdkeep.ground.model import Model, Query, Release
from sdkeep.ground.ref import CivitaiRef, parse
from sdkeep.hubs.choose import Wish, choose_files, choose_release
from sdkeep.hubs.civitai.client import Civitai
from sdkeep.hubs.civitai.errors import api_error, download_error
from sdkeep.hubs.civitai.wire import read_model, read_page, read_release
from sdkeep.net.client import Web
from tests.makers.civitai import NOW, SITE, answer

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> dict[str, Any]:
    """Every recorded answer by its path below the Civitai folder."""
    folder = corpus / "civitai"
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_text("utf-8"))
        for path in sorted(folder.glob("*/*.json"))
    }


def model(recorded: dict[str, Any], part: str) -> Model:
    (name,) = [name for name in recorded if part in name]
    return read_model(recorded[name], SITE)


def releases(name: str, body: Any) -> list[Release]:
    if isinstance(body, list):
        return [read_release(item, SITE) for item in body]
    if "items" in body:
        return [release for model in read_page(body, SITE).models for release in model.releases]
    if "modelVersions" in body:
        return list(read_model(body, SITE).releases)
    return [read_release(body, SITE)]


def test_every_recorded_answer_becomes_ground_values(recorded: dict[str, Any]) -> None:
    told = {name: body for name, body in recorded.items() if "doc_" not in name and "errors" not in name}
    assert len(told) == 210
    found = [release for name, body in told.items() for release in releases(name, body)]
    assert len(found) == 578
    files = [file for release in found for file in release.files]
    assert all(file.url.startswith("https://civitai.com/api/download/models/") for file in files)
    assert {file.role for file in files} >= {Role.MODEL, Role.VAE, Role.CONFIG, Role.TRAINING_DATA, Role.TEXT_ENCODER}
    assert not [file.name for file in files if file.format is Format.UNKNOWN or file.role is Role.UNKNOWN]
    assert not [release for release in found if release.kind is Kind.UNKNOWN and release.kind_text]
    assert not [file for file in files if file.about is not None]
    assert all(file.sha256 for file in files if file.digests)
    unknown = {release.base for release in found if release.family is Family.UNKNOWN}
    assert unknown == {"Other", ""}


def test_every_page_has_a_choice_or_a_reason(recorded: dict[str, Any]) -> None:
    refused: dict[str, int] = {}
    for body in recorded.values():
        if not isinstance(body, dict) or "modelVersions" not in body:
            continue
        page = read_model(body, SITE)
        try:
            picked = choose_release(page)
            assert choose_files(picked.release).why
        except KeepError as error:
            refused[error.code] = refused.get(error.code, 0) + 1
            assert error.why
            assert error.next
    assert refused == {"not-on-hub": 8, "download-disabled": 4}


def test_the_three_shapes_of_commercial_use(recorded: dict[str, Any]) -> None:
    def sold(part: str) -> list[bool | None]:
        licence = model(recorded, part).releases[0].licence
        return [licence.allows.get(use) for use in (Use.SELL_PICTURES, Use.SERVE, Use.SELL_MODEL)]

    assert sold("edge_mode-archived_checkpoint_24636") == [True, True, True]
    assert sold("model_lora_2833924") == [False, False, False]
    assert sold("model_checkpoint_2544636") == [True, False, False]


def test_archived_pages_have_no_files_and_say_so(recorded: dict[str, Any]) -> None:
    for id_ in (24636, 41206, 71141):
        (release,) = model(recorded, f"edge_mode-archived_checkpoint_{id_}").releases
        assert (release.access, release.files) == (Access.ARCHIVED, ())


def test_the_access_kinds_of_2026(recorded: dict[str, Any]) -> None:
    kinds = [read_release(item, SITE) for item in recorded["other/version_access_kinds_condensed_2026.json"]]
    assert [(release.access, release.access_until) for release in kinds] == [
        (Access.FREE, ""),
        (Access.EARLY, "2099-01-01T00:00:00Z"),
        (Access.PAID, ""),
        (Access.EARLY, ""),
    ]


def test_the_early_access_of_2023_is_long_over(recorded: dict[str, Any]) -> None:
    assert all(r.access is Access.FREE for r in model(recorded, "edge_early-access_checkpoint_86").releases)


def test_files_of_one_name_in_one_version_are_told_apart_by_id(recorded: dict[str, Any]) -> None:
    page = model(recorded, "edge_dup-filename-in-version_checkpoint_4468")
    twice = [r for r in page.releases if len({file.name for file in r.files}) < len(r.files)]
    assert twice
    for release in twice:
        assert len({file.url for file in release.files}) == len(release.files)


def test_files_that_share_a_download_address_do_not_fall_back_to_it(recorded: dict[str, Any]) -> None:
    page = model(recorded, "edge_dup-downloadurl_lora_33130")
    extra = [file for r in page.releases for file in r.files if not file.primary and len(r.files) > 2]
    assert any(file.fallbacks == () for file in extra)


def test_names_that_windows_refuses_are_kept_raw(recorded: dict[str, Any]) -> None:
    bad = [read_model(body, SITE) for name, body in recorded.items() if "windows-bad-name" in name]
    assert len(bad) == 8
    for page in bad:
        names = [file.name for release in page.releases for file in release.files]
        assert any(set(name) & set("<>*") or name.startswith(" ") for name in names)


def test_pages_without_versions_are_pages(recorded: dict[str, Any]) -> None:
    assert model(recorded, "edge_no-versions_checkpoint_79185").releases == ()


def test_a_release_with_parts_brings_its_text_encoder_and_vae(recorded: dict[str, Any]) -> None:
    release = read_release(recorded["other/version_checkpoint_2983680_wai-anima_condensed_2026-09.json"], SITE)
    choice = choose_files(release)
    assert [file.id for file in choice.files] == ["2863158"]
    assert {file.role for file in choice.companions} == {Role.TEXT_ENCODER, Role.VAE}
    assert release.family is Family.ANIMA


def test_a_page_with_31_versions_offers_its_other_bases(recorded: dict[str, Any]) -> None:
    page = model(recorded, "other/model_checkpoint_4384_2024-06")
    assert len(page.releases) == 31
    picked = choose_release(page, Wish(base="SD 1.5 LCM"))
    assert picked.release.base == "SD 1.5 LCM"
    assert "SD 1.5" in {other.base for other in picked.others}


def test_the_recorded_page_of_a_search_knows_its_cursor(recorded: dict[str, Any]) -> None:
    page = read_page(recorded["other/search_page_checkpoints_highest-rated_2024-06.json"], SITE)
    assert (len(page.models), page.cursor) == (7, "22138|364671|25494")


def test_every_recorded_error_is_understood(recorded: dict[str, Any]) -> None:
    for entry in recorded["other/errors.json"]:
        headers = {name.lower(): value for name, value in entry.get("headers", {}).items()}
        refusal = answer(entry["status"], entry["body"], **headers)
        downloading = "download" in entry["where"] or entry["where"].startswith("same,")
        error = download_error(refusal) if downloading else api_error(refusal, "it")
        assert error.why
        assert error.code != "error"


# three releases whose answer and whose real bytes were both kept


@pytest.fixture(scope="module")
def pairs(corpus: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((corpus / "pairs.json").read_text("utf-8"))
    return loaded


@pytest.fixture
def server(corpus: Path, pairs: list[dict[str, Any]], recorded: dict[str, Any]) -> Iterator[SampleServer]:
    records = [recorded[pair["record"].removeprefix("civitai/")] for pair in pairs]
    files: dict[int, bytes | Path] = {}
    for pair, record in zip(pairs, records, strict=True):
        for version in record["modelVersions"]:
            for file in version["files"]:
                if file["hashes"].get("SHA256") == pair["sha256"]:
                    files[file["id"]] = corpus / pair["file"]
    with SampleServer() as server:
        server.route(SampleCivitai(records, files))
        yield server


@pytest.fixture
def civitai(server: SampleServer) -> Iterator[Civitai]:
    with Web(sleep=lambda _: None) as web:
        yield Civitai(web, server.url, lambda: NOW)


@pytest.mark.parametrize("at", range(3))
def test_a_release_is_the_same_by_model_page_version_and_hash(
    civitai: Civitai, pairs: list[dict[str, Any]], at: int
) -> None:
    pair = pairs[at]
    wanted = sha256(pair["sha256"])
    page = parse(f"https://civitai.com/models/{pair['model']}/some-name?modelVersionId={pair['version']}")
    link = parse(pair["downloadUrl"])
    assert isinstance(page, CivitaiRef)
    assert isinstance(link, CivitaiRef)
    (by_hash,) = civitai.by_digest(wanted)
    (by_short,) = civitai.by_digest(Digest(DigestKind.AUTOV2, wanted.value[:10]))
    found = [
        civitai.release(CivitaiRef(None, pair["version"])),
        civitai.release(page),
        civitai.release(link),
        by_hash,
        by_short,
        next(r for r in civitai.model(CivitaiRef(pair["model"])).releases if r.id == str(pair["version"])),
    ]
    assert {release.ref for release in found} == {f"civitai:{pair['model']}@{pair['version']}"}
    assert {file.sha256 for release in found for file in release.files if file.name == pair["published_name"]} == {
        wanted
    }


def test_the_published_bytes_come_from_the_canonical_address(
    civitai: Civitai, server: SampleServer, pairs: list[dict[str, Any]]
) -> None:
    with Web() as web:
        for pair in pairs:
            release = civitai.release(CivitaiRef(pair["model"], pair["version"]))
            (file,) = [file for file in release.files if file.name == pair["published_name"]]
            body = web.get(file.url).body
            assert hashlib.sha256(body).hexdigest() == pair["sha256"].lower()
            assert len(body) == file.size
    assert not server.errors


def test_recorded_pages_can_be_searched(civitai: Civitai) -> None:
    assert [model.id for model in civitai.search(Query(text="easynegative"))] == ["7808"]
