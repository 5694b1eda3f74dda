"""The published JSON Schemas, and documents held against them more strictly than a reader should: no unknown key."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas"


def validate(verb: str, document: str | dict[str, object]) -> dict[str, object]:
    """The document of one run of `verb` (`"ui ls"`), parsed where it is text; an AssertionError lists what is wrong.

    A mistake that was found before any verb ran has the verb `""`.
    """
    found = json.loads(document, parse_constant=_no_number) if isinstance(document, str) else document
    errors = [_told(error) for error in _validator(verb).iter_errors(found)]
    assert not errors, f"the document of `{verb}` breaks its schema:\n" + "\n".join(errors)
    return dict(found)


def schema_file(verb: str) -> Path:
    """Where the schema of a verb is published; `""` means the envelope that all share."""
    return FOLDER / f"{verb.replace(' ', '-') or 'envelope'}.json"


@cache
def _validator(verb: str) -> Draft202012Validator:
    text = schema_file(verb).read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    return Draft202012Validator(json.loads(text, object_hook=_closed))


def _closed(schema: dict[str, object]) -> dict[str, object]:
    """A schema of an object, closed to keys that it does not name."""
    if schema.get("type") == "object" and "properties" in schema:
        return {"additionalProperties": False} | schema
    return schema


def _told(error: ValidationError) -> str:
    """What is wrong and where, as deep inside alternatives as it can be said."""
    deepest = best_match([error]) or error
    return f"{deepest.json_path}: {deepest.message[:300]}"


def _no_number(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")
