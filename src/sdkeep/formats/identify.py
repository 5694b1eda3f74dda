"""What a model file is, from its tensor names and shapes alone: kind, family, variant, precision, and why we think so.

The rules are data (`signatures.toml`); this module asks them in order: small files, then adapters, which repeat the
names of the model they change, then models. Where structure does not decide, the family stays unknown and the
evidence says which ones share the structure. Metadata is reported beside it as claims and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sdkeep.formats.contents import Contents
from sdkeep.formats.identity import adapters
from sdkeep.formats.identity.adapters import Delta
from sdkeep.formats.identity.conditions import holding
from sdkeep.formats.identity.index import Index
from sdkeep.formats.identity.numbers import tally
from sdkeep.formats.identity.signatures import Rule, Signatures, signatures
from sdkeep.formats.metadata import claims
from sdkeep.ground.identity import Confidence, Identity
from sdkeep.ground.kinds import Family, Kind, Precision

_ENOUGH = 0.5
_NEARLY_ALL = 0.8
_EVIDENCE = 6


def identify(contents: Contents) -> Identity:
    """The identity of a file that was read; never raises, whatever its tensors are called and how they are shaped."""
    rules = signatures()
    index = Index(contents.tensors, rules.wrappers)
    precision, parameters = tally(contents.tensors)
    roots = ("", *(root for root in rules.roots if root[:-1] in index.paths))
    found = _structure(index, rules, roots, contents) if len(index) else Identity()
    quantised = next((kind for kind, when in rules.quantised if holding(when, index, "") is not None), None)
    return replace(
        found,
        format=contents.container.file_format,
        precision=quantised or precision,
        parameters=parameters * 2 if quantised in (Precision.NF4, Precision.INT4) else parameters,
        evidence=found.evidence[:_EVIDENCE],
        claims=claims(contents.metadata),
    )


def _structure(index: Index, rules: Signatures, roots: tuple[str, ...], contents: Contents) -> Identity:
    for identity in _answers(rules.early, rules.alone, index, roots, contents):
        return identity
    delta = rules.reader.read(index)
    if delta is not None and delta.share >= _ENOUGH:
        return _adapter(delta, rules)
    for identity in _answers(rules.structures, rules.alone, index, roots, contents):
        return _assembled(identity, index, rules)
    return Identity()


def _answers(
    rules: Iterable[Rule], alone: frozenset[str], index: Index, roots: tuple[str, ...], contents: Contents
) -> Iterator[Identity]:
    """The identities that rules give, in their order."""
    for rule in rules:
        if rule.formats and contents.container.file_format not in rule.formats:
            continue
        for root in roots:
            evidence = holding(rule.when, index, root)
            if evidence is not None and (rule.kind not in alone or index.share(root) >= _NEARLY_ALL):
                yield _answer(rule, index, root, evidence)


def _answer(rule: Rule, index: Index, root: str, evidence: tuple[str, ...]) -> Identity:
    family, sure = rule.family, rule.sure
    if rule.measured:
        measured = rule.measured(index, root)
        if measured:
            family = rule.families.get(measured[0], Family.UNKNOWN)
            evidence = (*evidence, *({measured[1]} - set(evidence)))
        if family is Family.UNKNOWN and sure is Confidence.CERTAIN:
            sure = Confidence.LIKELY
    if rule.exception and holding(rule.exception[1], index, root) is not None:
        family = rule.exception[0]
    variant = next((name for name, when in rule.variants if holding(when, index, root) is not None), rule.variant)
    return Identity(
        kind=Kind.of(rule.kind) if rule.kind != "model" else Kind.DIFFUSION_MODEL,
        family=family,
        variant=variant,
        components=(rule.part,) if rule.part else (),
        confidence=sure,
        evidence=(*evidence, rule.note) if rule.note else evidence,
    )


def _assembled(identity: Identity, index: Index, rules: Signatures) -> Identity:
    """A model with its text encoder or autoencoder in one file is a checkpoint."""
    if identity.kind is not Kind.DIFFUSION_MODEL:
        return identity
    beside = [name for name, when in rules.components if holding(when, index, "") is not None]
    whole = any(name == "vae" or name.startswith("text-encoder") for name in beside)
    kind = Kind.CHECKPOINT if whole else Kind.DIFFUSION_MODEL
    return replace(identity, kind=kind, components=(*identity.components, *beside))


def _adapter(delta: Delta, rules: Signatures) -> Identity:
    kind = Kind.LORA if delta.algorithm in rules.plain else Kind.LYCORIS
    for rule in rules.adapters:
        evidence = adapters.holding(rule.when, delta)
        if evidence is None:
            continue
        if rule.kind:
            return Identity(kind=Kind.of(rule.kind), evidence=(*evidence, rule.note))
        return Identity(
            kind=kind,
            family=rule.family,
            variant=rule.variant,
            components=delta.components,
            algorithm=delta.algorithm,
            rank=delta.rank,
            confidence=rule.sure,
            evidence=(*evidence, rule.note) if rule.note else evidence,
        )
    return Identity(evidence=("an adapter for modules that no known image model has",))
