"""Flask, with a short cut for predictions.

For every request Flask makes what a web site's pages need: two contexts, a session, a builder of
URLs; it asks for hooks before and after, and sends six signals. Nothing here uses any of that,
and together it took 58 of the 110 microseconds of a small model's answer. So a prediction asks
Flask's own map which rule its path has, once for each path, and is answered without the rest.
Whatever is out of the ordinary takes Flask's own way: other methods, paths that no rule has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from onnxlet.function.http.middleware import Environ, StartResponse
from onnxlet.function.http.slim_flask import Flask, HTTPException, Response, Rule, request
from onnxlet.function.messages import Reply

# Bytes; smaller answers are not compressed. Ten packets of 1,460 hold so much, and a fresh
# connection sends ten at once (RFC 6928): less would arrive no sooner.
LARGE = 14_600
KNOWN_PATHS = 1000  # whose rule is remembered; clients choose the names in them

Predict = Callable[..., Reply]
Refuse = Callable[[Exception, Environ], Response]


class _Rule(Rule):
    """A rule that URLs are matched by and not built from: compiling for that took 0.3 ms each."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _not_built


def _not_built(self: Any, **values: Any) -> tuple[str, str]:
    raise NotImplementedError("URLs are not built here")


class App(Flask):
    """A Flask app that answers predictions by a short cut.

    Args:
        refuse: makes the response to an error.
    """

    url_rule_class = _Rule

    def __init__(self, refuse: Refuse) -> None:
        super().__init__("function", static_folder=None)
        # Else Flask redirects, in HTML and to wherever the Host header says.
        self.url_map.merge_slashes = False
        self._refuse = refuse
        self._predictions: dict[str, Predict] = {}
        self._known: dict[str, tuple[Predict, dict[str, Any]]] = {}

    def add_prediction(self, rule: str, predict: Predict) -> None:
        """Add a POST route.

        Args:
            rule: in Flask's form.
            predict: makes the reply from the environ and the rule's variables.
        """

        def view(**variables: str) -> Response:
            return response_to(predict(request.environ, **variables), request.environ)

        endpoint = f"POST {rule}"
        self.add_url_rule(rule, endpoint, view, methods=["POST"])
        self._predictions[endpoint] = predict

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        found = None
        plain = isinstance(environ.get("QUERY_STRING", ""), str)  # a Lambda event may have anything
        if plain and environ["REQUEST_METHOD"] == "POST":
            found = self._known.get(environ["PATH_INFO"]) or self._find(environ["PATH_INFO"])
        if found is None:
            return super().wsgi_app(environ, start_response)
        predict, variables = found
        try:
            reply = predict(environ, **variables)
        except Exception as error:
            return self._refuse(error, environ)(environ, start_response)
        if reply.status != 200 or reply.headers or len(reply.body) > LARGE:
            return response_to(reply, environ)(environ, start_response)
        length = str(len(reply.body))
        start_response("200 OK", [("Content-Type", reply.media_type), ("Content-Length", length)])
        return (reply.body,)

    def _find(self, path: str) -> tuple[Predict, dict[str, Any]] | None:
        try:
            decoded = path.encode("latin-1").decode()  # WSGI has it the other way round
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
    if len(reply.body) > LARGE:
        from onnxlet.function.http import compression  # most answers are small

        compression.compress(response, environ.get("HTTP_ACCEPT_ENCODING", ""))
    return response
