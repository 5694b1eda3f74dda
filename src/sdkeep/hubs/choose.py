"""Which release of a page, and which files of a release, a person means. Pure; the same for every hub.

Every decision leaves a short sentence in `why`, so that nobody has to guess what was taken and what was left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from sdkeep.formats.bases import named
from sdkeep.ground.errors import Ambiguous, DownloadDisabled, EarlyAccess, HubError, NotOnHub
from sdkeep.ground.kinds import Access, Extent, Family, Format, Kind, Precision, Role
from sdkeep.ground.model import Model, Release, RemoteFile
from sdkeep.ground.text import one_line

_CLOSED = {
    Access.EARLY: "in early access",
    Access.PAID: "for sale",
    Access.DISABLED: "not for download",
    Access.ARCHIVED: "archived",
}
_MAIN = (Role.MODEL, Role.PRUNED_MODEL, Role.DIFFUSION_MODEL)
_LESSER = (Role.NEGATIVE, Role.OTHER, Role.UNKNOWN, Role.ARCHIVE, Role.WORKFLOW, Role.CONFIG)
_OWN_ROLE = {Kind.VAE: Role.VAE, Kind.TEXT_ENCODER: Role.TEXT_ENCODER, Kind.CONFIG: Role.CONFIG}
_COMPANIONS = (Role.VAE, Role.CONFIG, Role.TEXT_ENCODER, Role.NEGATIVE)
_FORMATS = (Format.SAFETENSORS, Format.PICKLE, Format.GGUF)
_PRECISIONS = (
    {Precision.FP16},
    {Precision.UNKNOWN, Precision.BF16},
    {Precision.FP32, Precision.FP64, Precision.MIXED},
    {Precision.FP8, Precision.INT8},
)
_NEUTRAL = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for; empty and None mean "choose well". Only `base` and `file` may end in a refusal.

    `base` is a base model's name or a family id, `file` an id or a name, `every` means all but training data.
    """

    base: str = ""
    format: Format | None = None
    precision: Precision | None = None
    extent: Extent | None = None
    file: str = ""
    every: bool = False


class Other(NamedTuple):
    """A release of the same page that was not taken, since it is for another base model."""

    base: str
    name: str
    ref: str


