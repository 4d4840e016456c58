"""The app as a server runs it: metered, its runs watched, in step with its models' folder."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from edge.metrics import Meter
from edge.secret import Secret
from edge.slots import with_updates
from function import deadline, request_log
from function.app import SERVICE, create_app
from function.lean_flask import Flask
from function.reload import Reloader
from function.service import Observe
from function.settings import Settings

M_ARENA_MAX = -8  # of glibc's malloc.h


def make_app(
    models: Path,
    observe: Observe | None = None,
    secret: Secret | None = None,
    log: request_log.Log = request_log.write,
) -> Flask:
    """Make the app, and start the two threads that it has beside those that answer.

    Args:
        models: folder of model directories; a slot's has updates beside it, on a device.
        observe: called with each prediction that was answered.
        secret: marks the requests that this process sends to itself, which count nowhere.
        log: writes each request's line.

    Raises:
        SettingsError: an environment variable can't be used.
        ModelError: there is no model, or one can't be loaded.
    """
    _have_one_heap()
    secret = secret or Secret()
    settings, meter = secret.let_in(Settings.from_environ(os.environ)), Meter(secret.request_id)
    models, updates = with_updates(models)
    seen, told = secret.unobserved(observe), secret.unlogged(log)
    app = create_app(models, seen, settings, meter, told, updates)
    deadline.watch(settings.max_seconds)
    if settings.reload_seconds:
        meter.reloader = Reloader(app.extensions[SERVICE].repository)
        meter.reloader.start(settings.reload_seconds)
    return app


def _have_one_heap() -> None:
    """What one thread frees another one takes: else each keeps what the largest requests took."""
    with suppress(AttributeError, OSError):  # a C library other than glibc has one anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
