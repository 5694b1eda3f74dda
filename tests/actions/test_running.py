"""Running WebUIs over real sockets: asked to look again, or to take a file into their register."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdkeep.demo.exchange import Request, Response, json_response
from sdkeep.demo.server import SampleServer
from tests.makers.webuis import make_webui
from tests.world import World


class Invoke:
    """InvokeAI's model manager as far as it is asked here, in its wire shape: a job for every install."""

    def __init__(self, models_dir: Path) -> None:
        self.models: dict[str, dict[str, str]] = {}
        self.jobs: list[dict[str, object]] = []
        self.fails = ""
        self._own = models_dir

    def __call__(self, request: Request) -> Response | None:
        path = request.path
        if request.method == "GET" and path == "/api/v2/models/":
            return json_response({"models": list(self.models.values())})
        if request.method == "POST" and path == "/api/v2/models/install":
            return self._install(request)
        if request.method == "GET" and path.startswith("/api/v2/models/install/"):
            return json_response(self.jobs[int(path.rsplit("/", 1)[1])])
        if request.method == "DELETE" and path.startswith("/api/v2/models/i/"):
            return Response(204 if self.models.pop(path.rsplit("/", 1)[1], None) else 404)
        return None

    def _install(self, request: Request) -> Response:
        source = Path(request.param("source"))
        if request.param("inplace") != "true":
            source.rename(self._own / source.name)  # what InvokeAI does without it
        status = "error" if self.fails else "completed"
        job: dict[str, object] = {"id": len(self.jobs), "status": status, "error_reason": self.fails or None}
        self.jobs.append(job)
        if not self.fails:
            key = f"key-{len(self.jobs)}"
            name = json.loads(request.body)["name"]
            self.models[key] = {"key": key, "path": str(source), "name": name, "base": "sd-1", "type": "lora"}
        return json_response(job, 201)


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer() as made:
        yield made


@pytest.fixture
def invoke(world: World, server: SampleServer) -> Invoke:
    root = make_webui(world.root / "uis" / "invokeai", "invokeai")
    (root / "models").mkdir(exist_ok=True)
    made = Invoke(root / "models")
    server.route(made)
    world.good("ui", "add", str(root), "--url", server.url)
    return made


OPTIONS = json_response({"sd_model_checkpoint": "v1-5.safetensors [abc]", "samples_save": True})


def a1111_answering(answer: Response) -> Callable[[Request], Response]:
    """A WebUI that is known as one, and gives this answer to all else."""
    return lambda request: OPTIONS if (request.method, request.path) == ("GET", "/sdapi/v1/options") else answer


def test_a_running_a1111_is_asked_to_look_again_for_that_kind(world: World, server: SampleServer) -> None:
    server.route(a1111_answering(json_response(None)))
    world.ui("a1111", "--url", server.url)
    world.good("get", "civitai:1002@10021", "--no-place")
    (placed,) = world.good("place", "ink").data
    assert placed["refreshed"] is True
    asked = [("GET", "/sdapi/v1/options"), ("POST", "/sdapi/v1/refresh-loras")]
    assert [(hit.method, hit.path) for hit in server.hits] == asked
    world.good("place", "ink")
    assert len(server.hits) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, body=b"<html>a router</html>"),
        Response(200, body=b"[" * 5000),
        json_response({"hello": "printer"}),
        json_response(["sd_model_checkpoint"]),
        json_response({"sd_model_checkpoint": ""}, 401),
        Response(404),
    ],
    ids=["page", "deep", "other json", "list", "login", "nothing"],
)
def test_nothing_is_sent_to_a_program_that_is_no_webui(world: World, server: SampleServer, answer: Response) -> None:
    server.route(lambda _: answer)
    world.ui("a1111", "--url", server.url)
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    assert placed["refreshed"] is False
    assert {hit.method for hit in server.hits} == {"GET"}


