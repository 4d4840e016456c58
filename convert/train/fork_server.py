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

from onnxlet.convert.train.job import Job, Table, evaluate
from onnxlet.convert.train.portfolio import LIBRARIES


def serve(descriptor: int) -> None:
    """Fork a process for each connection that is handed over, until nobody can hand over more.

    What this process has in memory, its fits share: about 120 MB, and the table. It never
    computes anything itself, since threads of learners do not survive a fork.

    Args:
        descriptor: of a socket, on which the table comes first, then connections.
    """
    # Ctrl-C on a terminal reaches every process of a group; only the search answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for fits: the system forgets them
    with socket.socket(fileno=descriptor) as asked:
        table: Table = pickle.loads(Connection(os.dup(descriptor)).recv_bytes())  # noqa: S301 - our own
        for library in LIBRARIES.values():
            with suppress(ImportError):
                import_module(library)
        gc.freeze()  # a collection in a fit would write to all objects, and so copy their memory
        while connections := socket.recv_fds(asked, 1, 1)[1]:
            if os.fork() == 0:
                asked.close()
                _fit(Connection(connections[0]), table)
            os.close(connections[0])


def _fit(connection: Connection, table: Table) -> NoReturn:
    """Send this process's number, receive a job, and send its outcome."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        connection.send(os.getpid())
        job: Job = pickle.loads(connection.recv_bytes())  # noqa: S301 - our own
        connection.send(evaluate(table, job))
    finally:
        os._exit(0)  # what comes after belongs to the process that this one was forked from


def _end_with(parent: int) -> None:
    """End this process when the one that it was forked from has ended, as its own parent did."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
