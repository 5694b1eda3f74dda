"""Is anybody there? One connection, opened and closed, before a client is built to speak to it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

PATIENCE = 0.25


def answers(url: str, seconds: float = PATIENCE) -> bool:
    """Whether something accepts connections at the address; false too for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if not parts.hostname:
            return False
        with socket.create_connection((parts.hostname, port), timeout=seconds):
            return True
    except (OSError, ValueError, UnicodeError):
        return False
