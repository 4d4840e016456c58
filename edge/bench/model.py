"""The model that is measured, its golden rows as requests, and a client that sends them.

The rows stay on this machine. The client has one kept connection: it hardly adds to a time.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.edge.device.slots import with_updates
from onnxlet.folders import typed
from onnxlet.function.errors import WrongUse
from onnxlet.function.model_files import AGAIN, read_file, way_out
from onnxlet.function.models.aliases import of_model, serves
from onnxlet.function.models.repository import NAME, versions_in

BATCH = 100  # rows of a large request
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
KEY = secrets.token_hex(16)  # of this bench's requests
TIMEOUT_SECONDS = 60.0


class BenchModel(NamedTuple):
    """A model that can be measured."""

    models: Path  # folder of this model and others that are served beside it
    name: str
    version: int  # that is served by default
    # Its golden rows, as `onnxlet.function.serving.golden.compare` takes them.
    golden: dict[str, Any]

    @property
    def path(self) -> str:
        """The route of predictions."""
        return f"/models/{self.name}/versions/{self.version}/predict"

    def body(self, rows: int, first: int = 0) -> bytes:
        """A request body of so many golden rows from an index on, cyclically."""
        instances = self.golden["instances"]
        taken = islice(cycle(instances), first, first + rows)
        return json.dumps({"instances": list(taken)}).encode()

    def bodies(self) -> list[bytes]:
        """A one-row request body for each golden row."""
        return [self.body(1, first) for first in range(len(self.golden["instances"]))]


def choose_model(models: Path, name: str | None) -> BenchModel:
    """The model of this name, or the first one, in the version that is served.

    Raises WrongUse where there is none or it has no golden rows, ModelError for invalid aliases.
    """
    folders = [folder for folder in with_updates(models) if folder is not None]
    there = _served(folders)
    if not there:
        raise WrongUse(
            f"{models}: expected model directories, got none",
            f"Build one ({typed('convert', 'build')}), or say --models DIR.",
        )
    model = name or min(there)
    if model not in there:
        raise WrongUse(f"--model {model}: there is no such model", f"There are {', '.join(there)}.")
    version, directory = there[model]
    try:
        golden = json.loads(read_file(directory, "golden.json"))
        rows = len(golden["instances"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = getattr(error, "strerror", "") or "it has no golden rows in it"
        hint = way_out(error) if isinstance(error, OSError) else AGAIN
        raise WrongUse(f"{directory / 'golden.json'}: {what}", hint) from error
    if not rows:
        raise WrongUse(
            f"model {model}/{version} has no golden rows, and so nothing to measure",
            "Import it with --sample and --expected, or say --model of another.",
        )
    return BenchModel(models, model, version, golden)


def _served(folders: list[Path]) -> dict[str, tuple[int, Path]]:
    """Version and directory by name, in order of names; earlier folders have precedence."""
    entries = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]
    found = {}
    for name in sorted({entry.name for entry in entries if NAME.fullmatch(entry.name)}):
        homes = [folder / name for folder in folders]
        versions = sorted({version for home in homes for version in versions_in(home)})
        if versions:
            number = serves(name, versions, of_model(folders, name, versions))
            directories = [home / str(number) for home in homes]
            found[name] = number, next(each for each in directories if each.is_dir())
    return found


def request(path: str, body: bytes, method: str = "POST") -> bytes:
    """A request as bytes, with the key that a bench's own server takes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}X-API-Key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Client:
    """A connection to a server on this machine; OSError is raised where it can't be opened."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, whole: bytes) -> None:
        """Send a request."""
        self._socket.sendall(whole)

    def receive(self) -> bytes:
        """The body of a response.

        OSError is raised where the connection ends, or the status is not 200.
        """
        received = b""
        while (head := received.find(b"\r\n\r\n") + 4) < 4:
            received += self._more()
        found = LENGTH.search(received, 0, head)
        if not received.startswith(b"HTTP/1.1 200 ") or found is None:
            raise ConnectionError(received.split(b"\r\n", 1)[0].decode(errors="replace"))
        while len(received) < head + int(found[1]):
            received += self._more()
        return received[head:]

    def _more(self) -> bytes:
        part = self._socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part

    def ask(self, whole: bytes) -> bytes:
        """Send a request; return the response's body."""
        self.send(whole)
        return self.receive()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
