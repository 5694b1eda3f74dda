"""`sdkeep show`: all that is known of a file, a release or a path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import family_text, kind_text, size_text
from sdkeep.cli.completion import catalogue_names
from sdkeep.cli.frame import DryRun, Face, Reply, reply_to, verb
from sdkeep.cli.output import Out
from sdkeep.cli.permitted import in_full, in_one_line
from sdkeep.ground.errors import UsageError
from sdkeep.ground.text import one_line, plain

if TYPE_CHECKING:
    from sdkeep.actions.relabel import Relabelled
    from sdkeep.actions.show import Needed, Shown, ShownArtifact, ShownFile, ShownModel, ShownPicture
    from sdkeep.ground.licence import Licence
    from sdkeep.ground.model import Release


EXAMPLES = (
    "sdkeep show my-lora",
    "sdkeep show civitai:7808",
    "sdkeep show ./model.ckpt --metadata",
    "sdkeep show picture.png",
    "sdkeep show my-lora --set-metadata 'modelspec.trigger_phrase=ink wash'",
)


def register(app: typer.Typer) -> None:
    """Put `show` on the application."""

    @verb(app, "show", "info", examples=EXAMPLES)
    def show(
        face: Face,
        refs: Annotated[
            list[str],
            typer.Argument(
                metavar="REF", help="Names, hub references, hashes or paths.", autocompletion=catalogue_names
            ),
        ],
        metadata: Annotated[bool, typer.Option("--metadata", help="Print all metadata of a file.")] = False,
        put: Annotated[
            list[str] | None,
            typer.Option("--set-metadata", metavar="KEY=VALUE", help="Write a new file with this metadata."),
        ] = None,
        drop: Annotated[
            list[str] | None,
            typer.Option("--unset-metadata", metavar="KEY", help="Write a new file without this metadata."),
        ] = None,
        out: Annotated[
            Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the edited file there.")
        ] = None,
        dry_run: DryRun = False,
    ) -> Reply:
        """Tell all about catalogued files, releases at the hubs, files on disk, and pictures.

        Metadata is never edited in place: `--set-metadata` writes the same tensors to a new file, into the store or
        with `-o` to a file of its own, and records what it was made from.
        """
        if put or drop:
            return _edited(face, refs, (put or [], drop or []), out, dry_run)
        if out is not None:
            raise UsageError("`-o` has nothing to write", "it takes an edited file", "add `--set-metadata KEY=VALUE`")
        from sdkeep.actions import show as action
        from sdkeep.actions.batch import each
        from sdkeep.actions.paths import files_of

        def one(ref: str) -> Shown:
            paths = files_of(ref)
            if paths is not None and len(paths) == 1 and Path(ref).expanduser().is_file():
                return action.show_file(paths[0], face.stop)
            return action.show(face.house(), ref, metadata=metadata)

        batch = each(refs, one)
        return reply_to(batch, lambda out: _show(out, batch.done, metadata))


def _edited(
    face: Face, refs: list[str], changes: tuple[list[str], list[str]], out: Path | None, dry_run: bool
) -> Reply:
    from sdkeep.actions.batch import each
    from sdkeep.actions.relabel import relabel
    from sdkeep.formats.relabel import edit_of

    edit = edit_of(tuple(changes[0]), tuple(changes[1]))
    if out is not None and len(refs) > 1 and not out.is_dir():
        raise UsageError(f"`{out}` is no folder", f"{len(refs)} files cannot have one name", "`-o FOLDER`")
    house = face.house()
    batch = each(refs, lambda ref: relabel(house, ref, edit, out, dry_run=dry_run))

    def show(out: Out) -> None:
        for made in batch.done:
            _relabelled(out, made, dry_run)

    reply = reply_to(batch, show)
    names = [made.name for made in batch.done if made.name]
    reply.hints = [f"`sdkeep place {names[0]}` puts it where WebUIs look"] if names else []
    return reply


def _relabelled(out: Out, made: Relabelled, dry_run: bool) -> None:
    if made.path:
        out.bare(made.name or made.path)
    for change in made.changes:
        before = "absent" if change.before is None else f"`{one_line(change.before, 60)}`"
        after = "taken away" if change.after is None else f"`{one_line(change.after, 200)}`"
        out.line(f"{change.key}: {before} -> {after}")
    for note in made.notes:
        out.note(note)
    if made.path:
        called = f" as {made.name}" if made.name else ""
        out.line(f"{made.source}: written{called} with the same tensors, {made.path}", "good")
    elif made.changes and dry_run:
        out.line(f"{made.source}: would be written anew with these changes; nothing is edited in place")
    else:
        out.line(f"{made.source}: it says so already, nothing was written")


def _show(out: Out, done: list[Shown], metadata: bool) -> None:
    from sdkeep.actions.show import ShownArtifact, ShownFile, ShownPicture

    for index, shown in enumerate(done):
        if index:
            out.line()
        if isinstance(shown, ShownArtifact):
            _artifact(out, shown)
            if metadata:
                _metadata(out, shown.metadata)
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
            ("sha256", one.sha256 or ("" if shown.hashed else "not hashed yet; `sdkeep sync` does that")),
            *((digest.kind.value, digest.value) for digest in one.digests if digest.kind != "sha256"),
            ("verdict", str(shown.verdict.outcome) if shown.verdict else "never scanned"),
            ("hub says", "\n".join(shown.claims)),
            ("marked", ", ".join(shown.flags)),
            ("licence", _licence(shown.licence)),
            ("base model", shown.base_model),
            ("allowed", "\n".join(_allowed(out, shown))),
            ("from", one.origin),
            ("page", shown.page),
            ("hub", f"does not show the model, since {shown.gone[:10]}; the record stays" if shown.gone else ""),
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
        _metadata(out, shown.metadata)


def _metadata(out: Out, metadata: dict[str, str]) -> None:
    from sdkeep.formats.readable import readable

    if not metadata:
        out.note("the file carries no metadata")
    out.record([(one_line(key, 80), text) for key, text in readable(metadata)])


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
