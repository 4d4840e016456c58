"""What may import what, and what serving loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, loaded_by_a_start, ran
from tests.project.module_graph import (
    FOLDERS,
    PACKAGE,
    between_files,
    between_rooms,
    circles,
    imported,
    modules,
)

LAPTOP = {"sklearn", "skl2onnx", "pandas", "onnx", "scipy", "joblib"}
FORBIDDEN = {
    "function": LAPTOP | {"onnxlet.convert", "onnxlet.edge"},
    "edge": LAPTOP | {"onnxlet.convert"},
    "convert": {"onnxlet.edge"},
    "edge/server": LAPTOP | {"onnxlet.function", "onnxlet.convert"},
}
ALLOWED = {"edge/server": {"onnxlet.function", "onnxlet.function.errors"}}
# Of what Flask and our own command line load.
LEFT_OUT = {"PIL", "click", "jinja2", "httptools", "itsdangerous", "pprint", "tempfile"}
# Of our own, what only models with images need.
OF_IMAGES = {
    "onnxlet.function.inputs.images",
    "onnxlet.function.inputs.image_feed",
    "onnxlet.function.outputs.boxes",
    "onnxlet.function.protocols.shared.image_bodies",
}


def forbidden(name: str, folder: str) -> bool:
    allowed = ALLOWED.get(folder, set())
    if name in allowed or any(name.startswith(f"{a}.") for a in allowed - {"onnxlet.function"}):
        return False
    return any(name == one or name.startswith(f"{one}.") for one in FORBIDDEN[folder])


def wrong_imports(root: Path, folder: str) -> list[tuple[str, str]]:
    files = sorted((root / folder).rglob("*.py"))
    assert files
    return [
        (str(file.relative_to(root)), name)
        for file in files
        for name in imported(file)
        if forbidden(name, folder)
    ]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_the_arrows_point_one_way(folder: str) -> None:
    assert wrong_imports(ROOT, folder) == []


def test_there_is_no_circle_between_files() -> None:
    assert circles(between_files(ROOT)) == set()


def test_there_is_no_circle_between_folders() -> None:
    assert circles(between_rooms(ROOT)) == set()


def test_every_module_is_imported_by_one_name() -> None:
    known = modules(ROOT)
    for path in known.values():
        tops = {name.partition(".")[0] for name in imported(path)}
        assert tops.isdisjoint(FOLDERS), path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in (*FOLDERS, PACKAGE):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True)
    return tmp_path


def add(file: Path, lines: str) -> None:
    file.write_text(f"{file.read_text()}\n{lines}\n")


@pytest.mark.parametrize(
    ("file", "line", "folder"),
    [
        ("function/errors.py", "from onnxlet.convert import errors", "function"),
        ("function/http/fast_path.py", "import onnxlet.edge.device.slots", "function"),
        ("function/models/model.py", "def f():\n    import pandas", "function"),
        ("convert/build.py", "from onnxlet.edge.device.slots import sync", "convert"),
        ("edge/update/fetch.py", "import onnxlet.convert", "edge"),
        ("edge/server/alarm.py", "from onnxlet.function import app", "edge/server"),
        ("edge/server/tls.py", "from onnxlet.function.settings import Settings", "edge/server"),
    ],
)
def test_a_wrong_import_is_noticed(tmp_path: Path, file: str, line: str, folder: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    shutil.copy(ROOT / file, tmp_path / file)
    assert wrong_imports(tmp_path, folder) == []
    add(tmp_path / file, line)

    assert {found for found, _ in wrong_imports(tmp_path, folder)} == {file}


def test_a_circle_is_noticed(copy: Path) -> None:
    add(copy / "function" / "errors.py", "def f():\n    from onnxlet.function import settings")
    made = {frozenset({"onnxlet.function.errors", "onnxlet.function.settings"})}
    assert circles(between_files(copy)) == made
    assert any(each <= found for each in made for found in circles(between_rooms(copy)))


def test_what_only_types_need_makes_a_circle_of_files(copy: Path) -> None:
    before = between_rooms(copy)
    types = "if TYPE_CHECKING:\n    from onnxlet.function import settings"
    add(copy / "function" / "errors.py", types)
    made = {frozenset({"onnxlet.function.errors", "onnxlet.function.settings"})}
    assert circles(between_files(copy)) == made
    assert between_rooms(copy) == before


def test_serving_loads_nothing_of_the_laptop_side(models: Path) -> None:
    loaded = loaded_by_a_start(models)
    assert {"onnxlet.function.runtime.session", "onnxlet.function.app"} <= loaded
    assert "onnxruntime" not in loaded  # a bundle has its library only
    assert loaded & (FORBIDDEN["function"] | LEFT_OUT | OF_IMAGES) == set()
    assert set(modules(ROOT)) >= OF_IMAGES


@pytest.mark.parametrize(
    "module",
    [
        "onnxlet.function.handler",
        "onnxlet.convert.command_line",
        "onnxlet.convert.imported.onnx_file",
    ],
)
def test_onnx_runtime_sends_no_telemetry(module: str, models: Path, tmp_path: Path) -> None:
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
        "import onnxlet.function.http.slim_flask, flask, jinja2, click, werkzeug.serving as s; "
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
        "import onnxlet.function.http.slim_flask, flask\n"
        "try: flask.render_template_string('x')\n"
        "except RuntimeError as e: print(e)\n"
        "with flask.Flask('x').app_context():\n"
        "    try: flask.render_template_string('x')\n"
        "    except RuntimeError as e: print(e)\n"
    )
    done = ran([sys.executable, "-c", code], check=True)

    assert "left out here to start faster" in done.stdout
