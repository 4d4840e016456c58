"""The surface as it is."""

from __future__ import annotations

from pathlib import Path

from tests.project.surface import documents, names
from tests.project.surface.comparison import Surface


def today(models: Path) -> Surface:
    """All sections; `models` has what the fixture of this name has, as it is built today."""
    routes, schemas = documents.http(models)
    manifest, bundles = documents.files(models)
    return {
        "Python": names.python(),
        "command line": names.commands(),
        "routes": routes,
        "schemas": schemas,
        "settings": names.settings(),
        "metrics": names.metrics(),
        "log": names.log(),
        "manifest.json": manifest,
        "bundles": bundles,
    }
