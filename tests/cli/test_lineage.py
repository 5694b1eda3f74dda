"""`sdkeep lineage`: trees for people, for programs and as pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sdkeep.actions.lineage import lineage
from sdkeep.cli import layered, tree
from tests.makers import families, library
from tests.makers.families import GRANDPARENT, LOST, sha256
from tests.world import World

TREE = """\
mix [here]
made from
|- merge-of 0.7 (Weighted sum) first [here] - by sha256, says metadata:sd_merge_recipe
|  `- trained-on SD15 [checkpoint, sd1, known, not here] - by sha256, says metadata:ss_sd_model
|     `- finetune-of Stable Diffusion 1.2 [checkpoint, sd1, known, not here] - by card, says known models
|        `- finetune-of Stable Diffusion 1.1 [checkpoint, sd1, known, not here] - by card, says known models
`- merge-of 0.3 (Weighted sum) lost-mix.safetensors [only named] - by sha256, says metadata:sd_merge_recipe
   |- merge-of 0.5 (Weighted sum) grandparent.ckpt [only named] - by sha256, says metadata:sd_merge_recipe
   `- merge-of 0.5 (Weighted sum) SD15 [checkpoint, sd1, known, not here] \
- by sha256, says metadata:sd_merge_recipe (drawn above)
made into
`- trained-on adapter [lora, sd1, here] - by sha256, says metadata:ss_sd_model
base model: SD15: merged from first (sha256, says metadata:sd_merge_recipe), trained on SD15 \
(sha256, says metadata:ss_sd_model), which goes back to Stable Diffusion 1.2, Stable Diffusion 1.1; \
by SHA-256 all the way, says metadata:sd_merge_recipe
SD15 was trained on laion-aesthetics v2 5+ at 512px (LAION-5B subset), 595k steps, 10% text dropping
""".replace("SD15", "Stable Diffusion 1.5 (pruned, EMA only, safetensors)")


@pytest.fixture
def family(world: World) -> families.Family:
    made = families.family()
    made.write(world.root / "work")
    world.good("add", "--in-place", "first.safetensors", "mix.safetensors", "adapter.safetensors")
    return made


@pytest.mark.usefixtures("family")
def test_a_piped_tree_is_plain_text(world: World) -> None:
    assert world.run("lineage", "mix").stdout == TREE
    assert world.run("-q", "lineage", "mix").lines == ["Stable Diffusion 1.5 (pruned, EMA only, safetensors)"]


@pytest.mark.usefixtures("family")
def test_a_terminal_gets_lines(world: World) -> None:
    with world.house() as house:
        drawn = list(tree.draw(lineage(house, "adapter"), tree.LINES))
    assert drawn[2].startswith("└─ trained-on mix")
    assert drawn[3].startswith("   ├─ merge-of 0.7")
    assert drawn[4].startswith("   │  └─ trained-on")


@pytest.mark.usefixtures("family")
def test_the_document_holds_the_same_tree(world: World) -> None:
    (shown,) = world.good("lineage", "mix").data
    assert {node["presence"] for node in shown["nodes"]} == {"here", "known", "named"}
    assert shown["base"]["weakest"] == "sha256"
    assert len(shown["permissions"]) == 6
    assert "advice" in shown["advice"]
    assert json.loads(world.run("lineage", "mix", "--format", "json").stdout) == [shown]


@pytest.mark.usefixtures("family")
def test_permissions_come_with_reasons_and_the_advice(world: World) -> None:
    lines = world.run("lineage", "adapter", "--licence").lines
    assert "sell pictures      unknown" in lines
    assert "other terms        no" in lines
    assert any("`lost-mix.safetensors`" in line and "no licence is known" in line for line in lines)
    assert lines[-1].startswith("this is advice, not law")


@pytest.mark.usefixtures("family")
def test_a_mermaid_chart_has_every_node_and_link(world: World) -> None:
    drawn = world.run("lineage", "mix", "--format", "mermaid").stdout
    assert drawn.startswith("flowchart TD\n")
    assert '  n1 -->|"merge-of 0.7 (Weighted sum) [sha256]"| n0\n' in drawn
    assert drawn.count("-->") == 8
    assert "  class n0 focus\n" in drawn


@pytest.mark.usefixtures("family")
def test_a_dot_graph_has_every_node_and_link(world: World) -> None:
    drawn = world.run("lineage", "mix", "--format", "dot").stdout
    assert drawn.startswith("digraph lineage {\n")
    assert drawn.count(" -> ") == 8
    assert '  n0 [label="mix", penwidth=2];\n' in drawn


@pytest.mark.usefixtures("family")
def test_a_picture_is_whole_svg_with_nothing_overlapping(world: World) -> None:
    assert world.run("lineage", "mix", "--format", "svg", "-o", "family.svg").lines == ["family.svg"]
    root = ElementTree.parse(world.root / "work" / "family.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    boxes = [box.attrib for group in root.iter(f"{space}g") for box in group.iter(f"{space}rect")]
    assert len(boxes) == 8
    corners = [(float(box["x"]), float(box["y"]), float(box["width"]), float(box["height"])) for box in boxes]
    for index, (x, y, width, height) in enumerate(corners):
        assert 0 <= x <= x + width <= float(root.attrib["width"])
        assert 0 <= y <= y + height <= float(root.attrib["height"])
        for other_x, other_y, *_ in corners[:index]:
            assert abs(x - other_x) >= width or abs(y - other_y) >= height
    assert "Base model: Stable Diffusion 1.5" in "".join(root.itertext())


def test_hostile_names_stay_text_in_every_format(world: World) -> None:
    evil = 'a"]; <script>alert(1)</script> & \x1b]0;owned\x07 "'
    Path("evil.safetensors").write_bytes(families.trained(1, ss_sd_model_name=evil))
    for form in ("tree", "mermaid", "dot", "svg"):
        drawn = world.run("lineage", "evil.safetensors", "--format", form).stdout
        assert "owned" not in drawn
        assert "\x1b" not in drawn
        if form in ("svg", "mermaid"):
            assert "<script" not in drawn
        if form == "svg":
            ElementTree.fromstring(drawn)
        if form == "dot":
            assert re.search(r'(?<!\\)"\]; <', drawn) is None


@pytest.mark.usefixtures("family")
def test_an_existing_file_is_replaced_only_when_told_to(world: World) -> None:
    Path("family.dot").write_text("mine", encoding="utf-8")
    asked = world.run("lineage", "mix", "--format", "dot", "-o", "family.dot")
    assert asked.status == 2
    assert "needs an answer" in asked.stderr
    assert Path("family.dot").read_text(encoding="utf-8") == "mine"
    assert world.run("lineage", "mix", "--format", "dot", "-o", "family.dot", "--yes").status == 0
    assert Path("family.dot").read_text(encoding="utf-8").startswith("digraph")
    nowhere = world.run("lineage", "mix", "-o", "no/such/folder/x.txt")
    assert nowhere.status == 2
    assert "cannot be written" in nowhere.stderr


@pytest.mark.usefixtures("family")
def test_an_unknown_format_is_a_mistake(world: World) -> None:
    assert world.run("lineage", "mix", "--format", "png").status == 2
    assert world.json("lineage", "mix", "no-such-thing").status == 1


@pytest.mark.usefixtures("family")
def test_parents_that_no_hub_has_are_each_a_failure(world: World) -> None:
    shown = world.json("lineage", "mix", "--fetch", "--yes")
    assert shown.status == 1
    assert shown.codes == ["not-on-hub", "not-on-hub"]
    assert [error["ref"] for error in shown.document["errors"]] == [f"sha256:{LOST}", f"sha256:{GRANDPARENT}"]
    assert world.run("lineage", "mix", "--fetch").status == 2, "nobody is there to answer"


def test_a_missing_parent_is_fetched_by_its_hash(world: World) -> None:
    parent = library.civitai_files()[3]
    Path("child.safetensors").write_bytes(families.trained(1, ss_new_sd_model_hash=sha256(parent)))
    looked = world.run("lineage", "child.safetensors", "--fetch", "--dry-run")
    assert "would fetch castleMix_v2_full.safetensors" in looked.stderr
    assert world.blobs() == set()
    (shown,) = world.good("lineage", "child.safetensors", "--fetch", "--yes").data
    assert world.blobs() == {sha256(parent)}
    assert {node["presence"] for node in shown["nodes"]} >= {"here"}
    assert shown["missing"] == []
    assert shown["base"]["name"] == "SD 1.5"


def test_show_says_the_base_model_and_what_is_allowed(world: World, family: families.Family) -> None:
    (shown,) = world.good("show", "adapter").data
    assert shown["base_model"] == (
        "Stable Diffusion 1.5 (pruned, EMA only, safetensors), through mix, first; "
        "by SHA-256 all the way, says metadata:ss_sd_model"
    )
    assert {one["use"]: one["allowed"] for one in shown["permissions"]}["sell-pictures"] == "unknown"
    told = world.run("show", "adapter").stdout
    assert "sell pictures: unknown" in told
    assert "no licence is known" in world.run("show", "adapter", "-v").stdout
    (bare,) = world.good("show", "./first.safetensors").data
    assert bare["base_model"].startswith("Stable Diffusion 1.5")


def test_boxes_keep_their_distance_and_parents_stay_above() -> None:
    nodes = tuple("abcdefgh")
    arrows = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("c", "a"), ("e", "f"), ("g", "g"), ("h", "c")]
    places = layered.place(nodes, arrows, 100.0, 10.0)
    for parent, child in [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("e", "f"), ("h", "c")]:
        assert places.layer[parent] < places.layer[child]
    assert ("c", "a") not in places.bends, "what closes a loop is drawn beside"
    assert len(places.bends["a", "c"]) == 1
    for one in nodes:
        for other in nodes:
            if one < other and places.layer[one] == places.layer[other]:
                assert abs(places.x[one] - places.x[other]) >= 109.9
    assert layered.place((), [], 100.0, 10.0).width == 0
