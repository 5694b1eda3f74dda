"""A small HTTP/1.1 server on the loopback, in a thread, that remembers what it was asked and misbehaves on request."""

from __future__ import annotations

import os
import socket
import struct
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from sdkeep.demo import faults as troubles
from sdkeep.demo.exchange import (
    Handler,
    Hit,
    Request,
    Response,
    file_response,
    json_response,
    redirect,
    text_response,
)
from sdkeep.demo.faults import Delivery, Fault, Script, Trouble

__all__ = [
    "Fault",
    "Handler",
    "Hit",
    "Request",
    "Response",
    "SampleServer",
    "Trouble",
    "file_response",
    "json_response",
    "redirect",
    "text_response",
]

_BLOCK = 256 * 1024
_PACED = 16 * 1024


class SampleServer:
    """Serves on 127.0.0.1 from construction until `close`; a context manager.

    Handlers are asked in the order they were added; the first that answers something wins, and nobody means 404.
    A handler that raises is answered with 500 and kept in `errors`.
    """

    def __init__(self, port: int = 0) -> None:
        self.hits: list[Hit] = []
        self.errors: list[Exception] = []
        self._handlers: list[Handler] = []
        self._script = Script()
        self._closing = threading.Event()
        self._http = _Listener(self, port)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._http.server_port

    @property
    def url(self) -> str:
        """The base address, without a final slash."""
        return f"http://127.0.0.1:{self.port}"

    def route(self, handler: Handler) -> Handler:
        """Add a handler; usable as a decorator."""
        self._handlers.append(handler)
        return handler

    def misbehave(self, *faults: Fault) -> None:
        """Put faults in force, after those already there."""
        self._script.add(*faults)

    def behave(self) -> None:
        """Take all faults back."""
        self._script.clear()

    def close(self) -> None:
        """Stop listening, drop open connections, and wait for the threads that served them."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._http.drop_connections()
        self._thread.join()

    def __enter__(self) -> SampleServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def answer(self, request: Request, target: str) -> tuple[Response, Delivery]:
        """What to send to a request, and how; `target` is its path with the query."""
        faults = self._script.due(request, target)
        response = troubles.instead(faults) or self._handled(troubles.before(request, faults))
        return troubles.after(response, faults)

    def wait(self, seconds: float) -> bool:
        """Be silent for so long; true when the server is closing."""
        return self._closing.wait(seconds)

    def _handled(self, request: Request) -> Response:
        try:
            for handler in self._handlers:
                if (response := handler(request)) is not None:
                    return response
        except Exception as error:
            self.errors.append(error)
            return text_response(repr(error), 500)
        return json_response({"error": f"no such thing: {request.path}"}, 404)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: SampleServer, port: int) -> None:
        self.owner = owner
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Connection)

    def enter(self, connection: socket.socket) -> None:
        """Know a connection while its thread serves it."""
        with self._lock:
            self._open[threading.current_thread()] = connection

    def leave(self) -> None:
        """Forget the connection of this thread."""
        with self._lock:
            self._open.pop(threading.current_thread(), None)

    def drop_connections(self) -> None:
        """End every open connection and wait for its thread."""
        with self._lock:
            open_now = list(self._open.items())
        for thread, connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # already gone
                pass
            thread.join(5)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sdkeep-sample"
    sys_version = ""
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        """Begin to serve a connection."""
        super().setup()
        self.server.enter(self.connection)

    def finish(self) -> None:
        """End it."""
        super().finish()
        self.server.leave()

    def do_GET(self) -> None:
        """Answer any method alike."""
        owner = self.server.owner
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        request = Request(self.command, parts.path, parse_qs(parts.query, keep_blank_values=True), headers, body)
        response, delivery = owner.answer(request, self.path)
        hit = Hit(self.command, self.path, headers, headers.get("range", ""), response.status)
        owner.hits.append(hit)
        try:
            self._send_head(response, delivery)
            if self.command != "HEAD":
                self._send_body(response, delivery, hit)
        except OSError:  # the client has what it wanted, or lost patience
            self.close_connection = True
        finally:
            hit.over = True

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _send_head(self, response: Response, delivery: Delivery) -> None:
        phrase = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else ""
        self.send_response(response.status, phrase)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if delivery.no_length:
            self.send_header("connection", "close")
        elif response.status not in (204, 304):
            self.send_header("content-length", str(response.size))
        self.end_headers()

    def _send_body(self, response: Response, delivery: Delivery, hit: Hit) -> None:
        size = response.size
        stop = size if delivery.stop_at is None else min(size, delivery.stop_at)
        while hit.sent < stop:
            if hit.sent == delivery.stall_at and self.server.owner.wait(delivery.stall):
                break
            if delivery.pace and self.server.owner.wait(delivery.pace):
                break
            block = self._block(response, delivery, hit.sent, stop)
            hit.sent += len(block)  # before: who has read it may look
            self.wfile.write(block)
        if hit.sent < size:
            self.close_connection = True
            if hit.sent == delivery.stall_at:
                self.server.owner.wait(delivery.stall)
            if delivery.reset:
                self._reset()

    @staticmethod
    def _block(response: Response, delivery: Delivery, sent: int, stop: int) -> bytes:
        end = min(stop, sent + (_PACED if delivery.pace else _BLOCK))
        if delivery.stall_at is not None and sent < delivery.stall_at:
            end = min(end, delivery.stall_at)
        block = bytearray(response.read(sent, end - sent))
        for flip in delivery.flips:
            if sent <= flip < end:
                block[flip - sent] ^= 0x01
        return bytes(block)

    def _reset(self) -> None:
        """Close so that the client's kernel sees RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:
        """Hits are the log."""
