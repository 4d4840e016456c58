"""Golden rows, requested from this very server over its own socket, as a client would."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.edge.net.golden_answers import compare_body
from onnxlet.edge.net.http_client import unchecked_context
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.settings.device import reached_at
from onnxlet.function.model_files import read_file
from onnxlet.function.models.repository import Repository

NOTHING = "no model is served"
TIMEOUT_SECONDS = 40.0  # longer than the server's own limit for a request


class GoldenRow(NamedTuple):
    """One golden row, requested again and again."""

    body: bytes
    # The row and its answer, as `onnxlet.function.serving.golden.compare` takes it.
    golden: dict[str, Any]


def first_row(directory: Path) -> GoldenRow | None:
    """The first golden row of a version; None if it has none."""
    try:
        golden = json.loads(read_file(directory, "golden.json"))
        one = {name: values[:1] for name, values in golden["answers"].items()}
        golden |= {"instances": golden["instances"][:1], "answers": one}
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it was valid when the model was loaded, and has been removed since
    body = json.dumps({"instances": golden["instances"]}).encode()
    return GoldenRow(body, golden) if golden["instances"] else None


class SelfCheck:
    """Checks one model after the other, by requests to this server that a secret marks."""

    def __init__(
        self,
        repository: Repository,
        connect: Callable[[], http.client.HTTPConnection],
        secret: Secret,
    ) -> None:
        self._repository = repository  # of the served models
        self._connection = connect()
        self._headers = {
            "Content-Type": "application/json",
            "X-Request-Id": secret.request_id,
            "X-API-Key": secret.key,
        }
        self._rows: dict[tuple[str, int], GoldenRow | None] = {}
        self._turn = 0

    def every(self) -> str:
        """Check every model once; return a fault, or an empty text."""
        faults = [self.next() for _ in self._repository.models] or [NOTHING]
        return next(filter(None, faults), "")

    def next(self) -> str:
        """Check the next model in turn; return a fault, or an empty text."""
        models = self._repository.models
        if not models:
            return NOTHING
        model = models[self._turn % len(models)]
        self._turn += 1
        try:
            fault = self._ask(model.name, model.version)
        except Exception as error:  # of any class: the checks go on, and this one has failed
            self._connection.close()
            fault = f"{type(error).__name__} {error}"
        return fault and f"{model.name}/{model.version}: {fault}"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, name: str, version: int) -> str:
        row = self._row((name, version))
        path = f"/models/{name}/versions/{version}/predict"
        if row is None:
            self._connection.request("GET", f"/v2/models/{name}/ready", None, self._headers)
        else:
            self._connection.request("POST", path, row.body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            return f"expected status 200, got {answer.status}"
        off = [] if row is None else compare_body(content, row.golden)
        return "a golden row is answered differently than at build" if off else ""

    def _row(self, key: tuple[str, int]) -> GoldenRow | None:
        if key not in self._rows:
            name, version = key
            others = {k: v for k, v in self._rows.items() if k[0] != name}
            row = first_row(self._repository.directory(name, version))
            self._rows = {**others, key: row}
        return self._rows[key]


def connector(
    address: Sequence[Any], tls: bool, adopt: Callable[[socket.socket], None] | None = None
) -> Callable[[], http.client.HTTPConnection]:
    """A function that connects to the address that this process listens on.

    The certificate is not checked, since the server is this process. `adopt` takes the other end of
    a connection; it is None where this process accepts by itself all that come: of several workers
    another one could.
    """
    host, port = reached_at(address[0]), address[1]
    context = unchecked_context() if tls else None
    if adopt is not None:
        return lambda: _Adopted(adopt, host, port, context)
    if context is None:
        return lambda: http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    return lambda: http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)


class _Adopted(http.client.HTTPConnection):
    """A connection whose other end is handed to the server."""

    def __init__(
        self,
        adopt: Callable[[socket.socket], None],
        host: str,
        port: int,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._adopt = adopt
        self._context = context

    def connect(self) -> None:
        """Connect through no network."""
        own, others = socket.socketpair()
        own.settimeout(TIMEOUT_SECONDS)
        self._adopt(others)
        self.sock = self._context.wrap_socket(own) if self._context else own
