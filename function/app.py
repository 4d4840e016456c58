"""The Flask app: the dialects' routes, and what is done with every request and error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from onnxlet.function import request_log
from onnxlet.function.errors import Overloaded, Unauthorized, UnsupportedMedia
from onnxlet.function.http import about, sites
from onnxlet.function.http.body import read_body
from onnxlet.function.http.fast_path import App, response_to
from onnxlet.function.http.middleware import NOTES, Door, Environ
from onnxlet.function.http.slim_flask import Flask, HTTPException, Response, request
from onnxlet.function.messages import Dialect, Failure, Reply, Request, Route, failure_of
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring import metrics
from onnxlet.function.monitoring.metrics import Meter
from onnxlet.function.protocols.registry import DIALECTS, dialect_of
from onnxlet.function.serving.in_flight import Flight
from onnxlet.function.serving.service import Observe, Service, Stages
from onnxlet.function.settings import Settings

SERVICE = "onnxlet"  # in app.extensions
NO_PARAMETERS: dict[str, str] = {}


def create_app(
    models: str | Path,
    observe: Observe | None = None,
    settings: Settings | None = None,
    meter: Meter | None = None,
    log: request_log.Log = request_log.write,
    updates: Path | None = None,
    routes: Sequence[Route] = (),
) -> App:
    """Make the app that serves every model directory below a folder.

    Args:
        models: the folder.
        observe: called with each prediction that was answered.
        settings: limits and keys; the environment's where it is None.
        meter: counts requests, and answers `/metrics`; without it that is 404.
        log: writes each request's line.
        updates: another folder of model directories; the higher version of each is served.
        routes: further ones, of whoever serves this.

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
    )
    flight = Flight(settings.max_in_flight)
    service = Service(settings, repository, observe, flight, meter, routes=routes)
    app = App(_refusal)
    app.extensions[SERVICE] = service
    app.register_error_handler(Exception, _refuse)
    for dialect in DIALECTS:
        _add_predictions(app, service, dialect)
        for route in dialect.ROUTES:
            _add(app, service, route)
    for route in (*about.ROUTES, *metrics.ROUTES, *routes):
        _add(app, service, route)
    open_paths = about.OPEN.union(*(dialect.OPEN for dialect in DIALECTS))
    app.wsgi_app = Door(app.wsgi_app, settings, flight, open_paths, _refusal, meter, log)  # type: ignore[method-assign] # Flask's own way
    return app


def _add_predictions(app: App, service: Service, dialect: Dialect) -> None:
    def predict(environ: Environ, name: str | None = None, version: str | None = None) -> Reply:
        notes = environ[NOTES]
        stages = notes["stages"] = Stages()
        reply = service.answer(
            lambda: dialect.decode(_request(environ, service.settings)),
            dialect.encode,
            notes["request_id"],
            stages,
            name or environ.get(dialect.MODEL_HEADER) or None,
            version,
        )
        notes |= stages.chosen
        notes["rows"] = stages.rows
        return reply

    for rule in dialect.PREDICT:
        app.add_prediction(rule, predict)


def _add(app: App, service: Service, route: Route) -> None:
    def view(**variables: str) -> Response:
        environ = request.environ
        if "name" in variables:  # a model that is not there is the answer, whatever the body holds
            service.repository.choose(variables["name"], variables.get("version"))
        reply = route.answer(service, _request(environ, service.settings), **variables)
        environ[NOTES].update(reply.notes)
        return response_to(reply, environ)

    app.add_url_rule(route.rule, f"{route.method} {route.rule}", view, methods=[route.method])


def _request(environ: Environ, settings: Settings) -> Request:
    media_type, parameters = environ.get("CONTENT_TYPE", ""), NO_PARAMETERS
    query = NO_PARAMETERS
    if media_type not in ("application/json", "") or environ.get("QUERY_STRING"):
        parsed = Flask.request_class(environ)
        media_type, parameters = parsed.mimetype, parsed.mimetype_params
        query = parsed.args.to_dict()

    def header(name: str) -> str:
        return str(environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

    body = read_body(environ, settings.max_body_bytes, settings.max_unpacked_bytes)
    # A page may send what has no type to any site, without being asked whether it may.
    if not media_type and body and sites.is_of_a_browser(environ):
        raise UnsupportedMedia(
            "'Content-Type': expected one, got none", "Send Content-Type: application/json."
        )
    return Request(body, media_type, parameters, query, header, settings.max_rows)


def _refuse(error: Exception) -> Response:
    """Every error in the form of its path's dialect."""
    return _refusal(error, request.environ)


def _refusal(error: Exception, environ: Environ) -> Response:
    notes, headers = environ[NOTES], dict[str, str]()
    if isinstance(error, HTTPException):
        failure = Failure(error.code or 500, error.name, _told(error, environ))
        headers = {k: v for k, v in error.get_headers(environ) if k == "Allow"}
        notes["error"] = type(error).__name__
    else:
        failure = failure_of(error)
        notes["error"] = request_log.told(error, notes["request_id"])
    if "stages" in notes:
        notes |= notes["stages"].chosen
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(error.seconds)
    response = response_to(dialect_of(environ["PATH_INFO"]).refuse(failure), environ)
    response.headers.update(headers)
    return response


def _told(error: HTTPException, environ: Environ) -> str:
    """What Flask says of a path or a method, with place, expected and got."""
    if error.code == 404:
        path = environ["PATH_INFO"].encode("latin-1", "replace").decode("utf-8", "replace")
        return f"no route '{path[:100]}'; GET /openapi.json lists them all"
    if error.code == 405:
        allowed = set(getattr(error, "valid_methods", None) or ()) - {"HEAD", "OPTIONS"}
        return f"expected {' or '.join(sorted(allowed))}, got {environ['REQUEST_METHOD'][:20]}"
    return error.description or error.name
