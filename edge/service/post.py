"""What a server has of its supervisor, where it is one of several workers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple

from onnxlet.edge.aggregation.link import Link
from onnxlet.edge.server.peers import Peers
from onnxlet.edge.service.watchdog import Watchdog


class Post(NamedTuple):
    """A worker's post.

    Attributes:
        link: to the supervisor, and by way of it to the other workers.
        board: the numbers that all share.
        watchdog: reports golden rows that are answered; None where systemd does not listen.
        begins: called with what ends this process as a signal does, once a byte is sent: from then
            on, what is in hand is finished when the supervisor ends it.
        serves: called with what a server prints when it starts, once requests are answered.
    """

    link: Link
    board: Peers
    watchdog: Watchdog | None
    begins: Callable[[socket.socket], None]
    serves: Callable[[list[str]], None]
