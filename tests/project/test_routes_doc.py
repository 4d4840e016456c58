"""docs/reference/routes.md lists the routes that a server has, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from onnxlet.edge.service.app import make_app
from onnxlet.function.http.routes import table
from onnxlet.function.settings import Settings
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "reference" / "routes.md").read_text()
KEPT = {"POST /truth"}  # where predictions are kept: tests/project/test_device_docs.py asks it
VARIABLES = {"N": "<name>", "V": "<version>"}


def listed() -> set[str]:
    """Routes of the tables, what stands in brackets there and away."""
    routes = set(re.findall(r"`((?:GET|POST) /[^`]*)`", TEXT))
    whole = {re.sub(r"\[|\]", "", route) for route in routes}
    short = {re.sub(r"\[.*?\]", "", route) for route in routes}
    return {
        re.sub(r"(?<=/)[NV]\b", lambda found: VARIABLES[found[0]], route) for route in whole | short
    }


def test_the_routes(models: Path) -> None:
    app = make_app(models, settings=Settings(models))
    there = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
    }

    assert listed() - KEPT == there


def test_the_routes_without_a_key() -> None:
    section = TEXT.split("## Without a key")[1]
    open_paths = {route.rule for route in table() if route.open}
    assert set(re.findall(r"`(/[^`]*)`", section)) == open_paths
