"""A query in Civitai's words, and the filters that Civitai leaves to us."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sdkeep.formats import bases
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Family, Format, NsfwLevel, Role
from sdkeep.ground.licence import Use
from sdkeep.ground.model import Model, Query, Release
from sdkeep.hubs.choose import is_for, key
from sdkeep.hubs.civitai import words

Params = list[tuple[str, str]]
_PAGE = 100


def parameters(query: Query) -> Params:
    """The query string of `models`. `types` and `baseModels` are repeated; the page number is never used."""
    found: Params = []
    if query.text:
        found.append(("query", query.text))
    if query.kind is not None:
        types = words.TYPES.get(query.kind)
        if types is None:
            raise UsageError(f"Civitai has no models of the kind `{query.kind}`", "", _choices(map(str, words.TYPES)))
        found += [("types", name) for name in types]
    found += [("baseModels", name) for name in _bases(query.base)]
    named = {"tag": query.tag, "username": query.creator}
    found += [(name, value) for name, value in named.items() if value]
    if query.sort:
        found.append(("sort", _one_of(query.sort, words.SORTS, "order")))
    if query.period:
        found.append(("period", _one_of(query.period, words.PERIODS, "period")))
    if query.merged is not None:
        found.append(("checkpointType", "Merge" if query.merged else "Trained"))
    found.append(("nsfw", "true" if query.level is not NsfwLevel.PG else "false"))
    wanted = query.limit * (3 if _picky(query) else 1)
    return [*found, ("limit", str(max(1, min(_PAGE, wanted))))]


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which of the answered models a query really means: Civitai filters late, or not at all.

    Whether a model is a merge is asked for and not answered, so here only a statement of the contrary counts.
    """

    query: Query
    use: Use | None

    @classmethod
    def of(cls, query: Query) -> Sieve:
        """The sieve of `query`; raises `UsageError` for a permission that nobody can grant."""
        if not query.permission:
            return cls(query, None)
        return cls(query, Use(_one_of(query.permission, tuple(Use), "permission")))

    def keeps(self, model: Model) -> bool:
        """Whether `model` is meant: one of its releases must pass everything that is asked."""
        query = self.query
        if query.kind is not None and model.kind is not query.kind and not self._of_kind(model):
            return False
        return any(self._passes(release) for release in model.releases) or (not model.releases and not _picky(query))

    def _of_kind(self, model: Model) -> bool:
        return any(release.kind is self.query.kind for release in model.releases)

    def _passes(self, release: Release) -> bool:
        query = self.query
        return (
            release.level.rank <= query.level.rank
            and (query.merged is None or release.merged in (None, query.merged))
            and (not query.base or is_for(release, query.base))
            and (query.format is None or _has_format(release, query.format))
            and (self.use is None or release.licence.allows.get(self.use) is True)
            and (not query.tag or key(query.tag) in map(key, release.tags) or not release.tags)
            and (not query.creator or key(query.creator) == key(release.creator))
        )


def _bases(word: str) -> tuple[str, ...]:
    """Civitai's names for what `word` means: all of a family, else the one it spells, else the word itself."""
    family = Family.of(word)
    of_family = tuple(
        name for name in bases.names() if family is not Family.UNKNOWN and bases.family_of(name) is family
    )
    known = bases.named(word)
    return of_family or ((known.name,) if known else (word,) if word else ())


def _has_format(release: Release, wanted: Format) -> bool:
    extras = (Role.VAE, Role.CONFIG, Role.TRAINING_DATA)
    return any(file.format is wanted for file in release.files if file.role not in extras)


def _picky(query: Query) -> bool:
    return bool(query.format or query.permission or query.merged is not None)


def _one_of(text: str, choices: Sequence[str], what: str) -> str:
    """The choice that `text` spells, however it is written."""
    by_key = {key(choice): choice for choice in choices}
    found = by_key.get(key(text))
    if found is None:
        near = get_close_matches(key(text), by_key, 1)
        hint = f"did you mean `{by_key[near[0]]}`? " if near else ""
        raise UsageError(f"`{text}` is no {what} that Civitai knows", "", hint + _choices(choices))
    return found


def _choices(choices: Iterable[str]) -> str:
    return "choose one of " + ", ".join(choices)
