"""Civitai's answers, whatever their age or state, in ground values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sdkeep.ground.errors import HubGarbled
from sdkeep.ground.kinds import Access, Extent, Family, Format, Kind, NsfwLevel, Precision, Role
from sdkeep.ground.licence import Use
from sdkeep.ground.lineage import Relation, Trust
from sdkeep.ground.model import Release
from sdkeep.hubs.civitai.files import Site
from sdkeep.hubs.civitai.wire import read_model, read_page, read_release
from tests.makers.civitai import NOW, SITE, old_model


def released(**version: object) -> Release:
    """The one release of an old model with some fields of its version replaced."""
    record: Any = old_model()
    record["modelVersions"][0] |= version
    return read_model(record, SITE).releases[0]


def file_of(**changes: object) -> Any:
    record: Any = old_model()
    record["modelVersions"][0]["files"][0] |= changes
    return read_model(record, SITE).releases[0].files[0]


def test_a_model_of_2023_becomes_one_page_with_its_release() -> None:
    model = read_model(old_model(), SITE)
    (release,) = model.releases
    assert (model.id, model.kind, model.page) == ("7", Kind.EMBEDDING, "https://civitai.com/models/7")
    assert release.ref == "civitai:7@70"
    assert (release.base, release.family, release.creator) == ("SD 1.5", Family.SD1, "somebody")
    assert (release.published, release.rating, release.downloads) == ("2023-07-01T10:00:00Z", 4.5, 3)
    assert release.previews[0].level is NsfwLevel.PG13
    assert release.page == "https://civitai.com/models/7?modelVersionId=70"


def test_a_file_keeps_size_in_exact_bytes_its_digests_and_the_hubs_scan_as_a_claim() -> None:
    file = file_of()
    assert (file.size, file.about) == (308139, None)
    assert (file.role, file.format, file.primary) == (Role.NEGATIVE, Format.PICKLE, True)
    assert [str(digest) for digest in file.digests] == ["sha256:" + "ab" * 32, "autov2:" + "ab" * 5]
    assert [(claim.scanner, claim.result) for claim in file.claims] == [
        ("civitai-pickle", "Danger"),
        ("civitai-virus", "Success"),
    ]


@pytest.mark.parametrize(
    ("kilobytes", "size", "about"),
    [
        (7522729.383789062, 7703274889, None),  # sixteen digits of a longer fraction
        (20_000_000.50097656, 20_480_000_513, None),
        (6775430.35, None, 6938040678),
        (0, None, None),
        (-1, None, None),
        (None, None, None),
        ("12", 12288, None),
        ("many", None, None),
    ],
)
def test_a_size_is_exact_only_when_it_is_a_whole_number_of_bytes(
    kilobytes: object, size: object, about: object
) -> None:
    file = file_of(sizeKB=kilobytes)
    assert (file.size, file.about) == (size, about)


@pytest.mark.parametrize(
    ("url", "fallbacks"),
    [
        ("https://civitai.com/api/download/models/70", ["/70"]),
        (
            "https://api.civitai.com/api/download/models/70?type=Model&format=Other",
            ["/70?type=Model&format=Other", "/70"],
        ),
        ("//civitai.com/api/download/models/70?type=Model", ["/70?type=Model", "/70"]),
        ("https://civitai.red/api/download/models/70?type=Model&token=secret", ["/70?type=Model", "/70"]),
        ("https://undefined/api/download/models/70?type=Model", ["/70"]),
        ("https://evil.example/api/download/models/70", ["/70"]),
        ("https://civitai.com/elsewhere", ["/70"]),
        ("https://[broken", ["/70"]),
        (None, ["/70"]),
    ],
)
def test_a_file_is_fetched_by_its_id_and_the_hubs_own_address_only_helps_out(url: object, fallbacks: list[str]) -> None:
    file = file_of(downloadUrl=url)
    root = "https://civitai.com/api/download/models"
    assert file.url == f"{root}/70?fileId=700"
    assert file.fallbacks == tuple(root + path for path in fallbacks)


def test_addresses_lie_on_the_hub_that_was_asked() -> None:
    site = Site("http://127.0.0.1:8080", NOW)
    file = read_model(old_model(), site).releases[0].files[0]
    assert {file.url, *file.fallbacks} == {
        "http://127.0.0.1:8080/api/download/models/70?fileId=700",
        "http://127.0.0.1:8080/api/download/models/70",
    }


def test_a_file_without_an_id_takes_it_from_its_address() -> None:
    file = file_of(id=None, downloadUrl="https://civitai.com/api/download/models/70?fileId=2863150")
    assert file.id == "2863150"
    assert file.url.endswith("/70?fileId=2863150")


def test_an_address_that_two_files_share_is_no_fallback_for_either_but_the_main_one() -> None:
    record: Any = old_model()
    (main,) = record["modelVersions"][0]["files"]
    shared = "https://civitai.com/api/download/models/70?type=Model"
    record["modelVersions"][0]["files"] = [main | {"downloadUrl": shared}] + [
        main | {"id": 701 + at, "primary": None, "downloadUrl": shared} for at in range(2)
    ]
    files = read_model(record, SITE).releases[0].files
    assert [len(file.fallbacks) for file in files] == [2, 0, 0]


@pytest.mark.parametrize(
    ("claim", "name", "expected"),
    [
        ("SafeTensor", "a.safetensors", Format.SAFETENSORS),
        ("Other", "a.pt", Format.PICKLE),
        ("SafeTensor", "a.ckpt", Format.PICKLE),
        ("Diffusers", "a.zip", Format.DIFFUSERS),
        ("Other", "a.zip", Format.ZIP),
        ("GGUF", "noending", Format.GGUF),
        ("Brand new", "noending", Format.UNKNOWN),
    ],
)
def test_the_ending_names_the_format_before_the_hubs_word(claim: str, name: str, expected: Format) -> None:
    assert file_of(name=name, metadata={"format": claim}).format is expected


def test_precision_and_extent_come_from_the_metadata() -> None:
    file = file_of(metadata={"fp": "fp8_scaled", "size": "full"}, type="Model")
    assert (file.precision, file.extent, file.role) == (Precision.FP8, Extent.FULL, Role.MODEL)
    pruned = file_of(metadata=None, type="Pruned Model")
    assert (pruned.precision, pruned.extent) == (Precision.UNKNOWN, Extent.PRUNED)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("LoCon", Kind.LYCORIS), ("DoRA", Kind.LORA), ("MotionModule", Kind.MOTION_MODULE), ("Hologram", Kind.UNKNOWN)],
)
def test_a_model_type_becomes_a_kind_and_stays_as_text(type_: str, kind: Kind) -> None:
    (release,) = read_model(old_model(type=type_), SITE).releases
    assert (release.kind, release.kind_text) == (kind, type_)


def test_a_checkpoint_page_whose_main_file_is_a_bare_diffusion_model_is_one() -> None:
    record: Any = old_model(type="Checkpoint")
    record["modelVersions"][0]["files"][0]["type"] = "Diffusion Model"
    assert read_model(record, SITE).releases[0].kind is Kind.DIFFUSION_MODEL


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["a, b", "c"], ("a", "b", "c")),
        (["(red hair, long hair:1.2), smile"], ("(red hair, long hair:1.2)", "smile")),
        (["klee \\(genshin impact\\), hat, "], ("klee \\(genshin impact\\)", "hat")),
        (["<lora:eyes:0.4>"], ("<lora:eyes:0.4>",)),
        (["smile :), hat"], ("smile :)", "hat")),
        (["a", "a"], ("a",)),
        ([None, 3], ("3",)),
        (None, ()),
    ],
)
def test_trigger_words_are_split_at_commas_outside_brackets(entries: object, words: tuple[str, ...]) -> None:
    assert released(trainedWords=entries).trigger_words == words


@pytest.mark.parametrize(
    ("fields", "access", "until"),
    [
        ({}, Access.FREE, ""),
        ({"paidAccess": None, "earlyAccessEndsAt": None, "availability": "Public"}, Access.FREE, ""),
        ({"paidAccess": {"permanent": True, "endsAt": None}}, Access.PAID, ""),
        (
            {"paidAccess": {"permanent": False, "endsAt": "2099-01-01T00:00:00.000Z"}},
            Access.EARLY,
            "2099-01-01T00:00:00Z",
        ),
        ({"paidAccess": {"permanent": False, "endsAt": "2020-01-01T00:00:00.000Z"}}, Access.FREE, ""),
        ({"paidAccess": {"permanent": False, "endsAt": None}}, Access.EARLY, ""),
        ({"earlyAccessEndsAt": "2026-08-21T00:00:00.000Z"}, Access.EARLY, "2026-08-21T00:00:00Z"),
        ({"earlyAccessEndsAt": "2026-08-19T00:00:00.000Z"}, Access.FREE, ""),
        ({"earlyAccessTimeFrame": 5, "publishedAt": "2026-08-18T12:00:00"}, Access.EARLY, "2026-08-23T12:00:00Z"),
        ({"earlyAccessTimeFrame": 5}, Access.FREE, ""),
        ({"availability": "EarlyAccess"}, Access.EARLY, ""),
        ({"availability": "Private"}, Access.LOGIN, ""),
        ({"usageControl": "Generation"}, Access.DISABLED, ""),
        ({"usageControl": "Download"}, Access.FREE, ""),
    ],
)
def test_what_stands_before_the_download_is_told_apart(fields: dict[str, object], access: Access, until: str) -> None:
    release = released(**fields)
    assert (release.access, release.access_until) == (access, until)


def test_an_archived_page_is_archived_and_a_taken_down_one_is_not() -> None:
    assert read_model(old_model(mode="Archived"), SITE).releases[0].access is Access.ARCHIVED
    assert read_model(old_model(mode="TakenDown"), SITE).releases[0].access is Access.FREE


SOLD = (Use.SELL_PICTURES, Use.SERVE, Use.SELL_MODEL)


@pytest.mark.parametrize(
    ("stated", "sold"),
    [
        ("None", (False, False, False)),
        ("Image", (True, False, False)),
        ("Rent", (True, True, False)),
        ("Sell", (True, True, True)),
        ("{Image,RentCivit}", (True, False, False)),
        ("{}", (False, False, False)),
        (["Image", "RentCivit", "Rent"], (True, True, False)),
        (["Sell"], (False, False, True)),
        ([], (False, False, False)),
        (None, (None, None, None)),
        ("Something new", (None, None, None)),
        (5, (None, None, None)),
    ],
)
def test_commercial_use_reads_alike_in_all_its_shapes(stated: object, sold: tuple[bool | None, ...]) -> None:
    licence = read_model(old_model(allowCommercialUse=stated), SITE).releases[0].licence
    assert tuple(licence.allows.get(use) for use in SOLD) == sold


def test_the_licence_records_who_said_what_and_when() -> None:
    licence = read_model(old_model(), SITE).releases[0].licence
    assert {use: licence.allows[use] for use in (Use.MERGE, Use.RELICENSE, Use.NO_CREDIT)} == {
        Use.MERGE: False,
        Use.RELICENSE: True,
        Use.NO_CREDIT: True,
    }
    assert (licence.source, licence.seen, licence.base_model) == ("civitai", "2026-08-20", "SD 1.5")
    assert json.loads(licence.verbatim)["allowCommercialUse"] == "Rent"
    assert licence.url == "https://civitai.com/models/license/70"


def test_a_noncommercial_base_model_overrules_the_publisher() -> None:
    record: Any = old_model(allowCommercialUse="Sell")
    record["modelVersions"][0]["baseModel"] = "Ideogram 4.0"
    licence = read_model(record, SITE).releases[0].licence
    assert [licence.allows.get(use) for use in SOLD] == [None, False, False]


def test_a_version_alone_says_nothing_of_permissions() -> None:
    version: Any = old_model()
    release = read_release(version["modelVersions"][0] | {"model": {"name": "Old one", "type": "LORA"}}, SITE)
    assert (release.licence.allows, release.licence.id, release.creator) == ({}, "", "")
    assert (release.model_id, release.model_name, release.kind) == ("7", "Old one", Kind.LORA)


@pytest.mark.parametrize(
    ("type_", "base", "relation"),
    [("Checkpoint", "Pony", Relation.FINETUNE_OF), ("LORA", "Pony", Relation.ADAPTER_FOR)],
)
def test_the_base_model_is_a_parent_by_name(type_: str, base: str, relation: Relation) -> None:
    record: Any = old_model(type=type_)
    record["modelVersions"][0]["baseModel"] = base
    (edge,) = read_model(record, SITE).releases[0].parents
    assert (edge.parent.trust, edge.parent.value, edge.relation, edge.source) == (Trust.NAME, base, relation, "civitai")


def test_no_base_and_no_kind_make_no_parent() -> None:
    assert released(baseModel="Other").parents == ()
    assert read_model(old_model(type="Poses"), SITE).releases[0].parents == ()


@pytest.mark.parametrize(
    ("picture", "level"),
    [
        ({"nsfwLevel": 1}, NsfwLevel.PG),
        ({"nsfwLevel": 8}, NsfwLevel.X),
        ({"nsfwLevel": 32}, NsfwLevel.XXX),
        ({"nsfw": "Mature"}, NsfwLevel.R),
        ({"nsfw": "None"}, NsfwLevel.PG),
        ({"nsfwLevel": 0}, None),
        ({}, None),
    ],
)
def test_a_picture_is_rated_by_mask_or_word(picture: dict[str, object], level: NsfwLevel | None) -> None:
    (preview,) = released(images=[{"url": "//image.civitai.com/a.jpeg", **picture}]).previews
    assert preview.level is level
    assert preview.url == "https://image.civitai.com/a.jpeg"


def test_a_model_marked_adult_is_at_least_r_and_others_are_as_mild_as_their_mildest_picture() -> None:
    def level(**fields: object) -> NsfwLevel:
        return read_model(old_model(**fields), SITE).releases[0].level

    assert level(nsfwLevel=28) is NsfwLevel.R
    assert level(nsfwLevel=31) is NsfwLevel.PG
    assert level(nsfw=True) is NsfwLevel.R
    assert level(nsfw=True, nsfwLevel=16) is NsfwLevel.XXX


@pytest.mark.parametrize(
    ("fields", "merged"),
    [
        ({}, None),
        ({"checkpointType": "Merge"}, True),
        ({"checkpointType": "Trained"}, False),
        ({"tags": ["merge"]}, True),
    ],
)
def test_a_merge_is_one_when_the_hub_or_a_tag_says_so(fields: dict[str, object], merged: bool | None) -> None:
    assert read_model(old_model(**fields), SITE).releases[0].merged is merged


def test_the_raw_release_has_the_shape_of_a_version_answer() -> None:
    raw = json.loads(read_model(old_model(), SITE).releases[0].raw)
    assert (raw["id"], raw["modelId"], raw["model"]["name"]) == (70, 7, "Old one")
    assert "modelVersions" not in json.loads(read_model(old_model(), SITE).raw)


@pytest.mark.parametrize("field", ["stats", "files", "images", "trainedWords", "metadata", "baseModel", "description"])
def test_a_version_may_lack_any_field_or_hold_null(field: str) -> None:
    record: Any = old_model()
    assert released(**{field: None}).id == "70"
    del record["modelVersions"][0]["stats"]
    assert read_model(record, SITE).releases[0].downloads == 0


@pytest.mark.parametrize("payload", [None, [], "x", 3, {}, {"id": None}, {"id": "x"}, {"id": 0}, {"error": "no"}])
def test_an_answer_without_an_id_is_garbled(payload: object) -> None:
    with pytest.raises(HubGarbled):
        read_model(payload, SITE)
    with pytest.raises(HubGarbled):
        read_release(payload, SITE)


@pytest.mark.parametrize(
    ("metadata", "cursor"),
    [
        ({"nextCursor": "22138|364671|25494"}, "22138|364671|25494"),
        ({"nextCursor": 12}, "12"),
        ({"nextPage": "https://civitai.com/api/v1/models?cursor=9%7C8"}, "9|8"),
        ({"nextCursor": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_page_knows_its_cursor_and_passes_over_what_is_no_model(metadata: object, cursor: str) -> None:
    page = read_page({"items": [old_model(), None, {"id": "x"}], "metadata": metadata}, SITE)
    assert (len(page.models), page.cursor) == (1, cursor)
