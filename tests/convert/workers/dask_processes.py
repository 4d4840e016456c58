"""A Dask scheduler and its workers, each a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT

SECONDS = 60.0  # that each of them may take to start, on a machine that is busy


class Processes:
    """A scheduler, and the workers that it was given.

    Args:
        folder: for what they write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        # Not where this project is found: a scheduler needs only Dask.
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file), env={"PYTHONPATH": ""}, cwd=folder,
        )  # fmt: skip
        until = time.monotonic() + SECONDS
        while not file.exists() or not file.read_text():
            assert self.scheduler.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.05)
        self.address: str = json.loads(file.read_text())["address"]

    def worker(
        self, threads: int = 1, env: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> subprocess.Popen[bytes]:
        """Start a worker, which registers by itself."""
        started = self._start(
            "worker", self.address, "--nthreads", str(threads), "--no-nanny", "--no-dashboard",
            "--host", "127.0.0.1", env=env, cwd=cwd,
        )  # fmt: skip
        self.workers.append(started)
        return started

    def wait_for_workers(self) -> None:
        """Until all of them have registered: whoever asks for one that has not waits ten seconds.

        On a machine that is busy they may take longer.
        """
        from distributed import Client

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of workers that have other versions on purpose
            with Client(self.address, timeout=SECONDS, set_as_default=False) as client:
                client.wait_for_workers(len(self.workers), timeout=SECONDS)

    def _start(
        self, *arguments: str, cwd: Path, env: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "dask", *arguments],
                cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {}),
                     "DASK_TEMPORARY_DIRECTORY": str(self.folder)},
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip

    def said(self) -> str:
        """What all of them have printed."""
        return (self.folder / "said.txt").read_text()

    def end(self) -> None:
        """End all of them."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int = 2, threads: int = 1) -> Iterator[Processes]:
    """A scheduler with some workers, for a while."""
    folder.mkdir(exist_ok=True)
    started = Processes(folder)
    try:
        for _ in range(workers):
            started.worker(threads)
        if workers:
            started.wait_for_workers()
        yield started
    finally:
        started.end()
