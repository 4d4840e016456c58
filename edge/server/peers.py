"""What a server needs of other processes that accept from the same listener."""

from __future__ import annotations

from typing import Protocol


class Peers(Protocol):
    """The processes that share a listener and a limit; only the leading thread uses it."""

    bell: int  # a file descriptor that is readable once another process calls this one to accept

    def hold(self, connections: int) -> None:
        """Take note of how many connections this process has."""

    def leave(self) -> None:
        """Take note that this process accepts no more: it is nobody's turn to wait for."""

    def is_turn(self, connections: int) -> bool:
        """Whether this process, with so many, is to accept the next one."""

    def call(self) -> None:
        """Call the process whose turn it is."""

    def carry(self, requests: int) -> None:
        """Take note of how many requests this process has in flight."""

    def admit(self, requests: int, limit: int) -> bool:
        """Whether one more, beside this process's `requests`, is within the limit of all."""
