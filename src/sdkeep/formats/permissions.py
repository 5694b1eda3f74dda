"""What may be done with a file once everything it was made from is counted. Pure: holders in, an answer out.

The strictest holder decides. A refusal anywhere is a no; a holder whose licence is not known, does not say, or is only
guessed at makes it unknown; only when every holder agrees is it a yes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sdkeep.formats.licences import Terms, terms_of
from sdkeep.ground.licence import Allowed, Licence, Permission, Use


class Standing(StrEnum):
    """How sure it is that a holder is an ancestor at all."""

    PROVED = "proved"
    CLAIMED = "claimed"
    ONE_OF = "one-of"


@dataclass(frozen=True, slots=True)
class Holder:
    """A file or model whose licence counts: the file itself or an ancestor.

    `claimed` by a bare name or a hash too short to trust, it can forbid and never allow; as `one-of` several files that
    share a hash it can do neither. `inherits` says that it is its parent in another form and needs no licence of its
    own. `gap` says in a sentence what is not known of where it came from.
    """

    name: str
    licence: Licence | None = None
    standing: Standing = Standing.PROVED
    inherits: bool = False
    gap: str = ""


DONE: dict[Use, str] = {
    Use.SELL_PICTURES: "selling pictures made with it",
    Use.SELL_MODEL: "selling the model",
    Use.SERVE: "running it as a service",
    Use.MERGE: "merging it and training on it",
    Use.RELICENSE: "passing it on under other terms",
    Use.NO_CREDIT: "leaving out the credit",
}
"""Each use in words that complete "allows ..."."""


def effective(use: Use, own: Holder, ancestors: Iterable[Holder] = ()) -> Permission:
    """Whether `use` of a file is allowed, given its own licence and those of everything it was made from."""
    holders = (own, *ancestors)
    said = [sentence for holder in holders for sentence in _says(use, holder)]
    for answer in (Allowed.NO, Allowed.UNKNOWN, Allowed.YES):
        told = [sentence for sentence in said if sentence.answer is answer]
        if told:
            by = tuple(dict.fromkeys(sentence.name for sentence in told if sentence.name))
            come = () if answer is Allowed.NO else conditions(holders)
            return Permission(use, answer, _grouped(told), come, by)
    return Permission(use, Allowed.UNKNOWN, ("no licence is recorded",))


def conditions(holders: Iterable[Holder]) -> tuple[str, ...]:
    """The use restrictions that pass on from these holders to whatever is made of them, a sentence for each licence."""
    passed: dict[str, list[str]] = {}
    for holder in holders:
        terms = terms_of(holder.licence) if holder.licence else Terms()
        if terms.restrictions:
            passed.setdefault(terms.name, []).append(holder.name)
    return tuple(
        f"the use restrictions of {licence} ({_names(names)}) hold, and must be passed on"
        for licence, names in passed.items()
    )


@dataclass(frozen=True, slots=True)
class _Sentence:
    answer: Allowed
    name: str
    text: str


def _says(use: Use, holder: Holder) -> Iterable[_Sentence]:
    if holder.gap:
        yield _Sentence(Allowed.UNKNOWN, "", holder.gap)
    if holder.licence is None:
        if not holder.inherits:
            yield _Sentence(Allowed.UNKNOWN, holder.name, "no licence is known")
        return
    terms = terms_of(holder.licence)
    what, licence = DONE[use], terms.name or "its licence"
    allowed = terms.allows.get(use)
    if holder.standing is Standing.ONE_OF:
        yield _Sentence(Allowed.UNKNOWN, holder.name, "only one of several files with the same label is the parent")
    elif allowed is False:
        yield _Sentence(Allowed.NO, holder.name, f"{licence} does not allow {what}")
    elif allowed is None:
        depends = terms.depends.get(use)
        says = f"{licence} lets {what} depend on {depends}" if depends else f"{licence}: {what} is left open"
        yield _Sentence(Allowed.UNKNOWN, holder.name, says)
    elif holder.standing is Standing.CLAIMED:
        yield _Sentence(Allowed.UNKNOWN, holder.name, "it is named as a parent by a label that proves nothing")
    else:
        yield _Sentence(Allowed.YES, holder.name, f"{licence} allows {what}")


def _grouped(sentences: Sequence[_Sentence]) -> tuple[str, ...]:
    """One line for each different thing said, with everyone it is said of."""
    names: dict[str, list[str]] = {}
    for sentence in sentences:
        names.setdefault(sentence.text, []).append(sentence.name)
    return tuple(f"{_names(who)}: {text}" if any(who) else text for text, who in names.items())


def _names(names: Sequence[str]) -> str:
    told = list(dict.fromkeys(name for name in names if name))
    more = len(told) - _MOST_NAMES
    return ", ".join(f"`{name}`" for name in told[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


_MOST_NAMES = 4
