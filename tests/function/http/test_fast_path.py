"""Predictions find their rule as Flask's own map finds it, and Flask is imported for the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from onnxlet.function.http.fast_path import App
from tests.conftest import ROOT, app_of

VALUES = ("iris", "a b", "ä", "x:predict", ":predict", "1", "", "a.b", "models", "<name>", "|")
PARTS = (*VALUES, "predict", "models", "versions", "v1", "v2", "infer", "invocations", "explain")


@pytest.fixture(scope="module")
def app(models: Path) -> App:
    return app_of(models)


def expected(app: App, path: str) -> tuple[str, dict[str, str]] | None:
    """The rule and the variables by Flask's map; None where no prediction has it."""
    try:
        rule, variables = app.url_map.bind("").match(path, "POST", return_rule=True)
    except HTTPException:
        return None
    predictions = {route.key for route, _ in app._routes if route.protocol is not None}
    return (rule.endpoint, dict(variables)) if rule.endpoint in predictions else None


def found(app: App, path: str) -> tuple[str, dict[str, str]] | None:
    """The same, by the fast path."""
    if (match := app._find(path.encode().decode("latin-1"))) is None:
        return None
    answer, variables = match
    return next(route.key for route, each in app._routes if each is answer), variables


def test_each_rule_with_odd_names(app: App) -> None:
    rules = [route.rule for route, _ in app._routes if route.protocol is not None]
    matches = 0
    for rule, name, version in product(rules, VALUES, ("1", "x:predict", "")):
        path = rule.replace("<name>", name).replace("<version>", version)
        for odd in (path, f"/{path}", f"{path}/", path.replace("/", "//")):
            match = found(app, odd)
            assert match == expected(app, odd), odd
            matches += match is not None
    assert matches > len(rules)


@given(st.lists(st.sampled_from(PARTS), max_size=7))
def test_any_path(app: App, parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    assert found(app, path) == expected(app, path)


def test_a_path_that_is_no_utf_8_has_no_rule(app: App) -> None:
    assert app._find("/models/\xff/predict") is None


def test_only_so_many_paths_are_remembered(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    known = len(app._known)
    monkeypatch.setattr("onnxlet.function.http.fast_path.KNOWN_PATHS", known + 2)
    for number in range(5):
        assert app._find(f"/models/unknown-{number}/predict")
    assert len(app._known) == known + 2


def test_flask_is_imported_for_what_is_no_prediction(models: Path) -> None:
    code = (
        "import os, sys; from onnxlet.function.handler import handler; from tests.events import "
        "make_v2_event as event; from tests.events import CONTEXT as context\n"
        "body = b'{\"instances\": [[5.1, 3.5, 1.4, 0.2]]}'\n"
        "json = {'content-type': 'application/json'}\n"
        "def ask(method, path, body=None):\n"
        "    made = event(method=method, path=path, body=body, headers=json)\n"
        "    return handler(made, context)['statusCode']\n"
        "assert ask('POST', '/models/iris/predict', body) == 200\n"
        "assert not {'flask', 'werkzeug', 'serverless_wsgi'} & set(sys.modules)\n"
        "assert ask('GET', '/models') == 200 and 'flask' in sys.modules\n"
        "assert ask('POST', '/models/iris/predict',  b'{') == 400\n"
    )
    environ = {**os.environ, "ONNXLET_MODELS": str(models), "PYTHONPATH": os.fspath(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, check=True)
