"""One worker: a server as the only process would be, on its supervisor's listening socket."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.server.entrance import SharedCounters
from onnxlet.edge.service.process import be_named, use_one_arena
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.service.serve import Post, serve_on
from onnxlet.edge.service.systemd import Watchdog
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.workers.socket_link import SocketLink
from onnxlet.function import request_log
from onnxlet.function.errors import OnnxletError
from onnxlet.function.settings import Settings


class Ending:
    """Ends the worker in its own time, or at once before it serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: socket.socket | None = None

    def arm(self, end: socket.socket) -> None:
        """It serves: from now on it finishes what has begun."""
        with self._lock:
            self._end = end

    def __call__(self) -> None:
        """End it; any thread may call this, and more than once."""
        with self._lock:
            if self._end is None:
                os._exit(0)  # it has no request in its hands
            with suppress(OSError):  # a signal has ended it already
                self._end.send(b"x")


def work(
    listener: socket.socket,
    models: Path,
    device: DeviceSettings,
    settings: Settings,
    secret: Secret,
    link: socket.socket,
    numbers: SharedCounters,
) -> int:
    """Serve as `serve_on` does until the supervisor ends it, or is gone; the process's exit code.

    The link is a socket to the supervisor; the numbers are what all workers share.
    """
    use_one_arena()
    ending = Ending()
    channel = SocketLink(link, ending)
    orders = channel.orders
    be_named(f"worker-{channel.number}")
    request_log.ORIGIN = f'"worker":{channel.number},'
    channel.start()
    watchdog = None
    if orders["watched"]:
        notify = lambda line: channel.send("notify", line.encode())  # noqa: E731 - one line
        watchdog = Watchdog(notify, orders["watchdog"], request_log.write)
    post = Post(
        channel, numbers, watchdog, ending.arm,
        lambda lines: channel.send("serves", introduction=lines),
    )  # fmt: skip
    try:
        serve_on(listener, models, device, settings, secret, post)
    except OnnxletError as error:
        channel.send("failed", message=error.message, hint=error.hint)
        return 1
    finally:
        channel.close()
    return 0
