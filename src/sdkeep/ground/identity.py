"""What a file is, with what its structure proves kept apart from what its metadata claims."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sdkeep.ground.kinds import Family, Format, Kind, Precision


class Confidence(StrEnum):
    """How sure the structure makes us."""

    CERTAIN = "certain"
    LIKELY = "likely"
    GUESS = "guess"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MetadataClaims:
    """What the file says of itself. Any of it may be wrong or missing."""

    base: str = ""
    family: Family = Family.UNKNOWN
    title: str = ""
    author: str = ""
    licence: str = ""
    trigger_words: tuple[str, ...] = ()
    prediction: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer of identification. `evidence` names keys and shapes; `components` are unet, vae, text-encoder, ...

    `variant` is a lower-case word such as `inpainting`, `instruct-pix2pix`, `refiner`, `v-prediction`; `algorithm`
    an adapter's (`lora`, `locon`, `loha`, `lokr`, `dora`, `ia3`, `oft`, ...); `rank` its usual one.
    """

    kind: Kind = Kind.UNKNOWN
    family: Family = Family.UNKNOWN
    variant: str = ""
    format: Format = Format.UNKNOWN
    precision: Precision = Precision.UNKNOWN
    components: tuple[str, ...] = ()
    algorithm: str = ""
    rank: int | None = None
    parameters: int = 0
    confidence: Confidence = Confidence.NONE
    evidence: tuple[str, ...] = ()
    claims: MetadataClaims = MetadataClaims()
