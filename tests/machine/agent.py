"""Runs in the machine, as root: takes commands from the port, and reports their results.

Standard library only. Each line is one JSON object, in either direction.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any, BinaryIO

PORT = "/dev/vport0p1"
FOLDER = "/srv"  # the disk that the tests made


def run(given: dict[str, Any]) -> dict[str, Any]:
    """What became of a command."""
    try:
        done = subprocess.run(  # the tests' own words
            given["command"], cwd=FOLDER, capture_output=True, text=True, timeout=given["seconds"]
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"code": -1, "out": "", "err": str(error)}
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def write(port: BinaryIO, form: Any) -> None:
    """Write all of it: the port takes at most 32 KB at once."""
    left = json.dumps(form).encode() + b"\n"
    while left:
        left = left[port.write(left) :]


def main() -> None:
    """One command after another."""
    with open(PORT, "r+b", buffering=0) as port:  # noqa: PTH123 - a device
        write(port, {"ready": True})
        for line in iter(port.readline, b""):
            write(port, run(json.loads(line)))


if __name__ == "__main__":
    main()
