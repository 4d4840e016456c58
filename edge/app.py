"""The app as a server runs it: metered, its runs watched, in step with its models' folder."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from edge.metrics import Meter
from function import deadline
from function.app import SERVICE, create_app
from function.lean_flask import Flask
from function.reload import Reloader
from function.service import Observe
from function.settings import Settings

M_ARENA_MAX = -8  # of glibc's malloc.h


def make_app(models: Path, observe: Observe | None = None) -> Flask:
    """Make the app, and start the two threads that it has beside those that answer.

    Args:
        models: folder of model directories.
        observe: called with each prediction that was answered.

    Raises:
        SettingsError: an environment variable can't be used.
        ModelError: there is no model, or one can't be loaded.
    """
    _have_one_heap()
    settings, meter = Settings.from_environ(os.environ), Meter()
    app = create_app(models, observe, settings, meter)
    deadline.watch(settings.max_seconds)
    if settings.reload_seconds:
        meter.reloader = Reloader(app.extensions[SERVICE].repository)
        meter.reloader.start(settings.reload_seconds)
    return app


def _have_one_heap() -> None:
    """What one thread frees another one takes: else each keeps what the largest requests took."""
    with suppress(AttributeError, OSError):  # a C library other than glibc has one anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
