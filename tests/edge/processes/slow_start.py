"""A worker's program that answers for a while before it reports that it does."""

import json
import runpy
import socket
import sys
import time
from typing import Any

sys.path[:] = json.loads(sys.argv[1])["path"]

from onnxlet.edge.processes import child  # noqa: E402
from onnxlet.edge.service import serve  # noqa: E402

introduction = serve._introduction


def slowly(app: Any, listener: socket.socket, tls: bool) -> list[str]:
    time.sleep(3)
    return introduction(app, listener, tls)


serve._introduction = slowly
runpy.run_path(str(child.START))
