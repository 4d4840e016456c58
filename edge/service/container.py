"""In a container: what the platform sets in its own words, and signals to the first process."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path

from onnxlet.edge.service.process import ENDING, end_on

PORT, MODELS = "ONNXLET_DEVICE_PORT", "ONNXLET_MODELS"
PORTS = ("PORT", "SAGEMAKER_BIND_TO_PORT")  # Cloud Run's, and SageMaker's
HIGHEST_PORT = 65535
REFUSED = 1  # exit code, as of any variable that is wrong
PLACES = ("/opt/ml/model", "/mnt/models")  # where SageMaker and KServe put models


def begin() -> None:
    """Take a platform's settings, and end on SIGTERM and SIGINT while the server starts."""
    adapt(os.environ)
    for number in ENDING:
        end_on(number)


def adapt(environ: MutableMapping[str, str], places: tuple[str, ...] = PLACES) -> None:
    """Set our variables by a platform's, where they are not set.

    Models are taken from the first place where something is. It exits where the platform's port is
    none, which is reported by the name that was set.
    """
    name = next((each for each in PORTS if environ.get(each)), None)
    if name and not environ.get(PORT):
        environ[PORT] = _port(name, environ[name])
    if not environ.get(MODELS):
        found = [place for place in places if _has_something(Path(place))]
        if found:
            environ[MODELS] = found[0]


def _port(name: str, text: str) -> str:
    if re.fullmatch("[0-9]{1,5}", text) and int(text) <= HIGHEST_PORT:
        return text
    expected = f"error: {name}: expected a port from 0 to {HIGHEST_PORT}, got '{text[:80]}'"
    print(expected, f"hint: Set {name}, or {PORT}.", sep="\n", file=sys.stderr)
    sys.exit(REFUSED)


def _has_something(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
