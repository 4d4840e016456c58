"""What a connection needs of a socket: a plain one has it, and TLS over one."""

from __future__ import annotations

from typing import Protocol

Bytes = bytes | memoryview


class PlainHttp(OSError):
    """A client spoke HTTP without TLS to a port that expects TLS."""


class Socket(Protocol):
    """A non-blocking stream socket, or TLS over one."""

    def fileno(self) -> int:
        """The file descriptor, for selectors."""

    def recv(self, size: int, /) -> bytes:
        """Bytes that have arrived; empty at the end."""

    def send(self, data: Bytes, /) -> int:
        """Send; return how many bytes were taken."""

    def shutdown(self, how: int, /) -> None:
        """Announce that nothing more is sent."""

    def close(self) -> None:
        """Close the connection."""


def rest_of(data: Bytes, sent: int) -> Bytes:
    """The bytes that are still to be sent.

    They are copied only once half of them are gone: else a long response would be copied thousands
    of times for a client that takes a few bytes at a time.
    """
    rest = memoryview(data)[sent:]
    return bytes(rest) if len(rest) * 2 < len(data) else rest
