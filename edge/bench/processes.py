"""Child processes: fresh starts of the function, and a server beside the live one."""

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

from onnxlet.edge.bench.model import KEY, BenchModel
from onnxlet.edge.device.machine import read_bytes_of
from onnxlet.edge.settings.keys import PREDICTS, text_of
from onnxlet.folders import ROOT
from onnxlet.function.errors import OnnxletError

START = Path(__file__).with_name("start.py")
START_SECONDS = 300  # an emulated processor takes its time
END_SECONDS = 40
SHOWN_OUTPUT = 600  # characters of a program's output
# As in the service's unit.
ENVIRON = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class BenchError(OnnxletError):
    """It can't be measured here."""


class Started(NamedTuple):
    """One start of the function, in seconds."""

    steps: dict[str, float]  # from the process's start to the first answer
    times: list[float]  # of each answer after that


def environ() -> dict[str, str]:
    """Variables of a process without this device's settings: not its keys, not its queue."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("ONNXLET_", "NOTIFY_"))}
    return {**own, **ENVIRON}


def python(*arguments: object) -> list[str]:
    """A command line of this very Python, with the service's flags."""
    flags = ["-I", *["-S"] * sys.flags.no_site, *["-B"] * sys.flags.dont_write_bytecode]
    return [sys.executable, *flags, *map(str, arguments)]


def start(model: BenchModel, seconds: float = 0.0) -> Started:
    """Start the function in a fresh process, and have it answer for so many seconds more.

    BenchError has its own message where it does not answer.
    """
    task = {
        "path": model.path,
        "bodies": [body.decode() for body in model.bodies()],
        "seconds": seconds,
        "since": time.monotonic(),
    }
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(  # noqa: S603 - our own arguments
            python(START, ROOT, model.models), input=json.dumps(task), stdout=subprocess.PIPE,
            stderr=log, text=True, env=environ(), timeout=START_SECONDS + seconds, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BenchError(f"the function does not start: {_end_of(log)}")
    return Started(**json.loads(done.stdout))


class Server(NamedTuple):
    """A running server."""

    pid: int  # of its process
    port: int  # on 127.0.0.1

    def proportional(self) -> int | None:
        """Proportional set size in bytes: shared memory is divided among its processes."""
        return read_bytes_of(Path(f"/proc/{self.pid}/smaps_rollup"), "Pss")

    def peak(self) -> int | None:
        """The highest resident set size so far, in bytes."""
        return read_bytes_of(Path(f"/proc/{self.pid}/status"), "VmHWM")


@contextmanager
def server(models: Path) -> Iterator[Server]:
    """Serve these models on a free loopback port, beside the live service.

    BenchError has the server's own message where it does not start.
    """
    main = [ROOT] if (ROOT / "__main__.py").is_file() else ["-c", _AS_MODULE, ROOT]
    own_key = {PREDICTS: text_of("onnxlet-bench", KEY)}  # the folder may have keys of others
    command = python(*main, "serve", "--models", models, "--host", "127.0.0.1", "--port", "0")
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603 - our own arguments
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ() | own_key
        ) as process,
    ):
        try:
            yield Server(process.pid, _port(process, log))
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# For a checkout, which has no `__main__.py` at its top.
_AS_MODULE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from onnxlet.edge.command_line import main; "
    "from onnxlet.commands import run; run(main, 'edge')"
)


def _port(process: subprocess.Popen[str], log: IO[str]) -> int:
    lines = iter(process.stdout or ())
    found = next(filter(None, map(ADDRESS.search, lines)), None)
    if found is None:
        process.wait(END_SECONDS)
        raise BenchError(f"the server does not start: {_end_of(log)}")
    # Else a full pipe would block it.
    threading.Thread(target=list[Any], args=(lines,), daemon=True).start()
    return int(found[1])


def _end_of(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-SHOWN_OUTPUT:].strip() or "it says nothing"
