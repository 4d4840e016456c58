"""Flask, with a fast path for predictions.

For every request Flask makes what a web site's pages need: two contexts, a session, a builder of
URLs; it looks for hooks before and after, and sends six signals. Nothing here uses any of that,
and together it took 58 of the 110 microseconds of a small model's answer. So a prediction's rule
is looked up in Flask's own map, once for each path, and the rest is left out. Everything else
takes Flask's own way: other methods, paths that no rule has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from onnxlet.function.http.middleware import Environ, StartResponse
from onnxlet.function.http.slim_flask import Flask, HTTPException, Response, Rule, request
from onnxlet.function.messages import Reply, Route

# Bytes; smaller answers are not compressed. Ten packets of 1,460 bytes hold that many, and a new
# connection sends ten at once (RFC 6928): fewer would arrive no sooner.
LARGE_ANSWER = 14_600
KNOWN_PATHS = 1000  # whose rule is remembered; a limit, since clients choose the names in them

Answer = Callable[..., Reply]  # makes the reply from the environ and the rule's variables


class _Rule(Rule):
    """A rule that URLs are matched by and not built from: compiling for that took 0.3 ms each."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _not_built


def _not_built(self: Any, **values: Any) -> tuple[str, str]:
    raise NotImplementedError("URLs are not built here")


class App(Flask):
    """A Flask app that answers predictions on the fast path."""

    url_rule_class = _Rule

    def __init__(self) -> None:
        super().__init__("function", static_folder=None)
        # Flask would redirect `//`, in HTML and to wherever the Host header says.
        self.url_map.merge_slashes = False
        self._predictions: dict[str, Answer] = {}
        self._known: dict[str, tuple[Answer, dict[str, Any]]] = {}

    def add_route(self, route: Route, answer: Answer) -> None:
        """Add a route that Flask answers in its own way."""

        def view(**variables: str) -> Response:
            return response_to(answer(request.environ, **variables), request.environ)

        self.add_url_rule(route.rule, route.key, view, methods=[route.method])

    def add_prediction(self, route: Route, predict: Answer) -> None:
        """Add a POST route that is answered on the fast path.

        Args:
            route: of a protocol.
            predict: never raises: its errors are replies, too.
        """
        self.add_route(route, predict)
        self._predictions[route.key] = predict

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: a prediction on the fast path, all else in Flask's own way."""
        found = None
        plain = isinstance(environ.get("QUERY_STRING", ""), str)  # a Lambda event may have anything
        if plain and environ["REQUEST_METHOD"] == "POST":
            found = self._known.get(environ["PATH_INFO"]) or self._find(environ["PATH_INFO"])
        if found is None:
            return super().wsgi_app(environ, start_response)
        predict, variables = found
        reply = predict(environ, **variables)
        if reply.status != 200 or reply.headers or len(reply.body) > LARGE_ANSWER:
            return response_to(reply, environ)(environ, start_response)
        length = str(len(reply.body))
        start_response("200 OK", [("Content-Type", reply.media_type), ("Content-Length", length)])
        return (reply.body,)

    def _find(self, path: str) -> tuple[Answer, dict[str, Any]] | None:
        try:
            decoded = path.encode("latin-1").decode()  # WSGI has the path's bytes as Latin-1
            rule, variables = self.url_map.bind("").match(decoded, "POST", return_rule=True)
        except (HTTPException, UnicodeError):
            return None
        predict = self._predictions.get(rule.endpoint)
        if predict is None:
            return None
        found = predict, dict(variables)
        if len(self._known) < KNOWN_PATHS and len(path) < 1000:
            self._known[path] = found
        return found


def response_to(reply: Reply, environ: Environ) -> Response:
    """Flask's response; large bodies are compressed where the client takes that."""
    response = Response(reply.body, reply.status, content_type=reply.media_type)
    if reply.headers:
        response.headers.update(reply.headers)
    if len(reply.body) > LARGE_ANSWER:
        from onnxlet.function.http import compression  # most answers are small

        compression.compress(response, environ.get("HTTP_ACCEPT_ENCODING", ""))
    return response
