"""A broker that closes the connection at what it forbids, as AWS IoT Core does.

It speaks as much of MQTT 5 as a device asks for: CONNACK, SUBACK, one reading with QoS 1 a
connection, PUBACK and PINGRESP.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ = 1, 3, 4, 8, 12


class ClosingBroker:
    """One connection after another, on loopback.

    Args:
        forbids: whether it closes the connection, by its number and a publication's topic.

    Attributes:
        url: of it.
        connections: the topics of what came by each, in order; what was forbidden is among them.
        settled: how many readings were acknowledged.
    """

    def __init__(self, forbids: Callable[[int, str], bool]) -> None:
        self._forbids = forbids
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://localhost:{self._listener.getsockname()[1]}"
        self.connections: list[list[str]] = []
        self.settled = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def end(self) -> None:
        """Stop listening; the client has ended its connection before."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append([])
            # Who connects may go at any byte.
            with connection, connection.makefile("rb") as stream, suppress(OSError, IndexError):
                while (head := stream.read(1)) and self._answer(
                    connection, head[0], stream.read(_length(stream.read))
                ):
                    pass

    def _answer(self, connection: socket.socket, head: int, body: bytes) -> bool:
        kind = head >> 4
        if kind == CONNECT:
            connection.sendall(b"\x20\x03\x00\x00\x00")
        elif kind == SUBSCRIBE:
            connection.sendall(b"\x90\x04" + body[:2] + b"\x00\x01")
            reading = b"\x00\x0areadings/a" + b"\x00\x01" + b"\x00" + b"[]"
            connection.sendall(bytes([0x32, len(reading)]) + reading)
        elif kind == PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            topic = body[2:end].decode()
            self.connections[-1].append(topic)
            if self._forbids(len(self.connections), topic):
                return False
            connection.sendall(b"\x40\x02" + body[end : end + 2])
        elif kind == PUBACK:
            self.settled += 1
        elif kind == PINGREQ:
            connection.sendall(b"\xd0\x00")
        return True


def _length(read: Callable[[int], bytes]) -> int:
    """A packet's length: seven bits a byte, the lowest first."""
    found, shift = 0, 0
    while True:
        byte = read(1)[0]
        found |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return found
