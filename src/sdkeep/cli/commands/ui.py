"""`sdkeep ui`: the WebUIs that files are placed in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.completion import ui_names
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out

if TYPE_CHECKING:
    from sdkeep.actions.uis import Detected, KnownLayout, Registered


def register(app: typer.Typer) -> None:
    """Put the `ui` group on the application."""
    group = typer.Typer(help="The WebUIs that files are placed in.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="ui")

    @verb(
        group,
        "add",
        group="ui",
        examples=("sdkeep ui add ~/stable-diffusion-webui", "sdkeep ui add ~/ComfyUI --share --name comfy"),
    )
    def add(
        face: Face,
        root: Annotated[Path, typer.Argument(metavar="FOLDER", help="The WebUI's root folder.")],
        layout: Annotated[
            str,
            typer.Option("--layout", metavar="ID", help="Told by its files; `sdkeep ui ls --layouts` lists all."),
        ] = "",
        name: Annotated[str, typer.Option("--name", help="What to call it; its layout by default.")] = "",
        template: Annotated[str, typer.Option("--template", help="Sub-folders, such as {base}/{creator}.")] = "",
        url: Annotated[
            str | None, typer.Option("--url", help="Where it answers while it runs, such as http://127.0.0.1:7860.")
        ] = None,
        share: Annotated[
            bool | None,
            typer.Option("--share/--no-share", help="Name a folder of ours in its own configuration; links go there."),
        ] = None,
    ) -> Reply:
        """Register a WebUI."""
        from sdkeep.actions.uis import Wish
        from sdkeep.actions.uis import add as act

        done = act(face.house(), root, Wish(layout, name, template, url, share))
        return Reply(done, lambda out: _show(out, (done,)), hints=["`sdkeep place NAME` puts catalogued files there"])

    @verb(group, "ls", "list", group="ui", examples=("sdkeep ui ls", "sdkeep ui ls --layouts"))
    def ls(
        face: Face,
        layouts: Annotated[bool, typer.Option("--layouts", help="The kinds of WebUI that can be registered.")] = False,
    ) -> Reply:
        """List the registered WebUIs, or every kind there is."""
        from sdkeep.actions.uis import known_layouts
        from sdkeep.actions.uis import ls as act

        if layouts:
            known = known_layouts(face.house())
            return Reply(list(known), lambda out: _show_layouts(out, known))
        done = act(face.house())
        hints = [] if done else ["`sdkeep ui detect` looks for WebUIs, `sdkeep ui add FOLDER` registers one"]
        return Reply(list(done), lambda out: _show(out, done), hints=hints)

    @verb(group, "rm", "remove", group="ui", examples=("sdkeep ui rm forge",))
    def rm(
        face: Face,
        name: Annotated[str, typer.Argument(metavar="NAME", help="A registered WebUI.", autocompletion=ui_names)],
    ) -> Reply:
        """Forget a WebUI. Its folder is not touched, but for the lines that `--share` put into its configuration."""
        from sdkeep.actions.uis import rm as act

        done = act(face.house(), name)
        what = f"no longer names {done.share}" if done.share else "is untouched"
        return Reply(done, lambda out: out.line(f"{done.name} is forgotten; its folder {done.root} {what}"))

    _detect(group)


def _detect(group: typer.Typer) -> None:
    @verb(group, "detect", group="ui", examples=("sdkeep ui detect", "sdkeep ui detect /mnt/ai"))
    def detect(
        face: Face,
        roots: Annotated[list[Path] | None, typer.Argument(metavar="[FOLDER]", help="Where to look.")] = None,
    ) -> Reply:
        """Look for installed WebUIs."""
        from sdkeep.actions.uis import look_for

        found = look_for(face.house(), tuple(roots or ()))

        def show(out: Out) -> None:
            for one in found:
                out.bare(one.root)
            rows = [(one.title, one.root, _state(one)) for one in found]
            out.table(("WEBUI", "FOLDER", ""), rows) if rows else out.note("no WebUI found")
            for one in found:
                for note in one.notes:
                    out.note(f"{one.title}: {note}")

        new = [one for one in found if not one.registered_as and not one.refused]
        return Reply(list(found), show, hints=[f"`sdkeep ui add '{new[0].root}'`"] if new else [])


def _show(out: Out, uis: tuple[Registered, ...]) -> None:
    for one in uis:
        out.bare(one.name)
    if not uis:
        out.note("no WebUI is registered")
        return
    out.table(
        ("NAME", "WEBUI", "FOLDER", "OUR FILES"), [(one.name, one.title, one.root, str(one.placed)) for one in uis]
    )
    for one in uis:
        for problem in one.problems:
            out.warning(f"{one.name}: {problem}")
        for note in one.notes:
            out.note(f"{one.name}: {note}")
        if any(Path(folder).is_relative_to(one.share) for folder in one.folders.values() if one.share):
            out.note(f"{one.name}: files are linked in {one.share}")
        if one.todo:
            out.note(f"{one.name}: {one.todo}")
        for kind, folder in one.folders.items():
            out.debug(f"{one.name} {kind}: {folder}")


def _state(one: Detected) -> str:
    if one.refused:
        return f"takes no files: {one.refused}"
    return f"registered as {one.registered_as}" if one.registered_as else ""


def _show_layouts(out: Out, known: tuple[KnownLayout, ...]) -> None:
    for one in known:
        out.bare(one.id)
    rows = [(one.id, one.title, one.refused or ", ".join(one.kinds)) for one in known]
    out.table(("LAYOUT", "WEBUI", "FILES"), rows)
