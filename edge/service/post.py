"""What a server has of its supervisor, where it is one of several workers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple

from onnxlet.edge.aggregation.link import Link
from onnxlet.edge.server.peers import Peers
from onnxlet.edge.service.watchdog import Watchdog


class Post(NamedTuple):
    """A worker's post."""

    link: Link  # to the supervisor, and by way of it to the other workers
    board: Peers  # the numbers that all share
    # Reports golden rows that are answered; None where systemd does not listen.
    watchdog: Watchdog | None
    # Called with what ends this process as a signal does, once a byte is sent: from then on, what
    # is in hand is finished when the supervisor ends it.
    begins: Callable[[socket.socket], None]
    # Called with what a server prints when it starts, once requests are answered.
    serves: Callable[[list[str]], None]
