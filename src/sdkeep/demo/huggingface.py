"""Hugging Face's wire shape over a few repositories: metadata, search, file trees, downloads, and its refusals."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

from sdkeep.demo.exchange import Request, Response, file_response, json_response, text_response

Content = bytes | Path

_API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)(?:/(.+))?)?")
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/(?:resolve|raw)/([^/]+)/(.+)")
_LFS = re.compile(r"/lfs/([0-9a-f]{64})")
_LARGE = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".png", ".jpg", ".webp", ".mp4")
_SORTS = {"downloads": "downloads", "likes": "likes", "lastModified": "modified", "createdAt": "created"}
_EXPIRED = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


@dataclass(frozen=True, slots=True)
class SampleRepo:
    """One repository. `files` are those of the main branch, `branches` those of others; a path names bytes or a file.

    `gated` is empty, `auto` or `manual`; `members` are the accounts let in, and the owners of a private repository.
    `issues` are paths that the hub's own scanner complains about, with its word for it.
    """

    files: Mapping[str, Content] = field(default_factory=dict)
    branches: Mapping[str, Mapping[str, Content]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    card: Mapping[str, object] = field(default_factory=dict)
    pipeline: str = "text-to-image"
    library: str = "diffusers"
    gated: str = ""
    private: bool = False
    disabled: bool = False
    members: frozenset[str] = frozenset()
    issues: Mapping[str, str] = field(default_factory=dict)
    downloads: int = 0
    likes: int = 0
    created: str = "2024-01-01T00:00:00.000Z"
    modified: str = "2024-01-02T00:00:00.000Z"


class SampleHuggingFace:
    """Routes for a `SampleServer`. `accounts` maps tokens to names, `renamed` old ids to new ones.

    `page` is the most repositories that one page of search results holds.
    """

    def __init__(
        self,
        repos: Mapping[str, SampleRepo],
        accounts: Mapping[str, str] | None = None,
        renamed: Mapping[str, str] | None = None,
        page: int = 1000,
    ) -> None:
        self._repos = dict(repos)
        self._accounts = dict(accounts or {})
        self._renamed = dict(renamed or {})
        self._page = page
        self._digests: dict[Content, str] = {}

    def handle(self, request: Request) -> Response | None:
        """The answer to a request that Hugging Face would know, else None."""
        if request.method not in ("GET", "HEAD"):
            return None
        if matched := _LFS.fullmatch(request.path):
            return self._storage(request, matched[1])
        if request.headers.get("authorization") and self._account(request) is None:
            return _refusal(401, "", "Invalid credentials in Authorization header")
        if request.path == "/api/whoami-v2":
            return self._whoami(request)
        if request.path == "/api/models":
            return self._search(request)
        if matched := _API.fullmatch(request.path):
            return self._metadata(request, matched)
        if matched := _RESOLVE.fullmatch(request.path):
            return self._download(request, *(unquote(part) for part in matched.groups()))
        return None

    def commit(self, repo: str, revision: str = "main") -> str:
        """The commit that a branch stands at."""
        files = _files(self._repos[repo], revision) or {}
        names = json.dumps([repo, revision, *sorted(files)])
        return hashlib.sha1(names.encode(), usedforsecurity=False).hexdigest()

    def _account(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self._accounts.get(token) if scheme.lower() == "bearer" else None

    def _whoami(self, request: Request) -> Response:
        name = self._account(request)
        if name is None:
            return _refusal(401, "", "Invalid username or password.")
        return json_response({"type": "user", "name": name, "fullname": name.title(), "auth": {"type": "access_token"}})

    def _visible(self, request: Request, name: str) -> SampleRepo | None:
        repo = self._repos.get(name)
        hidden = repo is not None and repo.private and self._account(request) not in repo.members
        return None if hidden else repo

    def _missing(self, request: Request) -> Response:
        """What the hub says of a repository that is not there, or that this account may not know of."""
        if self._account(request) is None:
            return _refusal(401, "RepoNotFound", "Invalid username or password.")
        return _refusal(404, "RepoNotFound", "Repository not found")

    def _revision(self, name: str, revision: str) -> str | None:
        """The branch behind a branch name or commit."""
        branches = ("main", *self._repos[name].branches)
        return next((branch for branch in branches if revision in (branch, self.commit(name, branch))), None)

    def _metadata(self, request: Request, matched: re.Match[str]) -> Response:
        name, what = unquote(matched[1]), matched[2]
        if name in self._renamed:
            place = request.path.replace(matched[1], self._renamed[name], 1)
            query = urlencode(list(request.query.items()), doseq=True)
            return Response(307, {"location": f"{place}?{query}" if query else place})
        repo = self._visible(request, name)
        if repo is None:
            return self._missing(request)
        revision = self._revision(name, unquote(matched[3] or "main"))
        if revision is None:
            return _refusal(404, "RevisionNotFound", f"Invalid rev id: {unquote(matched[3])}")
        if what == "tree":
            return self._tree(request, _files(repo, revision) or {}, unquote(matched[4] or ""))
        return json_response(self._info(name, revision, request))

    def _info(self, name: str, revision: str, request: Request) -> dict[str, object]:
        repo = self._repos[name]
        info = self._summary(name, revision) | {"cardData": dict(repo.card), "spaces": ["someone/somewhere"]}
        files = _files(repo, revision) or {}
        blobs = request.param("blobs") in ("true", "True", "1")
        info["siblings"] = [self._sibling(path, content, blobs) for path, content in sorted(files.items())]
        if request.param("securityStatus") in ("true", "True", "1"):
            issues = [{"path": path, "level": level} for path, level in repo.issues.items()]
            info["securityRepoStatus"] = {"scansDone": True, "filesWithIssues": issues}
        return info

    def _summary(self, name: str, revision: str = "main") -> dict[str, object]:
        repo = self._repos[name]
        return {
            "_id": hashlib.sha256(name.encode()).hexdigest()[:24],
            "id": name,
            "modelId": name,
            "author": name.partition("/")[0],
            "sha": self.commit(name, revision),
            "lastModified": repo.modified,
            "createdAt": repo.created,
            "private": repo.private,
            "disabled": repo.disabled,
            "gated": repo.gated or False,
            "pipeline_tag": repo.pipeline,
            "library_name": repo.library,
            "tags": _tags(repo),
            "downloads": repo.downloads,
            "likes": repo.likes,
        }

    def _sibling(self, path: str, content: Content, blobs: bool) -> dict[str, object]:
        if not blobs:
            return {"rfilename": path}
        size = _size(content)
        entry: dict[str, object] = {"rfilename": path, "blobId": self._oid(content), "size": size}
        if path.endswith(_LARGE):
            entry["lfs"] = {"sha256": self._sha256(content), "size": size, "pointerSize": 134}
        return entry

    def _tree(self, request: Request, files: Mapping[str, Content], folder: str) -> Response:
        prefix = f"{folder}/" if folder else ""
        recursive = request.param("recursive") in ("true", "True", "1")
        entries: dict[str, dict[str, object]] = {}
        for path, content in sorted(files.items()):
            if not path.startswith(prefix):
                continue
            parents = path.removeprefix(prefix).split("/")[:-1]
            for depth in range(1, len(parents) + 1 if recursive else min(len(parents), 1) + 1):
                inner = prefix + "/".join(parents[:depth])
                entries.setdefault(inner, {"type": "directory", "oid": "0" * 40, "size": 0, "path": inner})
            if recursive or not parents:
                entries[path] = self._leaf(path, content)
        if not entries:
            return _refusal(404, "EntryNotFound", f"{folder} does not exist")
        return json_response(list(entries.values()))

    def _leaf(self, path: str, content: Content) -> dict[str, object]:
        size = _size(content)
        leaf: dict[str, object] = {"type": "file", "oid": self._oid(content), "size": size, "path": path}
        if path.endswith(_LARGE):
            leaf["lfs"] = {"oid": self._sha256(content), "size": size, "pointerSize": 134}
        return leaf

    def _search(self, request: Request) -> Response:
        found = [name for name in self._repos if self._visible(request, name) and self._matches(name, request)]
        key = _SORTS.get(request.param("sort"))
        if key:
            found.sort(key=lambda name: (getattr(self._repos[name], key), name), reverse=True)
        start = int(request.param("cursor", "0"))
        stop = start + min(self._page, int(request.param("limit", "1000")))
        answer = json_response([self._hit(name, request) for name in found[start:stop]])
        if stop >= len(found):
            return answer
        query = urlencode([(k, v) for k, values in request.query.items() if k != "cursor" for v in values])
        url = f"{_base(request)}/api/models?{query}&cursor={stop}"
        return Response(200, {**answer.headers, "link": f'<{url}>; rel="next"'}, answer.body)

    def _hit(self, name: str, request: Request) -> dict[str, object]:
        repo, hit = self._repos[name], self._summary(name)
        if request.param("full") == "true":
            hit["siblings"] = [{"rfilename": path} for path in sorted(repo.files)]
        if request.param("cardData") == "true":
            hit["cardData"] = dict(repo.card)
        return hit

    def _matches(self, name: str, request: Request) -> bool:
        repo = self._repos[name]
        author, pipeline = request.param("author"), request.param("pipeline_tag")
        return (
            all(word in name.lower() for word in request.param("search").lower().split())
            and all(tag in _tags(repo) for tag in request.query.get("filter", ()))
            and (not author or name.partition("/")[0].lower() == author.lower())
            and (not pipeline or repo.pipeline == pipeline)
        )

    def _download(self, request: Request, name: str, revision: str, path: str) -> Response:
        name = self._renamed.get(name, name)
        repo = self._visible(request, name)
        if repo is None:
            return self._missing(request)
        if repo.disabled:
            return _refusal(403, "", "Access to this resource is disabled.")
        account = self._account(request)
        if repo.gated and account not in repo.members:
            said = (
                f"Access to model {name} is restricted. You must have access to it and be authenticated to access it."
            )
            return _refusal(401 if account is None else 403, "GatedRepo", said)
        branch = self._revision(name, revision)
        if branch is None:
            return _refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        content = (_files(repo, branch) or {}).get(path)
        if content is None:
            return _refusal(404, "EntryNotFound", "Entry not found")
        return self._sent(request, path, content, self.commit(name, branch))

    def _sent(self, request: Request, path: str, content: Content, commit: str) -> Response:
        if not path.endswith(_LARGE):
            tag = f'"{self._oid(content)}"'
            return file_response(
                content, request, etag=tag, content_type="text/plain", headers={"x-repo-commit": commit}
            )
        digest = self._sha256(content)
        name = quote(f'attachment; filename="{path.rpartition("/")[2]}"')
        signed = f"X-Amz-Expires=3600&X-Amz-Signature={digest[:16]}&response-content-disposition={name}"
        headers = {
            "location": f"{_base(request)}/lfs/{digest}?{signed}",
            "x-repo-commit": commit,
            "x-linked-size": str(_size(content)),
            "x-linked-etag": f'"{digest}"',
            "etag": f'"{digest}"',
            "accept-ranges": "bytes",
        }
        return Response(302, headers)

    def _storage(self, request: Request, digest: str) -> Response:
        """The signed storage behind large files: it refuses strangers, and whoever shows it a token."""
        if request.headers.get("authorization"):
            return text_response(_EXPIRED, 400, "application/xml")
        if request.param("X-Amz-Signature") != digest[:16]:
            return text_response(_EXPIRED, 403, "application/xml")
        for repo in self._repos.values():
            for files in (repo.files, *repo.branches.values()):
                for content in files.values():
                    if self._sha256(content) == digest:
                        return file_response(content, request, etag=f'"{digest}"')
        return text_response(_EXPIRED, 404, "application/xml")

    def _sha256(self, content: Content) -> str:
        if content not in self._digests:
            with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
                self._digests[content] = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._digests[content]

    def _oid(self, content: Content) -> str:
        """A stand-in for git's id of the blob: 40 digits that follow from the content."""
        return self._sha256(content)[:40]


def _files(repo: SampleRepo, revision: str) -> Mapping[str, Content] | None:
    return repo.files if revision == "main" else repo.branches.get(revision)


def _tags(repo: SampleRepo) -> list[str]:
    """The tags that the hub itself derives from card and files, after the publisher's."""
    bases = repo.card.get("base_model", [])
    relation = repo.card.get("base_model_relation", "adapter" if "lora" in repo.tags else "finetune")
    derived = ["safetensors"] if any(path.endswith(".safetensors") for path in repo.files) else []
    for base in [bases] if isinstance(bases, str) else bases if isinstance(bases, list) else []:
        derived += [f"base_model:{base}", f"base_model:{relation}:{base}"]
    if licence := repo.card.get("license"):
        derived.append(f"license:{licence}")
    return [*repo.tags, *derived, "region:us"]


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _base(request: Request) -> str:
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def _refusal(status: int, code: str, said: str) -> Response:
    answer = json_response({"error": said}, status)
    headers = {**answer.headers, "x-error-message": said}
    return Response(status, {**headers, "x-error-code": code} if code else headers, answer.body)
