"""The app: predictions on a fast path, everything else through Flask.

For every request Flask makes what a web site's pages need: two contexts, a session, a builder of
URLs; it looks for hooks before and after, and sends six signals. Nothing here uses any of that,
and together it took 58 of the 110 microseconds of a small model's answer. So predictions find their
rule here. Everything else takes Flask's own way: other methods, paths that no rule has, errors.
Flask is imported for the first of these: a start that is asked for a prediction does without.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from onnxlet.function.http.middleware import LARGE_ANSWER, WSGI, Answer, Environ, StartResponse
from onnxlet.function.messages import Reply, Route

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from onnxlet.function.http.slim_flask import FlaskApp

KNOWN_PATHS = 1000  # whose rule is remembered; a limit, since clients choose the names in them

Found = tuple[Answer, dict[str, Any]]


# Between two slashes of a rule: a variable's name and what follows it; or None and the whole text.
Segment = tuple[str | None, str]


class App:
    """A WSGI app; all else that a Flask app has, such as `url_map`, is the Flask app's."""

    def __init__(self, refuse: Callable[[Exception, Environ], Any]) -> None:
        self.extensions: dict[str, Any] = {}  # by name, what belongs to the app
        self.wsgi_app: WSGI = self._answer  # what a request comes to first
        self._refuse = refuse  # makes Flask's response to an error
        self._routes: list[tuple[Route, Answer]] = []
        self._predictions: list[tuple[list[Segment], Answer]] = []
        self._known: dict[str, Found] = {}
        self._importing = threading.Lock()
        self._flask: FlaskApp | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self.wsgi_app(environ, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.flask(), name)

    def test_client(self) -> FlaskClient:
        """Flask's client; its requests come to this app first."""
        return self.flask().test_client()

    def flask(self) -> FlaskApp:
        """The Flask app, which is imported and made when it is first needed."""
        if self._flask is None:
            with self._importing:
                from onnxlet.function.http.slim_flask import FlaskApp

                if self._flask is None:
                    made = FlaskApp(self, self._routes, self._refuse)
                    made.extensions = self.extensions
                    self._flask = made
        return self._flask

    def add_route(self, route: Route, answer: Answer) -> None:
        """Add a route, which Flask answers in its own way.

        POST routes that predict are answered on the fast path; their errors are replies, too.
        """
        self._routes.append((route, answer))
        if route.protocol is not None:
            self._predictions.append((segments(route.rule), answer))

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: a prediction on the fast path, all else in Flask's own way."""
        found = None
        plain = isinstance(environ.get("QUERY_STRING", ""), str)  # a Lambda event may have anything
        if plain and environ["REQUEST_METHOD"] == "POST":
            found = self._known.get(environ["PATH_INFO"]) or self._find(environ["PATH_INFO"])
        if found is None:
            return self.flask().own_way(environ, start_response)
        predict, variables = found
        reply = predict(environ, **variables)
        if reply.status != 200 or reply.headers or len(reply.body) > LARGE_ANSWER:
            return respond(reply, environ)(environ, start_response)
        length = str(len(reply.body))
        start_response("200 OK", [("Content-Type", reply.media_type), ("Content-Length", length)])
        return (reply.body,)

    def _find(self, path: str) -> Found | None:
        try:
            decoded = path.encode("latin-1").decode()  # WSGI has the path's bytes as Latin-1
        except UnicodeError:
            return None
        parts = decoded.lstrip("/").split("/")
        for rule, predict in self._predictions:
            variables = matched(rule, parts)
            if variables is not None:
                if len(self._known) < KNOWN_PATHS and len(path) < 1000:
                    self._known[path] = predict, variables
                return predict, variables
        return None


def segments(rule: str) -> list[Segment]:
    """A rule in Flask's form, such as `/v1/models/<name>:predict`, in parts."""
    found: list[Segment] = []
    for part in rule.removeprefix("/").split("/"):
        name, closed, rest = part.removeprefix("<").partition(">")
        found.append((name, rest) if closed else (None, part))
    return found


def matched(rule: list[Segment], parts: list[str]) -> dict[str, str] | None:
    """The variables of a path, between its slashes, that a rule has; None where it is another's."""
    if len(rule) != len(parts):
        return None
    variables = {}
    for (variable, text), part in zip(rule, parts, strict=True):
        if variable is None:
            if part != text:
                return None
        elif not part.endswith(text) or len(part) == len(text):
            return None
        else:
            variables[variable] = part.removesuffix(text)
    return variables


def respond(reply: Reply, environ: Environ) -> WSGI:
    """A WSGI app that sends a reply."""
    from onnxlet.function.http.slim_flask import response_to  # most answers are small, and right

    response: WSGI = response_to(reply, environ)
    return response
