"""A process that does parts, when who asked it has ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Each part reports a row at once, and is done.
WORKER = """
from types import SimpleNamespace
from onnxlet.convert.score import worker
worker.EVERY = -1
worker.task_of = lambda asked: SimpleNamespace(model="", graph="")
worker.said_of = lambda task, load, tick: {"done": tick(1)}
worker.serve(%d, %d)
"""


@pytest.mark.parametrize(
    ("is_there", "said"), [(True, b'{"rows": 1}\n{"done": null}\n'), (False, b"")]
)
def test_it_ends_when_who_asked_had_ended_before_it_looked(is_there: bool, said: bytes) -> None:
    parent = os.getpid() if is_there else 0
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            code = WORKER % (theirs.fileno(), parent)
            process = subprocess.Popen(
                [sys.executable, "-c", code], pass_fds=[theirs.fileno()], cwd=ROOT
            )
        ours.sendall(b"{}\n")
        ours.shutdown(socket.SHUT_WR)
        with ours.makefile("rb") as answers:
            assert answers.read() == said
        assert process.wait(60) == 0
