"""The ways on that are offered with a verdict: only those that help with this file."""

from __future__ import annotations

import pytest

from sdkeep.actions.ways import ways
from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from tests.makers.models import trojan
from tests.makers.pickles import assemble, calling, foreign
from tests.world import World

CONFIG = b"model:\n  target: os.system\n"


def offered(data: bytes) -> str:
    return ways(scan(BytesSource(data)), "X", tensors="sdkeep add X --disarm", as_it_is="`--allow-unsafe`")


def test_a_name_that_an_allowance_would_clear_is_offered() -> None:
    assert "`sdkeep allow acme.nets.Net X` lets this very file use that name" in offered(foreign())


def test_a_call_that_no_single_name_explains_offers_no_allowance() -> None:
    hidden = assemble().call("os:getenv", "x").empty_tuple().reduce().stop()
    assert "sdkeep allow" not in offered(hidden)


@pytest.mark.parametrize("data", [trojan(), calling("os:system", "id")], ids=["model", "call"])
def test_what_is_known_to_be_dangerous_is_never_offered_an_allowance(data: bytes) -> None:
    assert "sdkeep allow" not in offered(data)
    assert "--disarm" in offered(data)


def test_a_configuration_has_no_tensors_to_keep() -> None:
    assert offered(CONFIG) == "`--allow-unsafe`"


def test_the_error_of_an_unsafe_configuration_does_not_offer_its_tensors(world: World) -> None:
    path = world.root / "model.yaml"
    path.write_bytes(CONFIG)
    refused = world.json("add", str(path)).document["errors"][0]
    assert refused["code"] == "unsafe-file"
    assert "--disarm" not in refused["next"]


def test_following_the_offer_places_the_file(world: World) -> None:
    path = world.root / "net.pt"
    path.write_bytes(foreign())
    refused = world.json("add", str(path)).document["errors"][0]
    assert "sdkeep allow acme.nets.Net" in refused["next"]
    world.good("allow", "acme.nets.Net", str(path))
    world.good("add", str(path))


def test_a_file_that_was_replaced_says_so(world: World) -> None:
    path = world.root / "net.pt"
    path.write_bytes(trojan())
    world.run("add", "--in-place", str(path))
    path.write_bytes(trojan() + b"more")
    error = world.json("scan", "name:net").document["errors"][0]
    assert "no longer" in error["what"] and "sdkeep scan" in error["next"]
