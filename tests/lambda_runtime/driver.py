"""Runs inside the namespaces: starts the platform, and sends it the events that come by line.

Standard library alone. Standard input has one JSON object a line, and gets one for each.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lambda_runtime.emulator import Emulator
from tests.lambda_runtime.isolation import bring_up_loopback, mount_places
from tests.lambda_runtime.runtime_api import RuntimeApi

CLIENT = b"awslambdaric"
PYTHON = re.compile(rb"python[0-9.]+$")
LOGS = ("function", "platform")
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def main(settings: dict[str, Any]) -> None:
    """Answer until standard input ends."""
    places = {name: Path(folder) for name, folder in settings["places"].items()}
    bring_up_loopback()
    hide = Path(settings["hide"]) if settings["hide"] else None
    mount_places(places, Path(settings["logs"]), hide)
    log, platform_log = (os.open(f"/var/log/{name}.log", APPEND) for name in LOGS)
    function, environ = settings["function"], settings["environ"]
    platform: Emulator | RuntimeApi
    start = time.perf_counter()
    if settings["emulator"]:
        platform = Emulator(settings["emulator"], function, environ, log, platform_log)
    else:
        platform = RuntimeApi(function, environ, log)
    _say({"ms": _since(start)})
    for line in sys.stdin.buffer:
        if line == b"process\n":
            _say({"calls": platform.calls(), **_process()})
            continue
        start = time.perf_counter()
        status, body = platform.invoke(line.rstrip(b"\n"))
        _say({"ms": _since(start), "status": status, "body": body.decode()})


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def _process() -> dict[str, Any]:
    """The function's process: its user, threads, and the most memory that it has had."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if CLIENT in words and PYTHON.search(words[0]):
                lines = (folder / "status").read_text().splitlines()
                status = dict(line.split(":", 1) for line in lines)
                told = {"peak_kib": "VmHWM", "user": "Uid", "threads": "Threads"}
                return {name: int(status[key].split()[0]) for name, key in told.items()}
    return {}


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
