"""The acts of one pickle held against the policy. Each act that is not plainly allowed becomes a ruling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sdkeep.audit.checks import CHECKS, STATE_CHECKS, Bench, Exhausted, named, plain_state, storage
from sdkeep.audit.policy import NOBODY, Allowed, Deed, Level, Rule, fits
from sdkeep.audit.ruling import Ruling, dangerous, note, suspicious, warning
from sdkeep.formats.pickled.budget import Budget
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.render import quiet_name, render
from sdkeep.formats.pickled.values import (
    CallNode,
    DictNode,
    Event,
    EventKind,
    GlobalNode,
    ListNode,
    PersistentNode,
    Problem,
    Reading,
    TupleNode,
    UnknownNode,
    Value,
)
from sdkeep.ground.verdict import Allowance, Outcome, Severity

_NESTED_BUDGET = Budget(opcodes=200_000, seconds=2.0)
_NESTED_MOST = 16 << 20
_NESTED_DEPTH = 3
_MOST_CHARGES = 100
_PRICE = 10  # steps that a charge costs
_RECONSTRUCTOR = "copyreg._reconstructor"
_CALLS = {"REDUCE": Deed.CALL, "INST": Deed.CALL, "OBJ": Deed.CALL, "NEWOBJ": Deed.NEW, "NEWOBJ_EX": Deed.NEW}
_FILLS = {
    "BUILD": Deed.BUILD, "APPEND": Deed.ITEMS, "APPENDS": Deed.ITEMS, "ADDITEMS": Deed.ITEMS,
    "SETITEM": Deed.PAIRS, "SETITEMS": Deed.PAIRS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pickle lies: its container member, its start in that member and in the file (None inside compression)."""

    member: str = ""
    start: int = 0
    file_start: int | None = 0


@dataclass(slots=True)
class _Charge:
    """A ruling, the first act that earned it, and how many more did."""

    ruling: Ruling
    event: Event
    more: int = 0


