"""Styles: named texts that are put around a prompt, from AUTOMATIC1111's `styles.csv`.

Source of the rules: AUTOMATIC1111 1.10 `modules/styles.py`.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdkeep.ground.errors import NotFoundHere, UsageError

_PLACE = "{prompt}"
_OLD = "text"
"""How the column `prompt` was called before there was one for the negative prompt."""
_RULE = "-----"
"""What stands around the name of a line that only divides the list."""


@dataclass(frozen=True, slots=True)
class Style:
    """What goes before and behind `{prompt}`, or behind the prompt where that word is missing."""

    name: str
    prompt: str = ""
    negative: str = ""


def read_styles(text: str) -> dict[str, Style]:
    """The styles of a `styles.csv` by name; of two with one name the last counts. Raises `UsageError`."""
    try:
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), skipinitialspace=True))
    except csv.Error as error:
        raise _no_styles(str(error)) from error
    if rows and not ("name" in rows[0] and {"prompt", _OLD} & rows[0].keys()):
        raise _no_styles("its first line does not name the columns `name`, `prompt`, `negative_prompt`")
    found: dict[str, Style] = {}
    for row in rows:
        name = (row.get("name") or "").strip()
        if name and not name.startswith(_RULE):
            prompt = row.get("prompt") or row.get(_OLD) or ""
            found[name] = Style(name, prompt, row.get("negative_prompt") or "")
    return found


def write_styles(styles: Iterable[Style]) -> str:
    """The text of a `styles.csv` that AUTOMATIC1111 reads."""
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(("name", "prompt", "negative_prompt"))
    rows.writerows((style.name, style.prompt, style.negative) for style in styles)
    return out.getvalue()


def styled(prompt: str, negative: str, names: Iterable[str], styles: Mapping[str, Style]) -> tuple[str, str]:
    """The prompt and the negative prompt with the styles of these names, one after another.

    Raises `NotFoundHere` with the nearest names for one that is not there.
    """
    for name in names:
        style = styles.get(name) or styles.get(name.strip())
        if style is None:
            raise _unknown(name, styles)
        prompt, negative = merged(style.prompt, prompt), merged(style.negative, negative)
    return prompt, negative


def merged(style: str, prompt: str) -> str:
    """One text of a style with the prompt in its place, or else behind the prompt and a comma."""
    if _PLACE in style:
        return style.replace(_PLACE, prompt)
    return ", ".join(part for part in (prompt.strip(), style.strip()) if part)


def _unknown(name: str, styles: Iterable[str]) -> NotFoundHere:
    near = difflib.get_close_matches(name, list(styles), n=3, cutoff=0.4)
    why = "the nearest are " if near else "there are " if styles else "there are none"
    return NotFoundHere(
        f"there is no style `{name}`",
        why + ", ".join(f"`{one}`" for one in near or list(styles)[:5]),
        f"`--style '{near[0]}'`" if near else "`--styles FILE` names a `styles.csv`",
    )


def _no_styles(why: str) -> UsageError:
    return UsageError(
        "this file of styles cannot be read", why, "`--styles FILE` takes a `styles.csv` of AUTOMATIC1111"
    )
