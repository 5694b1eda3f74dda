"""The Typer application: every verb and group, in the order that help shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from sdkeep import __version__
from sdkeep.cli.frame import AsEvents, AsJson, Common, Debug, Quiet, Verbose

app = typer.Typer(
    name="sdkeep",
    help="The package manager for Stable Diffusion models: find, fetch, prove safe, convert, record, place.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sdkeep {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    as_json: AsJson = False,
    as_events: AsEvents = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = Common(as_json, as_events, quiet, verbose, debug)


def _load() -> None:
    """Import every command module; each registers its verbs on the application it is given."""
    from sdkeep.cli import commands

    commands.register(app)


_load()


def run() -> int:
    """Run the command line on `sys.argv`; the exit status. Typer itself prints usage errors (status 2)."""
    try:
        app(standalone_mode=True)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0
