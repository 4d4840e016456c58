"""The app as a server runs it: metered, its runs watched, in step with its models' folder."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from onnxlet.edge.device.slots import with_updates
from onnxlet.edge.service.metrics import Meter
from onnxlet.edge.service.secret import Secret
from onnxlet.function import deadline, request_log
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.http.slim_flask import Flask
from onnxlet.function.messages import Route
from onnxlet.function.serving.reload import Reloader
from onnxlet.function.serving.service import Observe
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.edge.forward.observing import Forward

M_ARENA_MAX = -8  # of glibc's malloc.h


def make_app(
    models: Path,
    observe: Observe | None = None,
    secret: Secret | None = None,
    log: request_log.Log = request_log.write,
    forward: Forward | None = None,
    settings: Settings | None = None,
) -> Flask:
    """Make the app, and start the two threads that it has beside those that answer.

    Args:
        models: folder of model directories; a slot's has updates beside it, on a device.
        observe: called with each prediction that was answered; else what keeps them is.
        secret: marks the requests that this process sends to itself, which count nowhere.
        log: writes each request's line.
        forward: keeps predictions, and takes what came of them.
        settings: limits and keys; the environment's where it is None.

    Raises:
        SettingsError: an environment variable can't be used.
        ModelError: there is no model, or one can't be loaded.
    """
    _have_one_heap()
    secret = secret or Secret()
    settings = secret.let_in(settings or Settings.from_environ(os.environ))
    meter = Meter(secret.request_id, forward)
    models, updates = with_updates(models)
    observe = observe or (forward.observe if forward else None)
    seen, told = secret.unobserved(observe), secret.unlogged(log)
    app = create_app(models, seen, settings, meter, told, updates, _routes(forward))
    deadline.watch(settings.max_seconds)
    if settings.reload_seconds:
        meter.reloader = Reloader(app.extensions[SERVICE].repository)
        meter.reloader.start(settings.reload_seconds)
    return app


def _routes(forward: Forward | None) -> list[Route]:
    if forward is None:
        return []
    from onnxlet.edge.forward import truth  # a server that keeps nothing starts without it

    return [truth.route(forward)]


def _have_one_heap() -> None:
    """What one thread frees another one takes: else each keeps what the largest requests took."""
    with suppress(AttributeError, OSError):  # a C library other than glibc has one anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
