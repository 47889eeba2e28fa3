"""A hub on this machine: as much of the Hugging Face Hub's interface as pushing and pulling need."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0" * 40


@dataclass
class Hub:
    """The hub's repositories, and how it answers.

    Args:
        files: by repository and path.
        refuses: HTTP status of every answer, if it refuses all.
        sizes: what it says of a file's size instead of the truth.

    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refuses: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    endpoint: str = ""


@contextmanager
def served() -> Iterator[Hub]:
    """Serve a hub until the context ends."""
    hub = Hub()

    class Handler(_Handler):
        held = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    held: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, content: object, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(200)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        path = urlsplit(self.path).path
        if self.held.refuses:
            self.refuse(self.held.refuses)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            self.held.files.setdefault(repo, {})
            self.answer({"url": f"{self.held.endpoint}/{repo}", "id": repo})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif found := re.fullmatch(r"/api/models/(.+)/preupload/main", path):
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
            self.answer({"files": modes})
        elif found := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            self.commit(self.held.files[found[1]], body)
            self.answer({"commitUrl": f"{self.held.endpoint}/{found[1]}/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self.refuse(404)

    def commit(self, files: dict[str, bytes], body: bytes) -> None:
        for line in body.splitlines():
            change = json.loads(line)
            if change["key"] == "deletedFile":
                del files[change["value"]["path"]]
            elif change["key"] == "file":
                files[change["value"]["path"]] = base64.b64decode(change["value"]["content"])

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.held.refuses:
            self.refuse(self.held.refuses)
        elif found := re.fullmatch(rf"/([^/]+/[^/]+)/resolve/{COMMIT}/(.+)", path):
            self.answer(self.held.files[found[1]][found[2]], ETag='"0"', X_Repo_Commit=COMMIT)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/tree/main|/revision/main)?", path):
            if found[1] not in self.held.files:
                self.refuse(404, "RepoNotFound")
                return
            files = self.held.files[found[1]]
            sizes = {name: self.held.sizes.get(name, len(data)) for name, data in files.items()}
            if found[2] == "/tree/main":
                self.answer([{"type": "file", "path": n, "size": s, "oid": "0"} for n, s in sizes.items()])
            else:
                siblings = [{"rfilename": n, "size": s, "blobId": "0"} for n, s in sizes.items()]
                self.answer({"id": found[1], "sha": COMMIT, "siblings": siblings, "private": False})
        else:
            self.refuse(404)