@dataclass(frozen=True, slots=True)
class Court:
    """What one pickle is judged by: the bench, names that people have allowed, names that never reach Python."""

    bench: Bench
    allowed: Allowed = field(default_factory=lambda: NOBODY)
    ignored: tuple[str, ...] = ()
    depth: int = 0

    def judge(self, reading: Reading, place: Place) -> list[Ruling]:
        """Every ruling on one pickle, each kind once with the number of its repetitions, and its problems."""
        found: dict[tuple[str, str, str], _Charge] = {}
        rest: list[Ruling] = []
        blameless: set[str] = set()  # names whose mention is no ruling: a checkpoint mentions a few, thousands of times
        try:
            for event in reading.events:
                self.bench.spend()
                name = _mentioned(event)
                if name in blameless:
                    continue
                rulings = [_softened(one) if event.astray else one for one in self._on(event)]
                for ruling in rulings:
                    self._charge(found, ruling, event)
                if name and not rulings:
                    blameless.add(name)
        except Exhausted:
            rest.append(warning(Outcome.INCONCLUSIVE, "budget-judging", "the pickle does more than sdkeep judges"))
        for charge in found.values():
            rest.append(_placed(charge, place))
            if charge.ruling.outcome is Outcome.DANGEROUS and charge.event.kind is EventKind.CALL:
                rest.extend(self._nested(charge.event, place))
        return rest + [_problem(problem, place) for problem in reading.problems]

    def _charge(self, found: dict[tuple[str, str, str], _Charge], ruling: Ruling, event: Event) -> None:
        self.bench.spend(_PRICE)
        target = ruling.target
        subject = target.dotted if isinstance(target, GlobalNode) else type(target).__name__
        key = (ruling.finding.rule, subject, event.opcode)
        if key in found:
            found[key].more += 1
        elif len(found) < _MOST_CHARGES + (_MOST_CHARGES if ruling.outcome is Outcome.DANGEROUS else 0):
            found[key] = _Charge(ruling, event)

    def _on(self, event: Event) -> Iterator[Ruling]:
        if event.kind is EventKind.EXTENSION:
            yield dangerous(
                "extension-code", "an extension code stands for whatever name the loading process gave it", event.target
            )
        elif event.kind is EventKind.PERSISTENT:
            why = storage(event.args, self.bench)
            if why:
                yield suspicious("persistent-id", f"a persistent id is handed to the loader: {why}", event.target)
        elif event.kind is EventKind.IMPORT:
            yield from self._mention(event.target)
        elif event.kind is EventKind.CALL:
            yield from self._call(event)
        else:
            yield from self._fill(event)

    def _mention(self, target: Value) -> Iterator[Ruling]:
        if not isinstance(target, GlobalNode):
            yield dangerous("hidden-name", "the name of what is imported is worked out while loading", target)
            return
        rule = self._rule(target)
        if rule is None:
            return
        if target.dotted in self.allowed:
            yield note("allowed-by-user", _decision(self.allowed[target.dotted]), target)
        elif rule.level is Level.INERT:
            yield note("inert-name", rule.why, target)
        elif rule.level is Level.UNKNOWN:
            yield self._unknown(target)
        elif rule.level is Level.OBJECT:
            yield suspicious("whole-object", rule.why, target)

    def _unknown(self, target: GlobalNode) -> Ruling:
        danger = self.bench.policy.danger(target.dotted)
        if danger:
            return dangerous("dangerous-name", danger.why, target, danger.advisories)
        if "." in target.name:
            why = "a dotted name walks through a module to something that the module does not offer"
            return dangerous("dotted-name", why, target, ("GHSA-5j3x-jp52-966f",))
        return suspicious("unknown-name", "no tensor needs this name", target)

    def _call(self, event: Event) -> Iterator[Ruling]:
        target, deed, arguments = _behind(event.target), _CALLS[event.opcode], _arguments(event)
        if not isinstance(target, GlobalNode):
            yield dangerous("call-of-result", _uncertain(target), target)
            return
        rule = self._rule(target)
        if rule is None or target.dotted in self.allowed:
            return
        if rule.level is Level.UNKNOWN:
            yield self._unknown_act(target, "is called")
        elif deed not in rule.allows:
            yield self._unusual(rule, target, "no honest file calls this name in this way")
        elif arguments is None:
            yield suspicious("unusual-arguments", "its arguments are no tuple of values", target)
        else:
            why = CHECKS[rule.check](arguments, self.bench)
            if why:
                yield suspicious("unusual-arguments", why, target, rule.advisories)
            elif named(target) == _RECONSTRUCTOR and isinstance(arguments[0], GlobalNode):
                yield from self._made(arguments[0])

    def _unusual(self, rule: Rule, target: GlobalNode, why: str) -> Ruling:
        if rule.level is Level.OBJECT:
            return self._unknown_act(target, "is called")
        return suspicious("unusual-act", why, target, rule.advisories)

    def _made(self, class_: GlobalNode) -> Iterator[Ruling]:
        """The class that copyreg's reconstructor would make an object of."""
        rule = self._rule(class_)
        if rule is None or class_.dotted in self.allowed or Deed.NEW in rule.allows:
            return
        yield self._unknown_act(class_, "is made an object of")

    def _unknown_act(self, target: GlobalNode, act: str) -> Ruling:
        danger = self.bench.policy.danger(target.dotted)
        if danger:
            return dangerous("dangerous-call", danger.why, target, danger.advisories)
        return dangerous("unknown-call", f"an unknown name {act}; what it does is not known", target)

    def _fill(self, event: Event) -> Iterator[Ruling]:
        target, deed = _behind(event.target), _FILLS[event.opcode]
        if not isinstance(target, CallNode):
            yield (dangerous if isinstance(target, GlobalNode | UnknownNode) else suspicious)(
                "foreign-target",
                "something is changed that is neither a container nor an object of this pickle",
                target,
            )
            return
        maker = _maker(target)
        if not isinstance(maker, GlobalNode):
            yield dangerous("call-of-result", _uncertain(maker), maker)
            return
        rule = self._rule(maker)
        if rule is None or maker.dotted in self.allowed:
            return
        if rule.level is Level.UNKNOWN:
            yield self._unknown_act(maker, "is given a state" if deed is Deed.BUILD else "is given items")
        elif deed not in rule.allows:
            yield self._unusual(rule, maker, "no honest file changes such a value")
        elif deed is Deed.BUILD:
            why = STATE_CHECKS.get(rule.check, plain_state)(event.args, self.bench, target)
            if why:
                yield suspicious("unusual-state", why, maker)

    def _rule(self, target: Value) -> Rule | None:
        """What is allowed for a name; None for one that never reaches Python."""
        key = named(target)
        return None if self.ignored and fits(key, self.ignored) else self.bench.policy.rule(key)

    def _nested(self, event: Event, place: Place) -> Iterator[Ruling]:
        """Pickles inside the bytes that a dangerous call is given, read for evidence."""
        if self.depth >= _NESTED_DEPTH:
            return
        inner = replace(self, depth=self.depth + 1)
        for raw in _byte_strings(event.args):
            if self.bench.nested <= 0:
                return
            reading = read_pickle(raw, budget=_NESTED_BUDGET)
            self.bench.nested -= reading.opcodes + 1
            if reading.events:
                where = Place(f"{place.member}!{place.start + event.offset}", 0, None)
                yield from inner.judge(replace(reading, problems=()), where)


