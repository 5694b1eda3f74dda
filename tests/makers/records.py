"""Values for catalogue tests: plain ones by number, and hypothesis strategies that reach for the odd corners."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from sdkeep.ground.digest import DIGITS, Digest, DigestKind
from sdkeep.ground.kinds import Access, Extent, Family, Format, Kind, NsfwLevel, Precision, Role
from sdkeep.ground.licence import Licence, Use
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.model import Claim, Preview, Release, RemoteFile
from sdkeep.ground.record import Artifact
from sdkeep.ground.verdict import Finding, Outcome, Severity, Verdict

NOON = datetime(2026, 7, 13, 12, 0, 0, tzinfo=UTC)


def noon() -> datetime:
    """A clock that stands still."""
    return NOON


def sha(number: int) -> str:
    """The sha256 of the artifact with this number."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def artifact(number: int, **more: object) -> Artifact:
    """An artifact with this number; later numbers were added later."""
    made = Artifact(
        sha(number), f"model-{number}", f"model_{number}.safetensors", added=f"2026-07-{number % 28 + 1:02}"
    )
    return replace(made, **more)  # type: ignore[arg-type]


def release(model: str = "4384", id: str = "128713", **more: object) -> Release:
    """A Civitai release with one file."""
    file = RemoteFile("9001", "dream.safetensors", f"https://civitai.com/api/download/models/{id}")
    made = Release("civitai", model, id, "DreamShaper", "8", Kind.CHECKPOINT, files=(file,), creator="Lykon")
    return replace(made, **more)  # type: ignore[arg-type]


texts = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=("Cs", "Ll", "Cc")), max_size=6),
    st.sampled_from(["", "␛", "␛d800", "\0", "\udcff.pt", "' OR 1=1 --", "🎀", "日本語", "a\nb", '["x"]', ":name"]),
)
sizes = st.one_of(st.none(), st.integers(0, 2**63 - 1))
weights = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def digests(draw: st.DrawFn) -> Digest:
    kind = draw(st.sampled_from(DigestKind))
    return Digest(kind, draw(st.text("0123456789abcdef", min_size=DIGITS[kind], max_size=DIGITS[kind])))


def several(of: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=most).map(tuple)


artifacts = st.builds(
    Artifact,
    sha256=st.integers(0, 10**9).map(sha),
    name=texts,
    file_name=texts,
    size=sizes,
    kind=st.sampled_from(Kind),
    family=st.sampled_from(Family),
    base=texts,
    variant=texts,
    format=st.sampled_from(Format),
    precision=st.sampled_from(Precision),
    algorithm=texts,
    title=texts,
    trigger_words=several(texts),
    digests=st.lists(digests(), max_size=3, unique=True).map(tuple),
    origin=texts,
    added=st.sampled_from(["2023-01-01T00:00:00Z", "2026-07-13T12:00:00Z"]),
    stored=st.just(False),
    level=st.sampled_from(NsfwLevel),
    preview=texts,
    description=texts,
)
edges = st.builds(
    Edge,
    parent=st.builds(Parent, trust=st.sampled_from(Trust), value=texts),
    relation=st.sampled_from(Relation),
    source=texts,
    verbatim=texts,
    weight=weights,
    method=texts,
)
licences = st.builds(
    Licence,
    id=texts,
    name=texts,
    url=texts,
    allows=st.dictionaries(st.sampled_from(Use), st.booleans()),
    base_model=texts,
    source=texts,
    seen=texts,
    verbatim=texts,
)
verdicts = st.builds(
    Verdict,
    outcome=st.sampled_from(Outcome),
    container=texts,
    findings=several(
        st.builds(
            Finding,
            rule=texts,
            severity=st.sampled_from(Severity),
            why=texts,
            member=texts,
            offset=sizes,
            file_offset=sizes,
            opcode=texts,
            callable=texts,
            arguments=texts,
            advisories=several(texts),
        )
    ),
    unread=several(texts),
    engine=texts,
    policy=texts,
)
files = st.builds(
    RemoteFile,
    id=texts,
    name=texts,
    url=texts,
    fallbacks=several(texts),
    size=sizes,
    about=sizes,
    digests=several(digests()),
    role=st.sampled_from(Role),
    format=st.sampled_from(Format),
    precision=st.sampled_from(Precision),
    extent=st.sampled_from(Extent),
    primary=st.booleans(),
    claims=several(st.builds(Claim, scanner=texts, result=texts, message=texts)),
)
previews = st.builds(
    Preview,
    url=texts,
    level=st.one_of(st.none(), st.sampled_from(NsfwLevel)),
    width=st.integers(0, 9999),
    height=st.integers(0, 9999),
    video=st.booleans(),
)
releases = st.builds(
    Release,
    hub=st.sampled_from(["civitai", "huggingface"]),
    model_id=texts,
    id=texts,
    model_name=texts,
    name=texts,
    kind=st.sampled_from(Kind),
    kind_text=texts,
    base=texts,
    family=st.sampled_from(Family),
    files=several(files),
    trigger_words=several(texts),
    creator=texts,
    tags=several(texts),
    description=texts,
    licence=licences,
    level=st.sampled_from(NsfwLevel),
    nsfw=st.booleans(),
    poi=st.booleans(),
    minor=st.booleans(),
    sfw_only=st.booleans(),
    merged=st.one_of(st.none(), st.booleans()),
    access=st.sampled_from(Access),
    access_until=texts,
    published=texts,
    previews=several(previews),
    page=texts,
    air=texts,
    parents=several(edges),
    downloads=st.integers(0, 2**40),
    rating=weights,
    raw=texts,
)
