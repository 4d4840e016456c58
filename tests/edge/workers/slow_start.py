"""A server whose workers answer, and report so once the file REPORT_BY names is there."""

import os
import socket
import time
from pathlib import Path
from typing import Any

from onnxlet.edge.service import serve
from onnxlet.edge.workers.serve import main

introduction = serve._introduction


def slowly(app: Any, listener: socket.socket, tls: bool) -> list[str]:
    while not Path(os.environ["REPORT_BY"]).exists():
        time.sleep(0.02)
    return introduction(app, listener, tls)


serve._introduction = slowly
main()
