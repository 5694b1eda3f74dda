"""A file server in a process of its own that takes next to no processor time: one file, ranges, sendfile.

    python benchmarks/fileserver.py FILE

Prints its address and serves until its input ends.
"""

from __future__ import annotations

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file: Path

    def do_GET(self) -> None:
        size = self.file.stat().st_size
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2]), size - 1) if asked and asked[2] else size - 1
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("ETag", f'"{size:x}"')
        self.end_headers()
        with self.file.open("rb") as body:
            try:
                self.connection.sendfile(body, first, last - first + 1)
            except (BrokenPipeError, ConnectionResetError):  # a client that had enough
                self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    Handler.file = Path(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}/{Handler.file.name}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
