"""A hub's file brought into staging: the transfer engine, told what the hub's refusals mean."""

from __future__ import annotations

from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.ground.errors import KeepError
from sdkeep.ground.kinds import Format, Role
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.hubs.civitai.errors import download_error
from sdkeep.net.client import Answer
from sdkeep.net.transfer import Fetched, TransferOptions, Wanted, transfer

_TEXTS = frozenset({Role.CONFIG, Role.WORKFLOW})


def fetch(house: House, staging: Path, release: Release, file: RemoteFile) -> Fetched:
    """The file in `staging`, whole and, where the hub published a SHA-256, proved; raises the transfer's errors."""
    house.say(f"fetching {file.name}")
    wanted = Wanted(
        url=file.url,
        fallbacks=file.fallbacks,
        size=file.size,
        sha256=file.sha256.value if file.sha256 else None,
        name=file.name,
        kind_is_model=file.role not in _TEXTS and file.format not in (Format.YAML, Format.OTHER),
    )
    options = TransferOptions(
        connections=house.settings.connections,
        slow_time=house.settings.timeout,
        resolve_error=lambda answer: refused(house, release, answer),
    )
    return transfer(house.web, wanted, staging, report=house.report, stop=house.stop, options=options)


def refused(house: House, release: Release, answer: Answer) -> KeepError:
    """What a hub's refusal to hand out a file means, and what to do next."""
    if release.hub == "huggingface":
        return house.huggingface.download_error(answer)
    return download_error(answer)