@dataclass(frozen=True, slots=True)
class Picked:
    """The release that was taken, the newest one for each other base model, and the reasons."""

    release: Release
    others: tuple[Other, ...] = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The files to fetch, what belongs beside them (VAE, config, text encoder), and the reasons."""

    files: tuple[RemoteFile, ...]
    companions: tuple[RemoteFile, ...] = ()
    why: tuple[str, ...] = ()


# the release


def choose_release(model: Model, wish: Wish = Wish()) -> Picked:
    """The first release of the page, in the hub's order, that is for `wish.base` and free to download.

    A release in early access or for sale is taken only by its own id. Raises `NotOnHub` when the page has none for the
    base, `EarlyAccess` or `DownloadDisabled` when everything that is left is closed.
    """
    title = one_line(model.name, 60) or model.id
    if not model.releases:
        raise NotOnHub(f"`{title}` has no release", "its page is empty", f"look at {model.page}" if model.page else "")
    fitting = for_base(model.releases, wish.base)
    if not fitting:
        bases = _listed(release.base or "unknown" for release in model.releases)
        raise NotOnHub(
            f"`{title}` has no release for {wish.base}",
            f"it has releases for {bases}",
            f"`sdkeep show {model.releases[0].ref}`, or leave out `--base`",
        )
    open_ones = [release for release in fitting if _is_open(release)]
    if not open_ones:
        raise _closed(fitting[0], title)
    taken = open_ones[0]
    why = [f"`{_name(taken)}` is the first release of the page" + (f" for {taken.base}" if taken.base else "")]
    skipped = fitting[: fitting.index(taken)]
    why += [f"`{_name(release)}` was passed over: it {_obstacle(release)}" for release in skipped]
    return Picked(taken, _others(model, taken), tuple(why))


def for_base(releases: Iterable[Release], base: str) -> tuple[Release, ...]:
    """The releases for `base`: those that bear its name, else those of the family (`sdxl` means SDXL before Pony)."""
    releases = tuple(releases)
    if not base:
        return releases
    wanted = key(base)
    fitting = [release for release in releases if is_for(release, base)]
    tiers = (
        [release for release in releases if key(release.base) == wanted],
        [release for release in fitting if key(release.base).startswith(wanted)],
        fitting,
        [release for release in releases if key(release.base).startswith(wanted)],
    )
    return tuple(next((tier for tier in tiers if tier), []))


def is_for(release: Release, base: str) -> bool:
    """Whether a release is for `base`: a family, or any spelling of the base model that the hub names."""
    family = Family.of(base)
    if family is not Family.UNKNOWN:
        return release.family is family
    meant = named(base)
    return key(release.base) == key(base) or (meant is not None and named(release.base) == meant)


def _is_open(release: Release) -> bool:
    return release.access not in _CLOSED and any(file.role is not Role.TRAINING_DATA for file in release.files)


def _obstacle(release: Release) -> str:
    if release.access not in _CLOSED:
        return "holds training data alone" if release.files else "has no files"
    until = f" until {release.access_until}" if release.access_until else ""
    return f"is {_CLOSED[release.access]}{until}"


def _closed(release: Release, title: str) -> HubError:
    what = f"no release of `{title}` can be downloaded freely"
    why = f"`{_name(release)}` {_obstacle(release)}"
    if release.access in (Access.EARLY, Access.PAID):
        return EarlyAccess(
            what, why, f"with bought access name it: `sdkeep get {release.ref}`", until=release.access_until
        )
    if release.access in _CLOSED:
        return DownloadDisabled(what, why, "`sdkeep search` may find another model")
    return NotOnHub(what, why, f"`sdkeep show {release.ref}`")


def _others(model: Model, taken: Release) -> tuple[Other, ...]:
    found: dict[str, Other] = {}
    for release in model.releases:
        if release.base != taken.base and _is_open(release):
            found.setdefault(release.base, Other(release.base, release.name, release.ref))
    return tuple(found.values())


# the files


def choose_files(release: Release, wish: Wish = Wish()) -> Choice:
    """The file of a release that fits `wish` best, with its companions.

    Weights before extras, safetensors before pickles, then precision (fp16 unless wished otherwise), pruned before
    full, the hub's main file, the smaller one. Wishes that nothing fulfils are named in `why` and give way; only a
    `file` that is not there is an error (`NotOnHub`), or one that fits several (`Ambiguous`).
    """
    if wish.file:
        return _named(release, wish.file)
    useful = [file for file in release.files if file.role is not Role.TRAINING_DATA]
    if not useful:
        raise _nothing(release)
    if wish.every:
        left = len(release.files) - len(useful)
        taken = f"all {len(useful)} files"
        return Choice(tuple(useful), (), (taken, f"{left} with training data left out") if left else (taken,))
    mains = _mains(release, useful)
    best = min(mains, key=_rank(wish))
    why = [*_unfulfilled(best, wish), *_reasons(best, mains)]
    companions = _companions(best, useful)
    if companions:
        why.append("beside it: " + _listed(f"{file.name} ({file.role})" for file in companions))
    return Choice((best,), companions, tuple(why))


def _named(release: Release, wanted: str) -> Choice:
    by_id = [file for file in release.files if file.id == wanted]
    by_name = [file for file in release.files if file.name == wanted]
    loosely = [file for file in release.files if wanted.casefold() in _names(file)]
    found = by_id or by_name or loosely
    if not found:
        files = _listed(file.name for file in release.files) or "none"
        raise NotOnHub(
            f"`{_name(release)}` has no file `{one_line(wanted, 80)}`",
            f"its files are {files}",
            f"`sdkeep show {release.ref}`",
        )
    if len(found) > 1:
        refs = tuple(f"{release.ref}#{file.id}" if release.hub == "civitai" else file.id for file in found)
        raise Ambiguous(f"`{_name(release)}` has {len(found)} files named `{one_line(wanted, 80)}`", refs)
    return Choice((found[0],), (), (f"`{found[0].name}` was asked for",))


def _names(file: RemoteFile) -> set[str]:
    path = PurePosixPath(file.name.casefold())
    return {path.name, path.stem, str(path)}


def _nothing(release: Release) -> HubError:
    what = f"`{_name(release)}` of `{one_line(release.model_name, 60)}` has nothing to download"
    if release.access is Access.ARCHIVED:
        return DownloadDisabled(what, "its publisher has archived it", "`sdkeep search` may find another model")
    if release.files:
        name = release.files[0].name
        return NotOnHub(
            what, "it holds training data alone", f"`sdkeep get {release.ref} --file {release.files[0].id or name}`"
        )
    return NotOnHub(what, "the hub lists no files", f"look at {release.page}" if release.page else "")


def _mains(release: Release, useful: list[RemoteFile]) -> list[RemoteFile]:
    """The files that are what the release is about; extras only when there is nothing else."""
    own = _OWN_ROLE.get(release.kind)
    for roles in ((*_MAIN, own), *((role,) for role in _LESSER)):
        if found := [file for file in useful if file.role in roles]:
            return found
    return useful


def _rank(wish: Wish) -> Callable[[RemoteFile], tuple[int, int, int, bool, int, str]]:
    def rank(file: RemoteFile) -> tuple[int, int, int, bool, int, str]:
        return (
            _format_rank(file, wish),
            _precision_rank(file, wish),
            _extent_rank(file, wish),
            not file.primary,
            file.size or file.about or 2**63,
            file.id,
        )

    return rank


def _format_rank(file: RemoteFile, wish: Wish) -> int:
    if file.format is wish.format:
        return -1
    return _FORMATS.index(file.format) if file.format in _FORMATS else len(_FORMATS)


def _precision_rank(file: RemoteFile, wish: Wish) -> int:
    if file.precision is wish.precision:
        return -1
    return next((at for at, tier in enumerate(_PRECISIONS) if file.precision in tier), len(_PRECISIONS))


def _extent_rank(file: RemoteFile, wish: Wish) -> int:
    order = (
        (Extent.FULL, Extent.UNKNOWN, Extent.PRUNED)
        if wish.extent is Extent.FULL
        else (
            Extent.PRUNED,
            Extent.UNKNOWN,
            Extent.FULL,
        )
    )
    return order.index(file.extent)


def _unfulfilled(best: RemoteFile, wish: Wish) -> list[str]:
    wishes = (
        ("format", wish.format, best.format),
        ("precision", wish.precision, best.precision),
        ("extent", wish.extent, best.extent),
    )
    return [
        f"no file with the {name} {wanted}: this one is {'not labelled' if found == 'unknown' else found}"
        for name, wanted, found in wishes
        if wanted is not None and wanted is not found
    ]


def _reasons(best: RemoteFile, mains: list[RemoteFile]) -> list[str]:
    rivals = [file for file in mains if file is not best]
    if not rivals:
        return [f"`{best.name}` is the only file of its kind"]
    reasons = [f"`{best.name}` out of {len(mains)} files"]
    if best.format is Format.SAFETENSORS and any(file.format is not Format.SAFETENSORS for file in rivals):
        reasons.append("safetensors can hold no code")
    same = [file for file in rivals if file.format is best.format]
    if best.precision is not Precision.UNKNOWN and any(file.precision is not best.precision for file in same):
        reasons.append(f"precision {best.precision}")
    if best.extent is not Extent.UNKNOWN and any(file.extent is not best.extent for file in same):
        reasons.append(
            "pruned: all that making pictures needs" if best.extent is Extent.PRUNED else "full, with training weights"
        )
    if len(reasons) == 1:
        reasons.append("the hub's main file" if best.primary else "the smallest of equals")
    return reasons


def _companions(best: RemoteFile, useful: list[RemoteFile]) -> tuple[RemoteFile, ...]:
    """What the main file needs beside it: the best file of each extra role, every text encoder once.

    Of several configs the one that bears the main file's name.
    """
    found: list[RemoteFile] = []
    for role in _COMPANIONS:
        extras = sorted((file for file in useful if file.role is role and file is not best), key=_rank(Wish()))
        if role is Role.TEXT_ENCODER:
            first_of = {_stem(file): file for file in reversed(extras)}
            found += [file for file in extras if first_of[_stem(file)] is file]
        elif extras:
            found.append(next((file for file in extras if _stem(file) == _stem(best)), extras[0]))
    return tuple(found)


def _stem(file: RemoteFile) -> str:
    return PurePosixPath(file.name.casefold()).stem


def _name(release: Release) -> str:
    return one_line(release.name, 60) or release.id or one_line(release.model_name, 60)


def _listed(names: Iterable[str]) -> str:
    shown = list(dict.fromkeys(one_line(name, 80) for name in names))
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")


def key(text: str) -> str:
    """What two spellings of one name share."""
    return _NEUTRAL.sub("", text.casefold())
