"""The Flask app: routes, keys, limits, errors and the log around `service`."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

from function import json_text, native
from function.door import NOTES, Door, Environ
from function.errors import (
    MalformedRequest,
    OnnxletError,
    RequestError,
    RequestTooLarge,
    Unauthorized,
    UnknownModel,
    UnsupportedMedia,
)
from function.lean_flask import Flask, HTTPException, Response, request
from function.model import Model
from function.repository import VERSION, Repository
from function.service import Observe, Service
from function.settings import Settings

DESCRIBED = ("task", "signature", "classes", "parity", "metrics")
SERVICE = "onnxlet"  # in app.extensions


def create_app(
    models: str | Path, observe: Observe | None = None, settings: Settings | None = None
) -> Flask:
    """Make the app that serves every model directory below a folder.

    Args:
        models: the folder.
        observe: called with each prediction that was answered.
        settings: limits and keys; the environment's where it is None.

    Raises:
        SettingsError: an environment variable can't be used.
        ModelError: there is no model, or one can't be loaded.
    """
    settings = settings or Settings.from_environ(os.environ)
    repository = Repository(Path(models), settings.threads, settings.default_model)
    service = Service(settings, repository, observe)
    app = Flask("function", static_folder=None)
    app.extensions[SERVICE] = service
    app.register_error_handler(Exception, _refuse)
    _add_routes(app, service)
    app.wsgi_app = Door(app.wsgi_app, settings, _refusal)  # type: ignore[method-assign] # Flask's own way
    return app


def _add_routes(app: Flask, service: Service) -> None:
    @app.post("/predict")
    @app.post("/models/<name>/predict")
    @app.post("/models/<name>/versions/<version>/predict")
    def predict(name: str | None = None, version: str | None = None) -> Response:
        notes = request.environ[NOTES]
        call = native.decode(_body(service.settings.max_body_bytes), *_media_type())
        prediction = service.predict(call, notes["request_id"], name, _number(version))
        model = prediction.model
        notes |= {"model": model.name, "version": model.version, "rows": len(call.rows)}
        return _json(prediction.answer)

    @app.get("/models")
    def models() -> Response:
        repository = service.repository
        chosen = [_described(repository.choose(name), repository) for name in repository.names]
        return _json({"models": chosen})

    @app.get("/models/<name>")
    def model(name: str) -> Response:
        return _json(_described(service.repository.choose(name), service.repository))

    @app.get("/v2/health/live")
    def live() -> Response:
        return _json({"live": True})

    @app.get("/v2/health/ready")
    def ready() -> Response:
        return _json({"ready": True})  # models are loaded before the app exists


def _described(model: Model, repository: Repository) -> dict[str, Any]:
    about = {"name": model.name, "version": model.version}
    about |= {"versions": repository.versions(model.name)}
    return about | {key: model.manifest[key] for key in DESCRIBED if key in model.manifest}


def _number(version: str | None) -> int | None:
    if version is None:
        return None
    if not VERSION.fullmatch(version):
        raise UnknownModel(f"no version '{version[:40]}'", "Versions are whole numbers from 1.")
    return int(version)


def _media_type() -> tuple[str, dict[str, str]]:
    text = request.environ.get("CONTENT_TYPE", "")
    if text in ("application/json", ""):
        return text, {}
    return request.mimetype, request.mimetype_params


def _body(limit: int) -> bytes:
    """The request's body, of at most `limit` bytes."""
    environ = request.environ
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMedia(
            f"content encoding '{encoding[:40]}' is not read here", "Send the body uncompressed."
        )
    body = _read(environ, limit)
    if not body:
        raise MalformedRequest("the body is empty", native.JSON_HINT)
    return body


def _read(environ: Environ, limit: int) -> bytes:
    declared = environ.get("CONTENT_LENGTH") or ""
    length = int(declared[:20]) if declared.isdecimal() else None
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""  # reading on would wait for ever
    wanted = limit + 1 if length is None else length
    if wanted <= limit or length is None:
        try:
            body: bytes = environ["wsgi.input"].read(wanted)
        except Exception as error:  # each server raises its own: broken chunks, a stalled client
            raise MalformedRequest(f"the body can't be read: {type(error).__name__}") from error
        if length is not None and len(body) < length:
            raise MalformedRequest(f"the body ended after {len(body)} of {length} bytes")
        if len(body) <= limit:
            return body
    raise RequestTooLarge(f"the body has more than {limit} bytes", "Send fewer rows at once.")


def _json(answer: Any, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(json_text.dumps(answer), status, content_type=media_type)


def _refuse(error: Exception) -> Response:
    """Every error as application/problem+json."""
    return _refusal(error, request.environ)


def _refusal(error: Exception, environ: Environ) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        status = error.code or 500
        form = native.problem(status, error.description or error.name)
        headers = {k: v for k, v in error.get_headers(environ) if k == "Allow"}
    elif isinstance(error, RequestError):
        status, form = error.status, native.problem_of(error)
    else:
        status, form = 500, native.problem(500, "the server failed; its log has the request id")
        traceback.print_exception(error)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    notes = environ[NOTES]
    notes["error"] = error.message if isinstance(error, OnnxletError) else type(error).__name__
    if isinstance(error, RequestError):
        notes["error"] = type(error).__name__  # its message may quote the data
    response = _json(form, status, "application/problem+json")
    response.headers.update(headers)
    return response
