"""The Flask app: how a request comes to its route, and an error to its answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxlet.function import request_log
from onnxlet.function.errors import LATER, OnnxletError, UnsupportedMedia
from onnxlet.function.http import sites
from onnxlet.function.http.body import WSGI, Answer, Environ, read_body
from onnxlet.function.http.fast_path import NOTES, App, respond
from onnxlet.function.http.routes import protocol_of, table
from onnxlet.function.messages import Failure, Reply, Request, Route, WireProtocol, failure_of
from onnxlet.function.models.repository import Begin, Repository
from onnxlet.function.monitoring.request_counts import RequestCounts
from onnxlet.function.monitoring.watches import Watches
from onnxlet.function.protocols.shared import request_options
from onnxlet.function.serving.service import InFlight, Meter, Observe, Reports, Service
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.function.http.slim_flask import HTTPException

SERVICE = "onnxlet"  # in app.extensions
TRUTH = "/truth"  # which only a server that keeps its answers has
NO_PARAMETERS: dict[str, str] = {}


def create_app(
    models: str | Path,
    observe: Observe | None = None,
    settings: Settings | None = None,
    meter: Meter | None = None,
    log: request_log.Log = request_log.write,
    updates: Path | None = None,
    routes: Sequence[Route] = (),
    watches: Watches | None = None,
    performance: Reports | None = None,
    counts: RequestCounts | None = None,
    begin: Begin | None = None,
) -> App:
    """Make the app that serves every model directory below a folder.

    Args:
        models: the folder.
        observe: called with each prediction that was answered.
        settings: limits and keys; the environment's where it is None.
        meter: answers `/metrics`; without it that is 404.
        log: writes each request's line.
        updates: another folder of model directories; the higher version of each is served.
        routes: further ones, of the program that serves the app.
        watches: count what comes in and goes out; where it is None the settings say whether.
        performance: knows what came of predictions.
        counts: count all requests.
        begin: what is served first; the folders say where it is None.

    Raises:
        SettingsError: an environment variable can't be used.
        ModelError: there is no model, or one can't be loaded.
    """
    settings = settings or Settings.from_environ(os.environ)
    request_log.choose(settings.log, settings.log_successes)
    repository = Repository(
        Path(models),
        settings.threads,
        settings.default_model,
        settings.models_url,
        settings.lazy,
        updates,
        settings.pins,
        settings.max_pixels,
        begin,
    )
    in_flight = InFlight(settings.max_in_flight)
    service = Service(
        settings,
        repository,
        observe,
        in_flight,
        meter,
        counts or RequestCounts(),
        watches or Watches(settings.watch, keys=settings.block_keys),
        routes=table(routes),
        performance=performance,
    )
    if settings.unusual != "off":
        lacking = [each.name for each in repository.models if "unusual" not in each.manifest]
        if lacking:
            request_log.write({"event": "uncompared", "models": lacking})
    app = App(service, _refusal, log)
    app.extensions[SERVICE] = service
    for route in service.routes:
        if route.protocol is not None:
            app.add_route(route, _predicting(service, route, route.protocol))
        elif route.answer is not None:
            app.add_route(route, _answering(service, route, route.answer))
    return app


def _predicting(service: Service, route: Route, protocol: WireProtocol) -> Answer:
    def predict(environ: Environ, name: str | None = None, version: str | None = None) -> Reply:
        return service.answer(
            lambda: protocol.decode(_request(environ, service.settings, route.options)),
            protocol.encode,
            lambda failure: _refused(failure, protocol),
            environ[NOTES],
            name or environ.get(protocol.MODEL_HEADER) or None,
            version,
            environ.get(LATER),
        )

    return predict


def _answering(service: Service, route: Route, answer: Callable[..., Reply]) -> Answer:
    def view(environ: Environ, **variables: str) -> Reply:
        if "name" in variables:  # a model that is not there is the answer, whatever the body holds
            service.repository.choose(variables["name"], variables.get("version"))
        reply = answer(service, _request(environ, service.settings, route.options), **variables)
        environ[NOTES].update(reply.notes)
        return reply

    return view


def _request(environ: Environ, settings: Settings, options: Sequence[str]) -> Request:
    media_type, parameters = environ.get("CONTENT_TYPE", ""), NO_PARAMETERS
    query = NO_PARAMETERS
    # Werkzeug's parsing takes longer than most models: what needs none of it does without.
    if media_type not in ("application/json", "") or environ.get("QUERY_STRING"):
        from onnxlet.function.http.slim_flask import Flask

        parsed = Flask.request_class(environ)
        media_type, parameters = parsed.mimetype, parsed.mimetype_params
        query = parsed.args.to_dict()
        if options:
            request_options.check_names(query, options)

    def header(name: str) -> str:
        return str(environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

    body = read_body(environ, settings.max_body_bytes, settings.max_unpacked_bytes)
    # A page may send what has no type to any site, without being asked whether it may.
    if not media_type and body and sites.is_of_a_browser(environ):
        raise UnsupportedMedia(
            "'Content-Type': expected one, got none", "Send Content-Type: application/json."
        )
    key = environ[NOTES].get("key", "")
    return Request(body, media_type, parameters, query, header, settings.max_rows, key)


def _refusal(error: Exception, environ: Environ) -> WSGI:
    """The response to an error: of a request that is not let in, or that a view raises.

    Flask's own 404 and 405 are among these.
    """
    notes = environ[NOTES]
    found = None if isinstance(error, OnnxletError) else _failure_of_flask(error, environ)
    if found is None:
        notes["error"] = request_log.described(error, notes["request_id"])
    else:
        notes["error"] = type(error).__name__
    failure = found or failure_of(error)
    return respond(_refused(failure, protocol_of(environ["PATH_INFO"])), environ)


def _failure_of_flask(error: Exception, environ: Environ) -> Failure | None:
    from onnxlet.function.http.slim_flask import HTTPException

    if not isinstance(error, HTTPException):
        return None
    headers = {k: v for k, v in error.get_headers(environ) if k == "Allow"}
    return Failure(error.code or 500, error.name, _described(error, environ), headers=headers)


def _refused(failure: Failure, protocol: WireProtocol) -> Reply:
    reply = protocol.refuse(failure)
    return reply._replace(headers={**reply.headers, **failure.headers})


def _described(error: HTTPException, environ: Environ) -> str:
    """What is wrong with a path or a method: expected and got, instead of Werkzeug's text."""
    if error.code == 404:
        path = environ["PATH_INFO"].encode("latin-1", "replace").decode("utf-8", "replace")
        if path == TRUTH:
            return f"{path}: answers are not kept here; a server with ONNXLET_KEEP=FILE keeps them"
        return f"no route '{path[:100]}'; GET /openapi.json lists them all"
    if error.code == 405:
        allowed = set(getattr(error, "valid_methods", None) or ()) - {"HEAD", "OPTIONS"}
        return f"expected {' or '.join(sorted(allowed))}, got {environ['REQUEST_METHOD'][:20]}"
    return error.description or error.name
