"""The first process of a machine whose power is cut: looks what is left, then works until the cut.

It mounts the disk with releases, keeps the service running as systemd does, and reports
what is whole and what is in the queue. Then it makes predictions and updates, and reports each
answer as soon as it is there. Standard library only: numpy and the like are in /srv/packages.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any

sys.path.insert(0, "/srv")
from agent import PORT, write  # type: ignore[import-not-found] # it lies beside this, there

DATA = Path("/var/lib/onnxlet")
PACKAGES = Path("/usr/lib/python3/dist-packages/onnxlet.pth")
# A rename does not bring the new file's content to the disk here, and what is not synced comes
# there after minutes, while folders and links come within a second: here mistakes show.
OPTIONS = "noauto_da_alloc,data=writeback,commit=1"
LATE = Path("/proc/sys/vm/dirty_expire_centisecs")
PYTHON = ["/usr/bin/python3", "-I", "-B"]
EDGE = [*PYTHON, str(DATA / "live")]
URL = "http://127.0.0.1:8080"
START_SECONDS = 480
SURE_SECONDS = 1.5  # longer: it may not have waited for its record, see docs/how-to/forward.md
PID = Path("/run/onnxlet.pid")
RECORDS = "SELECT kind, id FROM record ORDER BY boot, monotonic_ns, sequence"
SIOCSIFFLAGS, UP = 0x8914, 1


class Port:
    """The line to the tests: JSON objects in both directions."""

    def __init__(self) -> None:
        self._file = open(PORT, "r+b", buffering=0)  # noqa: PTH123, SIM115 - a device, until the cut
        self._lock = threading.Lock()

    def tell(self, **form: Any) -> None:
        """Send a message to the tests."""
        with self._lock:
            write(self._file, form)

    def hear(self) -> Any:
        """The next command of the tests."""
        return json.loads(self._file.readline())


def set_up(paths: list[str]) -> None:
    """Have what an init system has made before services start."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    DATA.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "ext4", "-o", OPTIONS, "LABEL=data", str(DATA)]
    while subprocess.run(mount).returncode:
        time.sleep(0.2)
    LATE.write_text("60000")
    Path("/etc/onnxlet").symlink_to("/srv/onnxlet")
    PACKAGES.write_text("\n".join(paths) + "\n")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP))


def serve() -> None:
    """Keep the service running, with its settings."""
    lines = Path("/etc/onnxlet/environment").read_text().splitlines()
    environ = {**os.environ, **dict(line.split("=", 1) for line in lines)}
    while True:
        with Path("/run/log").open("ab") as log:
            process = subprocess.Popen([*EDGE, "serve"], stdout=log, stderr=log, env=environ)
        PID.with_suffix(".new").write_text(str(process.pid))
        PID.with_suffix(".new").replace(PID)
        process.wait()
        time.sleep(0.2)


def ask(path: str, body: Any, name: str) -> Any:
    """The service's answer."""
    headers = {"Content-Type": "application/json", "X-Request-Id": name}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http
        return json.load(answer)


def predict(name: str) -> Any:
    """What the service predicts for one flower."""
    return ask("/predict", {"instances": [[5.1, 3.5, 1.4, 0.2]]}, name)["prediction"]


def faults() -> list[str]:
    """What is not whole, or does not answer as at build."""
    done = subprocess.run([*PYTHON, "/srv/whole.py"], capture_output=True, text=True)
    return list(json.loads(done.stdout)) if done.returncode == 0 else [done.stderr[-600:]]


def records() -> list[str]:
    """Kind and id of each record of the queue, in order."""
    path = DATA / "state" / "queue.db"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return [f"{kind} {name}" for kind, name in database.execute(RECORDS)]
    except sqlite3.Error:  # there is none, or it is broken: then nothing is in it
        return []


def wait_for_service(first: int) -> list[str]:
    """Until it answers; what is wrong where it does not."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            got = predict(f"start-{first}")
        except (OSError, HTTPException) as error:
            if time.monotonic() > end:
                said = Path("/run/log").read_text(errors="replace")[-600:]
                return [f"it does not serve: {error}: {said}"]
            time.sleep(0.2)
        else:
            return [] if got == [0] else [f"it answers {got}"]


def load(port: Port, first: int) -> None:
    """Predictions and their ground truth; each acknowledged one is reported to the tests."""
    for number in range(first, sys.maxsize):
        try:
            start = time.monotonic()
            predict(f"p{number}")
            if time.monotonic() - start < SURE_SECONDS:
                port.tell(kept=f"prediction p{number}")
            ask("/truth", {"truth": [{"id": f"p{number}", "value": 1}]}, f"t{number}")
            port.tell(kept=f"truth p{number}")
            time.sleep(0.1)  # for what else is emulated
        except (OSError, HTTPException):  # the service starts again
            time.sleep(0.1)


def update(port: Port, archive: str) -> None:
    """One update; each step is reported to the tests."""
    command = [*EDGE, "update", f"/srv/{archive}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            port.tell(step=line.strip())
    port.tell(step=f"ended {process.returncode}")


def main() -> None:
    """See what is left, and work."""
    set_up(sys.argv[1:])
    port = Port()
    port.tell(started=True)
    reported = port.hear()
    threading.Thread(target=serve, daemon=True).start()
    wrong = faults()
    wrong += wait_for_service(reported["first"]) if not wrong else []
    port.tell(faults=wrong, records=records())
    threading.Thread(target=load, args=(port, reported["first"]), daemon=True).start()
    for archive in reported["archives"]:
        update(port, archive)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    main()
