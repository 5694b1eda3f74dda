"""The published schemas against what `jsonable` writes, and the validator against what it must refuse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from sdkeep.cli.frame import Reply, document
from sdkeep.cli.schemas import ANSWERS, envelope
from sdkeep.ground.digest import sha256
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.record import Artifact
from tests.docs.conftest import Terminal
from tests.makers.schemas import schema_file, validate

WALK = (
    "ui detect .", "ui add stable-diffusion-webui", "ui ls", "search castle", "get civitai:4021 --dry-run",
    "get civitai:4021 --base 'SD 1.5'", "get civitai:4100", "get civitai:6660", "get civitai:6660 --disarm",
    "show castle-nights civitai:4100 civitai:4021@40212 downloads/soft-vae.pt", "show nothing-like-it", "ls",
    "ls --all", "add downloads/ink-negative.pt", "add --in-place downloads/soft-vae.pt", "scan downloads", "verify",
    "convert downloads/lucky-charm.pt", "unplace castle-nights", "place castle-nights", "rm castle-nights --yes",
    "restore", "restore castle-nights", "gc --keep-days 0 --yes", "doctor", "config list", "config set nsfw r",
    "config get nsfw", "config unset nsfw", "config path", "db path", "db upgrade", "db backup", "auth status",
    "auth logout civitai", "ui rm a1111",
)  # fmt: skip


def test_every_document_of_a_walk_fits_its_schema(terminal: Terminal) -> None:
    for command in WALK:
        words = command.split()
        verb = " ".join(words[:2]) if " ".join(words[:2]) in ANSWERS else words[0]
        _, said = terminal.run(f"sdkeep {command} --json")
        assert validate(verb, said)["verb"] == verb


def test_a_mistake_before_any_verb_fits_the_envelope(terminal: Terminal) -> None:
    status, said = terminal.run("sdkeep --json ls --no-such-option")
    assert status == 2
    assert validate("", said)["verb"] == ""


def test_an_answer_that_failed_as_a_whole_has_null_data() -> None:
    failed = document("ls", Reply(status=2, failures=[("x", NotFoundHere("`x` is not here"))]), [])
    assert validate("ls", failed)["data"] is None


def test_a_key_too_many_or_too_few_is_refused() -> None:
    ui = {"name": "a", "layout": "b", "root": "c", "template": "", "added": "", "url": "", "share": ""}
    good = json.loads(document("ui rm", Reply(ui), []))
    validate("ui rm", good)
    with pytest.raises(AssertionError, match="extra"):
        validate("ui rm", good | {"extra": 1})
    with pytest.raises(AssertionError, match="root"):
        validate("ui rm", good | {"data": {key: value for key, value in good["data"].items() if key != "root"}})


def test_not_a_number_is_null_since_json_has_no_word_for_it() -> None:
    assert json.loads(document("ls", Reply([float("nan"), float("inf"), 1.5]), []))["data"] == [None, None, 1.5]


@pytest.mark.parametrize("verb", ANSWERS, ids=lambda verb: verb.replace(" ", "-"))
def test_every_schema_is_published(verb: str) -> None:
    assert json.loads(schema_file(verb).read_text(encoding="utf-8")) == envelope(verb)


def test_values_are_described_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "try", Every)
    properties = json.loads(json.dumps(envelope("try")))["$defs"]["Every"]["properties"]
    assert properties["path"] == {"type": "string"}
    assert properties["maybe"] == {"type": ["integer", "null"]}
    assert properties["pair"] == {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "number"}],
        "minItems": 2,
        "maxItems": 2,
    }
    assert properties["by_kind"]["propertyNames"] == {"$ref": "#/$defs/Kind"}
    assert properties["names"] == {"type": "array", "items": {"type": "string"}}
    assert "raw" not in properties


def test_what_has_no_json_form_has_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "try", object)
    with pytest.raises(TypeError):
        envelope("try")


def test_an_artifact_is_written_as_described() -> None:
    digest = sha256("ab" * 32)
    made = Artifact(digest.value, "x", "x.pt", kind=Kind.LORA, family=Family.SD1, digests=(digest,))
    written = json.loads(document("x", Reply([made]), []))["data"][0]
    described = json.loads(json.dumps(envelope("show")))["$defs"]["Artifact"]["properties"]
    assert set(written) == set(described)
    assert written["kind"] in json.loads(json.dumps(envelope("show")))["$defs"]["Kind"]["enum"]


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Every:
    """One field of every sort."""

    path: Path
    maybe: int | None
    pair: tuple[str, float]
    by_kind: dict[Kind, bool]
    names: frozenset[str]
    colour: Colour
    raw: str
