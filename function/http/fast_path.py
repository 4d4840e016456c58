"""The app: what every request passes, predictions on a fast path, and the rest through Flask.

For every request Flask makes what a web site's pages need: two contexts, a session, a builder of
URLs; it looks for hooks before and after, and sends six signals. Nothing here uses any of that,
and together it took 58 of the 110 microseconds of a small model's answer. So limits, keys, headers
and the log's line are here, and predictions find their rule here. Everything else takes Flask's own
way: other methods, paths that no rule has, errors. Flask is imported for the first of these: a
start that is asked for a prediction does without.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from onnxlet.function import deadline, request_log
from onnxlet.function.errors import CAME, LATER, SAME_HEAD, SHED, Overloaded, RequestError
from onnxlet.function.http import sites
from onnxlet.function.http.body import LARGE_ANSWER, WSGI, Answer, Environ, StartResponse
from onnxlet.function.http.keys import Keys
from onnxlet.function.http.sites import Headers
from onnxlet.function.messages import Reply, Route
from onnxlet.function.serving.service import Service

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from onnxlet.function.http.slim_flask import FlaskApp

NOTES = "onnxlet.notes"  # in the environ: further members of this request's line in the log
KNOWN_PATHS = 1000  # whose rule is remembered; a limit, since clients choose the names in them
LOGGED = 200  # characters of the path: clients choose it, and a disk is finite

Found = tuple[Answer, dict[str, Any]]
# Between two slashes of a rule: a variable's name and what follows it; or None and the whole text.
Segment = tuple[str | None, str]

RIGHT = "200 OK"
FRESH = ("Cache-Control", "no-store")  # unless an answer says otherwise: rows are private
HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


class App:
    """A WSGI app; all else that a Flask app has, such as `url_map`, is the Flask app's."""

    def __init__(
        self,
        service: Service,
        refuse: Callable[[Exception, Environ], Any],
        log: request_log.Log = request_log.write,
    ) -> None:
        """Answer by a service, which has the limits, the keys, and whose pages may call.

        Its routes say which paths need no key and are never shed; `refuse` makes Flask's response
        to an error, `log` writes each request's line.
        """
        settings = service.settings
        self.extensions: dict[str, Any] = {}  # by name, what belongs to the app
        self.wsgi_app: WSGI = self._answer  # what a request comes to first
        self._in_flight, self._counts = service.in_flight, service.counts
        self._open_paths = frozenset(route.rule for route in service.routes if route.open)
        self._never_shed = frozenset(r.rule for r in service.routes if r.open or r.urgent)
        self._keys = Keys(settings)
        self._origins, self._hosts = settings.cors_origins, settings.hosts
        self._host = ""  # that was let in last: most requests have the same one
        self._seconds = settings.max_seconds
        self._refuse, self._log = refuse, log
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
        """Answer one request, let in or not, and write its line."""
        start = time.perf_counter()
        came = environ.get(CAME, start)
        # Lambda's own id, so that its log and ours name a request alike.
        if not (offered := environ.get("HTTP_X_REQUEST_ID", "")):
            offered = getattr(environ.get("serverless.context"), "aws_request_id", "")
        request_id = request_log.request_id(offered)
        notes: dict[str, Any] = {"request_id": request_id}
        environ[NOTES] = notes
        deadline.begin(came, self._seconds)
        within = self._in_flight.enter() and start - came <= self._seconds
        try:
            found = self._answered(environ, notes, within)
            if type(found) is Reply:
                status = RIGHT
                length = str(len(found.body))
                headers = [("Content-Type", found.media_type), ("Content-Length", length), FRESH]
                start_response(status, self._with_ours(headers, environ, request_id))
                body: Iterable[bytes] = (found.body,)
            else:
                status, body = self._passed_on(found, environ, start_response, request_id)
        finally:
            self._in_flight.leave()
            deadline.end()
        ms = round((time.perf_counter() - came) * 1e3, 3)
        if LATER in environ:
            environ[LATER].append(partial(self._note, environ, status, ms))
        else:
            self._note(environ, status, ms)
        return body

    def _passed_on(
        self, app: Any, environ: Environ, start_response: StartResponse, request_id: str
    ) -> tuple[str, Iterable[bytes]]:
        """The status and the body that another WSGI app answers, with our headers."""
        status = ""

        def started(line: str, headers: Headers, *more: Any) -> Any:
            nonlocal status
            status = line
            if all(name != FRESH[0] for name, _ in headers):
                headers.append(FRESH)
            return start_response(line, self._with_ours(headers, environ, request_id), *more)

        body = app(environ, started)
        return status, body

    def _with_ours(self, headers: Headers, environ: Environ, request_id: str) -> Headers:
        """An answer's headers, with those that every answer has."""
        headers += HEADERS
        headers.append(("X-Request-Id", request_id))
        if self._origins:
            sites.add_cors_headers(headers, environ.get("HTTP_ORIGIN", ""), self._origins)
        return headers

    def _note(self, environ: Environ, status: str, ms: float) -> None:
        """Write a request's line, and count it."""
        entry = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"][:LOGGED],
            "status": int(status[:3] or 500),
            "ms": ms,
            **environ[NOTES],
        }
        self._log(entry)
        self._counts.count(entry)

    def _answered(self, environ: Environ, notes: dict[str, Any], within: bool) -> Reply | WSGI:
        """The reply to a prediction that is small and right; or the app that answers the rest."""
        judged = environ.get(SAME_HEAD)
        if judged and within and SHED not in environ:  # let in before, to be answered here
            found: Found = judged["found"]
            notes |= judged["notes"]
        else:
            try:
                let_in = self._let_in(environ, notes, within)
            except RequestError as error:
                refused: WSGI = self._refuse(error, environ)
                return refused
            if not isinstance(let_in, tuple):
                return let_in
            found = let_in
            if judged is not None:
                judged["found"] = found
                judged["notes"] = {k: v for k, v in notes.items() if k != "request_id"}
        predict, variables = found
        reply = predict(environ, **variables)
        if reply.status != 200 or reply.headers or len(reply.body) > LARGE_ANSWER:
            return respond(reply, environ)
        return reply

    def _let_in(self, environ: Environ, notes: dict[str, Any], within: bool) -> Found | WSGI:
        """What answers a prediction; or the app that answers the rest."""
        if "HTTP_TRACEPARENT" in environ:
            notes |= request_log.trace(environ["HTTP_TRACEPARENT"])
        if self._origins and sites.is_preflight(environ):
            return sites.preflight
        path = environ["PATH_INFO"]
        if "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ:
            sites.check_page(environ, self._origins)
        if self._hosts is not None and environ.get("HTTP_HOST", "") != self._host:
            self._host = sites.check_host(environ.get("HTTP_HOST", ""), self._hosts)
        if not (within and SHED not in environ) and path not in self._never_shed:
            raise Overloaded("more requests are in flight than are taken at once")
        if self._keys and path not in self._open_paths:
            self._keys.let_in(environ, notes)
        found = None
        plain = isinstance(environ.get("QUERY_STRING", ""), str)  # a Lambda event may have anything
        if plain and environ["REQUEST_METHOD"] == "POST":
            found = self._known.get(path) or self._find(path)
        return found or self.flask().own_way

    def takes_body(self, environ: Environ) -> bool:
        """Whether the body of a request may matter: its head is let in, and is a POST's with a key.

        Who serves may ask before the body has come; the request is answered either way.
        """
        try:
            self._let_in(environ, {}, within=True)
        except RequestError:
            return False
        return environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] not in self._open_paths

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
