"""`sdkeep show`: all that is known of a file, a release or a path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import family_text, kind_text, size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import Face, Reply, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.cli.permitted import in_full, in_one_line
from sdkeep.ground.text import plain

if TYPE_CHECKING:
    from sdkeep.actions.show import Needed, Shown, ShownArtifact, ShownFile, ShownModel, ShownPicture
    from sdkeep.ground.licence import Licence
    from sdkeep.ground.model import Release


def register(app: typer.Typer) -> None:
    """Put `show` on the application."""

    @verb(app, "show", "info", examples=("sdkeep show my-lora", "sdkeep show civitai:7808", "sdkeep show ./model.ckpt"))
    def show(
        face: Face,
        refs: Annotated[
            list[str],
            typer.Argument(
                metavar="REF", help="Names, hub references, hashes or paths.", autocompletion=catalogue_names
            ),
        ],
        metadata: Annotated[bool, typer.Option("--metadata", help="Print all metadata of a file.")] = False,
    ) -> Reply:
        """Tell all about catalogued files, releases at the hubs, and files on disk."""
        from sdkeep.actions import show as action
        from sdkeep.actions.batch import each
        from sdkeep.actions.paths import files_of

        def one(ref: str) -> Shown:
            paths = files_of(ref)
            if paths is not None and len(paths) == 1 and Path(ref).expanduser().is_file():
                return action.show_file(paths[0], face.stop)
            return action.show(face.house(), ref)

        batch = each(refs, one)
        return reply_to(batch, lambda out: _show(out, batch.done, metadata))


def _show(out: Out, done: list[Shown], metadata: bool) -> None:
    from sdkeep.actions.show import ShownArtifact, ShownFile, ShownPicture

    for index, shown in enumerate(done):
        if index:
            out.line()
        if isinstance(shown, ShownArtifact):
            _artifact(out, shown)
        elif isinstance(shown, ShownFile):
            _file(out, shown, metadata)
        elif isinstance(shown, ShownPicture):
            _picture(out, shown)
        else:
            _model(out, shown)


def _artifact(out: Out, shown: ShownArtifact) -> None:
    one = shown.artifact
    out.bare(one.name)
    out.line(one.title or one.name, "head")
    out.record(
        [
            ("name", one.name),
            ("file", one.file_name),
            ("kind", kind_text(one.kind, one.algorithm, one.variant)),
            ("family", family_text(one.family, one.base)),
            ("precision", "" if str(one.precision) == "unknown" else str(one.precision)),
            ("size", size_text(one.size)),
            ("sha256", one.sha256),
            *((digest.kind.value, digest.value) for digest in one.digests if digest.kind != "sha256"),
            ("verdict", str(shown.verdict.outcome) if shown.verdict else "never scanned"),
            ("hub says", "\n".join(shown.claims)),
            ("marked", ", ".join(shown.flags)),
            ("licence", _licence(shown.licence)),
            ("base model", shown.base_model),
            ("allowed", "\n".join(_allowed(out, shown))),
            ("from", one.origin),
            ("page", shown.page),
            ("bytes at", shown.path or "not here any more"),
            ("in place", "\n".join(f"{loc.ui or 'here'} ({loc.method}): {loc.path}" for loc in shown.locations)),
            ("lineage", "\n".join(_edge(edge.relation, edge.parent.value, edge.source) for edge in shown.parents)),
            ("children", "\n".join(f"{child.name} ({child.relation})" for child in shown.children)),
            ("trigger words", ", ".join(shown.trigger_words)),
            ("paste", "\n".join(shown.paste)),
            ("added", one.added),
        ]
    )


def _allowed(out: Out, shown: ShownArtifact) -> list[str]:
    if out.look.verbose:
        return in_full(shown.permissions, shown.advice)
    return [in_one_line(shown.permissions), "with all it was made from; `-v` says why; advice, not law"]


def _edge(relation: object, parent: str, source: str) -> str:
    return f"{relation} {parent[:80]} (says {source})"


def _licence(licence: Licence | None) -> str:
    if licence is None:
        return ""
    words = [licence.name or licence.id or licence.base_model]
    words += [f"{'may' if allowed else 'may not'} {use.value}" for use, allowed in licence.allows.items()]
    return ", ".join(word for word in words if word)


def _file(out: Out, shown: ShownFile, metadata: bool) -> None:
    identity = shown.identity
    out.bare(f"{identity.kind}\t{identity.family}\t{shown.path}")
    out.line(shown.path, "head")
    claims = identity.claims
    out.record(
        [
            ("container", shown.container),
            ("kind", kind_text(identity.kind, identity.algorithm, identity.variant)),
            ("family", str(identity.family)),
            ("confidence", str(identity.confidence)),
            ("evidence", "\n".join(identity.evidence)),
            ("precision", str(identity.precision)),
            ("rank", str(identity.rank) if identity.rank else ""),
            ("components", ", ".join(identity.components)),
            ("tensors", f"{shown.tensors:,}"),
            ("parameters", f"{identity.parameters:,}" if identity.parameters else ""),
            ("size", size_text(shown.size)),
            ("verdict", str(shown.verdict.outcome)),
            ("base model", shown.base_model),
            ("claims", ", ".join(word for word in (claims.title, claims.author, claims.base, claims.licence) if word)),
            ("trigger words", ", ".join(claims.trigger_words)),
            ("extras", ", ".join(f"{key}={value}" for key, value in shown.extras.items())),
            ("notes", "\n".join(shown.notes)),
        ]
    )
    if metadata:
        out.record(list(shown.metadata.items()))


def _picture(out: Out, shown: ShownPicture) -> None:
    out.bare(shown.prompt)
    out.line(f"{shown.path} ({shown.tool}, {shown.width}x{shown.height})", "head")
    out.record([("prompt", shown.prompt), ("negative", shown.negative), *shown.settings.items()])
    show_needs(out, shown.needs)
    for problem in shown.problems:
        out.warning(problem)


def show_needs(out: Out, needs: tuple[Needed, ...]) -> None:
    """The models that a picture was made with."""
    rows = [
        (
            str(need.kind),
            need.name,
            "" if need.weight is None else f"{need.weight:g}",
            ", ".join(need.digests),
            f"here: {need.here}" if need.here else need.ref,
            need.doubt,
        )
        for need in needs
    ]
    if rows:
        out.table(("KIND", "MODEL", "WEIGHT", "HASH", "FOUND AS", "DOUBT"), rows)


def _model(out: Out, shown: ShownModel) -> None:
    model = shown.model
    out.bare(shown.release.ref if shown.release else model.id)
    out.line(f"{model.name} ({model.kind}, {model.hub})", "head")
    newest = shown.release or (model.releases[0] if model.releases else None)
    if newest is not None:
        _release(out, newest)
    if shown.release is None and len(model.releases) > 1:
        rows = [(r.ref, r.name, r.base, r.published[:10], str(r.access)) for r in model.releases]
        out.table(("RELEASE", "NAME", "BASE", "PUBLISHED", "ACCESS"), rows)


def _release(out: Out, release: Release) -> None:
    out.record(
        [
            ("release", f"{release.name}  {release.ref}"),
            ("base", release.base),
            ("creator", release.creator),
            ("published", release.published[:10]),
            ("access", str(release.access) + (f" until {release.access_until}" if release.access_until else "")),
            ("marked", ", ".join(release.marks)),
            ("tags", ", ".join(release.tags[:12])),
            ("trigger words", ", ".join(release.trigger_words)),
            ("licence", _licence(release.licence)),
            ("page", release.page),
            ("about", plain(release.description)[:400]),
        ]
    )
    rows = [
        (
            f.id if release.hub == "civitai" else "",
            f.name,
            str(f.role),
            str(f.format),
            str(f.precision),
            size_text(f.size if f.size is not None else f.about),
            ", ".join(f"{claim.scanner}: {claim.result}" for claim in f.claims),
        )
        for f in release.files
    ]
    if rows:
        out.table(("FILE", "NAME", "ROLE", "FORMAT", "PRECISION", "SIZE", "HUB SAYS"), rows)
