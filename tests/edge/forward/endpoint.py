"""A real HTTPS endpoint on loopback that takes batches once by their key, and misbehaves."""

from __future__ import annotations

import gzip
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.edge.certificates import Pair

Mood = str  # ok, lost (taken, and the answer is lost), drop, hang, or a status
WELL: Sequence[Mood] = ("ok",)
AWFUL: Sequence[Mood] = ("ok", "ok", "lost", "lost", "drop", "hang", "500", "503", "408")
LONGEST_SECONDS = 60  # that one who asks is kept hanging: it goes before that


class Endpoint:
    """What has come.

    Attributes:
        batches: the records of each batch, by its key; a key that comes again is taken for known.
        tries: the key of each request, in order.
        bodies: of each key, every body that came with it.
        headers: of the last request.
        mood: chooses what is done with a request.
        judge: what is done with a body of some records, where that is for it to say.
    """

    def __init__(self) -> None:
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.tries: list[str] = []
        self.bodies: dict[str, set[bytes]] = {}
        self.headers: dict[str, str] = {}
        self.mood: Callable[[], Mood] = cycle(WELL).__next__
        self.judge: Callable[[bytes, list[dict[str, Any]]], Mood] = lambda body, records: "ok"
        self.retry_after = ""
        self.url = ""
        self._lock = threading.Lock()

    def misbehave(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - seeded, to come again
        self.mood = lambda: chance.choice(AWFUL)

    def behave(self) -> None:
        self.mood = cycle(WELL).__next__

    def says(self, *moods: Mood) -> None:
        """These one after another, then all goes well."""
        rest = iter(moods)
        self.mood = lambda: next(rest, "ok")

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for batch in list(self.batches.values()) for record in batch]

    def take(self, key: str, headers: dict[str, str], body: bytes) -> Mood:
        with self._lock:
            records = json.loads(gzip.decompress(body))["records"]
            mood = self.mood()
            mood = self.judge(body, records) if mood == "ok" else mood
            self.tries.append(key)
            self.headers = headers
            self.bodies.setdefault(key, set()).add(body)
            if mood in ("ok", "lost") and key not in self.batches:
                self.batches[key] = records
            return mood


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # its sender was killed meanwhile
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            mood = endpoint.take(headers["idempotency-key"], headers, body)
            if mood == "hang":
                self._wait_until_gone()
            if mood in ("lost", "drop", "hang"):
                self.close_connection = True
                return
            self.send_response(200 if mood == "ok" else int(mood))
            if endpoint.retry_after:
                self.send_header("Retry-After", endpoint.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _wait_until_gone(self) -> None:
            self.connection.settimeout(LONGEST_SECONDS)
            with suppress(OSError):
                self.connection.recv(1)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *args: Any) -> None:
        """Clients that are killed are what this is for."""


@contextmanager
def listening(
    pair: Pair | None, address: str = "127.0.0.1", name: str = "localhost"
) -> Iterator[Endpoint]:
    """An endpoint, with TLS where there is a certificate for its name."""
    endpoint = Endpoint()
    server = _Server((address, 0), _handler(endpoint))
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        # The handshake is made by the thread that reads, not by the one that accepts.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    host = f"https://{name}" if pair else f"http://{address}"
    endpoint.url = f"{host}:{server.server_address[1]}/records"
    serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
