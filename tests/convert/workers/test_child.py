"""A process that does work, when who asked it has ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tests.conftest import ROOT

# Each piece of work reports a row at once, and is done.
WORKER = """
from onnxlet.convert.workers import child
child.EVERY = -1
child.serve(%d, "tests.convert.workers.work:begin", %d)
"""


@pytest.mark.parametrize("is_there", [True, False])
def test_it_ends_when_who_asked_had_ended_before_it_looked(is_there: bool) -> None:
    parent = os.getpid() if is_there else 0
    ours, theirs = socket.socketpair()
    with theirs, Connection(ours.detach()) as connection:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER % (theirs.fileno(), parent)],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
        )
        theirs.close()
        connection.send_bytes(b"what is common")
        connection.send_bytes(b"work")
        said: list[Any] = []
        try:
            while len(said) < 2:
                said.append(connection.recv())
        except EOFError:
            pass

    assert said == [("progress", 1), ("value", [b"what is common", b"work", None])] * is_there
    assert process.wait(60) == 0
