"""Archives of wildcards, poses or embeddings: taken apart member by member, each judged and kept on its own."""

from __future__ import annotations

from dataclasses import replace

from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival
from sdkeep.formats.contents import Container
from sdkeep.formats.sniff import sniff
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError
from sdkeep.ground.kinds import Kind
from sdkeep.store.archives import unpack
from sdkeep.store.blobs import Store

EXTENSIONS = {
    Kind.WILDCARDS: (".txt", ".yaml", ".yml", ".json"),
    Kind.POSES: (".png", ".jpg", ".jpeg", ".webp", ".json"),
    Kind.EMBEDDING: (".safetensors", ".pt", ".bin"),
    Kind.WORKFLOW: (".json", ".png"),
}
WEIGHTS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")


def is_archive(arrival: Arrival) -> bool:
    """Whether the bytes are a plain zip of files, rather than a torch checkpoint in zip form."""
    with FileSource(arrival.path) as source:
        return sniff(source) is Container.ZIP


def unpack_arrival(house: House, store: Store, arrival: Arrival) -> tuple[Arrival, ...]:
    """The useful members as arrivals of their own; skipped ones are named in warnings."""
    kind = arrival.release.kind if arrival.release else arrival.kind
    wanted = EXTENSIONS.get(kind, WEIGHTS)
    unpacked = unpack(arrival.path, store.staging, extensions=wanted, stop=house.stop)
    for skipped in unpacked.skipped:
        house.warn(f"`{skipped.member}` in `{arrival.file_name}` was left out: {skipped.why}")
    if not unpacked.members:
        raise FormatError(
            f"`{arrival.file_name}` holds nothing to keep",
            "looked for " + ", ".join(wanted),
            "`sdkeep show FILE` says what is inside",
            rule="archive-empty",
        )
    return tuple(replace(arrival, path=one.path, file_name=one.name, kind=kind) for one in unpacked.members)
