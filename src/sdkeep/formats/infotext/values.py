"""What is read from a picture: its texts, the parameters they spell, and every model that those need."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdkeep.formats.contents import Container
from sdkeep.ground.digest import Digest
from sdkeep.ground.kinds import Kind, Vocabulary


class Tool(Vocabulary):
    """The program that wrote the parameters."""

    A1111 = "a1111"
    FORGE = "forge"
    SDNEXT = "sdnext"
    CIVITAI = "civitai"
    COMFYUI = "comfyui"
    INVOKEAI = "invokeai"
    FOOOCUS = "fooocus"
    RUINED_FOOOCUS = "ruined-fooocus"
    SWARMUI = "swarmui"
    NOVELAI = "novelai"
    STABILITY_MATRIX = "stability-matrix"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture file, looked at without decoding its pixels where that can be helped.

    `texts` holds the decoded text chunks: PNG keywords as they stand, EXIF fields as `exif:UserComment`, a JPEG
    comment as `comment`, an XMP packet as `xmp`, a message hidden in the pixels as `stealth`. `width` and `height`
    are 0 where the file does not say. `problems` are sentences about what could not be read.
    """

    container: Container
    width: int = 0
    height: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a model is called: characters `start` to `end` of the text `chunk`, or a `path` into its JSON."""

    chunk: str
    start: int = 0
    end: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """One model that a picture was made with.

    `name` is what the program called the file (a stem, a file name, perhaps with folders), `title` what a hub calls
    the model. `digests` are claims, strongest first; `doubt` says why they or the name may be wrong. `version_id` is
    Civitai's number of a model version, `air` the full urn where one was written.
    """

    kind: Kind
    name: str = ""
    weight: float | None = None
    digests: tuple[Digest, ...] = ()
    version_id: int | None = None
    air: str = ""
    title: str = ""
    doubt: str = ""
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameters:
    """How a picture was made, as far as it says.

    `settings` are the raw pairs in their order and spelling, JSON values as text. The typed fields are None or empty
    where nothing readable was said. `chunk` names the text that was read.
    """

    tool: Tool
    prompt: str = ""
    negative: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    steps: int | None = None
    sampler: str = ""
    schedule: str = ""
    cfg: float | None = None
    seed: int | None = None
    width: int | None = None
    height: int | None = None
    clip_skip: int | None = None
    denoising: float | None = None
    version: str = ""
    needs: tuple[Need, ...] = ()
    chunk: str = ""
    problems: tuple[str, ...] = ()
