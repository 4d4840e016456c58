"""Web servers: the one that users start, and one whose faults a test chooses."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from onnxlet.convert.bundle.browser import TYPES
from tests.browser.releases import files_of
from tests.conftest import begun


@dataclass
class WebServer:
    """`python -m http.server` in a folder, which can be killed and started again."""

    folder: Path
    port: int = 0
    process: Any = None

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/"

    def start(self) -> None:
        command = [sys.executable, "-u", "-m", "http.server", str(self.port)]
        where = ["--bind", "127.0.0.1", "--directory", str(self.folder)]
        with self.folder.with_name("server.log").open("a") as log:
            self.process = begun([*command, *where], stderr=log)
        words = self.process.stdout.readline().split()
        assert words[:2] == ["Serving", "HTTP"], words
        self.port = int(words[5])

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@contextmanager
def web_server(folder: Path) -> Iterator[WebServer]:
    server = WebServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Sent(NamedTuple):
    """A response: fewer bytes than it names are a connection that breaks off."""

    status: int
    content: bytes
    length: int


Fault = Callable[[bytes], Sent]


def cut(after: int) -> Fault:
    return lambda content: Sent(200, content[:after], len(content))


def altered(at: int) -> Fault:
    def alter(content: bytes) -> Sent:
        other = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        return Sent(200, other, len(other))

    return alter


def gone(content: bytes) -> Sent:
    return Sent(404, b"", 0)


@dataclass
class Site:
    """A folder's files, and what is wrong with some of them, by their paths."""

    files: dict[str, bytes]
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(self, folder: Path) -> None:
        """Another release in the place of this one."""
        self.files = files_of(folder)


class FaultyServer:
    """Serves sites from memory, each below a folder of its own."""

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        handler = type("Here", (_Handler,), {"sites": self.sites})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]

    def site(self, name: str, folder: Path, **faults: Fault) -> tuple[str, Site]:
        """The address of a new site, and the site."""
        self.sites[name] = Site(files_of(folder))
        return f"http://localhost:{self.port}/{name}/", self.sites[name]


class _Handler(BaseHTTPRequestHandler):
    sites: dict[str, Site]

    def do_GET(self) -> None:
        name, _, path = urlsplit(self.path).path[1:].partition("/")
        site = self.sites.get(name, Site({}))
        site.asked.append(path)
        path = path or "index.html"
        content = site.files.get(path)
        found = gone(b"") if content is None else site.faults.get(path, _whole)(content)
        self.send_response(found.status)
        self.send_header("Content-Type", TYPES.get(Path(path).suffix, "text/plain"))
        self.send_header("Content-Length", str(found.length))
        self.end_headers()
        with suppress(ConnectionError):  # a browser that has heard enough
            self.wfile.write(found.content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _whole(content: bytes) -> Sent:
    return Sent(200, content, len(content))


@contextmanager
def faulty_server() -> Iterator[FaultyServer]:
    faulty = FaultyServer()
    faulty.server.daemon_threads = True
    thread = threading.Thread(target=faulty.server.serve_forever)
    thread.start()
    try:
        yield faulty
    finally:
        faulty.server.shutdown()
        thread.join()
        faulty.server.server_close()
