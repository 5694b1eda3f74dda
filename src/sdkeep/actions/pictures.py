"""From a picture to the models it was made with: what it says, what is here, and how the rest can be fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.batch import Batch, each
from sdkeep.actions.get import GetRequest, Got, get
from sdkeep.actions.house import House
from sdkeep.actions.show import Needed, ShownPicture
from sdkeep.formats.contents import Container
from sdkeep.formats.digests import digest_file
from sdkeep.formats.infotext.needing import label
from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.picture import read_picture
from sdkeep.formats.infotext.values import Need, Parameters
from sdkeep.formats.sniff import sniff
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import FormatError, NotFoundHere
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import slug

PICTURES = (Container.PNG, Container.JPEG, Container.WEBP)


@dataclass(frozen=True, slots=True)
class FromImage:
    """What pictures need, and what was fetched of it."""

    needs: tuple[Needed, ...]
    got: tuple[Got, ...]


def get_needed(house: House, needs: tuple[Needed, ...], request: GetRequest) -> Batch[Got]:
    """Fetch what is not here and can be named; a need without any reference is a warning."""
    missing = [need for need in needs if not need.here]
    for need in missing:
        if not need.ref:
            house.warn(f"{need.kind} `{need.name}` has neither a hash nor a release: `sdkeep search {need.name}`")
    refs = list(dict.fromkeys(need.ref for need in missing if need.ref))
    return each(refs, lambda ref: get(house, ref, request))


def read(path: Path) -> ShownPicture | None:
    """The parameters of a picture; None for what is no picture, or carries none. Opens no catalogue."""
    with FileSource(path) as source:
        if sniff(source) not in PICTURES:
            return None
        picture = read_picture(source)
    found = read_parameters(picture)
    return _shown(path, str(picture.container), (picture.width, picture.height), found) if found else None


def _shown(path: Path, container: str, size: tuple[int, int], found: Parameters) -> ShownPicture:
    return ShownPicture(
        path=str(path),
        container=container,
        width=size[0],
        height=size[1],
        tool=str(found.tool),
        prompt=found.prompt,
        negative=found.negative,
        settings=found.settings,
        needs=tuple(_needed(need) for need in found.needs),
        problems=found.problems,
    )


def _needed(need: Need, here: str = "", by: str = "") -> Needed:
    name = need.name or need.title
    digests = tuple(str(digest) for digest in need.digests)
    return Needed(need.kind, name, need.weight, digests, _ref(need), here, by, need.doubt)


def _ref(need: Need) -> str:
    """The strongest reference: the hub's version, an AIR, else the first claimed hash; empty when there is none."""
    if need.version_id is not None:
        return f"urn:air:other:unknown:civitai:0@{need.version_id}"
    if need.air:
        return need.air
    return str(need.digests[0]) if need.digests else ""


def needed(house: House, path: Path) -> tuple[Needed, ...]:
    """Every model that a picture needs, with the file here that answers to it; raises `FormatError` without any."""
    with FileSource(path) as source:
        found = read_parameters(read_picture(source)) if sniff(source) in PICTURES else None
    if found is None:
        raise FormatError(
            f"`{path}` does not say what it was made with",
            "it is no PNG, JPEG or WebP, or its parameters were removed, as many sites do",
            f"`sdkeep show '{path}'` tells what it is",
            rule="no-parameters",
        )
    return tuple(_located(house, need) for need in found.needs)


def models_behind(house: House, ref: str) -> tuple[str, ...]:
    """References to the models that a picture was made with, where `ref` is a picture; else the reference itself.

    What was recorded when it was made counts first, then what it says itself. Raises `NotFoundHere` where none is here.
    """
    path = Path(ref)
    if path.suffix.lower() not in _ENDINGS or not path.is_file():
        return (ref,)
    made = house.book.generations_of(digest_file(path, frozenset({DigestKind.SHA256}), stop=house.stop)[0].value)
    recorded = [one.sha256 for one in made[0].models] if made else []
    known = [f"sha256:{sha256}" for sha256 in recorded if sha256 and house.book.artifact(sha256)]
    known = known or [f"name:{one.here}" for one in needed(house, path) if one.here]
    if not known:
        raise NotFoundHere(
            f"no model of `{path}` is in the catalogue", "a picture goes back to the models that it was made with",
            f"`sdkeep show '{path}'` names them, `sdkeep get --from-image '{path}'` fetches them",
        )  # fmt: skip
    house.say(f"`{path.name}` was made with {len(known)} model{'' if len(known) == 1 else 's'} that {_are(known)} here")
    return tuple(dict.fromkeys(known))


_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def _are(known: list[str]) -> str:
    return "is" if len(known) == 1 else "are"


def _located(house: House, need: Need) -> Needed:
    for by, candidates in (
        ("release", _of_release(house, need)),
        ("hash", _by_hash(house, need)),
        ("name", _named(house, need)),
    ):
        stored = [one for one in candidates if one.stored or house.book.locations_of(one.sha256 or "")]
        if stored:
            return _needed(need, stored[0].name, by)
    return _needed(need)


def _of_release(house: House, need: Need) -> tuple[Artifact, ...]:
    return house.book.by_origin("civitai", str(need.version_id)) if need.version_id is not None else ()


def _by_hash(house: House, need: Need) -> tuple[Artifact, ...]:
    """The files with a claimed hash, and what was converted from them; a doubtful hash counts for nothing."""
    if need.doubt:
        return ()
    found = [one for digest in need.digests for one in house.book.by_digest(digest)]
    children = [child for one in found if one.sha256 for child, _ in house.book.children_of(one.sha256)]
    return (*found, *children)


def _named(house: House, need: Need) -> tuple[Artifact, ...]:
    """A file of the same kind whose stem is the name that the picture uses."""
    if not need.name:
        return ()
    found = house.book.by_name(slug(label(need.name)))
    adapters = {Kind.LORA, Kind.LYCORIS}
    fits = found and (found.kind is need.kind or {found.kind, need.kind} <= adapters)
    return (found,) if found and fits else ()
