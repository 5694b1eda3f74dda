"""`sdkeep ui`: the WebUIs that files are placed in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.completion import ui_names
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out

if TYPE_CHECKING:
    from sdkeep.actions.uis import Registered


def register(app: typer.Typer) -> None:
    """Put the `ui` group on the application."""
    group = typer.Typer(help="The WebUIs that files are placed in.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="ui")

    @verb(
        group,
        "add",
        group="ui",
        examples=("sdkeep ui add ~/stable-diffusion-webui", "sdkeep ui add ~/ComfyUI --name comfy"),
    )
    def add(
        face: Face,
        root: Annotated[Path, typer.Argument(metavar="FOLDER", help="The WebUI's root folder.")],
        layout: Annotated[
            str, typer.Option("--layout", metavar="ID", help="a1111, forge, comfyui; told by its files by default.")
        ] = "",
        name: Annotated[str, typer.Option("--name", help="What to call it; its layout by default.")] = "",
        template: Annotated[str, typer.Option("--template", help="Sub-folders, such as {base}/{creator}.")] = "",
    ) -> Reply:
        """Register a WebUI."""
        from sdkeep.actions.uis import add as act

        done = act(face.house(), root, layout=layout, name=name, template=template)
        return Reply(done, lambda out: _show(out, (done,)), hints=["`sdkeep place NAME` puts catalogued files there"])

    @verb(group, "ls", "list", group="ui", examples=("sdkeep ui ls",))
    def ls(face: Face) -> Reply:
        """List the registered WebUIs."""
        from sdkeep.actions.uis import ls as act

        done = act(face.house())
        hints = [] if done else ["`sdkeep ui detect` looks for WebUIs, `sdkeep ui add FOLDER` registers one"]
        return Reply(list(done), lambda out: _show(out, done), hints=hints)

    @verb(group, "rm", "remove", group="ui", examples=("sdkeep ui rm forge",))
    def rm(
        face: Face,
        name: Annotated[str, typer.Argument(metavar="NAME", help="A registered WebUI.", autocompletion=ui_names)],
    ) -> Reply:
        """Forget a WebUI. Nothing in its folder is touched."""
        from sdkeep.actions.uis import rm as act

        done = act(face.house(), name)
        return Reply(done, lambda out: out.line(f"{done.name} is forgotten; its folder {done.root} is untouched"))

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
            rows = [
                (one.title, one.root, f"registered as {one.registered_as}" if one.registered_as else "")
                for one in found
            ]
            out.table(("WEBUI", "FOLDER", ""), rows) if rows else out.note("no WebUI found")

        new = [one for one in found if not one.registered_as]
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
        for kind, folder in one.folders.items():
            out.debug(f"{one.name} {kind}: {folder}")
