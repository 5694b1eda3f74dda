"""The Hugging Face hub over a real socket: what it reads, what it asks, what it makes of a refusal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from sdkeep.demo.huggingface import SampleHuggingFace
from sdkeep.demo.server import Fault, Response, SampleServer, Trouble, json_response, text_response
from sdkeep.ground.digest import Digest, sha256
from sdkeep.ground.errors import (
    DownloadDisabled,
    Gated,
    HubDown,
    HubGarbled,
    KeepError,
    NeedsLogin,
    NotOnHub,
    RateLimited,
)
from sdkeep.ground.kinds import Access, Extent, Family, Format, Kind, NsfwLevel, Precision, Role
from sdkeep.ground.licence import Use
from sdkeep.ground.lineage import Parent, Relation, Trust
from sdkeep.ground.model import Query, Release
from sdkeep.ground.ref import CivitaiRef, HfRef, parse
from sdkeep.hubs.huggingface.hub import HuggingFace
from sdkeep.net.client import Web, WebPolicy
from tests.makers.huggingface import QUICK, SDXL, asked, sample

ADA, BOB = "hf_ada_ada_ada_ada", "hf_bob_bob_bob_bob"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[SampleServer, SampleHuggingFace]]:
    with sample() as pair:
        yield pair


@pytest.fixture
def server(running: tuple[SampleServer, SampleHuggingFace]) -> Iterator[SampleServer]:
    running[0].hits.clear()
    yield running[0]
    running[0].behave()
    assert not running[0].errors


@pytest.fixture
def hub(server: SampleServer) -> Iterator[HuggingFace]:
    with asked(server) as hub:
        yield hub


def named(release: Release, path: str) -> object:
    return next(file for file in release.files if file.id == path)


def test_a_lora_repository_becomes_one_release(hub: HuggingFace, server: SampleServer) -> None:
    model = hub.model(HfRef("nerijs/pixel-art-xl"))
    (release,) = model.releases
    assert (model.id, model.name, model.kind) == ("nerijs/pixel-art-xl", "pixel-art-xl", Kind.LORA)
    assert (release.id, release.creator, release.downloads) == ("main", "nerijs", 900)
    assert (release.base, release.family) == (SDXL, Family.SDXL)
    assert release.trigger_words == ("pixel art",)
    assert release.published == "2024-05-06T07:08:09Z"
    assert release.page == f"{server.url}/nerijs/pixel-art-xl"
    assert parse(release.ref) == HfRef("nerijs/pixel-art-xl", "main")
    assert parse(release.air) == HfRef("nerijs/pixel-art-xl", "main")
    assert (release.level, release.nsfw, release.access) == (NsfwLevel.PG, False, Access.FREE)
    assert release.merged is None
    assert '"siblings"' in release.raw
    assert '"spaces"' not in release.raw


def test_a_file_carries_size_hash_and_an_address_pinned_to_the_commit(
    hub: HuggingFace, running: tuple[SampleServer, SampleHuggingFace]
) -> None:
    (file,) = hub.release(HfRef("nerijs/pixel-art-xl")).files
    commit = running[1].commit("nerijs/pixel-art-xl")
    body = b"weights of pixel art"
    assert file.url == f"{running[0].url}/nerijs/pixel-art-xl/resolve/{commit}/pixel-art-xl.safetensors"
    assert (file.size, file.sha256) == (len(body), sha256(hashlib.sha256(body).hexdigest()))
    assert (file.format, file.role, file.primary) == (Format.SAFETENSORS, Role.MODEL, True)
    with Web() as web:
        assert web.get(file.url).body == body


def test_pictures_are_previews_and_no_files(hub: HuggingFace) -> None:
    release = hub.release(HfRef("nerijs/pixel-art-xl"))
    assert [preview.url.rpartition("/")[2] for preview in release.previews] == ["clip.mp4", "a%20cat.png"]
    assert [preview.video for preview in release.previews] == [True, False]
    assert {preview.level for preview in release.previews} == {None}


def test_the_parts_of_a_diffusers_folder_are_told_from_single_files(hub: HuggingFace) -> None:
    release = hub.release(HfRef(SDXL))
    assert (release.kind, release.family) == (Kind.CHECKPOINT, Family.SDXL)
    formats = {file.id: (file.format, file.role) for file in release.files}
    assert formats["sd_xl_base_1.0.safetensors"] == (Format.SAFETENSORS, Role.MODEL)
    assert formats["unet/diffusion_pytorch_model.fp16.safetensors"] == (Format.DIFFUSERS, Role.DIFFUSION_MODEL)
    assert formats["text_encoder_2/model.safetensors"] == (Format.DIFFUSERS, Role.TEXT_ENCODER)
    assert formats["vae/diffusion_pytorch_model.bin"] == (Format.DIFFUSERS, Role.VAE)
    assert formats["unet/config.json"] == (Format.OTHER, Role.CONFIG)
    assert not any(file.primary for file in release.files), "two single files: neither is meant more"


def test_the_hub_s_own_scan_is_a_claim_beside_each_file(hub: HuggingFace) -> None:
    claims = {file.id: file.claims[0].result for file in hub.release(HfRef(SDXL)).files}
    assert claims["vae/diffusion_pytorch_model.bin"] == "unsafe"
    assert claims["sd_xl_base_1.0.safetensors"] == "no issue found"


def test_names_speak_of_precision_extent_and_role(hub: HuggingFace) -> None:
    files = {file.name: file for file in hub.release(HfRef("ada/mix")).files}
    half = files["mix.fp16-pruned.ckpt"]
    assert (half.format, half.precision, half.extent) == (Format.PICKLE, Precision.FP16, Extent.PRUNED)
    assert files["mix.vae.pt"].role is Role.VAE
    assert files["v1.yaml"].role is Role.CONFIG


def test_a_merge_names_its_parents(hub: HuggingFace) -> None:
    release = hub.release(HfRef("ada/mix"))
    assert release.merged is True
    assert [edge.parent for edge in release.parents] == [
        Parent(Trust.CARD, "hf:ada/one"),
        Parent(Trust.CARD, "hf:ada/two"),
        Parent(Trust.NAME, "a name only"),
    ]
    assert {edge.relation for edge in release.parents} == {Relation.MERGE_OF}
    assert '"base_model_relation": "merge"' in release.parents[0].verbatim


def test_a_lora_is_an_adapter_for_its_base(hub: HuggingFace) -> None:
    (edge,) = hub.release(HfRef("nerijs/pixel-art-xl")).parents
    assert (edge.relation, edge.parent.value, edge.source) == (Relation.ADAPTER_FOR, f"hf:{SDXL}", "huggingface-card")


def test_a_licence_is_read_with_what_it_allows(hub: HuggingFace, server: SampleServer) -> None:
    licence = hub.release(HfRef("nerijs/pixel-art-xl")).licence
    assert (licence.id, licence.allows[Use.SELL_PICTURES], licence.allows[Use.RELICENSE]) == (
        "creativeml-openrail-m",
        True,
        False,
    )
    other = hub.release(HfRef("ada/mix")).licence
    assert (other.id, other.name) == ("faipl-1.0-sd", "Fair AI Public License 1.0-SD")
    assert other.url == f"{server.url}/ada/mix/blob/main/LICENSE.md"
    assert Use.SERVE not in other.allows, "what the licence leaves open is unknown"


def test_adult_repositories_are_marked(hub: HuggingFace) -> None:
    release = hub.release(HfRef("ada/mix"))
    assert (release.nsfw, release.level) == (True, NsfwLevel.X)


def test_a_branch_and_a_commit_can_be_asked_for(
    hub: HuggingFace, running: tuple[SampleServer, SampleHuggingFace]
) -> None:
    branch = hub.release(HfRef("ada/mix", "fp32/new"))
    assert (branch.id, [file.name for file in branch.files]) == ("fp32/new", ["mix.fp32.safetensors"])
    assert parse(branch.ref) == HfRef("ada/mix", "fp32/new")
    assert branch.page.endswith("/ada/mix/tree/fp32%2Fnew")
    commit = running[1].commit("ada/mix", "fp32/new")
    pinned = hub.release(HfRef("ada/mix", commit))
    assert [file.url for file in pinned.files] == [file.url for file in branch.files]


def test_a_path_makes_its_file_the_primary_one(hub: HuggingFace) -> None:
    release = hub.release(HfRef(SDXL, None, "sd_xl_base_1.0.safetensors"))
    assert [file.id for file in release.files if file.primary] == ["sd_xl_base_1.0.safetensors"]
    with pytest.raises(NotOnHub, match="no model file") as caught:
        hub.release(HfRef(SDXL, None, "sd_xl_base.safetensors"))
    assert "sd_xl_base_1.0.safetensors" in caught.value.why
    with pytest.raises(NotOnHub):
        hub.release(HfRef(SDXL, None, "README.md"))


def test_a_renamed_repository_is_followed(hub: HuggingFace) -> None:
    assert hub.release(HfRef("runway/old-name")).model_id == "ada/mix"


def test_a_gated_repository_can_be_looked_at_but_not_fetched(hub: HuggingFace, server: SampleServer) -> None:
    release = hub.release(HfRef("ada/gated"))
    assert release.access is Access.GATED
    with Web() as web:
        error = hub.download_error(web.get(release.files[0].url))
    assert isinstance(error, Gated)
    assert f"{server.url}/ada/gated" in error.next
    assert "sdkeep auth login huggingface" in error.next
    with asked(server, BOB) as known, Web(WebPolicy(tokens={f"127.0.0.1:{server.port}": BOB})) as web:
        error = known.download_error(web.get(release.files[0].url))
    assert isinstance(error, Gated)
    assert "has not been let in" in error.why
    with Web(WebPolicy(tokens={f"127.0.0.1:{server.port}": ADA})) as web:
        assert web.get(release.files[0].url).body == b"gated"


def test_a_private_repository_needs_its_owner_s_token(server: SampleServer) -> None:
    with asked(server, ADA) as hub:
        assert hub.release(HfRef("ada/secret")).access is Access.LOGIN
    with asked(server, BOB) as hub, pytest.raises(NotOnHub, match="no repository `ada/secret`"):
        hub.release(HfRef("ada/secret"))


def test_a_missing_and_a_private_repository_look_alike_to_strangers(hub: HuggingFace) -> None:
    for name in ("ada/secret", "ada/nothing"):
        with pytest.raises(NotOnHub) as caught:
            hub.release(HfRef(name))
        assert caught.value.http == 401
        assert "both alike" in caught.value.why
        assert "sdkeep auth login huggingface" in caught.value.next


@pytest.mark.parametrize(
    ("ref", "what"),
    [
        (HfRef("ada/mix", "v9"), "no revision `v9`"),
        (HfRef("ada/mix", "refs/pr/1"), "no revision `refs/pr/1`"),
        (HfRef("ada/" + "x" * 100), "cannot be a repository"),
    ],
)
def test_what_is_not_there_is_named(hub: HuggingFace, ref: HfRef, what: str) -> None:
    with pytest.raises(NotOnHub) as caught:
        hub.release(ref)
    assert what in caught.value.what


def test_a_reference_of_another_hub_is_refused(hub: HuggingFace) -> None:
    with pytest.raises(NotOnHub, match="civitai:1"):
        hub.release(CivitaiRef(1))


@pytest.mark.parametrize(
    ("path", "error", "word"),
    [
        ("/ada/gone/resolve/main/x.safetensors", DownloadDisabled, "disabled"),
        ("/ada/mix/resolve/main/none.ckpt", NotOnHub, "no file `none.ckpt`"),
        ("/ada/mix/resolve/v9/mix.ckpt", NotOnHub, "no revision `v9`"),
        ("/ada/nothing/resolve/main/x.ckpt", NotOnHub, "no repository `ada/nothing`"),
        ("/lfs/" + "0" * 64, HubDown, "storage"),
    ],
)
def test_a_refused_download_is_explained(
    hub: HuggingFace, server: SampleServer, path: str, error: type[KeepError], word: str
) -> None:
    with Web() as web:
        explained = hub.download_error(web.get(server.url + path))
    assert type(explained) is error
    assert word in explained.what
    assert explained.next


def test_whoami_names_the_account(server: SampleServer) -> None:
    with asked(server, ADA) as hub:
        assert hub.whoami() == "ada"
        assert hub.signed_in


def test_without_a_token_whoami_asks_nobody(hub: HuggingFace, server: SampleServer) -> None:
    with pytest.raises(NeedsLogin) as caught:
        hub.whoami()
    assert "https://huggingface.co/settings/tokens" in caught.value.next
    assert server.hits == []


def test_a_refused_token_says_so_everywhere(server: SampleServer) -> None:
    with asked(server, "hf_wrong_wrong") as hub:
        for question in (hub.whoami, lambda: hub.release(HfRef("ada/mix")), lambda: list(hub.search(Query()))):
            with pytest.raises(NeedsLogin, match="refuses your token") as caught:
                question()
            assert "hf_wrong" not in f"{caught.value.what}{caught.value.why}{caught.value.next}{caught.value.url}"


def test_the_token_of_the_environment_is_none_of_the_library_s_business(
    hub: HuggingFace, server: SampleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", ADA)
    hub.release(HfRef("ada/mix"))
    list(hub.search(Query(limit=1)))
    assert all("authorization" not in hit.headers for hit in server.hits)
    assert {hit.headers["user-agent"].partition("/")[0] for hit in server.hits} == {"sdkeep"}


def test_a_token_goes_with_every_question(server: SampleServer) -> None:
    with asked(server, ADA) as hub:
        hub.release(HfRef("ada/mix"))
    assert server.hits[0].headers["authorization"] == f"Bearer {ADA}"


def test_nothing_can_be_found_by_digest(hub: HuggingFace, server: SampleServer) -> None:
    assert hub.by_digest(sha256("a" * 64)) == ()
    assert hub.by_digest(Digest.readings("a" * 8)[0]) == ()
    assert server.hits == []


def test_a_server_error_is_hub_down_after_retries(hub: HuggingFace, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STATUS, "/api", None))
    with pytest.raises(HubDown):
        hub.release(HfRef("ada/mix"))
    with pytest.raises(HubDown):
        list(hub.search(Query()))
    assert len(server.hits) == 4


def test_a_rate_limit_is_told_with_its_wait(hub: HuggingFace, server: SampleServer) -> None:
    server.misbehave(Fault(Trouble.STATUS, "/api", None, seconds=77, status=429))
    for question in (lambda: hub.release(HfRef("ada/mix")), lambda: list(hub.search(Query()))):
        with pytest.raises(RateLimited) as caught:
            question()
        assert caught.value.after == 77


def answering(body: object) -> Iterator[HuggingFace]:
    with SampleServer() as server:
        server.route(lambda _: body if isinstance(body, Response) else json_response(body))
        with Web(WebPolicy(retry=QUICK), sleep=lambda _: None) as web:
            yield HuggingFace(web, server.url)


@pytest.mark.parametrize(
    "body",
    [
        text_response("<html>maintenance</html>", content_type="text/html"),
        Response(200, {}, b""),
        [],
        {},
        {"id": 3},
        {"id": "a/b", "siblings": [{}]},
        {"id": "a/b", "siblings": [{"rfilename": "x.ckpt", "lfs": {"oid": "1"}}]},
        {"id": "a/b", "lastModified": "yesterday"},
    ],
    ids=["html", "empty", "list", "no-id", "number-id", "no-name", "other-lfs", "bad-time"],
)
def test_an_answer_that_cannot_be_read_is_garbled_not_a_crash(body: object) -> None:
    for hub in answering(body):
        with pytest.raises(HubGarbled):
            hub.release(HfRef("a/b"))


@pytest.mark.parametrize(
    "extra",
    [
        {"cardData": "text"},
        {"cardData": {"base_model": [1, None, "a/c"], "license": ["mit", "x"], "instance_prompt": {"a": 1}}},
        {"tags": ["a", 3], "downloads": "many", "gated": "manual"},
        {"securityRepoStatus": {"filesWithIssues": "none"}},
        {"cardData": {"license_link": "javascript:alert(1)", "license": "other"}},
    ],
)
def test_odd_values_are_left_out_not_fatal(extra: dict[str, object]) -> None:
    body = {"id": "a/b", "sha": "c" * 40, "siblings": [{"rfilename": "m.safetensors", "size": 3}], **extra}
    for hub in answering(body):
        release = hub.release(HfRef("a/b"))
        assert [file.size for file in release.files] == [3]
        assert "javascript" not in release.licence.url
