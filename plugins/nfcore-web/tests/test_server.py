"""The loopback server: what it answers, and above all what it refuses."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcore_web.server import HEADERS, Resource, Server

PAGES = {"/": Resource.html("<p>é</p>"), "/data.json": Resource.json({"a": 1})}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(PAGES.get) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Server, method: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def test_it_listens_on_loopback_alone_on_a_free_port(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.server_port > 1023
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


@pytest.mark.parametrize("path", PAGES)
def test_get_and_head_give_its_pages(server, path):
    answer, body = ask(server, "GET", path)
    assert (answer.status, body) == (200, PAGES[path].data)
    assert answer.headers["Content-Type"] == PAGES[path].media_type
    head, nothing = ask(server, "HEAD", path)
    assert (head.status, nothing) == (200, b"")
    assert head.headers["Content-Length"] == str(len(body))


def test_each_answer_isolates_its_page(server):
    for answer, _ in (ask(server, "GET", "/"), ask(server, "GET", "/none"), ask(server, "POST", "/")):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"
    assert HEADERS["Cross-Origin-Embedder-Policy"] == "require-corp"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "NONSENSE"])
def test_any_other_method_is_refused(server, method):
    answer, _ = ask(server, method, "/")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "localhost:1", "127.0.0.1.example.org:{port}", ""])
def test_another_host_is_refused(server, host):
    answer, _ = ask(server, "GET", "/", Host=host.format(port=server.server_port))
    assert answer.status == 421
    assert ask(server, "GET", "/", Host=f"localhost:{server.server_port}")[0].status == 200


def test_no_host_at_all_is_refused(server):
    assert raw(server, b"GET / HTTP/1.0\r\n\r\n").split(b" ")[1] == b"421"


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/..%5c..%5cetc",
        "/data.json/../..",
        "/view.py",
        "/data.json%00",
    ],
)
def test_paths_outside_its_pages_are_not_found(server, path):
    answer, body = ask(server, "GET", path)
    assert (answer.status, body) == (404, b"Not Found\n")


@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
@settings(deadline=None)
def test_any_path_is_one_of_its_pages_or_not_found(server, path):
    answer, _ = ask(server, "GET", f"/{path}")
    found = "/" + path.lstrip("/").partition("?")[0]  # the server takes several slashes at the start for one
    assert answer.status == (200 if found in PAGES else 404)


@pytest.mark.parametrize(
    "request_", [b"", b"\r\n\r\n", b"\x16\x03\x01\x02", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_nonsense_does_not_stop_it(server, request_):
    raw(server, request_)
    assert ask(server, "GET", "/")[0].status == 200


def test_a_body_is_not_read_as_the_next_request(server):
    host = f"Host: 127.0.0.1:{server.server_port}".encode()
    inner = b"GET /data.json HTTP/1.1\r\n" + host + b"\r\n\r\n"
    length = f"Content-Length: {len(inner)}".encode()
    answer = raw(server, b"GET / HTTP/1.1\r\n" + host + b"\r\n" + length + b"\r\n\r\n" + inner)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b'"a"' not in answer


def test_two_hundred_clients_at_once_are_all_answered(server):
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nConnection: close\r\n\r\n".encode()
    clients = [socket.create_connection(("127.0.0.1", server.server_port), timeout=30) for _ in range(200)]
    for client in clients:
        client.sendall(request)
    answers = []
    for client in clients:
        with client:
            answers.append(client.recv(65536))
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def test_only_a_reports_own_script_may_run():
    page = Resource.report(b'<script type="application/json">{}</script><script>one()</script><p>two</p>')
    assert page.policy.count("sha256-") == 1
    assert "unsafe-inline" not in page.policy.partition("style-src")[0]


def test_a_damaged_report_is_read_in_time_that_grows_with_its_size():
    for piece in (b"<script", b"<script>", b"<script id=a ", b'<script type="x">'):
        assert "'none'" in Resource.report(piece * 200_000).policy.partition("style-src")[0]


def test_a_client_that_goes_away_says_nothing(server, capfd, monkeypatch):
    monkeypatch.setitem(PAGES, "/", Resource.html("x" * 10_000_000))
    for _ in range(5):
        client = socket.create_connection(("127.0.0.1", server.server_port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not closed
        client.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode())
        client.close()
    for _ in range(20):
        assert ask(server, "HEAD", "/")[0].status == 200
    assert capfd.readouterr().err == ""


def test_a_fault_is_an_answer(server, monkeypatch):
    monkeypatch.setattr(server, "find", lambda path: 1 // 0)
    answer, body = ask(server, "GET", "/")
    assert answer.status == 500
    assert b"ZeroDivisionError" in body
