"""The function on gunicorn: one worker process, four threads."""

from __future__ import annotations

import gc
import json
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import BaseApplication

from function.errors import OnnxletError

WORKERS = 1  # a session is shared by threads; a second process would hold the models again
THREADS = 4
LOAD_FAILED = 4  # gunicorn's exit code for an app that does not load
MEMORY_FILES = Path("/dev/shm")  # noqa: S108 - heartbeats, written once a second, off the card


class ServeError(OnnxletError):
    """The server can't start."""


class Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """Gunicorn, configured here and nowhere else."""

    def __init__(self, models: Path, listener: socket.socket) -> None:
        self.models = models
        self.listener = listener
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options; its own files and variables are not read."""
        options: dict[str, Any] = {
            "bind": f"fd://{self.listener.fileno()}",
            "workers": WORKERS,
            "threads": THREADS,
            "worker_class": "edge.worker.StayingWorker",
            "preload_app": False,  # a session made before the fork hangs its worker at exit
            "control_socket_disable": True,
            "keepalive": 75,
            "loglevel": "warning",
            "proc_name": "onnxlet",
            "post_worker_init": self._say_how_to_call,
        }
        if MEMORY_FILES.is_dir():
            options["worker_tmp_dir"] = str(MEMORY_FILES)
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the app, in the worker."""
        gc.disable()  # as long as modules are imported
        from edge.app import make_app

        try:
            app = make_app(self.models)
        except OnnxletError as error:
            click.echo(f"error: {error.message}\nhint: {error.hint}", err=True)
            sys.exit(LOAD_FAILED)
        gc.freeze()
        gc.enable()
        return app

    def _say_how_to_call(self, worker: Any) -> None:
        host, port = worker.sockets[0].getsockname()[:2]
        for line in introduction(worker.wsgi, f"http://{_in_url(host)}:{port}"):
            click.echo(line)
        sys.stdout.flush()


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
        raise ServeError(
            f"can't listen on {host} port {port}: {error}", "Choose another with --port."
        ) from error
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def serve(models: Path, host: str, port: int) -> None:
    """Serve until a signal; SIGTERM and SIGINT finish what is in flight.

    Raises:
        ServeError: the address is taken.
        SystemExit: with 1 where the models can't be loaded.
    """
    server = Server(models, listen(host, port))
    master = os.getpid()
    gc.enable()
    try:
        server.run()
    except SystemExit as stop:
        if os.getpid() != master:  # a worker's own exit code tells gunicorn whether to try again
            raise
        raise SystemExit(0 if stop.code == 0 else 1) from None
