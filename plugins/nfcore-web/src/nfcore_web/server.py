"""A loopback server for a fixed set of pages: it serves no files by path."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nfcore import NfcoreError
from nfcore.plugin import reason

#: The headers of every response. The first two isolate the page, so that WebAssembly may use threads.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


# What the view itself needs: its files, and the viewer and the report in frames.
_OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'"
)
# What the report needs: its own script, by its hash; no address but what it has in itself.
_REPORT = "default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; media-src data:"
# What the viewer needs, which has a policy of its own in its file.
_VIEWER = "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob: data:"
_ALWAYS = "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
_SCRIPT, _END = re.compile(rb"<script\b([^<>]*)>", re.IGNORECASE), re.compile(rb"</script>", re.IGNORECASE)
_DATA = re.compile(rb"""\btype\s*=\s*["']?(?!module|importmap|text/javascript)""", re.IGNORECASE)


@dataclass(frozen=True)
class Resource:
    """The content at one address: bytes, their media type, and what the page may load."""

    data: bytes
    media_type: str
    policy: str = _OWN

    @classmethod
    def viewer(cls, data: bytes) -> Resource:
        """Return an exported page."""
        return cls(data, "text/html; charset=utf-8", _VIEWER)

    @classmethod
    def report(cls, data: bytes) -> Resource:
        """Return a report, in which only the scripts that it has may run."""
        digests = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _scripts(data))
        hashes = " ".join(f"'sha256-{digest}'" for digest in digests)
        return cls(data, "text/html; charset=utf-8", _REPORT.format(hashes=hashes or "'none'"))

    @classmethod
    def html(cls, text: str) -> Resource:
        """Return a page."""
        return cls(text.encode(), "text/html; charset=utf-8")

    @classmethod
    def json(cls, value: Any) -> Resource:
        """Return data for a page."""
        return cls(json.dumps(value, allow_nan=False).encode(), "application/json")

    @classmethod
    def model(cls, data: bytes) -> Resource:
        """Return a mesh, which the browser saves or hands to its viewer."""
        usdz = data.startswith(b"PK")
        return cls(data, "model/vnd.usdz+zip" if usdz else "model/gltf-binary")

    @classmethod
    def png(cls, data: bytes) -> Resource:
        """Return a picture."""
        return cls(data, "image/png")


def _scripts(page: bytes) -> Iterator[bytes]:
    """Yield the scripts in a page, each looked for once: in one that is damaged, most may lack their end."""
    at = 0
    while (start := _SCRIPT.search(page, at)) and (end := _END.search(page, start.end())):
        if not _DATA.search(start[1]):
            yield page[start.end() : end.start()]
        at = end.end()


class Server(ThreadingHTTPServer):
    """Serves the resources of ``find`` on loopback, to GET and HEAD, under loopback's own names.

    The Host header must name the server itself: a foreign page whose name resolves to loopback (DNS rebinding) is
    rejected.

    Args:
        find: maps a path such as ``/viewer.html`` to its resource, or None; called from several threads.
        port: 0 for a free one.

    """

    daemon_threads = True
    request_queue_size = 1024  # the default of 5 loses clients that connect at once

    def __init__(self, find: Callable[[str], Resource | None], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.find = find
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say in a line what failed, and nothing of a client that has gone, as one does that leaves a page."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, OSError):
            sys.stderr.write(f"nfcore: the viewer: {reason(error)}\n")


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
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # else its body would be read as the next request
            self.answer(HTTPStatus.BAD_REQUEST, None, {"Connection": "close"})
            return
        try:
            resource = self.server.find(self.path.partition("?")[0])
        except Exception as error:  # a plugin's model may raise anything
            said = str(error) if isinstance(error, NfcoreError) else reason(error)
            text = f"{said}\n".encode(errors="replace")
            self.answer(HTTPStatus.INTERNAL_SERVER_ERROR, Resource(text, "text/plain; charset=utf-8"))
            return
        self.answer(HTTPStatus.OK if resource else HTTPStatus.NOT_FOUND, resource)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: HTTPStatus, resource: Resource | None, more: dict[str, str] | None = None) -> None:
        """Send one response; without a resource its text is the name of the status."""
        resource = resource or Resource(f"{status.phrase}\n".encode(), "text/plain; charset=utf-8")
        self.send_response(status)
        own = {
            "Content-Type": resource.media_type,
            "Content-Length": str(len(resource.data)),
            "Content-Security-Policy": f"{resource.policy}; {_ALWAYS}",
        }
        for name, value in (HEADERS | own | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(resource.data)

    def log_message(self, format: str, *values: object) -> None:
        """Log nothing: the terminal shows only the viewer's address."""
