"""What a server has of its supervisor, where it is one of several workers."""

from __future__ import annotations

import socket
from typing import Protocol

from onnxlet.edge.server.peers import Peers
from onnxlet.edge.service.watchdog import Watchdog
from onnxlet.edge.workers.link import Link


class Post(Protocol):
    """A worker's post.

    Attributes:
        link: to the supervisor, and by way of it to the other workers.
        board: the numbers that all share.
        watchdog: reports golden rows that are answered; None where systemd does not listen.
    """

    @property
    def link(self) -> Link: ...  # noqa: D102 - as above
    @property
    def board(self) -> Peers: ...  # noqa: D102
    @property
    def watchdog(self) -> Watchdog | None: ...  # noqa: D102

    def serves(self, introduction: list[str], end: socket.socket) -> None:
        """Report that requests are answered from now on.

        Args:
            introduction: what a server prints when it starts.
            end: ends this process as a signal does, once a byte is sent.
        """
