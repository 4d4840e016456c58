"""What every request passes before and after Flask: its id, its key, its line in the log.

Kept below Flask's own hooks, since those cost as much as a small model's whole prediction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from function import request_log
from function.errors import Unauthorized
from function.keys import key_name
from function.settings import Settings

NOTES = "onnxlet.notes"  # in the environ: what the log line tells of this request

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGI = Callable[[Environ, StartResponse], Iterable[bytes]]


class Door:
    """A WSGI app around another.

    Args:
        app: what is behind the door.
        settings: the keys that open it.
        open_paths: need no key.
        refuse: makes the WSGI response to a missing or unknown key.
    """

    def __init__(
        self,
        app: WSGI,
        settings: Settings,
        open_paths: frozenset[str],
        refuse: Callable[[Unauthorized, Environ], WSGI],
    ) -> None:
        self._app = app
        self._open_paths = open_paths
        self._keys = settings.api_keys
        self._refuse = refuse

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        start = time.perf_counter()
        invocation = getattr(environ.get("serverless.context"), "aws_request_id", "")
        request_id = request_log.request_id(environ.get("HTTP_X_REQUEST_ID") or invocation)
        notes: dict[str, Any] = {"request_id": request_id}
        environ[NOTES] = notes
        status = ""

        def started(line: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            nonlocal status
            status = line
            headers.append(("X-Request-Id", request_id))
            return start_response(line, headers, *more)

        app = self._app
        if self._keys and environ["PATH_INFO"] not in self._open_paths:
            try:
                notes["key"] = key_name(
                    environ.get("HTTP_AUTHORIZATION", ""),
                    environ.get("HTTP_X_API_KEY", ""),
                    self._keys,
                )
            except Unauthorized as error:
                app = self._refuse(error, environ)
        body = app(environ, started)
        request_log.write(
            {
                "method": environ["REQUEST_METHOD"],
                "path": environ["PATH_INFO"],
                "status": int(status[:3] or 500),
                "ms": round((time.perf_counter() - start) * 1e3, 3),
                **notes,
            }
        )
        return body
