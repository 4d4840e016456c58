"""Records what a client and a server say to each other, byte for byte as it goes by."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

END = b"\r\n"


class Message(NamedTuple):
    """A request or a response.

    Attributes:
        line: the first one.
        headers: names in lower case.
        body: without transfer coding; compressed where it was.
    """

    line: str
    headers: Mapping[str, str]
    body: bytes


class Exchange(NamedTuple):
    """A request and its response."""

    request: Message
    response: Message


class Tape:
    """All connections to a port, passed on to another.

    Attributes:
        port: to connect to.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._said: list[tuple[bytearray, bytearray]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the end of the recording
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port), timeout=60)
                asked, answered = bytearray(), bytearray()
                self._said.append((asked, answered))
                threading.Thread(
                    target=_converse, args=(client, server, asked, answered), daemon=True
                ).start()

    def exchanges(self) -> list[Exchange]:
        """What was said so far, connection by connection."""
        found = []
        for asked, answered in self._said:
            pairs = zip(_messages(bytes(asked)), _messages(bytes(answered)), strict=True)
            found += [Exchange(request, response) for request, response in pairs]
        return found

    def stop(self) -> None:
        """Take no more connections."""
        self._listener.close()


def _converse(
    client: socket.socket, server: socket.socket, asked: bytearray, answered: bytearray
) -> None:
    with client, server:
        back = threading.Thread(target=_pass_on, args=(server, client, answered), daemon=True)
        back.start()
        _pass_on(client, server, asked)
        back.join()


def _pass_on(source: socket.socket, target: socket.socket, heard: bytearray) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            heard += piece
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def recording(server_port: int) -> Iterator[Tape]:
    """A tape that runs while the block does."""
    tape = Tape(server_port)
    try:
        yield tape
    finally:
        tape.stop()


def _messages(said: bytes) -> Iterator[Message]:
    stream = io.BytesIO(said)
    while line := stream.readline():
        headers = {k.lower(): v for k, v in http.client.parse_headers(stream).items()}
        yield Message(line.decode().strip(), headers, _body(stream, headers))


def _body(stream: io.BytesIO, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return stream.read(int(headers.get("content-length", 0)))
    whole = b""
    while size := int(stream.readline(), 16):
        whole += stream.read(size)
        stream.readline()
    stream.readline()
    return whole
