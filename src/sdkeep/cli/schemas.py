"""What each verb answers under `--json`, as JSON Schemas: the counterpart of `jsonable`, type for value.

The reference pages are made from this table and the tests hold documents against it. No command imports it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import TypedDict, Union, get_args, get_origin, get_type_hints, is_typeddict

from sdkeep.actions.adapters import MadeAdapter
from sdkeep.actions.add import Added
from sdkeep.actions.allowing import Decision
from sdkeep.actions.audit import Audit
from sdkeep.actions.auth import LoggedIn, LoggedOut
from sdkeep.actions.configure import Setting
from sdkeep.actions.convert import Converted
from sdkeep.actions.database import BackedUp, Upgraded
from sdkeep.actions.dedupe import Deduped
from sdkeep.actions.doctor import Check
from sdkeep.actions.du import Usage
from sdkeep.actions.eject import Ejected
from sdkeep.actions.generate import Generated
from sdkeep.actions.get import Got
from sdkeep.actions.licences import LicenceAudit
from sdkeep.actions.lineage import Lineage
from sdkeep.actions.listing import Listing, Pictures
from sdkeep.actions.lock import Locked
from sdkeep.actions.locked import Matching
from sdkeep.actions.merge import MergedFile, Pair
from sdkeep.actions.outdated import Outdated, Pinned
from sdkeep.actions.pictures import FromImage
from sdkeep.actions.placing import Placed
from sdkeep.actions.rebuild import Rebuilt
from sdkeep.actions.recipes import Again, CheckedRecipe, MethodAnswer, ShownRecipe
from sdkeep.actions.relabel import Relabelled
from sdkeep.actions.removing import Removed, Swept, Unplaced
from sdkeep.actions.scan import Scanned
from sdkeep.actions.search import Hit
from sdkeep.actions.show import ShownArtifact, ShownFile, ShownModel, ShownPicture
from sdkeep.actions.sync import Synced
from sdkeep.actions.twins import Twin
from sdkeep.actions.uis import Detected, KnownLayout, Registered
from sdkeep.actions.update import Update
from sdkeep.actions.verify import Checked
from sdkeep.cli.frame import SCHEMA
from sdkeep.cli.jsonable import HIDDEN
from sdkeep.demo.tour import Toured
from sdkeep.ground.digest import Digest
from sdkeep.ground.record import Trashed, Ui
from sdkeep.settings.tokens import TokenStatus

Schema = dict[str, object]


class FileAt(TypedDict):
    """Where a file of sdkeep's own lies or would lie."""

    path: str
    exists: bool


ANSWERS: dict[str, object] = {
    "search": list[Hit],
    "get": list[Got] | FromImage,
    "show": list[ShownArtifact | ShownFile | ShownModel | ShownPicture | Relabelled],
    "lineage": list[Lineage],
    "ls": Listing | Pictures,
    "add": list[Added],
    "sync": Synced | Matching,
    "outdated": Outdated,
    "pin": list[Pinned],
    "unpin": list[Pinned],
    "update": list[Update],
    "scan": list[Scanned],
    "audit": Audit | LicenceAudit,
    "allow": list[Decision],
    "convert": list[Converted],
    "generate": Generated,
    "merge": MergedFile | list[Pair] | Again,
    "recipe show": list[ShownRecipe],
    "recipe check": list[CheckedRecipe],
    "recipe methods": list[MethodAnswer],
    "lora extract": MadeAdapter,
    "lora resize": MadeAdapter,
    "lora merge": MadeAdapter,
    "lora convert": MadeAdapter,
    "embedding merge": MadeAdapter,
    "verify": list[Checked],
    "place": list[Placed],
    "unplace": list[Unplaced],
    "rm": list[Removed],
    "restore": list[Trashed],
    "lock": Locked,
    "dedupe": Deduped | list[Ejected] | list[Twin],
    "eject": list[Ejected],
    "du": Usage,
    "gc": list[Swept],
    "doctor": list[Check],
    "demo": Toured,
    "ui add": Registered,
    "ui ls": list[Registered | KnownLayout],
    "ui rm": Ui,
    "ui detect": list[Detected],
    "auth login": LoggedIn,
    "auth logout": LoggedOut,
    "auth status": list[TokenStatus],
    "config list": list[Setting],
    "config get": Setting,
    "config set": Setting,
    "config unset": Setting,
    "config path": FileAt,
    "db path": FileAt,
    "db upgrade": Upgraded,
    "db backup": BackedUp,
    "db rebuild": Rebuilt,
}
"""The type of `data` by verb; it is null where the verb as a whole failed."""

_PLAIN: dict[object, str] = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}
_ERROR: Schema = {
    "type": "object",
    "description": "One thing that went wrong: for which reference, and in three parts.",
    "properties": {name: {"type": "string"} for name in ("ref", "code", "what", "why", "next")},
    "required": ["ref", "code", "what", "why", "next"],
}


def envelope(verb: str | None = None) -> Schema:
    """The schema of one verb's document; without a verb, what all documents share."""
    definitions: dict[str, Schema] = {"Error": _ERROR}
    data: Schema = {} if verb is None else {"anyOf": [_schema(ANSWERS[verb], definitions), {"type": "null"}]}
    properties: dict[str, Schema] = {
        "schema": {"const": SCHEMA},
        "verb": {"type": "string"} if verb is None else {"const": verb},
        "ok": {"type": "boolean", "description": "Whether the exit status is 0."},
        "data": data,
        "errors": {"type": "array", "items": {"$ref": "#/$defs/Error"}},
        "warnings": {"type": "array", "items": {"type": "string"}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sdkeep --json" if verb is None else f"sdkeep {verb} --json",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


def _schema(hint: object, definitions: dict[str, Schema]) -> Schema:
    """The schema of a type hint; classes are described once, in `definitions`."""
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, type) and get_origin(hint) is None:
        return _class(hint, definitions)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _either([_schema(one, definitions) for one in arguments])
    if origin is tuple and arguments[-1] is not Ellipsis:
        parts = [_schema(one, definitions) for one in arguments]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
    if origin in (list, tuple, set, frozenset):
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin in (dict, Mapping):
        key, value = arguments
        named = {} if key is str else {"propertyNames": _schema(key, definitions)}
        return {"type": "object", **named, "additionalProperties": _schema(value, definitions)}
    raise TypeError(f"{hint} has no JSON form")


def _either(choices: list[Schema]) -> Schema:
    if all(set(choice) == {"type"} for choice in choices):
        return {"type": [choice["type"] for choice in choices]}
    return {"anyOf": choices}


def _class(kind: type, definitions: dict[str, Schema]) -> Schema:
    if issubclass(kind, Path):
        return {"type": "string"}
    if issubclass(kind, Digest):
        return {"type": "string", "pattern": "^[a-z0-9]+:[0-9a-f]+$"}
    about: Schema = {"description": inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = about  # before its fields, which may name it again
        definitions[kind.__name__] = about | _body(kind, definitions)
    if definitions[kind.__name__]["description"] != about["description"]:
        raise TypeError(f"two classes are called {kind.__name__}")
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _body(kind: type, definitions: dict[str, Schema]) -> Schema:
    if issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if not (is_dataclass(kind) or is_typeddict(kind)):
        raise TypeError(f"{kind.__name__} has no JSON form")
    hints = get_type_hints(kind, localns={"Placed": Placed})  # the merge's answer loads it only when it is met
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(hints)
    shown = [name for name in names if name not in HIDDEN]
    properties = {name: _schema(hints[name], definitions) for name in shown}
    return {"type": "object", "properties": properties, "required": shown}
