"""What of the machine matters to reading a WebUI's configuration, handed in as one value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})|%(\w+)%")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Environment variables, the home folder, and whether this is Windows."""

    environ: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    home: Path | None = None
    windows: bool = os.name == "nt"

    def expanded(self, text: str) -> str:
        """`text` with `~` and variables put in; unknown ones stay as they are written."""

        def spelt(match: re.Match[str]) -> str:
            return self.environ.get(match[1] or match[2] or match[3], match[0])

        if self.home and (text == "~" or text.startswith(("~/", "~\\"))):
            text = str(self.home) + text[1:]
        return _VARIABLE.sub(spelt, text)
