"""`signatures.toml`, read once and compiled."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sdkeep.formats.identity.adapters import ModuleTest, Reader, Suffix, compile_modules
from sdkeep.formats.identity.conditions import Condition, compile_all, readings
from sdkeep.formats.identity.index import Index
from sdkeep.ground.identity import Confidence
from sdkeep.ground.kinds import Family, Format, Precision

Table = Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One answer and when it is given. `measured` finds the family from a dimension through `families`."""

    kind: str
    family: Family
    variant: str
    part: str
    note: str
    sure: Confidence
    formats: frozenset[Format]
    when: tuple[Condition, ...]
    measured: Callable[[Index, str], tuple[int, str] | None] | None
    families: Mapping[int, Family]
    variants: tuple[tuple[str, tuple[Condition, ...]], ...]
    exception: tuple[Family, tuple[Condition, ...]] | None


@dataclass(frozen=True, slots=True, eq=False)
class AdapterRule:
    """Which model an adapter is for, by the modules it changes. `kind` is empty for every adapter there is."""

    kind: str
    family: Family
    variant: str
    note: str
    sure: Confidence
    when: tuple[ModuleTest, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Signatures:
    """Everything in the file, in its order."""

    wrappers: tuple[str, ...]
    roots: tuple[str, ...]
    alone: frozenset[str]
    early: tuple[Rule, ...]
    structures: tuple[Rule, ...]
    adapters: tuple[AdapterRule, ...]
    reader: Reader
    plain: frozenset[str]
    components: tuple[tuple[str, tuple[Condition, ...]], ...]
    quantised: tuple[tuple[Precision, tuple[Condition, ...]], ...]


@cache
def signatures() -> Signatures:
    """The compiled rules; the first call reads the file."""
    return compiled(tomllib.loads(files("sdkeep.formats").joinpath("signatures.toml").read_text("utf-8")))


def compiled(tables: Table) -> Signatures:
    """Rules from parsed tables; raises ValueError or KeyError where they are misspelt."""
    names = {name: _words(keys) for name, keys in _table(tables["names"]).items()}
    widths = {
        name: {int(width): _family(family) for width, family in _table(table).items()}
        for name, table in _table(tables["widths"]).items()
    }
    adapters = _table(tables["adapters"])
    suffixes = [
        Suffix(_word(t, "match"), tuple(_words(t["hints"])), _word(t, "part"), _word(t, "algorithm"))
        for t in _tables(tables, "suffix")
    ]
    return Signatures(
        tuple(_words(tables["wrappers"])),
        tuple(_words(tables["roots"])),
        frozenset(_words(tables["alone"])),
        tuple(_rule(table, names, widths) for table in _tables(tables, "early")),
        tuple(_rule(table, names, widths) for table in _tables(tables, "structure")),
        tuple(_adapter(table) for table in _tables(tables, "adapter")),
        Reader(suffixes, _words(adapters["prefixes"]), _word(adapters, "towers")),
        frozenset(_words(adapters["plain"])),
        tuple((_word(t, "name"), _when(t, names)) for t in _tables(tables, "component")),
        tuple((Precision(_word(t, "precision")), _when(t, names)) for t in _tables(tables, "quantised")),
    )


def _rule(table: Table, names: Mapping[str, Sequence[str]], widths: Mapping[str, Mapping[int, Family]]) -> Rule:
    exception = _table(table["only"]) if "only" in table else None
    return Rule(
        _word(table, "kind"),
        _family(table.get("family", "unknown")),
        _word(table, "variant"),
        _word(table, "part"),
        _word(table, "note"),
        Confidence(_word(table, "sure") or "certain"),
        frozenset(Format(word) for word in _words(table.get("formats", []))),
        _when(table, names),
        readings(_word(table, "family_by"), names) if "family_by" in table else None,
        widths[_word(table, "families")] if "families" in table else {},
        tuple((_word(t, "name"), _when(t, names)) for t in _tables(table, "variants")),
        (_family(exception["family"]), _when(exception, names)) if exception else None,
    )


def _adapter(table: Table) -> AdapterRule:
    return AdapterRule(
        _word(table, "kind"),
        _family(table.get("family", "unknown")),
        _word(table, "variant"),
        _word(table, "note"),
        Confidence(_word(table, "sure") or "certain"),
        compile_modules(_words(table["when"])),
    )


def _when(table: Table, names: Mapping[str, Sequence[str]]) -> tuple[Condition, ...]:
    return compile_all(_words(table["when"]), names)


def _family(value: object) -> Family:
    return Family(str(value))


def _word(table: Table, key: str) -> str:
    return str(table.get(key, ""))


def _words(value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return [str(item) for item in value]


def _table(value: object) -> Table:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no table")
    return value


def _tables(table: Table, key: str) -> list[Table]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is no list of tables")
    return [_table(item) for item in value]
