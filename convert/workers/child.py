"""What runs in a process that does work, fresh or forked.

To the other end go pairs: BEGUN with its number, PROGRESS with how much is done, VALUE with what
comes of a piece of work, and FAILED with why nothing does.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from typing import Any, NoReturn

from onnxlet.convert.errors import shortened
from onnxlet.convert.workers.contract import Do, Tick

BEGUN, PROGRESS, VALUE, FAILED = "begun", "progress", "value", "failed"
EVERY = 0.5  # seconds between two messages of progress


def serve(descriptor: int, begin: str, parent: int) -> None:
    """Do one piece of work after another, until the other end of a socket is closed.

    The content that all of it has in common comes first. The parent's number is given: by the time
    that this asked for it, it could have ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever wants the work done ends it
    connection = Connection(descriptor)
    if (content := _received(connection)) is None:
        return
    do: Do = resolve_name(begin)(content)
    while (argument := _received(connection)) is not None:
        _send(connection, (VALUE, do(argument, _ticking(connection, parent))))


def _received(connection: Connection) -> bytes | None:
    """What comes next; None where nobody is there any more."""
    try:
        return connection.recv_bytes()
    except (EOFError, OSError):
        return None


def _send(connection: Connection, said: tuple[str, Any]) -> None:
    try:
        connection.send(said)
    except OSError:  # nobody is there any more
        sys.exit()


def _ticking(connection: Connection, parent: int) -> Tick:
    """What says how much of a piece of work is done, some at a time."""
    waiting, sent = 0, time.monotonic()

    def tick(done: int) -> None:
        """Some more; ends the process where nobody listens any more."""
        nonlocal waiting, sent
        waiting += done
        if time.monotonic() - sent > EVERY:
            if os.getppid() != parent:
                sys.exit()
            _send(connection, (PROGRESS, waiting))
            waiting, sent = 0, time.monotonic()

    return tick


def serve_forks(descriptor: int, begin: str) -> None:
    """Fork a process for each connection that is handed over, until nobody can hand over more.

    On the socket the content comes first, then connections, each of them with one piece of work.
    What this process has in memory, its forks share. It does no work itself, since threads of
    learners do not survive a fork.
    """
    # Ctrl-C on a terminal reaches every process of a group; only who wants the work answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for forks: they are forgotten
    with socket.socket(fileno=descriptor) as asked:
        do: Do = resolve_name(begin)(Connection(os.dup(descriptor)).recv_bytes())
        parent = os.getpid()  # asked in a fork, it may be another's: this one may have ended
        gc.freeze()  # a collection in a fork would write to all objects, and so copy their memory
        while connections := socket.recv_fds(asked, 1, 1)[1]:
            with Connection(connections[0]) as connection:
                try:
                    child = os.fork()
                except OSError as error:  # too many processes, or too little memory
                    connection.send((FAILED, f"no process: {shortened(error)}"))
                    continue
                if child == 0:
                    asked.close()
                    _do_one(connection, do, parent)


def _do_one(connection: Connection, do: Do, parent: int) -> NoReturn:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        connection.send((BEGUN, os.getpid()))
        argument = connection.recv_bytes()
        try:
            said: tuple[str, Any] = (VALUE, do(argument, lambda done: None))
        except Exception as error:  # noqa: BLE001, RUF100 - any that reading it may raise
            said = (FAILED, f"it could not be begun: {shortened(error)}")
        connection.send(said)
    finally:
        os._exit(0)  # what comes after belongs to the process that this one was forked from


def _end_with(parent: int) -> None:
    """End this process when the one that it was forked from has ended, as its own parent did."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
