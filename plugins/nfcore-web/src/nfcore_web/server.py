"""A loopback server for a fixed set of pages: it serves no files by path."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: The headers of every response. The first two isolate the page, so that WebAssembly may use threads.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob: data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Resource:
    """The content at one address: bytes and their media type."""

    data: bytes
    media_type: str

    @classmethod
    def html(cls, text: str) -> Resource:
        """Return a page."""
        return cls(text.encode(), "text/html; charset=utf-8")

    @classmethod
    def json(cls, value: Any) -> Resource:
        """Return data for a page."""
        return cls(json.dumps(value, allow_nan=False).encode(), "application/json")

    @classmethod
    def png(cls, data: bytes) -> Resource:
        """Return a picture."""
        return cls(data, "image/png")


class Server(ThreadingHTTPServer):
    """Serves the resources of ``find`` on loopback, to GET and HEAD, under loopback's own names.

    The Host header must name the server itself: a foreign page whose name resolves to loopback (DNS rebinding) is
    rejected.

    Args:
        find: maps a path such as ``/viewer.html`` to its resource, or None; called from several threads.
        port: 0 for a free one.

    """

    daemon_threads = True

    def __init__(self, find: Callable[[str], Resource | None], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.find = find
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "nfcore", ""
    timeout = 30  # seconds, after which a silent connection is closed

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # the base class looks up a method for each HTTP method
            return self.refuse
        raise AttributeError(name)

    def refuse(self) -> None:
        """Answer any other method, without reading its body."""
        self.close_connection = True
        self.answer(HTTPStatus.METHOD_NOT_ALLOWED, None, {"Allow": "GET, HEAD"})

    def do_GET(self) -> None:
        """Answer with a resource."""
        if self.headers.get("Host") not in self.server.hosts:
            self.answer(HTTPStatus.MISDIRECTED_REQUEST, None)
            return
        resource = self.server.find(self.path.partition("?")[0])
        self.answer(HTTPStatus.OK if resource else HTTPStatus.NOT_FOUND, resource)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: HTTPStatus, resource: Resource | None, more: dict[str, str] | None = None) -> None:
        """Send one response; without a resource its text is the name of the status."""
        resource = resource or Resource(f"{status.phrase}\n".encode(), "text/plain; charset=utf-8")
        self.send_response(status)
        own = {"Content-Type": resource.media_type, "Content-Length": str(len(resource.data))}
        for name, value in (HEADERS | own | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(resource.data)

    def log_message(self, format: str, *values: object) -> None:
        """Log nothing: the terminal shows only the viewer's address."""
