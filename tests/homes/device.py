"""A device's server on an emulated processor, and on this one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Send, started, stop_server, through_socket
from tests.lambda_runtime import machines
from tests.lambda_runtime.machines import Machine

HIDING = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'


@contextmanager
def serving(machine: Machine, bundle: Path, environ: dict[str, str], log: Path) -> Iterator[Send]:
    """`python3 BUNDLE serve` on an emulated machine, asked over its socket; SIGTERM ends it.

    Args:
        machine: whose root is in the file system here.
        bundle: an unpacked one.
        environ: all of its environment, beside the PATH.
        log: the file that it writes to.
    """
    assert machine.root is not None
    python = machines.guest(machine.processor, machine.root, machine.python)
    command = [*python, "-I", "-S", "-B", str(bundle), "serve", "--port", "0"]  # as in the unit
    server = started(hidden(machine.hide, command), {"PATH": os.defpath, **environ}, log)
    try:
        yield through_socket(server.port)
    finally:
        code = stop_server(server)
    assert code == 0, log.read_text()


def hidden(folder: Path | None, command: Sequence[str]) -> list[str]:
    """A command for which a folder is empty."""
    if folder is None:
        return list(command)
    unshare = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    return [*unshare, "sh", "-c", HIDING, str(folder), *command]
