"""The Typer application: every verb and group, in the order that help shows them; a run loads what its verb needs."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Annotated, Any

import typer

from sdkeep import __version__
from sdkeep.cli.frame import COMMON, AsEvents, AsJson, Common, Debug, Interrupted, Quiet, Verbose, refuse
from sdkeep.cli.reading import Group
from sdkeep.ground.errors import UsageError


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sdkeep {__version__}")
        raise typer.Exit


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


@cache
def application(word: str | None = None) -> typer.Typer:
    """The application with every verb; with one alone when `word` names it; with their names alone when it is empty."""
    from sdkeep.cli import commands

    app = typer.Typer(
        name="sdkeep",
        cls=Group,
        help="The package manager for Stable Diffusion models: find, fetch, prove safe, convert, record, place.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_options)
    commands.register(app, word)
    return app


def run(arguments: list[str] | None = None) -> int:
    """Run the command line (`sys.argv` unless given); the exit status."""
    line = sys.argv[1:] if arguments is None else arguments
    try:
        status = application(_first_word(line))(line, prog_name="sdkeep", standalone_mode=False)
    except typer.Abort:
        return refuse(Common(), Interrupted())
    except Exception as error:
        if not isinstance(error, typer.BadParameter.__mro__[1]):  # the parser's own base, which Typer does not export
            raise
        return _mistaken(error, line)
    return status if isinstance(status, int) else 0


def _first_word(line: list[str]) -> str | None:
    """The verb: the options before it take no values. None, which is every verb, for a shell that asks what fits."""
    return None if "_SDKEEP_COMPLETE" in os.environ else next((word for word in line if not word.startswith("-")), "")


def _mistaken(error: Any, arguments: list[str]) -> int:
    """Say what is wrong with the command line; the exit status. A verb or group alone shows its help."""
    common = _given(error, arguments)
    if type(error).__name__ == "NoArgsIsHelpError" and not common.as_json:
        typer.echo(error.ctx.get_help(), err=True)
        return UsageError.status
    return refuse(common, _in_our_words(error))


def _given(error: Any, arguments: list[str]) -> Common:
    """The common options beside the mistake, wherever they stand: the parsers of the verb read the line once more."""
    found, context = Common(), error.ctx
    while context is not None:
        if isinstance(context.obj, Common):
            found = found.joined(context.obj)
        parser = context.command.make_parser(context)
        parser.ignore_unknown_options = True
        try:
            read = parser.parse_args(list(arguments))[0]
        except Exception:  # the mistake itself: what was read before it is in the context
            read = {}
        read = {**context.params, **read}
        found = found.joined(Common(**{name: bool(read.get(name)) for name in COMMON}))
        context = context.parent
    return found


def _in_our_words(error: Any) -> UsageError:
    message = str(error.format_message()).rstrip(".") if error.message else "no verb is named"
    path = error.ctx.command_path if error.ctx is not None else "sdkeep"
    return UsageError(message[:1].lower() + message[1:], next=f"`{path} --help` shows how it is used")
