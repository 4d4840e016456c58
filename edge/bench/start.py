"""One start of the function in a process of its own, timed step by step; then more answers.

Run as a program, by its path, since its imports are timed. The task comes as JSON on standard
input: requests may be somebody's data, and every user can read a process's arguments.
"""

import time

AWAKE = time.monotonic()

import gc  # noqa: E402
import sys  # noqa: E402

TYPE_CHECKING = False  # typing would be imported, too
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

gc.disable()


def main() -> None:
    """Import, load, answer once; then answer for as long as the task says."""
    sys.path.insert(0, sys.argv[1])
    began = time.monotonic()
    import json
    from pathlib import Path

    import onnxlet.environment  # noqa: F401 - before NumPy
    from onnxlet.edge.server import server
    from onnxlet.edge.service import serve
    from onnxlet.edge.service.app import make_app
    from onnxlet.function.errors import OnnxletError

    del serve, server  # imported as the service does
    imported = time.monotonic()
    try:
        app = make_app(Path(sys.argv[2]))
    except OnnxletError as error:
        sys.exit(f"error: {error.message}")
    loaded = time.monotonic()
    gc.freeze()
    gc.enable()
    task = json.load(sys.stdin)
    bodies = [body.encode() for body in task["bodies"]]
    first = _seconds(app.wsgi_app, task["path"], bodies[0])
    steps = {
        "python": AWAKE - task["since"],
        "import": imported - began,
        "load": loaded - imported,
        "first run": first,
    }
    over, times, number = time.monotonic() + task["seconds"], [], 0
    while time.monotonic() < over:
        times.append(_seconds(app.wsgi_app, task["path"], bodies[number % len(bodies)]))
        number += 1
    json.dump({"steps": steps, "times": times}, sys.stdout)


def _seconds(app: "Callable[..., Any]", path: str, body: bytes) -> float:
    """The seconds that an answer takes, from the complete request to the last byte."""
    import io

    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    statuses: list[str] = []
    start = time.perf_counter()
    b"".join(app(environ, lambda status, headers, *error: statuses.append(status)))
    seconds = time.perf_counter() - start
    if statuses != ["200 OK"]:
        sys.exit(f"error: expected status 200, got {statuses}")
    return seconds


if __name__ == "__main__":
    main()
