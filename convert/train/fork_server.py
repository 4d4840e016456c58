"""The process that fits are forked from: it has imported what they need, and has their table."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import socket
import threading
import time
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import NoReturn

from onnxlet.convert.errors import shortened
from onnxlet.convert.train.job import Outcome, Table, evaluate
from onnxlet.convert.train.portfolio import LIBRARIES


def serve(descriptor: int) -> None:
    """Fork a process for each connection that is handed over, until nobody can hand over more.

    What this process has in memory, its fits share: about 120 MB, and the table. It fits nothing
    itself, since threads of learners do not survive a fork.

    Args:
        descriptor: of a socket, on which the table comes first, then connections.
    """
    # Ctrl-C on a terminal reaches every process of a group; only the search answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for fits: the system forgets them
    with socket.socket(fileno=descriptor) as asked:
        table: Table = pickle.loads(Connection(os.dup(descriptor)).recv_bytes())  # noqa: S301 - our own
        for library in LIBRARIES.values():
            with suppress(Exception):  # its fits say what is wrong with it
                import_module(library)
        parent = os.getpid()  # asked in a fit, it may be another's: this one may have ended
        gc.freeze()  # a collection in a fit would write to all objects, and so copy their memory
        while connections := socket.recv_fds(asked, 1, 1)[1]:
            with Connection(connections[0]) as connection:
                try:
                    child = os.fork()
                except OSError as error:  # too many processes, or too little memory
                    connection.send(Outcome(None, 0.0, why=f"no process: {shortened(error)}"))
                    continue
                if child == 0:
                    asked.close()
                    _fit(connection, table, parent)


def _fit(connection: Connection, table: Table, parent: int) -> NoReturn:
    """Send this process's number, receive a job, and send its outcome."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        connection.send(os.getpid())
        connection.send(_outcome(table, connection.recv_bytes()))
    finally:
        os._exit(0)  # what comes after belongs to the process that this one was forked from


def _outcome(table: Table, job: bytes) -> Outcome:
    try:
        return evaluate(table, pickle.loads(job))  # noqa: S301 - our own
    except Exception as error:  # noqa: BLE001, RUF100 - any that reading it may raise
        return Outcome(None, 0.0, why=f"it could not be begun: {shortened(error)}")


def _end_with(parent: int) -> None:
    """End this process when the one that it was forked from has ended, as its own parent did."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
