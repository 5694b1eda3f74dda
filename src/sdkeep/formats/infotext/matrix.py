"""StabilityMatrix: `parameters-json`, beside an infotext and the graph it ran."""

from __future__ import annotations

from sdkeep.formats.infotext.loose import as_settings, real, rows, table, text, whole, word
from sdkeep.formats.infotext.needing import Needs, file_digests
from sdkeep.formats.infotext.values import Mention, Need, Parameters, Tool
from sdkeep.ground.kinds import Kind

_CHUNK = "parameters-json"


def read_matrix(document: dict[str, object]) -> Parameters:
    """The parameters in `parameters-json`; version ids are Civitai's."""
    needs = Needs()
    needs.add(
        Need(
            Kind.CHECKPOINT,
            word(document.get("ModelName")),
            digests=file_digests(word(document.get("ModelHash"))),
            version_id=whole(document.get("ModelVersionId")),
            mentions=(Mention(_CHUNK, path="ModelName"),),
        )
    )
    for number, item in enumerate(rows(document.get("ExtraNetworkModelVersionIds"))):
        facts = table(item)
        version = whole(facts.get("ModelVersionId", item))
        if version is not None:
            mention = Mention(_CHUNK, path=f"ExtraNetworkModelVersionIds.{number}")
            needs.add(Need(Kind.UNKNOWN, version_id=version, mentions=(mention,)))
    return Parameters(
        tool=Tool.STABILITY_MATRIX,
        prompt=text(document.get("PositivePrompt")),
        negative=text(document.get("NegativePrompt")),
        settings=as_settings(document),
        steps=whole(document.get("Steps")),
        sampler=word(document.get("Sampler")),
        cfg=real(document.get("CfgScale")),
        seed=whole(document.get("Seed")),
        width=whole(document.get("Width")),
        height=whole(document.get("Height")),
        needs=needs.all(),
        chunk=_CHUNK,
    )
