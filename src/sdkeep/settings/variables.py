"""The one table of everything that can be set: name, type, default, variables. The reference page is made from it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from sdkeep.ground.kinds import Extent, Format, NsfwLevel, Precision


class Type(StrEnum):
    """How the text of a value is read."""

    TEXT = "text"
    CHOICE = "choice"
    PATH = "path"
    ADDRESS = "address"
    PROXY = "proxy"
    LIST = "list"
    FLAG = "flag"
    COUNT = "count"
    SECONDS = "seconds"
    SECRET = "secret"  # noqa: S105


class Scope(StrEnum):
    """Who may set a variable. `PREFERENCE` everybody; `PERSONAL` not a project file; `OUTSIDE` no file at all."""

    PREFERENCE = "preference"
    PERSONAL = "personal"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Variable:
    """One row. `default` is as a person would write it, `shown` describes a default that depends on the machine."""

    name: str
    type: Type
    default: str
    env: tuple[str, ...]
    what: str
    scope: Scope = Scope.PERSONAL
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 0
    shown: str = ""

    @property
    def project(self) -> bool:
        """Whether a project's `sdkeep.toml` may set it."""
        return self.scope is Scope.PREFERENCE

    @property
    def flag(self) -> str:
        """Its spelling on a command line."""
        return "--" + self.name.replace("_", "-")


def _known(*members: StrEnum) -> tuple[str, ...]:
    return ("", *(member.value for member in members))


