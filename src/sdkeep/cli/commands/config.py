"""`sdkeep config`: every setting with its value and source, and changes to the user file."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep.cli.completion import setting_names
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A setting; `sdkeep config list` names them all.", autocompletion=setting_names
    ),
]


def register(app: typer.Typer) -> None:
    """Put the `config` group on the application."""
    group = typer.Typer(help="Settings.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="config")

    @verb(group, "list", "ls", group="config", examples=("sdkeep config list",))
    def listing(face: Face) -> Reply:
        """List every setting with its value and where it comes from."""
        from sdkeep.actions import configure

        settings = configure.listing(face.house())
        return Reply(
            list(settings),
            lambda out: out.table(("NAME", "VALUE", "FROM"), [(s.name, s.value, s.source) for s in settings]),
        )

    @verb(group, "get", group="config", examples=("sdkeep config get nsfw",))
    def get(face: Face, name: Name) -> Reply:
        """Print one setting."""
        from sdkeep.actions import configure

        setting = configure.get(face.house(), name)

        def show(out: Out) -> None:
            out.bare(setting.value)
            out.line(setting.value)
            out.debug(f"from {setting.source}: {setting.what}")

        return Reply(setting, show)

    @verb(group, "set", group="config", examples=("sdkeep config set nsfw r", "sdkeep config set ui a1111"))
    def put(
        face: Face, name: Name, value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.")]
    ) -> Reply:
        """Set a value in the user file."""
        from sdkeep.actions import configure

        setting = configure.put(face.house(), name, value)
        return Reply(setting, lambda out: out.line(f"{setting.name} = {setting.value} (from {setting.source})"))

    @verb(group, "unset", group="config", examples=("sdkeep config unset nsfw",))
    def unset(face: Face, name: Name) -> Reply:
        """Remove a value from the user file."""
        from sdkeep.actions import configure

        setting = configure.drop(face.house(), name)
        return Reply(setting, lambda out: out.line(f"{setting.name} = {setting.value} (from {setting.source})"))

    @verb(group, "path", group="config", examples=("sdkeep config path",))
    def path(face: Face) -> Reply:
        """Print where the user file lies."""
        file = face.house().settings.config_file

        def show(out: Out) -> None:
            out.bare(str(file))
            out.line(str(file))

        return Reply({"path": str(file), "exists": file.exists()}, show)
