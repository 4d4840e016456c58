"""One photo to an answer, by the handler and over a socket, against Pillow and `session.run`.

A process of its own, as an instance is: a model's folder, its name, and a server's port are its
arguments; the photo comes on standard input, and the medians go to standard output.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import onnxlet.environment  # noqa: F401 - before NumPy
from bench import closed_loop
from bench.events import http_event
from bench.in_process import session_of, taking_turns
from bench.servers import KEY

REPEATS = 4


def measure(folder: Path, model: str, port: int, photo: bytes) -> dict[str, float]:
    """Medians in milliseconds, by name."""
    from onnxlet.function.handler import handler

    path = f"/models/{model}/predict"
    text = base64.b64encode(photo).decode()
    body = json.dumps({"instances": [[text]]})
    event = http_event(body, path, KEY)
    as_body = {**event, "body": text, "isBase64Encoded": True}
    as_body["headers"] = {**event["headers"], "content-type": "image/jpeg"}
    events = {"handler, JSON": event, "handler, body": as_body}
    for each in events.values():
        answer = handler(each, None)
        assert answer["statusCode"] == 200, answer
    calls: dict[str, Callable[[], Any]] = {
        "bare": _bare(folder / model / "1", photo),
        "handler, JSON": lambda: handler(event, None),
        "handler, body": lambda: handler(as_body, None),
        "socket, JSON": _over_a_socket(path, body.encode(), "application/json", port),
        "socket, body": _over_a_socket(path, photo, "image/jpeg", port),
    }
    return taking_turns(calls, REPEATS)


def _bare(directory: Path, photo: bytes) -> Callable[[], Any]:
    """Decode and resize, and run the graph with a tensor that is there already."""
    from PIL import Image

    manifest = json.loads((directory / "manifest.json").read_text())
    [entry] = manifest["graph"]["inputs"]
    image, names = entry["image"], manifest["graph"]["outputs"]
    size, mode = (image["width"], image["height"]), image["mode"]
    session = session_of(directory)
    [tensor] = session.get_inputs()
    shape = [each if isinstance(each, int) else 1 for each in tensor.shape]
    feed = np.full(shape, 1, entry["dtype"])

    def call() -> Any:
        with Image.open(io.BytesIO(photo)) as whole:
            np.asarray(whole.convert(mode).resize(size, Image.Resampling.BILINEAR))
        return session.run(names, {tensor.name: feed})

    return call


def _over_a_socket(path: str, body: bytes, media_type: str, port: int) -> Callable[[], None]:
    request = closed_loop.post(path, body, {"Content-Type": media_type, "X-API-Key": KEY})
    kept: list[closed_loop.Connection] = []

    def call() -> None:
        connection = kept.pop() if kept else closed_loop.Connection(port)
        connection.send(request)
        while not connection.read():
            pass
        assert connection.received.startswith(b"HTTP/1.1 200 "), connection.received[:500]
        if closed_loop.CLOSES.search(connection.received):
            connection.socket.close()
        else:
            kept.append(connection)

    return call


if __name__ == "__main__":
    closed_loop.pin(0)
    found = measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(found))
