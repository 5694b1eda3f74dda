"""A hub's file brought into staging: the transfer engine, told what the hub's refusals mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdkeep.actions.byhash import from_neighbour
from sdkeep.actions.house import House
from sdkeep.ground.errors import KeepError
from sdkeep.ground.kinds import Format, Role
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.hubs.civitai.errors import download_error
from sdkeep.net.client import Answer
from sdkeep.net.transfer import Fetched, TransferOptions, Wanted, claim, forget, transfer

PATIENCE = 3600.0
"""Seconds to wait for another process that fetches the same file; then its result is here already."""

_TEXTS = frozenset({Role.CONFIG, Role.WORKFLOW})


@contextmanager
def fetched(house: House, staging: Path, release: Release, file: RemoteFile) -> Iterator[Fetched]:
    """The file in `staging`, whole and, where the hub published a SHA-256, proved; ours alone inside the block.

    A file still there after the block (refused, or stopped) is gone on with by the next run.
    """
    wanted = wanted_of(file)
    options = TransferOptions(
        connections=house.settings.connections,
        slow_time=house.settings.timeout,
        lock_wait=PATIENCE,
        resolve_error=lambda answer: refused(house, release, answer),
    )
    near = from_neighbour(house, file, staging)
    if near is not None:
        yield Fetched(near, near.stat().st_size, wanted.sha256 or "")
        return
    with claim(staging, wanted.key, wait=PATIENCE, stop=house.stop):
        house.say(f"fetching {file.name}")
        yield transfer(house.web, wanted, staging, report=house.report, stop=house.stop, options=options)
        forget(staging, wanted.key)


def wanted_of(file: RemoteFile) -> Wanted:
    """What to ask the transfer engine for."""
    return Wanted(
        url=file.url,
        fallbacks=file.fallbacks,
        size=file.size,
        sha256=file.sha256.value if file.sha256 else None,
        name=file.name,
        kind_is_model=file.role not in _TEXTS and file.format not in (Format.YAML, Format.OTHER),
    )


def refused(house: House, release: Release, answer: Answer) -> KeepError:
    """What a hub's refusal to hand out a file means, and what to do next."""
    if release.hub == "huggingface":
        return house.huggingface.download_error(answer)
    return download_error(answer)
