"""Recorded answers and real model cards, served again and read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sdkeep.demo.server import Request, Response, SampleServer, json_response
from sdkeep.ground.kinds import Access, Family, Format, Kind, Role
from sdkeep.ground.licence import Use
from sdkeep.ground.lineage import Relation
from sdkeep.ground.model import Release
from sdkeep.ground.ref import HfRef, parse
from tests.makers.huggingface import asked

pytestmark = pytest.mark.corpus


@contextmanager
def replayed(body: Mapping[str, object]) -> Iterator[Release]:
    """The release that this recorded answer is read as."""
    repo = str(body["id"])

    def answer(request: Request) -> Response | None:
        return json_response(body) if request.path == f"/api/models/{repo}" else None

    with SampleServer() as server:
        server.route(answer)
        with asked(server) as hub:
            yield hub.release(HfRef(repo))


def recorded(corpus: Path, name: str) -> Mapping[str, object]:
    data = json.loads((corpus / "hf" / name).read_text())
    return data.get("body", data)  # type: ignore[no-any-return]


def test_sdxl_turbo(corpus: Path) -> None:
    with replayed(recorded(corpus, "model_stabilityai_sdxl-turbo_blobs_2023-12.json")) as release:
        files = {file.id: file for file in release.files}
        whole = files["sd_xl_turbo_1.0.safetensors"]
        assert whole.size == 13875761366
        assert whole.sha256 is not None
        assert whole.sha256.value == "2e58e3704b4c0831bf848e0507c9b5ff2cd8d007b8d0719dba3874156f631050"
        assert (release.kind, release.family, release.access) == (Kind.CHECKPOINT, Family.SDXL, Access.FREE)
        assert release.licence.id == "sai-nc-community"
        assert release.licence.allows[Use.SELL_MODEL] is False
        assert release.licence.url.endswith("LICENSE.TXT")
        assert files["unet/diffusion_pytorch_model.safetensors"].format is Format.DIFFUSERS
        assert release.published == "2023-12-07T18:04:49Z"
        assert "/resolve/f4b0486b498f84668e828044de1d0c8ba486e05b/" in whole.url
        assert {p.url.rpartition("/")[2] for p in release.previews} >= {"output_tile.jpg"}


def test_stable_diffusion_2_1_without_sizes(corpus: Path) -> None:
    with replayed(recorded(corpus, "cassette_models_stabilityai_stable-diffusion-2-1.json")) as release:
        single = [file.id for file in release.files if file.format in (Format.SAFETENSORS, Format.PICKLE)]
        assert sorted(single) == [
            "v2-1_768-ema-pruned.ckpt",
            "v2-1_768-ema-pruned.safetensors",
            "v2-1_768-nonema-pruned.ckpt",
            "v2-1_768-nonema-pruned.safetensors",
        ]
        assert all(file.size is None and not file.digests for file in release.files)
        assert (release.kind, release.family) == (Kind.CHECKPOINT, Family.SD2)
        assert release.licence.id == "openrail++"


def test_an_embedding(corpus: Path) -> None:
    with replayed(recorded(corpus, "model_InvokeAI-test_textual_inversion_tests.json")) as release:
        (file,) = release.files
        assert (file.name, file.role, file.primary) == ("learned_embeds-steps-1000.safetensors", Role.MODEL, True)
        assert (release.kind, release.family) == (Kind.EMBEDDING, Family.SDXL)
        assert release.parents[0].relation is Relation.ADAPTER_FOR


def test_every_recorded_answer_is_read(corpus: Path) -> None:
    names = sorted(path.name for path in (corpus / "hf").glob("*.json"))
    assert len(names) >= 7
    for name in names:
        body = recorded(corpus, name)
        with replayed(body) as release:
            assert release.model_id == body["id"]
            assert parse(release.ref) == HfRef(str(body["id"]), "main")
            if not {"diffusers", "textual_inversion"} & {*release.tags}:
                assert release.kind is Kind.UNKNOWN


def cards(corpus: Path) -> Iterator[tuple[str, dict[str, object]]]:
    for path in sorted((corpus / "hf").glob("card_*.md")):
        front = path.read_text().split("---")[1]
        yield path.stem.removeprefix("card_"), yaml.safe_load(front)


def test_every_model_card_is_read(corpus: Path) -> None:
    found: dict[str, Release] = {}
    for name, card in cards(corpus):
        body = {
            "id": f"someone/{name}",
            "sha": "a" * 40,
            "tags": card.get("tags", []),
            "cardData": card,
            "siblings": [],
        }
        with replayed(body) as release:
            found[name] = release
            assert release.licence.allows[Use.SELL_PICTURES] is True
            assert bool(release.parents) == ("base_model" in card)
    assert found["nerijs_pixel-art-xl"].trigger_words == ("pixel art",)
    assert found["nerijs_pixel-art-xl"].kind is Kind.LORA
    assert found["nworb-ucsb_claymore_LoRA"].trigger_words == ("a TOK emoticon",)
    assert found["RunDiffusion_Juggernaut-XL-v9"].parents[0].relation is Relation.FINETUNE_OF
    assert found["RunDiffusion_Juggernaut-XL-v9"].family is Family.SDXL
    assert found["proxima_evreka_1-5_embedding"].kind is Kind.EMBEDDING
    assert found["sdxl-controlnet-depth"].kind is Kind.CONTROLNET
