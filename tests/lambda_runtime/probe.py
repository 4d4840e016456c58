"""A function that reports what it finds around it: what the other tests rely on."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Try what Lambda does not allow, and what it does."""
    return {
        "user": os.getuid(),
        "arch": os.uname().machine,
        "folder": str(Path.cwd()),
        "processors": Path("/sys/devices/system/cpu").exists(),
        "network": _tried(lambda: socket.create_connection(("192.0.2.1", 80), timeout=5)),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "code": _tried(lambda: Path("/var/task/new").write_text("x")),
        "elsewhere": _tried(lambda: Path("/etc/new").write_text("x")),
        "tmp": _tried(lambda: Path("/tmp/new").write_text("x")),  # noqa: S108 - Lambda's own
        "request_id": context.aws_request_id,
    }


def _tried(action: Any) -> str:
    try:
        action()
    except OSError as error:
        return str(error.strerror)
    return "done"
