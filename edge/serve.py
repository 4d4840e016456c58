"""The function as a server: one process, which ends when it is told to and nothing is in flight."""

from __future__ import annotations

import errno
import gc
import json
import os
import shlex
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import click

from function.errors import OnnxletError

ENDING = (signal.SIGTERM, signal.SIGINT)
NOT_HERE = errno.EADDRNOTAVAIL  # no address of this machine
THREADS = 4  # answers that are computed at once


class ServeError(OnnxletError):
    """The server can't start."""


def introduction(app: Any, url: str) -> list[str]:
    """What a started server prints: what it serves, and a call to paste."""
    from function.app import SERVICE
    from function.example import example_instance

    service = app.extensions[SERVICE]
    lines = [f"serving {', '.join(service.repository.names)} on {url}  (Ctrl-C ends it)"]
    key = " -H 'X-API-Key: KEY'" if service.settings.api_keys else ""
    for model in service.repository.models:
        body = json.dumps({"instances": [example_instance(model)]}, ensure_ascii=False)
        path = f"{url}/models/{model.name}/predict"
        lines += [
            "",
            f"curl -s {path}{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}",
        ]
    return [*lines, ""]


def _in_url(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - told, not bound
    return f"[{host}]" if ":" in host else host


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is loaded, so that a port that is taken is told at once.

    Raises:
        ServeError: the address can't be listened on.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        of_host = isinstance(error, socket.gaierror) or getattr(error, "errno", 0) == NOT_HERE
        option = "--host" if of_host else "--port"
        raise ServeError(
            f"can't listen on {host} port {port}: {error}", f"Choose another with {option}."
        ) from error
    listener.listen(2048)
    return listener


def serve(models: Path, host: str, port: int) -> None:
    """Serve until a signal; SIGTERM and SIGINT finish what is in flight, a second one does not.

    Raises:
        ServeError: the address is taken.
        OnnxletError: the settings or the models can't be used.
    """
    listener = listen(host, port)
    gc.disable()  # as long as modules are imported
    from edge.app import make_app
    from edge.server import Server
    from function.app import SERVICE
    from function.dialects import DIALECTS
    from function.metrics import PATH

    app = make_app(models)
    gc.freeze()
    gc.enable()
    settings = app.extensions[SERVICE].settings
    server = Server(
        app,
        listener,
        threads=THREADS,
        in_flight=settings.max_in_flight,
        body_limit=settings.max_body_bytes,
        prompt=frozenset().union({PATH}, *(dialect.OPEN for dialect in DIALECTS)),
    )
    ending = _signals()
    running = threading.Thread(target=server.run)
    running.start()
    _say_how_to_call(app, listener)
    ending.recv(1)
    server.stop()
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    running.join()


def _signals() -> socket.socket:
    """Becomes readable with the first signal that ends the server, whichever thread it comes to."""
    told, telling = socket.socketpair()
    telling.setblocking(False)
    for number in ENDING:
        signal.signal(number, lambda received, frame: None)
    signal.set_wakeup_fd(os.dup(telling.fileno()))
    return told


def _say_how_to_call(app: Any, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    for line in introduction(app, f"http://{_in_url(host)}:{port}"):
        click.echo(line)
    sys.stdout.flush()
