"""Flask and Werkzeug, imported without the parts that never run here; and our Flask app.

The rest of this package takes them from here, once a request needs them: it is no prediction, or
its response needs care.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from onnxlet.function.http.body import (
    LARGE_ANSWER,
    WSGI,
    Answer,
    Environ,
    StartResponse,
    compressed,
)
from onnxlet.function.http.stand_ins import stand_ins
from onnxlet.function.messages import Reply, Route

with stand_ins():
    from flask import Flask, Response, request
    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import Rule

__all__ = ["Flask", "FlaskApp", "HTTPException", "Response", "compress", "response_to"]


class _Rule(Rule):
    """A rule that URLs are matched by and not built from: compiling for that took 0.3 ms each."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _not_built


def _not_built(self: Any, **values: Any) -> tuple[str, str]:
    raise NotImplementedError("URLs are not built here")


class FlaskApp(Flask):
    """A Flask app of some routes, within the app that a test client's requests come to first."""

    url_rule_class = _Rule

    def __init__(
        self,
        whole: WSGI,
        routes: Sequence[tuple[Route, Answer]],
        refuse: Callable[[Exception, Environ], Response],
    ) -> None:
        super().__init__("function", static_folder=None)
        # Flask would redirect `//`, in HTML and to wherever the Host header says.
        self.url_map.merge_slashes = False
        self.register_error_handler(Exception, lambda error: refuse(error, request.environ))
        for route, answer in routes:
            self.add_url_rule(route.rule, route.key, _view(answer), methods=[route.method])
        self.wsgi_app = whole  # type: ignore[method-assign, assignment] # Flask's own way

    def own_way(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request by its route."""
        return super().wsgi_app(environ, start_response)


def _view(answer: Answer) -> Callable[..., Response]:
    def view(**variables: str) -> Response:
        return response_to(answer(request.environ, **variables), request.environ)

    return view


def response_to(reply: Reply, environ: Environ) -> Response:
    """Flask's response; large bodies are compressed where the client takes that."""
    response = Response(reply.body, reply.status, content_type=reply.media_type)
    if reply.headers:
        response.headers.update(reply.headers)
    if len(reply.body) > LARGE_ANSWER:
        compress(response, environ.get("HTTP_ACCEPT_ENCODING", ""))
    return response


def compress(response: Response, accept: str) -> None:
    """Compress an answer's whole body, and say so in its headers, where its client accepts that."""
    response.headers.add("Vary", "Accept-Encoding")
    if "Content-Encoding" not in response.headers:
        found = compressed(response.get_data(), accept)
        if found is not None:
            response.set_data(found[0])
            response.headers["Content-Encoding"] = found[1]
