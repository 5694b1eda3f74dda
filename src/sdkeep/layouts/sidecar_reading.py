"""Everything that lies beside a model and says something of it, drawn together: who said what, and who disagrees.

Every fact is a claim: a sidecar may belong to an older file of the same name. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType

from sdkeep.ground.digest import Digest
from sdkeep.ground.errors import KeepError
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.layouts.dialects import Beside, Claims, Dialect, claims_of, dialect_of
from sdkeep.layouts.jsonfile import as_object, read_bytes

# In the order of trust: what names a version and a file comes before what a person typed.
JSON_ENDINGS = (".cm-info.json", ".civitai.info", ".metadata.json", ".json", ".api_info.json", ".swarm.json")
TEXT_ENDINGS = (".description.txt", ".txt")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
PREVIEW_ENDINGS = (
    *(f".preview{ending}" for ending in PICTURES),
    *PICTURES,
    *(f".thumb{ending}" for ending in (".jpg", ".png", ".webp")),
)
VAE_ENDINGS = (".vae.safetensors", ".vae.pt", ".vae.ckpt")
CONFIG_ENDINGS = (".yaml", ".yml")
_LONGEST_TEXT = 1 << 20


NOTHING = Claims()


@dataclass(frozen=True, slots=True)
class Sidecars:
    """What lies beside one model. `said` holds each fact from the most trusted sidecar that states it.

    `sources` tells for each fact of `said` which dialect it comes from. `digests` are all claims about the file's
    bytes. `files` are the sidecars found, with None for one of an unknown schema. `doubts` are sentences: what could
    not be read, and ids on which two sidecars disagree.
    """

    said: Claims = NOTHING
    sources: Mapping[str, Dialect] = field(default_factory=lambda: MappingProxyType({}))
    digests: tuple[Digest, ...] = ()
    preview: Path | None = None
    config: Path | None = None
    vae: Path | None = None
    files: tuple[tuple[Path, Dialect | None], ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """What the sidecars say this file is, as a reference (`civitai:4021@40211`); empty where they do not."""
        if not self.said.model_id:
            return ""
        return f"civitai:{self.said.model_id}" + (f"@{self.said.version_id}" if self.said.version_id else "")

    @property
    def level(self) -> NsfwLevel | None:
        """The rating claimed; None where nobody rates it."""
        return self.said.level

    def dialects(self) -> tuple[Dialect, ...]:
        """The dialects found, each once."""
        return tuple(dict.fromkeys(dialect for _, dialect in self.files if dialect))


def read_sidecars(model: Path, listed: Collection[str] | None = None) -> Sidecars:
    """All that lies beside `model`, in every dialect that is known.

    `listed` are the names in its folder, where the caller has them already: then nothing else is looked for. A sidecar
    that is broken, too long or unreadable is a doubt, never an error.
    """
    found: list[tuple[Path, Dialect | None, Claims]] = []
    doubts: list[str] = []
    beside = Beside(model.name, _size(model))
    for path, ending in _there(model, (*JSON_ENDINGS, *TEXT_ENDINGS), listed):
        try:
            dialect, claims = _read(path, ending, beside)
        except KeepError as error:
            doubts.append(f"{error.what}: {error.why}")
            continue
        if dialect is None:
            doubts.append(f"`{path.name}` is no sidecar that can be read")
        found.append((path, dialect, claims))
    said, sources = _merged([(dialect, claims) for _, dialect, claims in found if dialect])
    return Sidecars(
        said=said,
        sources=sources,
        digests=tuple(dict.fromkeys(digest for _, _, claims in found for digest in claims.digests)),
        preview=_first(model, PREVIEW_ENDINGS, listed),
        config=_first(model, CONFIG_ENDINGS, listed),
        vae=_first(model, VAE_ENDINGS, listed),
        files=tuple((path, dialect) for path, dialect, _ in found),
        doubts=(*doubts, *_quarrels(found)),
    )


def sidecar_paths(model: Path) -> tuple[Path, ...]:
    """Every file that belongs to `model` by its name: descriptions, pictures, configuration, autoencoder."""
    endings = (*JSON_ENDINGS, *TEXT_ENDINGS, *PREVIEW_ENDINGS, *VAE_ENDINGS, *CONFIG_ENDINGS)
    return tuple(path for path, _ in _there(model, endings, None))


def _there(model: Path, endings: tuple[str, ...], listed: Collection[str] | None) -> Iterator[tuple[Path, str]]:
    own, stem = model.name, model.stem
    for ending in endings:
        name = stem + ending
        if name != own and ((name in listed) if listed is not None else model.with_name(name).is_file()):
            yield model.with_name(name), ending


def _first(model: Path, endings: tuple[str, ...], listed: Collection[str] | None) -> Path | None:
    return next((path for path, _ in _there(model, endings, listed)), None)


def _read(path: Path, ending: str, beside: Beside) -> tuple[Dialect | None, Claims]:
    if ending in TEXT_ENDINGS:
        text = (read_bytes(path, _LONGEST_TEXT) or b"").decode("utf-8", "replace")
        return Dialect.TEXT, claims_of(Dialect.TEXT, {"text": text}, beside)
    said = as_object(read_bytes(path))
    dialect = dialect_of(ending, said) if said is not None else None
    return (dialect, claims_of(dialect, said, beside)) if dialect and said is not None else (None, NOTHING)


def _merged(told: list[tuple[Dialect, Claims]]) -> tuple[Claims, Mapping[str, Dialect]]:
    """Each fact from the first who states it. A version id counts only together with its own model id."""
    facts: dict[str, object] = {}
    sources: dict[str, Dialect] = {}
    for dialect, claims in told:
        other_page = facts.get("model_id") and claims.model_id and facts["model_id"] != claims.model_id
        for name in (one.name for one in fields(Claims)):
            value = getattr(claims, name)
            if name in facts or value in ("", (), 0.0, None) or (name == "version_id" and other_page):
                continue
            facts[name], sources[name] = value, dialect
    return Claims(**facts), MappingProxyType(sources)  # type: ignore[arg-type]


def _quarrels(found: list[tuple[Path, Dialect | None, Claims]]) -> list[str]:
    doubts = []
    for name, word in (("model_id", "model"), ("version_id", "version")):
        ids = {getattr(claims, name): path.name for path, _, claims in found if getattr(claims, name)}
        if len(ids) > 1:
            doubts.append("different " + word + "s: " + ", ".join(f"`{path}` says {id}" for id, path in ids.items()))
    return doubts


def _size(model: Path) -> int:
    try:
        return model.stat().st_size
    except OSError:
        return 0