_FORMATS = _known(Format.SAFETENSORS, Format.PICKLE, Format.GGUF, Format.DIFFUSERS, Format.ONNX)
_PRECISIONS = _known(*(p for p in Precision if p not in (Precision.UNKNOWN, Precision.MIXED)))
_EXTENTS = _known(Extent.PRUNED, Extent.FULL)

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "home", Type.PATH, "", ("SDKEEP_HOME",), "folder of the catalogue, previews and tokens",
        shown="the data folder of this platform, `~/.local/share/sdkeep` on Linux",
    ),
    Variable(
        "catalogue", Type.PATH, "", ("SDKEEP_CATALOGUE",), "the catalogue's database file",
        shown="`registry.db` in home",
    ),
    Variable(
        "blob_root", Type.PATH, "", ("SDKEEP_BLOB_ROOT",), "folder that holds the model files",
        shown="one per volume, beside the first registered UI there, else in home",
    ),
    Variable(
        "ui", Type.TEXT, "", ("SDKEEP_UI",), "name of the registered UI to place files in", Scope.PREFERENCE,
        shown="every registered UI",
    ),
    Variable(
        "format", Type.CHOICE, "safetensors", ("SDKEEP_FORMAT",), "format preferred among the files of a release",
        Scope.PREFERENCE, _FORMATS,
    ),
    Variable(
        "precision", Type.CHOICE, "fp16", ("SDKEEP_PRECISION",), "precision preferred among the files of a release",
        Scope.PREFERENCE, _PRECISIONS,
    ),
    Variable(
        "size", Type.CHOICE, "pruned", ("SDKEEP_SIZE",), "pruned or full, where a release offers both",
        Scope.PREFERENCE, _EXTENTS,
    ),
    Variable(
        "nsfw", Type.CHOICE, NsfwLevel.PG.value, ("SDKEEP_NSFW",),
        "strongest rating shown in search, previews and thumbnails", Scope.PREFERENCE,
        tuple(level.value for level in NsfwLevel),
    ),
    Variable(
        "civitai_url", Type.ADDRESS, "https://civitai.com", ("SDKEEP_CIVITAI_URL",), "address of Civitai or a mirror",
    ),
    Variable(
        "hf_url", Type.ADDRESS, "https://huggingface.co", ("SDKEEP_HF_URL", "HF_ENDPOINT"),
        "address of Hugging Face or a mirror",
    ),
    Variable(
        "archives", Type.LIST, "", ("SDKEEP_ARCHIVES",),
        "addresses that answer look-ups by hash as Civitai does, separated by commas; asked when Civitai knows nothing",
    ),
    Variable(
        "neighbours", Type.LIST, "", ("SDKEEP_NEIGHBOURS",),
        "other sdkeep homes or stores, folders or addresses, separated by commas; files found there are not fetched",
    ),
    Variable(
        "proxy", Type.PROXY, "", ("SDKEEP_PROXY", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"),
        "proxy for every request, http://HOST:PORT",
    ),
    Variable(
        "no_proxy", Type.LIST, "", ("SDKEEP_NO_PROXY", "NO_PROXY", "no_proxy"),
        "host suffixes, separated by commas, that are reached without the proxy",
    ),
    Variable(
        "ca_bundle", Type.PATH, "", ("SDKEEP_CA_BUNDLE", "SSL_CERT_FILE"), "file of certificate authorities to trust",
        shown="the ones of the HTTP library",
    ),
    Variable(
        "connections", Type.COUNT, "4", ("SDKEEP_CONNECTIONS",), "connections that one download may use",
        least=1, most=16,
    ),
    Variable(
        "timeout", Type.SECONDS, "30", ("SDKEEP_TIMEOUT",), "seconds without a byte before a request is tried again",
        least=1, most=3600,
    ),
    Variable("offline", Type.FLAG, "false", ("SDKEEP_OFFLINE", "HF_HUB_OFFLINE"), "never use the network"),
    Variable(
        "keep_original", Type.FLAG, "false", ("SDKEEP_KEEP_ORIGINAL",), "keep a pickle after converting it",
    ),
    Variable(
        "allow_unsafe", Type.FLAG, "false", ("SDKEEP_ALLOW_UNSAFE",), "place files that our own scan calls dangerous",
    ),
    Variable("no_progress", Type.FLAG, "false", ("SDKEEP_NO_PROGRESS",), "no progress bars", Scope.OUTSIDE),
    Variable(
        "sidecars", Type.LIST, "", ("SDKEEP_SIDECARS",),
        "what to write beside placed files: a1111-json, civitai-info, cm-info, lora-manager, preview-png, or none",
        Scope.PREFERENCE, shown="what the UI reads",
    ),
    Variable(
        "layouts_dir", Type.PATH, "", ("SDKEEP_LAYOUTS_DIR",), "folder of your own WebUI layouts",
        shown="`layouts` beside the user file",
    ),
    Variable(
        "config_file", Type.PATH, "", ("SDKEEP_CONFIG",), "the user file", Scope.OUTSIDE,
        shown="`config.toml` in the configuration folder of this platform, `~/.config/sdkeep` on Linux",
    ),
    Variable("debug", Type.FLAG, "false", ("SDKEEP_DEBUG",), "show the traceback of an error", Scope.OUTSIDE),
    Variable(
        "civitai_token", Type.SECRET, "", ("SDKEEP_CIVITAI_TOKEN", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN"),
        "the account at Civitai; `sdkeep auth login civitai` stores one instead", Scope.OUTSIDE,
    ),
    Variable(
        "hf_token", Type.SECRET, "", ("SDKEEP_HF_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        "the account at Hugging Face; `sdkeep auth login huggingface` stores one instead", Scope.OUTSIDE,
    ),
    Variable(
        "hf_home", Type.PATH, "", ("HF_HOME",), "folder where Hugging Face's own tools keep a token", Scope.OUTSIDE,
        shown="`~/.cache/huggingface`",
    ),
)  # fmt: skip

BY_NAME: dict[str, Variable] = {variable.name: variable for variable in VARIABLES}


def named(name: str) -> Variable | None:
    """The row called `name` (dashes forgiven), or None."""
    return BY_NAME.get(name.strip().lower().replace("-", "_"))


def nearest(name: str) -> str:
    """The known name that looks most like `name`, empty when none does."""
    close = get_close_matches(name.strip().lower().replace("-", "_"), BY_NAME, n=1)
    return close[0] if close else ""
