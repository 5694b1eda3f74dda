"""What may be done with a file when its whole lineage is counted, and which files of the house may not be used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from sdkeep.actions import local
from sdkeep.actions.house import House
from sdkeep.actions.kinship import Entry, Kinship
from sdkeep.actions.walk import MOST_NODES, Link, strongest_first
from sdkeep.formats.permissions import DONE, Holder, Standing, effective
from sdkeep.ground.digest import DIGITS, DigestKind
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import ADVICE, Allowed, Licence, Permission, Use
from sdkeep.ground.lineage import Relation, Trust
from sdkeep.ground.record import Artifact

DEPTH = 64
"""Links that a lineage is followed for permissions, however few are shown."""

COMMERCIAL = (Use.SELL_PICTURES, Use.SELL_MODEL, Use.SERVE)
"""What the word `commercial` sums up."""

_OF_THEIR_OWN = frozenset(
    {
        Kind.VAE, Kind.VAE_APPROX, Kind.UPSCALER, Kind.TEXT_ENCODER, Kind.CLIP_VISION, Kind.DETECTION, Kind.POSES,
        Kind.WILDCARDS, Kind.WORKFLOW, Kind.CONFIG, Kind.OTHER,
    }
)  # fmt: skip
_WEAK_HASHES = tuple(f"{kind}:" for kind in DigestKind if DIGITS[kind] < 10)
_SAME_THING = frozenset({Relation.CONVERTED_FROM, Relation.PRUNED_FROM})


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A catalogued file that may not, or may not surely, be put to a use.

    `path` is the way over what it was made from to the file or model that decides, that one last; empty where it is
    the file itself.
    """

    name: str
    file_name: str
    sha256: str
    permission: Permission
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Up:
    """One way up from a node, and how far it can be relied on."""

    parent: str
    firm: bool
    alone: bool
    same: bool


@dataclass(slots=True)
class _Above:
    """The ways up from every node that was asked about, and what each node's own licences say."""

    kin: Kinship
    _ups: dict[str, tuple[_Up, ...]] = field(default_factory=dict)
    _told: dict[str, tuple[_Told, ...]] = field(default_factory=dict)
    _holders: dict[tuple[str, Standing], tuple[Holder, ...]] = field(default_factory=dict)

    def ups(self, node: str) -> tuple[_Up, ...]:
        """The links to the parents whose licence counts, the surest first."""
        if node not in self._ups:
            links = [link for link in strongest_first(self.kin.parents(node)) if not _licensed_anew(self.kin, link)]
            self._ups[node] = tuple(
                _Up(link.parent, firm(link), link.candidates == 1, link.edge.relation in _SAME_THING) for link in links
            )
        return self._ups[node]

    def told(self, node: str) -> tuple[_Told, ...]:
        """What there is to say of a node whoever asks: its licences, and what is not known of where it came from."""
        if node not in self._told:
            links = [link for link in self.kin.parents(node) if not _licensed_anew(self.kin, link)]
            name = _short_name(self.kin.entries[node])
            inherits = any(link.edge.relation in _SAME_THING for link in links)
            told = [_Told(name, licence, inherits) for licence in self.kin.licences(node) or (None,)]
            told += [_Told(name, None, True, gap) for gap in _gaps(self.kin, node, links)]
            self._told[node] = tuple(told)
        return self._told[node]

    def holders(self, id_: str) -> list[Holder]:
        """The node itself first, then everything above it, a holder for each licence."""
        distance, cut = self._reach(id_)
        proved, claimed = self._over(id_, lambda up: up.firm), self._over(id_, lambda up: up.alone)
        holders: list[Holder] = []
        for node in distance:
            at = Standing.PROVED if node in proved else Standing.CLAIMED if node in claimed else Standing.ONE_OF
            holders += self._held(node, at)
            if node in cut:
                holders.append(Holder("", None, at, True, "the lineage is longer than it is followed"))
        return holders

    def _held(self, node: str, at: Standing) -> tuple[Holder, ...]:
        """What a node says from where it stands."""
        if (node, at) not in self._holders:
            told = self.told(node)
            self._holders[node, at] = tuple(Holder(one.name, one.licence, at, one.inherits, one.gap) for one in told)
        return self._holders[node, at]

    def path(self, id_: str, names: Collection[str]) -> tuple[str, ...]:
        """The names on the shortest way up to a node that is called one of these."""
        came: dict[str, str] = {id_: ""}
        waiting = deque([id_])
        while waiting:
            node = waiting.popleft()
            if _short_name(self.kin.entries[node]) in names:
                way = []
                while node != id_:
                    way.append(_short_name(self.kin.entries[node]))
                    node = came[node]
                return tuple(reversed(way))
            for up in self.ups(node):
                if up.parent not in came:
                    came[up.parent] = node
                    waiting.append(up.parent)
        return ()

    def _reach(self, id_: str) -> tuple[dict[str, int], set[str]]:
        """Every node above with its distance, nearest first, and those behind which more was not followed."""
        distance, cut, waiting = {id_: 0}, set[str](), deque([id_])
        while waiting:
            node = waiting.popleft()
            for up in self.ups(node):
                if up.parent in distance:
                    continue
                if distance[node] >= DEPTH or len(distance) >= MOST_NODES:
                    cut.add(node)
                    continue
                distance[up.parent] = distance[node] + 1
                waiting.append(up.parent)
        return distance, cut

    def _over(self, id_: str, goes: Callable[[_Up], bool]) -> set[str]:
        """The nodes that can be reached over such ways alone."""
        seen, waiting = {id_}, [id_]
        while waiting and len(seen) < MOST_NODES:
            for up in self.ups(waiting.pop()):
                if up.parent not in seen and goes(up):
                    seen.add(up.parent)
                    waiting.append(up.parent)
        return seen


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    licence: Licence | None
    inherits: bool
    gap: str = ""


