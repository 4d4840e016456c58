"""Two real workers have the large arrays of a graph in memory once."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import start_server, stop_server
from tests.edge.aggregation.test_graphs import WIDTH, folder, linux
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_serve import CLEAN
from tests.edge.workers.test_aggregation import both, close_all
from tests.edge.workers.test_workers import WORKERS, Started

__all__ = ["folder"]
NAME = "memfd:onnxlet (deleted)"


def mapped(pid: int) -> set[str]:
    """The inodes of sealed memory that a process maps."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split()[4] for line in lines if NAME in line and "r--s" in line}


def shared_bytes(pid: int) -> int:
    """Of sealed memory that a process has read, and another one, too."""
    _, *parts = Path(f"/proc/{pid}/smaps").read_text().split(NAME)
    fields = [dict(re.findall(r"(\w+): +(\d+) kB", part.split("VmFlags")[0])) for part in parts]
    return sum(int(each["Shared_Clean"]) + int(each["Shared_Dirty"]) for each in fields) * 1024


@pytest.fixture
def started(folder: Path, tmp_path: Path) -> Iterator[Started]:
    server = start_server(folder, {**CLEAN, **WORKERS}, tmp_path / "log")
    yield Started(server, tmp_path / "log")
    close_all()
    assert stop_server(server) == 0
    assert '"event":"graph"' not in (tmp_path / "log").read_text()


@linux
def test_real_workers_share_it_and_a_new_one_finds_it(started: Started) -> None:
    one, two = started.workers()
    [inode] = mapped(one) & mapped(two)
    found = [
        asked.ask("POST", "/models/net/predict", [[0.5] * 10])["prediction"]
        for asked in both(started)
    ]
    assert found[0] == found[1]
    assert min(shared_bytes(pid) for pid in (one, two)) > WIDTH * WIDTH * 8
    os.kill(one, signal.SIGKILL)
    wait_until(lambda: started.lines(event="worker", state="serves"))
    [new] = set(started.workers()) - {one, two}
    assert inode in mapped(new)
