"""Processes of our own: fresh starts of the function, and a server beside the live one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from onnxlet.edge.bench.chosen import Chosen
from onnxlet.edge.device.machine import read_bytes_of
from onnxlet.folders import ROOT
from onnxlet.function.errors import OnnxletError

START = Path(__file__).with_name("start.py")
START_SECONDS = 300  # an emulated processor takes its time
END_SECONDS = 40
SHOWN = 600  # characters of what a program said
# As the service's unit has them.
ENVIRON = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class BenchError(OnnxletError):
    """It can't be measured here."""


class Started(NamedTuple):
    """One start of the function, in seconds.

    Attributes:
        steps: from the process's start to the first answer.
        times: of each answer after that.
    """

    steps: dict[str, float]
    times: list[float]


def environ() -> dict[str, str]:
    """Of a process that has this device's settings in nothing: not its keys, not its queue."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("ONNXLET_", "NOTIFY_"))}
    return {**own, **ENVIRON}


def python(*arguments: object) -> list[str]:
    """A command of this very Python, as the service runs it."""
    flags = ["-I", *["-S"] * sys.flags.no_site, *["-B"] * sys.flags.dont_write_bytecode]
    return [sys.executable, *flags, *map(str, arguments)]


def start(chosen: Chosen, seconds: float = 0.0) -> Started:
    """Start the function in a fresh process, and have it answer for some seconds more.

    Raises:
        BenchError: it does not answer; with its own words.
    """
    told = {
        "path": chosen.path,
        "bodies": [body.decode() for body in chosen.bodies()],
        "seconds": seconds,
        "since": time.monotonic(),
    }
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(  # noqa: S603 - our own arguments
            python(START, ROOT, chosen.models), input=json.dumps(told), stdout=subprocess.PIPE,
            stderr=log, text=True, env=environ(), timeout=START_SECONDS + seconds, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BenchError(f"the function does not start: {_end_of(log)}")
    return Started(**json.loads(done.stdout))


class Server(NamedTuple):
    """A server of our own.

    Attributes:
        pid: of its process.
        port: of 127.0.0.1, a free one.
    """

    pid: int
    port: int

    def proportional(self) -> int | None:
        """Bytes of memory, what is shared with other processes divided among them."""
        return read_bytes_of(Path(f"/proc/{self.pid}/smaps_rollup"), "Pss")

    def peak(self) -> int | None:
        """The most bytes that it ever had in memory."""
        return read_bytes_of(Path(f"/proc/{self.pid}/status"), "VmHWM")


@contextmanager
def server(models: Path) -> Iterator[Server]:
    """Serve these models on a free port of this machine alone, beside whatever else serves here.

    Raises:
        BenchError: it does not start; with its own words.
    """
    main = [ROOT] if (ROOT / "__main__.py").is_file() else ["-c", _AS_MODULE, ROOT]
    command = python(*main, "serve", "--models", models, "--host", "127.0.0.1", "--port", "0")
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ()
        )
        try:
            yield Server(process.pid, _port(process, log))
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# A checkout, which has no main program of its own at its top.
_AS_MODULE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from onnxlet.edge.command_line import main; "
    "from onnxlet.function.command_line import run; run(main, 'edge')"
)


def _port(process: subprocess.Popen[str], log: IO[str]) -> int:
    lines = iter(process.stdout or ())
    found = next(filter(None, map(ADDRESS.search, lines)), None)
    if found is None:
        process.wait(END_SECONDS)
        raise BenchError(f"the server does not start: {_end_of(log)}")
    threading.Thread(target=list[Any], args=(lines,), daemon=True).start()  # or it would wait
    return int(found[1])


def _end_of(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-SHOWN:].strip() or "it says nothing"
