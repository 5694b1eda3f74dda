"""The published JSON Schemas, and documents held against them more strictly than a reader should: no unknown key."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas"


def validate(verb: str, document: str | dict[str, object]) -> dict[str, object]:
    """The document of one run of `verb` (`"ui ls"`), parsed where it is text; an AssertionError lists what is wrong.

    A mistake that was found before any verb ran has the verb `""`.
    """
    found = json.loads(document, parse_constant=_no_number) if isinstance(document, str) else document
    errors = [f"{error.json_path}: {error.message[:300]}" for error in _validator(verb).iter_errors(found)]
    assert not errors, f"the document of `{verb}` breaks its schema:\n" + "\n".join(errors)
    return dict(found)


def schema_file(verb: str) -> Path:
    """Where the schema of a verb is published; `""` means the envelope that all share."""
    return FOLDER / f"{verb.replace(' ', '-') or 'envelope'}.json"


@cache
def _validator(verb: str) -> Draft202012Validator:
    schema = json.loads(schema_file(verb).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(_closed(schema))


def _closed(schema: object) -> object:
    """The same schema with every object closed to keys that it does not name."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def _no_number(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")
