"""Answers requests by the function; `page/engine.js` starts it, and hands it one after another.

There is one thread, of one visitor: no key, nothing counted, and nobody who waits meanwhile.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from onnxlet.edge.browser.absent import NeedsServer, refuse_what_is_absent
from onnxlet.edge.browser.sessions import Session
from onnxlet.function import arrays
from onnxlet.function.app import create_app
from onnxlet.function.errors import OnnxletError
from onnxlet.function.http import routes
from onnxlet.function.http.fast_path import App
from onnxlet.function.inputs import json_body, murmur, validation
from onnxlet.function.messages import Reply, Route
from onnxlet.function.models.repository import versions_in
from onnxlet.function.monitoring.watches import Watches
from onnxlet.function.protocols.v2 import tensors
from onnxlet.function.runtime import sessions
from onnxlet.function.serving.golden import load_proven
from onnxlet.function.settings import Settings

MODELS = Path("/models")  # in the memory that is Python's file system here
ANY = sys.maxsize
# By the end of a rule, what NumPy computes there.
REFUSED = {"/explain": "explanations", "/drift": "drift"}


def begin(host: Any) -> None:
    """Have models opened by the host's runtime, and everything done without NumPy."""
    refuse_what_is_absent()
    sessions.open_graph = partial(_opened, host)
    # Lists are read and written, however many rows there are and whatever their exponents.
    arrays.is_written_alike = lambda value: True
    validation.FEW_CELLS = validation.CELLS_AT_ONCE = ANY
    murmur.MANY_TOKENS = ANY
    tensors.FEW_VALUES = json_body.LARGE_BODY = ANY
    routes.OWN = tuple(map(_refused, routes.OWN))


def _opened(host: Any, graph: bytes | str, *how: Any) -> Any:
    assert isinstance(graph, bytes)  # noqa: S101 - only graphs in S3 are files
    return Session(host, graph)


def _refused(route: Route) -> Route:
    what = next((what for end, what in REFUSED.items() if route.rule.endswith(end)), None)

    def refuse(*given: Any, **variables: Any) -> Reply:
        raise NeedsServer(what or "")

    if what is None:
        return route
    return route._replace(answer=refuse, describe=lambda endpoint: None)  # in no document


def prove() -> str:
    """Answer the golden rows of each model; one that differs is taken out of MODELS.

    Returns a list in JSON, with `name`, `version`, `rows`, and the `faults` in words.
    """
    found = []
    for directory in sorted(MODELS.iterdir()):
        for version in versions_in(directory):
            try:
                _, rows, faults = load_proven(directory / str(version))
            except OnnxletError as error:
                # What it lacks says more than that it does not load.
                lacks = error.__cause__
                told = lacks.message if isinstance(lacks, NeedsServer) else error.message
                rows, faults = 0, [told]
            about = {"name": directory.name, "version": version, "rows": rows, "faults": faults}
            found.append(about)
            if faults:
                shutil.rmtree(directory / str(version))
    return json.dumps(found)


_app: App | None = None


def serve() -> None:
    """Make the app of what is in MODELS; ModelError where there is nothing."""
    global _app
    settings = Settings.from_environ(os.environ)
    _app = create_app(MODELS, settings=settings, watches=Watches(on=False), log=lambda entry: None)


def answer(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, str, bytes]:
    """A response's status, its headers as pairs in JSON, and its body.

    The path is below the folder that the page is in, as addresses have it; headers are in lower
    case.
    """
    assert _app is not None  # noqa: S101 - the engine has it made first
    environ = {
        "CONTENT_LENGTH": str(len(body)),
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(body),
        "wsgi.multiprocess": False,
        "wsgi.multithread": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    started: list[tuple[str, Any]] = []
    content = b"".join(_app(environ, lambda status, given, *more: started.append((status, given))))
    status, given = started[0]
    return int(status[:3]), json.dumps(given), content
