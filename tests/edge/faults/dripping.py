"""A server that answers every client with one byte now and then, without an end."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from socket import create_server, socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.edge.certificates import Pair

PAUSE_SECONDS = 0.005
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def dripping(beginning: bytes, pair: Pair | None = None, at_once: bytes = b"") -> Iterator[str]:
    """Its address.

    Args:
        beginning: what it says first, a byte at a time; then a letter, again and again.
        pair: a certificate for localhost, where it speaks TLS.
        at_once: what it says before that, in one piece.
    """
    over = threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if pair:
        context.load_cert_chain(*pair)

    def drip(accepted: socket) -> None:
        with suppress(OSError), accepted:
            if not pair:
                return send(accepted)
            with context.wrap_socket(accepted, server_side=True) as secret:
                send(secret)

    def send(accepted: socket) -> None:
        accepted.sendall(at_once)
        for byte in chain(beginning, repeat(ord("x"))):
            accepted.sendall(bytes([byte]))
            if over.wait(PAUSE_SECONDS):
                return

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                threading.Thread(target=drip, args=(accepted,), daemon=True).start()

    with create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        scheme, host = ("https", "localhost") if pair else ("http", "127.0.0.1")
        try:
            yield f"{scheme}://{host}:{listener.getsockname()[1]}"
        finally:
            over.set()
