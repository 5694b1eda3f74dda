"""A sample Civitai: its API and its downloads over recorded or made answers, with its manners and its quirks.

What the real hub does and clients trip over is done here too: links under the host that was asked, a redirect to signed
storage that refuses a key, empty search pages before the end, bulk answers out of order with a host named `undefined`.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from sdkeep.demo.civitai_records import Record
from sdkeep.demo.exchange import Request, Response, file_response, json_response, redirect, text_response

_BROWSERS = ("mozilla", "chrome", "safari", "firefox", "opera", "edge")
_MOST_HASHES = 100
_FILTERS = {"type": "type", "format": "format", "size": "size", "fp": "fp"}


@dataclass(slots=True)
class SampleCivitai:
    """A handler for `SampleServer.route`.

    `records` are answers of `models`, `models/:id` or `model-versions/:id`; `files` the bytes by file id. With a
    `token` every download needs it, as on the real hub. Models in `hidden` answer 404 while their versions answer.
    """

    records: Sequence[Record]
    files: Mapping[int, bytes | Path] = field(default_factory=dict)
    token: str | None = None
    account: str = "sample-user"
    hidden: set[int] = field(default_factory=set)
    _models: dict[int, Record] = field(init=False, default_factory=dict)
    _versions: dict[int, tuple[Record, Record]] = field(init=False, default_factory=dict)
    _signed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.add(*self.records)

    def add(self, *records: Record) -> None:
        """Publish more answers; one with a known id replaces the former."""
        for record in records:
            for item in _objects(record.get("items")) or [record]:
                self._take(item)

    def __call__(self, request: Request) -> Response | None:
        """The answer to a request, None when it is for somebody else."""
        return self.handle(request)

    def handle(self, request: Request) -> Response | None:
        """The answer to a request, None when it is for somebody else."""
        parts = [part for part in request.path.split("/") if part]
        match parts:
            case ["api", "v1", *rest]:
                return self._api(rest, request)
            case ["api", "download", "models", version] if version.isdecimal():
                return self._download(int(version), request)
            case ["signed", file, *_] if file.isdecimal():
                return self._storage(int(file), request)
            case ["image", *_]:
                return Response(200, {"content-type": "image/png"}, picture(zlib.crc32(request.path.encode())))
            case ["login"]:
                return text_response("<!DOCTYPE html><html><title>Sign in</title></html>", 200, "text/html")
        return None

    def _take(self, record: Record) -> None:
        versions = record.get("modelVersions")
        if not isinstance(versions, list):  # an answer of `model-versions/:id`
            about = record.get("model")
            model = {"id": record.get("modelId"), **(about if isinstance(about, dict) else {})}
            self._versions[_number(record.get("id"))] = (model, record)
            return
        self._models[_number(record.get("id"))] = record
        for version in _objects(versions):
            self._versions[_number(version.get("id"))] = (record, version)

    # the API

    def _api(self, parts: list[str], request: Request) -> Response | None:
        match (request.method, parts):
            case ("GET", ["models"]):
                return self._search(request)
            case ("GET", ["models", id_]) if id_.isdecimal():
                return self._model(int(id_), request)
            case ("GET", ["model-versions", id_]) if id_.isdecimal():
                return self._version(int(id_), request)
            case ("GET", ["model-versions", "by-hash", value]):
                found = self._by_hash(value)
                return self._version(found[0], request) if found else _error("Model not found", 404)
            case ("POST", ["model-versions", "by-hash"]):
                return self._bulk(request)
            case ("POST", ["model-versions", "by-hash", "ids"]):
                return self._bulk_ids(request)
            case ("GET", ["me"]):
                return self._me(request)
            case ("GET", ["enums"]):
                return json_response(self._enums())
        return None

    def _model(self, id_: int, request: Request) -> Response:
        record = self._models.get(id_)
        if record is None or id_ in self.hidden:
            return _error(f"No model with id {id_}", 404)
        return json_response(_at_home(record, _home(request)))

    def _version(self, id_: int, request: Request) -> Response:
        if id_ not in self._versions:
            return _error("Model not found", 404)
        return json_response(_at_home(self._alone(id_), _home(request)))

    def _alone(self, id_: int) -> Record:
        """A version as it is answered by itself: without creator, tags and permissions."""
        model, version = self._versions[id_]
        about = {name: model[name] for name in ("name", "type", "nsfw", "poi", "mode") if name in model}
        return {"modelId": model.get("id"), **version, "model": about}

    def _by_hash(self, value: str) -> list[int]:
        wanted = value.upper()
        return [id_ for id_, (_, version) in self._versions.items() if wanted in _hashes(version)]

    def _bulk(self, request: Request) -> Response:
        values = _values(request)
        if values is None or len(values) > _MOST_HASHES:
            return _error("expected an array of at most 100 hashes", 400)
        found: list[object] = []
        for value in reversed(values):
            ids = self._by_hash(value) if len(value) == 64 else []
            found += [_at_home(self._alone(id_), "https://undefined") for id_ in ids] or [None]
        return json_response(found + found[:1])

    def _bulk_ids(self, request: Request) -> Response:
        values = _values(request)
        if values is None:
            return _error("expected an array of hashes", 400)
        return json_response(
            [
                {"modelVersionId": id_, "modelId": self._versions[id_][0].get("id"), "hash": value.upper()}
                for value in values
                for id_ in self._by_hash(value)
            ]
        )

    def _me(self, request: Request) -> Response:
        if self.token is None or not self._knows(request):
            return _error("Unauthorized", 401)
        return json_response({"id": 1, "username": self.account, "tier": "free", "status": "active"})

    def _enums(self) -> Record:
        return {
            "ModelType": sorted({str(model.get("type")) for model in self._models.values()}),
            "BaseModel": sorted({str(version.get("baseModel")) for _, version in self._versions.values()}),
            "ModelFileType": ["Model", "Pruned Model", "Negative", "VAE", "Config", "Text Encoder", "Training Data"],
        }

    # search

    def _search(self, request: Request) -> Response:
        limit = request.param("limit", "100")
        if not limit.isdecimal() or int(limit) > 100:
            return _error("limit must lie between 0 and 100", 400)
        if "query" in request.query and "page" in request.query:
            return _error("Cannot use page param with query search. Use cursor-based pagination.", 400)
        if ("favorites" in request.query or "hidden" in request.query) and not self._knows(request):
            return _error("Unauthorized", 401)
        start = request.param("cursor", "0").partition("|")[0]
        at, size = int(start) if start.isdecimal() else 0, int(limit)
        hits, late = self._hits(request)
        page = hits[at : at + size]
        home = _home(request)
        about: Record = {}
        if at + size < len(hits):
            about = {"nextCursor": f"{at + size}|{hits[at + size]['id']}"}
            about["nextPage"] = (
                f"{home}/api/v1/models?{urlencode({**request.query, 'cursor': about['nextCursor']}, True)}"
            )
        return json_response({"items": [_at_home(item, home) for item in page if late(item)], "metadata": about})

    def _hits(self, request: Request) -> tuple[list[Record], Callable[[Record], bool]]:
        """The hits in order, and the filter of each page: with a text, the other conditions are applied to pages."""
        words = request.param("query").lower().split()
        models = [model for id_, model in self._models.items() if id_ not in self.hidden]

        def fits(model: Record) -> bool:
            return _fits(model, request)

        if words:
            return [model for model in models if all(word in str(model.get("name")).lower() for word in words)], fits
        kept = [model for model in models if fits(model)]
        if request.param("sort") == "Newest":
            kept.sort(key=lambda model: _number(model.get("id")), reverse=True)
        return kept, lambda _: True

    # downloads

    def _download(self, version: int, request: Request) -> Response:
        refusal = self._refusal(version, request)
        if refusal is not None:
            return refusal
        file = _pick(_objects(self._versions[version][1].get("files")), request)
        if file is None or _number(file.get("id")) not in self.files:
            return _error("File not found", 404)
        self._signed += 1
        query = urlencode({"X-Amz-Expires": 86400, "X-Amz-Signature": f"{self._signed:08x}"})
        return redirect(f"{_home(request)}/signed/{file['id']}/{quote(str(file.get('name')), safe='')}?{query}")

    def _refusal(self, version: int, request: Request) -> Response | None:
        if version not in self._versions:
            return _error("Model not found", 404)
        if self.token is not None and (request.method == "HEAD" or not self._knows(request)):
            return _login(request)
        model, record = self._versions[version]
        if model.get("mode") == "Archived":
            return _error("Model archived, not available for download", 410)
        if record.get("usageControl", "Download") != "Download":
            said = "The creator of this asset has disabled downloads on this file"
            return json_response({"error": "Unauthorized", "message": said}, 401)
        paid = record.get("paidAccess") or (
            {"endsAt": record["earlyAccessEndsAt"]} if record.get("earlyAccessEndsAt") else None
        )
        if isinstance(paid, dict):
            said = "This asset is in Early Access. You can use Buzz access it now!"
            return json_response({"error": "Early Access", "deadline": paid.get("endsAt"), "message": said}, 403)
        return None

    def _storage(self, file: int, request: Request) -> Response:
        signature = request.param("X-Amz-Signature")
        if "authorization" in request.headers:
            return text_response(
                "<?xml version='1.0'?><Error><Code>InvalidArgument</Code></Error>", 400, "application/xml"
            )
        if file not in self.files or not signature or int(signature, 16) > self._signed:
            return text_response(
                "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", 403, "application/xml"
            )
        return file_response(self.files[file], request)

    def _knows(self, request: Request) -> bool:
        """Whether the request bears our token; nobody is known where there is none."""
        sent = request.headers.get("authorization", "").removeprefix("Bearer ") or request.param("token")
        return self.token is not None and sent == self.token


def picture(seed: int, size: int = 64) -> bytes:
    """A PNG of one colour that the seed chooses."""
    row = b"\0" + bytes((seed >> shift) & 0xFF for shift in (0, 8, 16)) * size
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * size)),
        (b"IEND", b""),
    )
    body = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def _login(request: Request) -> Response:
    """401 for programs; for what looks like a browser, the way to the login page."""
    agent = request.headers.get("user-agent", "").lower()
    if any(word in agent for word in _BROWSERS):
        return redirect(f"/login?returnUrl={quote(request.path, safe='')}&reason=download-auth")
    said = "The creator of this asset requires you to be logged in to download it"
    return json_response({"error": "Unauthorized", "message": said}, 401)


def _pick(files: list[Record], request: Request) -> Record | None:
    """The file that a download address means: by id, by its traits, else the main one."""
    wanted = request.param("fileId")
    if wanted:
        return next((file for file in files if str(file.get("id")) == wanted), None)
    traits = {name: request.param(name) for name in _FILTERS if name in request.query}
    if traits:
        return next((file for file in files if traits.items() <= _traits(file).items()), None)
    return next((file for file in files if file.get("primary")), files[0] if files else None)


def _traits(file: Record) -> dict[str, str]:
    facts = file.get("metadata")
    return {"type": str(file.get("type")), **({k: str(v) for k, v in facts.items()} if isinstance(facts, dict) else {})}


def _fits(model: Record, request: Request) -> bool:
    types, bases = request.query.get("types"), request.query.get("baseModels")
    versions = _objects(model.get("modelVersions"))
    tags, creator = model.get("tags"), model.get("creator")
    level = model.get("nsfwLevel")
    return (
        (not types or model.get("type") in types)
        and (not bases or any(version.get("baseModel") in bases for version in versions))
        and ("tag" not in request.query or (isinstance(tags, list) and request.param("tag") in tags))
        and (
            "username" not in request.query
            or (isinstance(creator, dict) and str(creator.get("username")).lower() == request.param("username").lower())
        )
        and (
            request.param("nsfw") == "true"
            or (not model.get("nsfw") and (not isinstance(level, int) or level == 0 or level & 1 == 1))
        )
    )


def _at_home(record: Record, home: str) -> Record:
    """A copy of an answer whose links lead to `home`, as the real hub builds them from the host that was asked."""
    copy: Record = json.loads(json.dumps(record))
    for version in _objects(copy.get("modelVersions")) or [copy]:
        for item in [version, *_objects(version.get("files"))]:
            if isinstance(item.get("downloadUrl"), str):
                parts = urlsplit(str(item["downloadUrl"]))
                item["downloadUrl"] = f"{home}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        for at, image in enumerate(_objects(version.get("images"))):
            image["url"] = f"{home}/image/{version.get('id')}/{at}.png"
    return copy


def _home(request: Request) -> str:
    return f"http://{request.headers.get('host', 'localhost')}"


def _hashes(version: Record) -> set[str]:
    found = (file.get("hashes") for file in _objects(version.get("files")))
    return {str(value).upper() for hashes in found if isinstance(hashes, dict) for value in hashes.values()}


def _values(request: Request) -> list[str] | None:
    try:
        loaded = json.loads(request.body)
    except ValueError:
        return None
    return loaded if isinstance(loaded, list) and all(isinstance(value, str) for value in loaded) else None


def _objects(value: object) -> list[Record]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, Iterable) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _error(said: str, status: int) -> Response:
    return json_response({"error": said}, status)
