"""What may import what, and what serving loads."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FORBIDDEN = {
    "function": {"sklearn", "skl2onnx", "pandas", "onnx", "scipy", "joblib", "convert", "edge"},
    "edge": {"sklearn", "skl2onnx", "pandas", "onnx", "scipy", "joblib", "convert"},
    "convert": {"edge"},
}


# Of what Flask and our own command line load.
LEFT_OUT = {"click", "jinja2", "httptools", "itsdangerous", "pprint", "tempfile"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_the_arrows_point_one_way(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    wrong = {
        str(file.relative_to(ROOT)): sorted(found)
        for file in files
        if (found := FORBIDDEN[package] & set(imported(file)))
    }
    assert wrong == {}


def test_serving_loads_nothing_of_the_laptop_side(models: Path) -> None:
    code = (
        "import sys; from onnxlet.function.handler import handler; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "ONNXLET_MODELS": str(models)},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stdout.split())
    assert "onnxruntime" in loaded
    assert loaded & (FORBIDDEN["function"] | LEFT_OUT) == set()


@pytest.mark.parametrize(
    "module",
    [
        "onnxlet.function.handler",
        "onnxlet.convert.command_line",
        "onnxlet.convert.imported.onnx_file",
    ],
)
def test_onnx_runtime_tells_nobody_of_this_machine(
    module: str, models: Path, tmp_path: Path
) -> None:
    code = (
        f"import {module}; from pathlib import Path; "
        "from onnxlet.function.models.model import load_model; "
        f"load_model(Path({str(models / 'iris' / '1')!r})).open()"
    )
    environ = {**os.environ, "HOME": str(tmp_path), "ONNXLET_MODELS": str(models)}
    environ = {k: v for k, v in environ.items() if not k.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, check=True)

    assert list(tmp_path.rglob("*")) == []


def test_what_flask_leaves_out_can_still_be_had(models: Path) -> None:
    code = (
        "import onnxlet.function.app, flask, jinja2, click, werkzeug.serving as s; "
        "assert s.run_simple.__module__ == 'werkzeug.serving'; "
        "assert click.command and jinja2.Template('{{ 1 }}').render() == '1'; "
        "import os; from onnxlet.function.app import create_app; "
        "c = create_app(os.environ['ONNXLET_MODELS']).test_client(); "
        "assert c.get('/v2/health/live').status_code == 200"
    )
    environ = {**os.environ, "ONNXLET_MODELS": str(models)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, check=True)


def test_a_stand_in_that_is_used_says_so() -> None:
    code = (
        "import onnxlet.function.app, flask\n"
        "try: flask.render_template_string('x')\n"
        "except RuntimeError as e: print(e)\n"
        "with flask.Flask('x').app_context():\n"
        "    try: flask.render_template_string('x')\n"
        "    except RuntimeError as e: print(e)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "left out here to start faster" in done.stdout