def test_what_hangs_up_is_no_webui(world: World, server: SampleServer) -> None:
    """A listener that is no web server at all."""
    import socket
    from threading import Thread

    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[bytes] = []

        def serve() -> None:
            for _ in range(2):  # the look whether anybody is there, then the question
                connection, _ = listener.accept()
                with connection:
                    heard.append(connection.recv(100))

        thread = Thread(target=serve, daemon=True)
        thread.start()
        world.ui("a1111", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}")
        (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
        thread.join(5)
    assert placed["refreshed"] is False
    assert not any(words.startswith(b"POST") for words in heard)


@pytest.mark.parametrize("answer", [Response(404), Response(500), Response(200, body=b"x" * 100)])
def test_a_webui_that_cannot_look_again_never_fails_the_placing(
    world: World, server: SampleServer, answer: Response
) -> None:
    server.route(a1111_answering(answer))
    root = world.ui("a1111", "--url", server.url)
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    assert placed["refreshed"] is (answer.status == 200)
    assert (root / "models/Lora" / Path(placed["path"]).name).is_file()


def test_where_nobody_answers_the_person_is_told_what_to_press(world: World, server: SampleServer) -> None:
    world.ui("a1111", "--url", server.url)
    server.close()
    world.good("get", "civitai:1002@10021", "--no-place")
    shown = world.run("place", "ink")
    assert shown.status == 0
    assert world.json("place", "ink").data[0]["refreshed"] is False


def test_offline_means_nobody_is_asked(world: World, server: SampleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ui("a1111", "--url", server.url)
    world.good("get", "civitai:1002@10021", "--no-place")
    monkeypatch.setenv("SDKEEP_OFFLINE", "true")
    assert world.good("place", "ink").data[0]["refreshed"] is False
    assert server.hits == []


def test_invokeai_takes_a_file_in_place_and_lets_go_of_it_again(
    world: World, server: SampleServer, invoke: Invoke
) -> None:
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    path = Path(placed["path"])
    assert placed["refreshed"] is True
    assert path.is_file()
    assert not path.is_relative_to(world.root / "uis")
    assert [model["path"] for model in invoke.models.values()] == [str(path)]
    assert all("inplace=true" in hit.path for hit in server.hits if hit.method == "POST")
    world.good("place", "ink")
    assert len(invoke.jobs) == 1
    (gone,) = world.good("unplace", "ink").data
    assert gone["outcome"] == "removed"
    assert invoke.models == {}
    assert not path.exists()
    assert world.run("verify", "ink").status == 0


def test_an_invokeai_that_is_not_running_gets_the_file_later(
    world: World, server: SampleServer, invoke: Invoke
) -> None:
    port = server.port
    server.close()
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    assert "not running" in placed["notes"][0]
    assert placed["refreshed"] is False
    left = world.json("unplace", "ink")
    assert (left.status, left.data[0]["outcome"]) == (1, "left")
    with SampleServer(port) as again:
        again.route(invoke)
        assert world.good("place", "ink").data[0]["refreshed"] is True
        assert len(invoke.models) == 1


def test_a_refusal_of_invokeai_is_passed_on(world: World, invoke: Invoke) -> None:
    invoke.fails = "InvalidModelConfigException"
    world.good("get", "civitai:1002@10021", "--no-place")
    refused = world.json("place", "ink")
    assert refused.codes == ["not-placeable"]
    assert "InvalidModelConfig" in refused.document["errors"][0]["why"]


def test_something_else_on_invokeais_port_is_told_apart(world: World, server: SampleServer) -> None:
    server.route(lambda _: json_response({"status": "success"}))
    root = make_webui(world.root / "uis" / "invokeai", "invokeai")
    world.good("ui", "add", str(root), "--url", server.url)
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    assert "no InvokeAI" in placed["notes"][0]


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://", "http://a:b@c", "http://x:99999", "http://x?y"])
def test_what_is_no_address_is_refused(world: World, url: str) -> None:
    root = make_webui(world.root / "ui", "a1111")
    assert world.json("ui", "add", str(root), "--url", url).codes == ["usage"]


def test_a_file_that_is_another_ones_now_can_be_forgotten(world: World, a1111: Path) -> None:
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    path = Path(placed["path"])
    path.unlink()
    path.write_text("foreign")
    blocked = world.json("rm", "ink", "--yes")
    assert blocked.status == 1
    assert "--forget" in blocked.data[0]["kept"]
    done = world.good("rm", "ink", "--yes", "--forget")
    assert done.data[0]["unplaced"][0]["outcome"] == "forgotten"
    assert done.data[0]["trash"]
    assert path.read_text() == "foreign"


def test_the_chosen_sidecars_are_written(world: World, a1111: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDKEEP_SIDECARS", "civitai-info,lora-manager")
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    model = Path(placed["path"])
    assert json.loads(model.with_name(model.stem + ".civitai.info").read_text())["id"] == 10021
    assert model.with_name(model.stem + ".metadata.json").is_file()
    assert not model.with_suffix(".json").exists()
    world.good("unplace", "ink")
    assert not list(model.parent.glob("*.info"))
    monkeypatch.setenv("SDKEEP_SIDECARS", "nonsense")
    world.json("place", "ink")


def test_sharing_is_undone_by_forgetting(world: World) -> None:
    root = make_webui(world.root / "uis" / "comfyui", "comfyui")
    added = world.good("ui", "add", str(root), "--share").data
    assert (root / "extra_model_paths.yaml").is_file()
    assert added["share"]
    (placed,) = world.good("get", "civitai:1002@10021").data[0]["files"][0]["placed"]
    assert placed["path"].startswith(added["share"])
    assert world.good("ui", "add", str(root)).data["share"] == added["share"]
    world.good("ui", "rm", "comfyui")
    assert not (root / "extra_model_paths.yaml").exists()


@pytest.mark.parametrize("id", ["drawthings", "kohya", "onetrainer"])
def test_what_takes_no_files_says_why_and_what_to_do(world: World, id: str) -> None:
    root = make_webui(world.root / id, id)
    refused = world.json("ui", "add", str(root))
    assert refused.codes == ["not-placeable"]
    (error,) = refused.document["errors"]
    assert error["why"]
    assert error["next"]
    assert world.good("ui", "detect", str(world.root)).data[0]["refused"] == error["why"]


def test_every_layout_is_listed(world: World) -> None:
    listed = world.good("ui", "ls", "--layouts").data
    assert {"sdnext", "swarmui", "invokeai"} <= {one["id"] for one in listed}
