"""What a connection needs of a socket, with TLS or without."""

from __future__ import annotations

from typing import Protocol

Bytes = bytes | memoryview


class PlainHttp(OSError):
    """HTTP came without TLS, where TLS is spoken."""


class Socket(Protocol):
    """What a connection needs of one, with TLS or without; nothing of it blocks."""

    def fileno(self) -> int:
        """For selectors."""

    def recv(self, size: int, /) -> bytes:
        """What has come."""

    def send(self, data: Bytes, /) -> int:
        """How many bytes were taken."""

    def shutdown(self, how: int, /) -> None:
        """Send no more."""

    def close(self) -> None:
        """End it."""


def rest_of(data: Bytes, sent: int) -> Bytes:
    """What is still to be sent.

    It is copied when half of it is gone, and not before: for a client that takes a few bytes at a
    time a long answer would else be copied thousands of times.
    """
    rest = memoryview(data)[sent:]
    return bytes(rest) if len(rest) * 2 < len(data) else rest
