"""Preview pictures: one small PNG an artifact, kept in the home, within the level that the person allows."""

from __future__ import annotations

from dataclasses import replace

from sdkeep.actions.house import House
from sdkeep.ground.errors import KeepError
from sdkeep.ground.events import Said
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.ground.model import Preview, Release
from sdkeep.ground.record import Artifact

TRIES = 3


def fetch_preview(house: House, artifact: Artifact, release: Release) -> str:
    """Fetch and keep a preview; the answer is its path below the home, empty when there is none to be had.

    A missing picture never fails a download.
    """
    if artifact.preview and (house.settings.home / artifact.preview).is_file():
        return artifact.preview
    for preview in suitable(release, house.settings.nsfw)[:TRIES]:
        picture = _picture(house, preview)
        if picture:
            return _keep(house, artifact, picture)
    return ""


def suitable(release: Release, most: NsfwLevel) -> tuple[Preview, ...]:
    """The still pictures that the allowed level admits; an unrated one counts as its model is rated."""
    return tuple(
        preview
        for preview in release.previews
        if not preview.video and (preview.level or release.level).rank <= most.rank and preview.url
    )


def _picture(house: House, preview: Preview) -> bytes:
    from sdkeep.layouts.preview import LARGEST_FILE, thumbnail

    try:
        with house.web.open(preview.url) as stream:
            body = stream.read(LARGEST_FILE + 1) if stream.status == 200 else b""
        return thumbnail(body) if body else b""
    except KeepError as error:
        house.report(Said("debug", f"no preview from {preview.url}: {error.what}"))
        return b""


def _keep(house: House, artifact: Artifact, picture: bytes) -> str:
    from sdkeep.layouts.writing import rewrite

    sha256 = artifact.sha256 or ""
    below = f"previews/{sha256[:2]}/{sha256}.png"
    path = house.settings.home / below
    path.parent.mkdir(parents=True, exist_ok=True)
    rewrite(path, picture, created=True)
    house.book.put_artifact(replace(artifact, preview=below))
    return below
