"""`sdkeep auth`: log in to the hubs, log out, say where each token comes from."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sdkeep.cli.completion import hubs
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import NeedsAnswer

HubName = Annotated[str, typer.Argument(metavar="HUB", help="civitai or huggingface.", autocompletion=hubs)]


def register(app: typer.Typer) -> None:
    """Put the `auth` group on the application."""
    group = typer.Typer(help="Tokens for the hubs.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="auth")

    @verb(group, "login", group="auth", examples=("sdkeep auth login civitai", "sdkeep auth login hf < token.txt"))
    def login(
        face: Face,
        hub: HubName,
        check: Annotated[bool, typer.Option(help="Ask the hub whose token it is.")] = True,
    ) -> Reply:
        """Store a token, read from the terminal without echo or from standard input; never from a flag."""
        from sdkeep.actions import auth

        name = auth.hub_called(hub)
        done = auth.login(face.house(), name, _token(face, name, auth.KEY_PAGES[name]), check=check)

        def show(out: Out) -> None:
            out.bare(done.account)
            whose = f" of {done.account}" if done.account else ""
            out.line(f"the token{whose} for {done.host} is kept in {done.kept_in}", "good")

        return Reply(done, show, hints=["`sdkeep auth status` shows every token"])

    @verb(group, "logout", group="auth", examples=("sdkeep auth logout civitai",))
    def logout(face: Face, hub: HubName) -> Reply:
        """Forget the stored token of a hub."""
        from sdkeep.actions import auth

        done = auth.logout(face.house(), auth.hub_called(hub))
        word = "forgotten" if done.forgotten else "there was none stored"
        return Reply(done, lambda out: out.line(f"{done.hub}: {word}"))

    @verb(group, "status", group="auth", examples=("sdkeep auth status",))
    def status(face: Face) -> Reply:
        """Say which token each hub would see, and where it comes from."""
        from sdkeep.actions import auth

        lines = auth.status(face.house())

        def show(out: Out) -> None:
            rows = [(one.hub, one.masked or "none", one.origin, one.where, ", ".join(one.hosts)) for one in lines]
            out.table(("HUB", "TOKEN", "FROM", "WHERE", "SENT TO"), rows)

        return Reply(list(lines), show)


def _token(face: Face, hub: str, page: str) -> str:
    if sys.stdin is not None and not sys.stdin.isatty():
        text = sys.stdin.read(1 << 16).strip()
        if text:
            return text
        raise NeedsAnswer(
            "no token arrived on standard input",
            "tokens are read from the terminal or from standard input, never from a flag",
            f"make one at {page}, then `sdkeep auth login {hub}`",
        )
    face.out.note(f"make a token at {page} and paste it here; it is not shown")
    return str(typer.prompt("token", hide_input=True, err=True))