def _softened(ruling: Ruling) -> Ruling:
    """A ruling on what only a loader does that is not joblib: a known danger stays one, the rest decides nothing."""
    if ruling.outcome.rank < Outcome.SUSPICIOUS.rank or ruling.finding.rule.startswith("dangerous-"):
        return ruling
    why = "joblib finds an array of objects here and nothing that runs; another loader would be led to this name"
    finding = replace(ruling.finding, rule="array-astray", severity=Severity.WARNING, why=why)
    return Ruling(Outcome.INCONCLUSIVE, finding, ruling.target)


def _mentioned(event: Event) -> str:
    """The name that an import is of, empty for any other act."""
    return event.target.dotted if event.kind is EventKind.IMPORT and isinstance(event.target, GlobalNode) else ""


def _decision(allowance: Allowance) -> str:
    who = f" by {allowance.by}" if allowance.by else ""
    when = f" on {allowance.at[:10]}" if allowance.at else ""
    reason = f": {allowance.reason}" if allowance.reason else ""
    return f"allowed for this very file{who}{when}{reason}"


def _uncertain(target: Value) -> str:
    if isinstance(target, CallNode):
        return "the result of a call is called in turn"
    return "something is called that is no name of this pickle"


def _maker(call: CallNode) -> Value:
    """What made an object: its class where copyreg's reconstructor was told one."""
    if named(call.callable) == _RECONSTRUCTOR and isinstance(call.args, TupleNode) and call.args.items:
        return _behind(call.args.items[0])
    return _behind(call.callable)


def _behind(target: Value) -> Value:
    """The class that torch's old form gives a persistent id of its own: ('module', class, file, source)."""
    if isinstance(target, PersistentNode) and isinstance(target.pid, TupleNode):
        match target.pid.items:
            case ("module", GlobalNode() as class_, *_):
                return class_
    return target


def _arguments(event: Event) -> tuple[Value, ...] | None:
    """The positional arguments; None when they are no tuple, or when there are keywords beside them."""
    args = event.args
    if event.opcode == "NEWOBJ_EX" and isinstance(args, TupleNode):
        args, kwargs = args.items
        if not isinstance(kwargs, DictNode) or kwargs.pairs:
            return None
    return args.items if isinstance(args, TupleNode) else None


def _byte_strings(value: Value) -> Iterator[bytes]:
    outer = value.items if isinstance(value, TupleNode | ListNode) else ()
    for item in outer[:16]:
        inner = item.items[:16] if isinstance(item, TupleNode | ListNode) else (item,)
        for raw in inner:
            if isinstance(raw, bytes) and 2 <= len(raw) <= _NESTED_MOST:
                yield raw


def _placed(charge: _Charge, place: Place) -> Ruling:
    event, finding, target = charge.event, charge.ruling.finding, charge.ruling.target
    plain_import = event.kind is EventKind.IMPORT and isinstance(event.target, GlobalNode)
    more = f" (and {charge.more:,} more like it)" if charge.more and finding.severity is not Severity.NOTE else ""
    finding = replace(
        finding,
        why=finding.why + more,
        member=place.member,
        offset=place.start + event.offset,
        file_offset=None if place.file_start is None else place.file_start + event.offset,
        opcode=event.opcode,
        callable=quiet_name(target.dotted) if isinstance(target, GlobalNode) else render(target, 120),
        arguments="" if plain_import else render(event.args),
    )
    return Ruling(charge.ruling.outcome, finding)


def _problem(problem: Problem, place: Place) -> Ruling:
    if problem.rule == "frame-mismatch":
        ruling = dangerous(problem.rule, f"{problem.why}; unpicklers disagree about what such bytes do", None)
    elif problem.rule.startswith("budget-"):
        ruling = warning(Outcome.INCONCLUSIVE, problem.rule, problem.why)
    else:
        ruling = warning(Outcome.MALFORMED, problem.rule, problem.why)
    at = None if place.file_start is None else place.file_start + problem.offset
    advisories = ("python/cpython#154848",) if problem.rule == "frame-mismatch" else ()
    finding = replace(
        ruling.finding, member=place.member, offset=place.start + problem.offset, file_offset=at, advisories=advisories
    )
    return Ruling(ruling.outcome, finding)