def permissions(kin: Kinship, id_: str) -> tuple[Permission, ...]:
    """The answer for every use of a node."""
    own, *others = _Above(kin).holders(id_)
    return tuple(effective(use, own, others) for use in Use)


def forbidden(house: House, *uses: Use, sha256s: Collection[str] = (), kind: Kind | None = None) -> list[Forbidden]:
    """The catalogued files whose lineage does not allow every one of `uses`: those that forbid one come first.

    `sha256s` and `kind` narrow it to some files. One entry for a file and a use.
    """
    register = house.book.register()
    above = _Above(Kinship(records=register))
    found = []
    for artifact in register.everything:
        if (sha256s and artifact.sha256 not in sha256s) or kind not in (None, artifact.kind):
            continue
        house.stop.check()
        id_ = above.kin.of_artifact(artifact).id
        own, *others = above.holders(id_)
        for use in uses:
            answer = effective(use, own, others)
            if answer.allowed is not Allowed.YES:
                path = above.path(id_, answer.by)
                found.append(Forbidden(artifact.name, artifact.file_name, artifact.sha256 or "", answer, path))
    order = list(Use)
    return sorted(
        found, key=lambda one: (one.permission.allowed is not Allowed.NO, one.name, order.index(one.permission.use))
    )


@dataclass(frozen=True, slots=True)
class LicenceAudit:
    """Which files may not be put to some uses: `files` those that forbid one or leave one open, of `counted` in all."""

    uses: tuple[Use, ...]
    files: tuple[Forbidden, ...]
    counted: int
    advice: str = ADVICE

    @property
    def status(self) -> int:
        """1 where a use is forbidden, 2 where one is only unknown, 0 where every file allows every use."""
        answers = {one.permission.allowed for one in self.files}
        return 1 if Allowed.NO in answers else 2 if answers else 0


def uses_called(word: str) -> tuple[Use, ...]:
    """The uses that a person means: one of `Use`, `service` for running one, `commercial` for all that earns money."""
    text = word.strip().lower().replace("_", "-")
    if text == "commercial":
        return COMMERCIAL
    if text == "service":
        return (Use.SERVE,)
    if text in set(Use):
        return (Use(text),)
    known = ", ".join(("commercial", "service", *Use))
    raise UsageError(f"`{word}` is no use that licences are judged for", f"known are {known}", "`--licence commercial`")


def audit_licences(house: House, word: str, names: Iterable[str] = (), kind: Kind | None = None) -> LicenceAudit:
    """Judge the catalogue for a use, or the files that `names` call; raises `NotFoundHere` for an unknown name."""
    from sdkeep.catalogue.listing import Filter

    uses = uses_called(word)
    chosen = {one.sha256 or "" for name in names for one in _meant(house, name)}
    found = forbidden(house, *uses, sha256s=chosen, kind=kind)
    return LicenceAudit(uses, tuple(found), len(chosen) or house.book.count(Filter(kind=kind)))


def _meant(house: House, name: str) -> tuple[Artifact, ...]:
    meant = local.artifacts(house, name)
    if not meant:
        raise local.missing(house, name)
    return meant


def warnings_before(house: House, sha256s: Iterable[str], use: Use) -> tuple[str, ...]:
    """What to tell a person before these catalogued files are put to a use: refusals, and what is not known.

    A sentence for each, and last that all of it is advice; nothing where every file allows it.
    """
    wanted = [artifact for one in dict.fromkeys(sha256s) if (artifact := house.book.artifact(one))]
    above = _Above(Kinship(house.book))
    said = []
    for artifact in wanted:
        own, *others = above.holders(above.kin.of_artifact(artifact).id)
        answer = effective(use, own, others)
        if answer.allowed is not Allowed.YES:
            word = "does not allow" if answer.allowed is Allowed.NO else "does not surely allow"
            why = "; ".join(answer.why[:2])
            said.append(f"the lineage of `{artifact.name}` {word} {DONE[use]}: {why}")
    return (*said, ADVICE) if said else ()


def _licensed_anew(kin: Kinship, link: Link) -> bool:
    """Whether who published the parent also published the child, under a licence of its own that replaces the other."""
    child, parent = kin.entries[link.child].known, kin.entries[link.parent].known
    return bool(child and parent and child.licence.id and child.publisher and child.publisher == parent.publisher)


def _short_name(entry: Entry) -> str:
    if entry.artifact:
        return entry.artifact.name
    return next(iter(entry.known.aliases), entry.title) if entry.known else entry.title


def firm(link: Link) -> bool:
    """Whether a claim identifies the parent well enough to rest a permission on it.

    A hub's or a card's statement does, and so does the name of a base model that a publisher gave on a hub; a file name
    in metadata does not, nor does a hash of eight digits.
    """
    parent = link.edge.parent
    if link.candidates > 1:
        return False
    if parent.trust is Trust.NAME:
        return link.parent.startswith("base:") and ":" not in link.edge.source
    return parent.trust is not Trust.SHORT_HASH or not parent.value.startswith(_WEAK_HASHES)


def _gaps(kin: Kinship, node: str, links: list[Link]) -> Iterator[str]:
    entry = kin.entries[node]
    if entry.root or entry.artifact is None or entry.kind in _OF_THEIR_OWN:
        return
    name = entry.artifact.name
    if not links:
        yield f"nothing says what `{name}` was made from"
    same = any(link.edge.relation in _SAME_THING for link in links)
    if kin.merged(node) and not same and all(link.edge.relation is not Relation.MERGE_OF for link in links):
        yield f"`{name}` is published as a merge, and what went into it is not listed"
