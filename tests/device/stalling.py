"""`edge serve` that stalls when a file names its process: it runs, and answers nothing any more."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, "/var/lib/onnxlet/live")

from onnxlet.edge.command_line import main
from onnxlet.edge.server.server import Server

STALL = Path("/run/stall")
respond = Server._respond


def stalling(self: Server, connection: Any) -> Any:
    while STALL.exists() and STALL.read_text().strip() == str(os.getpid()):
        time.sleep(0.1)
    return respond(self, connection)


Server._respond = stalling  # type: ignore[method-assign] # that is what it is for

if __name__ == "__main__":
    main()
