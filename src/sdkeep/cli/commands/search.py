"""`sdkeep search`: look for models at the hubs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdkeep.cli.commands.shared import KindName, kind_called, size_text
from sdkeep.cli.frame import Face, Reply, verb
from sdkeep.cli.output import Out
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Format, NsfwLevel

if TYPE_CHECKING:
    from sdkeep.actions.search import Found

ORIGINS = {"": None, "trained": False, "merge": True}


def register(app: typer.Typer) -> None:
    """Put `search` on the application."""

    @verb(
        app,
        "search",
        examples=("sdkeep search castle --kind lora --base 'SD 1.5'", "sdkeep search --creator Nerfgun3 --hub civitai"),
    )
    def search(
        face: Face,
        words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]", help="What to look for.")] = None,
        hub: Annotated[list[str] | None, typer.Option("--hub", help="civitai or huggingface; both by default.")] = None,
        kind: KindName = "",
        base: Annotated[str, typer.Option("--base", metavar="BASE", help="Base model, such as 'SD 1.5' or Pony.")] = "",
        safetensors: Annotated[bool, typer.Option("--safetensors", help="Only models that offer safetensors.")] = False,
        origin: Annotated[str, typer.Option("--origin", help="trained or merge.")] = "",
        tag: Annotated[str, typer.Option("--tag", help="Only models with this tag.")] = "",
        creator: Annotated[str, typer.Option("--creator", help="Only models of this account.")] = "",
        permission: Annotated[
            str, typer.Option("--permission", help="sell-pictures, serve, sell-model, merge, relicense, no-credit.")
        ] = "",
        sort: Annotated[str, typer.Option("--sort", help="downloads, rating, newest, oldest, likes, ...")] = "",
        period: Annotated[str, typer.Option("--period", help="day, week, month, year or all.")] = "",
        nsfw: Annotated[str, typer.Option("--nsfw", help="pg, pg13, r, x or xxx: the strongest to show.")] = "",
        limit: Annotated[int, typer.Option("--limit", min=1, max=10000, help="How many models from each hub.")] = 20,
    ) -> Reply:
        """Look for models at Civitai and Hugging Face."""
        from sdkeep.actions.search import HUBS
        from sdkeep.actions.search import search as act
        from sdkeep.ground.model import Query

        if origin not in ORIGINS:
            raise UsageError(f"`{origin}` is no origin", "a model is `trained` or a `merge`", "`--origin trained`")
        house = face.house(nsfw=nsfw or None)
        query = Query(
            text=" ".join(words or ()),
            kind=kind_called(kind),
            base=base,
            format=Format.SAFETENSORS if safetensors else None,
            merged=ORIGINS[origin],
            tag=tag,
            creator=creator,
            permission=permission,
            sort=sort,
            period=period,
            level=NsfwLevel(house.settings.nsfw),
            limit=limit,
        )
        spelt = {"hf": "huggingface"}
        found = act(house, query, tuple(spelt.get(name, name) for name in hub) if hub else HUBS)
        first = found.hits[0].ref if found.hits else ""
        hints = (
            [f"`sdkeep show {first}` tells more, `sdkeep get {first}` fetches it"]
            if first
            else ["try fewer words or filters"]
        )
        return Reply(
            list(found.hits),
            lambda out: _show(out, found),
            1 if found.failures else 0,
            list(found.failures),
            hints=hints,
        )


def _show(out: Out, found: Found) -> None:
    for hit in found.hits:
        out.bare(hit.ref)
    rows = [
        (
            hit.ref,
            hit.name,
            str(hit.kind),
            ", ".join(hit.bases[:3]),
            hit.creator,
            size_text(hit.size),
            f"{hit.downloads:,}",
        )
        for hit in found.hits
    ]
    if rows:
        out.table(("REF", "NAME", "KIND", "BASE", "CREATOR", "SIZE", "DOWNLOADS"), rows)
    else:
        out.note("nothing fits")
