"""Searching Hugging Face over a real socket: what the hub filters, what is sifted here, and how pages are followed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sdkeep.demo.huggingface import SampleRepo
from sdkeep.demo.server import Request, Response, SampleServer, json_response
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Format, Kind, NsfwLevel
from sdkeep.ground.model import Query
from sdkeep.hubs.huggingface.hub import HuggingFace
from tests.makers.huggingface import REPOS, SDXL, asked, sample

ADA = "hf_ada_ada_ada_ada"


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with sample() as (server, _):
        yield server
        assert not server.errors


@pytest.fixture
def hub(server: SampleServer) -> Iterator[HuggingFace]:
    with asked(server) as hub:
        yield hub


def test_search_follows_pages_and_stops_at_the_limit() -> None:
    repos = {f"ada/lora-{n:02}": REPOS["nerijs/pixel-art-xl"] for n in range(25)}
    with sample(repos, page=4) as (server, _), asked(server) as hub:
        found = list(hub.search(Query(text="lora", limit=10)))
        assert len({model.id for model in found}) == 10
        assert len(server.hits) == 3, "pages are fetched only as they are needed"
        assert len(list(hub.search(Query(text="lora", limit=100)))) == 25


def test_a_next_page_elsewhere_is_never_shown_the_token() -> None:
    with SampleServer() as other, SampleServer() as server:
        other.route(lambda _: json_response([]))
        body = json_response([])

        def first(_: Request) -> Response:
            return Response(200, {"link": f'<{other.url}/api/models?cursor=1>; rel="next"'}, body.body)

        server.route(first)
        with asked(server, ADA) as hub:
            assert list(hub.search(Query())) == []
        assert server.hits[0].headers["authorization"] == f"Bearer {ADA}"
        assert "authorization" not in other.hits[0].headers


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (Query(text="pixel"), ["nerijs/pixel-art-xl"]),
        (Query(kind=Kind.LORA), ["nerijs/pixel-art-xl"]),
        (Query(kind=Kind.CHECKPOINT, sort="downloads"), [SDXL, "ada/gated", "ada/gone"]),
        (Query(base="SDXL 1.0"), ["nerijs/pixel-art-xl"]),
        (Query(base=f"hf:{SDXL}"), ["nerijs/pixel-art-xl"]),
        (Query(base="pixel"), ["nerijs/pixel-art-xl"]),
        (Query(creator="nerijs"), ["nerijs/pixel-art-xl"]),
        (Query(tag="lora"), ["nerijs/pixel-art-xl"]),
        (Query(format=Format.PICKLE, level=NsfwLevel.XXX), ["ada/mix"]),
        (Query(format=Format.PICKLE), []),
        (Query(merged=True, level=NsfwLevel.X), ["ada/mix"]),
        (Query(permission="relicense"), []),
        (Query(permission="sell-pictures", sort="Most Downloaded"), [SDXL, "nerijs/pixel-art-xl"]),
        (Query(text="no such thing"), []),
        (Query(limit=0), []),
    ],
    ids=lambda value: "" if isinstance(value, list) else " ".join(
        f"{name}={getattr(value, name)}" for name in value.__slots__ if getattr(value, name) != getattr(Query(), name)
    ),
)  # fmt: skip
def test_search_filters(hub: HuggingFace, query: Query, names: list[str]) -> None:
    assert [model.id for model in hub.search(query)] == names


def test_search_is_sorted_by_the_hub(hub: HuggingFace) -> None:
    assert [model.id for model in hub.search(Query(sort="downloads", limit=2))] == [SDXL, "nerijs/pixel-art-xl"]


def test_a_repository_of_two_bases_is_found_once() -> None:
    bases = ["stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5"]
    repos = {
        f"ada/lora-{n}": SampleRepo(files={"x.safetensors": b"x"}, tags=("lora",), card={"base_model": bases[n:]})
        for n in range(2)
    }
    with sample(repos) as (server, _), asked(server) as hub:
        assert [model.id for model in hub.search(Query(base="SD 1.5"))] == ["ada/lora-0", "ada/lora-1"]


def test_the_hub_has_a_name(hub: HuggingFace) -> None:
    assert hub.id == "huggingface"


def test_an_unknown_permission_is_a_usage_error(hub: HuggingFace) -> None:
    with pytest.raises(UsageError, match="rent"):
        next(hub.search(Query(permission="rent")))


def test_a_search_hit_has_kind_and_licence_without_a_second_question(hub: HuggingFace, server: SampleServer) -> None:
    (model,) = hub.search(Query(text="pixel"))
    assert model.releases[0].licence.id == "creativeml-openrail-m"
    assert model.releases[0].files[0].size is None
    assert len(server.hits) == 1


def test_nobody_is_asked_who_may_be_calling(hub: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    agents = "huggingface_hub.utils._detect_agent"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", False)  # as it is outside of tests
    monkeypatch.setattr(f"{agents}._registry", None)
    monkeypatch.setattr(f"{agents}._fetch_registry", lambda: asked.append("huggingface.co"))
    monkeypatch.setattr(f"{agents}._read_cached_registry", lambda path, max_age: None)
    list(hub.search(Query(text="pixel")))
    assert asked == []
