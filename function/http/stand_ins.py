"""Stand-ins for the parts of Flask and serverless-wsgi that never run here.

`import flask` also imports a development server (with http.server and ssl), a command line
(click), a template engine (jinja2), a test client, and sessions in signed cookies (itsdangerous):
together more than a third of the time from process start to first answer. Stubs replace
them while Flask is imported and are then removed, so that a later import gets the real modules.
Modules that this process has loaded already stay, and a stub that is used after all raises an
error that says so.

A server imports Flask while requests are answered. What other threads may import meanwhile is then
left as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onnxlet.function.stubs import stubs


class Absent:
    """Stands for a class or function that was left out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "this part of Flask is left out here to start faster; import flask before function"
        )


class AppGroup:
    """Flask gives every app a command group; nothing runs it here."""

    name: str | None = None


class NoSessions:
    """The session interface of an app without sessions: Flask asks for one at each request."""

    def open_session(self, app: Any, request: Any) -> NoSessions:
        """An object that says of itself that there is no session."""
        return self

    def is_null_session(self, session: Any) -> bool:
        """True, so that Flask writes no cookie into the answer."""
        return True


STAND_INS: dict[str, dict[str, Any]] = {
    "click": {},
    "flask.cli": {"AppGroup": AppGroup},
    "flask.sessions": {"SecureCookieSessionInterface": NoSessions, "SessionInterface": NoSessions},
    "jinja2": {
        "BaseLoader": type("BaseLoader", (Absent,), {}),
        "Environment": type("Environment", (Absent,), {}),
        "FileSystemLoader": Absent,
        "Template": Absent,
        "TemplateNotFound": type("TemplateNotFound", (Exception,), {}),
    },
    "pprint": {"pformat": repr},
    "tempfile": {"SpooledTemporaryFile": Absent},  # of forms: an image's stays in memory
    "werkzeug.serving": {"is_running_from_reloader": lambda: False, "run_simple": Absent},
    "werkzeug.test": {"Client": Absent},
}


OF_OTHERS = frozenset({"pprint", "tempfile"})  # the standard library's: other threads import them


@contextmanager
def stand_ins() -> Iterator[None]:
    """Have the stubs imported instead of what this process has not loaded yet."""
    with stubs(STAND_INS, OF_OTHERS if threading.active_count() > 1 else ()):
        yield
