"""Civitai asked over a real socket: by page, version, hash, in bulk, and by searching."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.civitai_records import SampleFile, SampleVersion, sample_model
from sdkeep.demo.server import Request, Response, SampleServer, json_response
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import BadReference, HubGarbled, NeedsLogin, NotOnHub, UsageError
from sdkeep.ground.hub import Hub
from sdkeep.ground.kinds import Access, Format, Kind, NsfwLevel
from sdkeep.ground.model import Query
from sdkeep.ground.ref import CivitaiRef, HfRef, HubRef
from sdkeep.hubs.civitai.client import Civitai
from sdkeep.net.client import Web, WebPolicy
from tests.makers.civitai import NOW, files, old_model, records, safetensors

SHA = hashlib.sha256(safetensors(2)).hexdigest()


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer() as server:
        yield server


@pytest.fixture
def sample(server: SampleServer) -> SampleCivitai:
    sample = SampleCivitai(records(), files(), token="key")
    server.route(sample)
    return sample


@pytest.fixture
def civitai(server: SampleServer) -> Iterator[Civitai]:
    with Web(WebPolicy(tokens={urlsplit(server.url).netloc: "key"}), sleep=lambda _: None) as web:
        yield Civitai(web, server.url, lambda: NOW)


@pytest.mark.usefixtures("sample")
class TestPages:
    def test_a_page_is_found_by_its_id_or_by_one_of_its_versions(self, civitai: Civitai) -> None:
        page = civitai.model(CivitaiRef(100))
        assert (page.name, [release.name for release in page.releases]) == ("Ink Wash", ["v2", "v1"])
        assert civitai.model(CivitaiRef(None, 101)) == page

    def test_a_version_brings_what_only_its_page_knows(self, civitai: Civitai) -> None:
        release = civitai.release(CivitaiRef(None, 102))
        assert (release.ref, release.creator, release.tags) == ("civitai:100@102", "sdkeep", ("ink", "style"))
        assert release.trigger_words == ("ink style", "sumi-e", "(brush, wet:1.2)")
        assert release.licence.allows

    def test_a_gone_page_does_not_hide_a_version_that_still_answers(
        self, civitai: Civitai, sample: SampleCivitai
    ) -> None:
        sample.hidden.add(100)
        with pytest.raises(NotOnHub):
            civitai.model(CivitaiRef(100))
        page = civitai.model(CivitaiRef(100, 102))
        assert [release.id for release in page.releases] == ["102"]
        assert civitai.model(CivitaiRef(None, 102)) == page
        assert civitai.release(CivitaiRef(100, 102)).model_name == "Ink Wash"

    def test_a_version_that_the_page_forgot_is_added_to_it(self, civitai: Civitai, sample: SampleCivitai) -> None:
        forgetful = sample_model(500, "Forgetful", "LORA", [])
        kept = {"id": 501, "modelId": 500, "name": "v1", "model": {"name": "Forgetful", "type": "LORA"}}
        sample.add(forgetful, kept)
        (release,) = civitai.model(CivitaiRef(500, 501)).releases
        assert (release.name, release.creator) == ("v1", "sdkeep")
        assert civitai.model(CivitaiRef(500, 502)).releases == ()
        assert civitai.model(CivitaiRef(500, 999)).releases == ()

    def test_a_version_of_another_model_is_refused_with_the_right_reference(self, civitai: Civitai) -> None:
        with pytest.raises(NotOnHub) as caught:
            civitai.release(CivitaiRef(200, 102))
        assert "civitai:100@102" in caught.value.next

    def test_every_gate_is_told(self, civitai: Civitai) -> None:
        gates = [release.access for release in civitai.model(CivitaiRef(200)).releases]
        assert gates == [Access.EARLY, Access.PAID, Access.DISABLED, Access.FREE]
        assert civitai.release(CivitaiRef(None, 301)).access is Access.ARCHIVED

    def test_the_account_is_the_one_of_the_key(self, civitai: Civitai) -> None:
        assert civitai.whoami() == "sample-user"


@pytest.mark.parametrize(
    "ref", [CivitaiRef(2**31), CivitaiRef(5, 2**31), CivitaiRef(0), CivitaiRef(5, 6, 2**40), HfRef("a/b")]
)
def test_ids_that_cannot_exist_are_refused_before_asking(civitai: Civitai, server: SampleServer, ref: HubRef) -> None:
    with pytest.raises(BadReference):
        civitai.model(ref)
    assert server.hits == []


def test_a_release_needs_a_version(civitai: Civitai) -> None:
    with pytest.raises(BadReference):
        civitai.release(CivitaiRef(100))


def test_a_key_without_an_account_is_no_login(civitai: Civitai, server: SampleServer) -> None:
    server.route(lambda request: json_response({}))
    with pytest.raises(NeedsLogin):
        civitai.whoami()


def test_it_is_a_hub(civitai: Civitai) -> None:
    hub: Hub = civitai
    assert hub.id == "civitai"


def test_what_the_first_host_hides_is_asked_of_the_second(server: SampleServer) -> None:
    mild, adult = records()[:1], records()[3:]
    server.route(SampleCivitai(mild))
    with SampleServer() as second, Web(sleep=lambda _: None) as web:
        second.route(SampleCivitai(adult))
        civitai = Civitai(web, server.url, lambda: NOW, mature_url=second.url)
        page = civitai.model(CivitaiRef(400))
        assert page.page == f"{second.url}/models/400"
        assert page.releases[0].files[0].url.startswith(f"{server.url}/api/download/models/")
        assert civitai.model(CivitaiRef(100)).page == f"{server.url}/models/100"
        assert [model.id for model in civitai.search(Query())] == ["100"]
        assert [model.id for model in civitai.search(Query(level=NsfwLevel.XXX))] == ["400"]
        with pytest.raises(NotOnHub):
            civitai.model(CivitaiRef(1))


# by hash


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(
    "digest", [Digest(DigestKind.SHA256, SHA), Digest(DigestKind.AUTOV2, SHA[:10])], ids=["sha256", "autov2"]
)
def test_a_release_is_found_by_any_digest_of_its_files(civitai: Civitai, digest: Digest) -> None:
    (release,) = civitai.by_digest(digest)
    assert (release.ref, release.creator) == ("civitai:100@102", "sdkeep")


@pytest.mark.usefixtures("sample")
def test_an_unknown_digest_finds_nothing(civitai: Civitai) -> None:
    assert civitai.by_digest(Digest(DigestKind.CRC32, "0" * 8)) == ()


@pytest.mark.usefixtures("sample")
def test_bulk_answers_may_hold_nulls_repeats_and_broken_links(civitai: Civitai, server: SampleServer) -> None:
    known = [hashlib.sha256(safetensors(n)).hexdigest() for n in (1, 2, 4, 8)]
    unknown = [f"{n:064x}" for n in range(240)]
    found = civitai.by_hashes([value.upper() for value in known] + unknown + known)
    assert {value: release.id for value, release in found.items()} == dict(
        zip(known, ["102", "102", "101", "201"], strict=True)
    )
    assert [hit.method for hit in server.hits] == ["POST"] * 3
    urls = [file.url for release in found.values() for file in release.files]
    assert all(url.startswith(f"{server.url}/api/download/models/") for url in urls)


@pytest.mark.usefixtures("sample")
def test_a_whole_library_is_located_in_one_request(civitai: Civitai, server: SampleServer) -> None:
    found = civitai.locate([SHA, *(f"{n:064x}" for n in range(5000))])
    assert found == {SHA: CivitaiRef(100, 102)}
    assert len(server.hits) == 1


def test_a_bulk_answer_that_is_no_list_is_garbled(civitai: Civitai, server: SampleServer) -> None:
    server.route(lambda request: json_response({"items": []}))
    with pytest.raises(HubGarbled):
        civitai.by_hashes([SHA])


# searching


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        (Query(), ["Ink Wash", "Gates", "Archive"]),
        (Query(text="ink"), ["Ink Wash"]),
        (Query(text="ink", level=NsfwLevel.XXX), ["Ink Wash", "Ink Adult"]),
        (Query(text="ink", level=NsfwLevel.X), ["Ink Wash"]),
        (Query(kind=Kind.LORA), ["Gates"]),
        (Query(kind=Kind.CHECKPOINT, sort="newest"), ["Archive", "Ink Wash"]),
        (Query(kind=Kind.DIFFUSION_MODEL), []),
        (Query(base="Pony"), ["Gates"]),
        (Query(tag="ink"), ["Ink Wash"]),
        (Query(creator="SDKeep", limit=2), ["Ink Wash", "Gates"]),
        (Query(permission="sell-pictures"), ["Ink Wash", "Archive"]),
        (Query(permission="sell-model"), []),
        (Query(format=Format.PICKLE), ["Ink Wash"]),
        (Query(limit=1), ["Ink Wash"]),
        (Query(limit=0), []),
    ],
    ids=str,
)
def test_a_search_finds_what_was_meant(civitai: Civitai, query: Query, names: list[str]) -> None:
    assert [model.name for model in civitai.search(query)] == names


def test_the_cursor_is_followed_through_empty_pages(civitai: Civitai, server: SampleServer) -> None:
    pages = [[], [old_model()], [], [], [old_model(), old_model(id=8)], []]

    @server.route
    def handler(request: Request) -> Response:
        at = int(request.param("cursor", "0|0").split("|")[0])
        more = {"nextCursor": f"{at + 1}|x"} if at + 1 < len(pages) else {}
        return json_response({"items": pages[at], "metadata": more})

    assert [model.id for model in civitai.search(Query(text="old", limit=10))] == ["7", "8"]
    assert len(server.hits) == len(pages)


def test_a_search_ends_when_the_hub_repeats_its_cursor(civitai: Civitai, server: SampleServer) -> None:
    server.route(lambda request: json_response({"items": [old_model()], "metadata": {"nextCursor": "same"}}))
    assert len(list(civitai.search(Query()))) == 1
    assert len(server.hits) == 2


def test_a_search_gives_up_when_fifty_pages_hold_nothing(civitai: Civitai, server: SampleServer) -> None:
    server.route(lambda r: json_response({"items": [], "metadata": {"nextCursor": r.param("cursor") + "1"}}))
    assert list(civitai.search(Query(limit=5))) == []
    assert len(server.hits) == 50


def test_pages_are_asked_for_only_as_they_are_taken(civitai: Civitai, server: SampleServer) -> None:
    server.route(SampleCivitai([old_model(id=n) for n in range(1, 30)]))
    found = civitai.search(Query(limit=5))
    assert server.hits == []
    assert [model.id for model in found] == ["1", "2", "3", "4", "5"]
    assert len(server.hits) == 1


def test_types_are_repeated_and_no_page_number_is_ever_sent(civitai: Civitai, server: SampleServer) -> None:
    server.route(lambda request: json_response({"items": []}))
    list(
        civitai.search(
            Query(text="a b", kind=Kind.LORA, sort="most-downloaded", period="alltime", merged=True, limit=500)
        )
    )
    asked = parse_qs(urlsplit(server.hits[0].path).query)
    assert asked["types"] == ["LORA", "DoRA"]
    assert (asked["sort"], asked["period"], asked["limit"]) == (["Most Downloaded"], ["AllTime"], ["100"])
    assert (asked["nsfw"], asked["checkpointType"]) == (["false"], ["Merge"])
    assert not {"page", "favorites", "hidden"} & asked.keys()


@pytest.mark.parametrize(
    "query",
    [Query(sort="Newets"), Query(period="decade"), Query(permission="eat"), Query(kind=Kind.VAE_APPROX)],
    ids=str,
)
def test_a_word_that_civitai_does_not_know_is_refused_before_asking(
    civitai: Civitai, server: SampleServer, query: Query
) -> None:
    with pytest.raises(UsageError) as caught:
        civitai.search(query)
    assert "choose one of" in caught.value.next
    assert server.hits == []


def test_a_near_miss_is_named(civitai: Civitai) -> None:
    with pytest.raises(UsageError, match="Newets") as caught:
        civitai.search(Query(sort="Newets"))
    assert "did you mean `Newest`" in caught.value.next


def test_a_merge_said_to_be_none_is_sieved_out(civitai: Civitai, server: SampleServer) -> None:
    said = [old_model(id=1, checkpointType="Trained"), old_model(id=2, tags=["merge"]), old_model(id=3)]
    server.route(lambda request: json_response({"items": said}))
    assert [model.id for model in civitai.search(Query(merged=True))] == ["2", "3"]
    assert [model.id for model in civitai.search(Query(merged=False))] == ["1", "3"]


def test_a_model_without_versions_shows_up_unless_something_is_asked_of_them(
    civitai: Civitai, server: SampleServer
) -> None:
    server.route(lambda request: json_response({"items": [old_model(modelVersions=[])]}))
    assert len(list(civitai.search(Query()))) == 1
    assert list(civitai.search(Query(format=Format.SAFETENSORS))) == []


def test_a_family_stands_for_the_base_models_in_it(civitai: Civitai, server: SampleServer) -> None:
    pony = [SampleVersion(11, "v1", "Pony", [SampleFile(111, "p.safetensors", safetensors(1))])]
    old = [SampleVersion(12, "v1", "SD 1.5", [SampleFile(121, "q.safetensors", safetensors(1))])]
    server.route(SampleCivitai([sample_model(1, "P", "LORA", pony), sample_model(2, "Q", "LORA", old)]))
    assert [model.name for model in civitai.search(Query(base="sdxl"))] == ["P"]
