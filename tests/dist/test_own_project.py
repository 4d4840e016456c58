"""The wheel in a user's environment, with an older scikit-learn, and in a user's project."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from onnxlet import __version__
from tests.conftest import ROOT, ran
from tests.dist import project as theirs

pytestmark = pytest.mark.dist

ENVIRONMENT = ROOT / ".venv-dist"
PYTHON = ENVIRONMENT / "bin" / "python"
COMMAND = ENVIRONMENT / "bin" / "onnxlet"
SERVED = ("--python", "{}.{}".format(*sys.version_info[:2]), "--arch", platform.machine())


def run(
    *command: object, cwd: Path, stdin: str = "", code: int = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    own = {name: v for name, v in os.environ.items() if not name.startswith(("PYTHON", "ONNXLET"))}
    done = ran([*map(str, command)], cwd=cwd, env={**own, **environ}, input=stdin, timeout=300)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done


def installed() -> set[str]:
    """What is in the environment, with versions."""
    return set(run(PYTHON, "-m", "pip", "freeze", "--all", cwd=ROOT).stdout.splitlines())


@pytest.fixture(scope="module")
def before(wheel: Path) -> set[str]:
    """What the environment had before the wheel was installed into it."""
    if not PYTHON.exists():
        pytest.fail("the environment is not there: make test-dist sets it up")
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "uninstall", "--yes", "onnxlet", cwd=ROOT)
    before = installed()
    run(*pip, "install", "--no-index", f"{wheel}[convert,train,edge]", cwd=ROOT)
    return before


@pytest.fixture(scope="module")
def project(before: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("home") / "my project"
    theirs.write(folder)
    return folder


@pytest.fixture(scope="module")
def models(project: Path) -> Path:
    """Its models, built from the shell."""
    line, *_ = re.findall(
        "^onnxlet build .*:build --name prices", theirs.DOCUMENT.read_text(), re.M
    )
    run(COMMAND, *line.split()[1:], cwd=project)
    return project / "models"


def test_the_environment_keeps_what_it_has(before: set[str]) -> None:
    new = installed() - before
    assert [re.split(r"==| @ ", line)[0] for line in new] == ["onnxlet"]
    assert before <= installed()
    assert any(line.startswith("scikit-learn==1.7.") for line in before)
    ask = "import onnxlet; print(onnxlet.__version__, onnxlet.__file__)"
    version, file = run(PYTHON, "-c", ask, cwd=ENVIRONMENT).stdout.strip().split(" ", 1)
    assert (version, Path(file).is_relative_to(ENVIRONMENT)) == (__version__, True)


def test_from_the_shell(models: Path, project: Path) -> None:
    assert sorted(f.name for f in (models / "prices" / "1").iterdir()) == [
        "background.json", "golden.json", "manifest.json", "model.onnx",
    ]  # fmt: skip
    manifest = json.loads((models / "prices" / "1" / "manifest.json").read_text())
    assert manifest["versions"]["scikit-learn"].startswith("1.7.")

    again = run(COMMAND, "build", "shop/prices.py:build", "--name", "prices", cwd=project)
    assert "is the same, byte for byte" in again.stdout
    checked = run(COMMAND, "verify", "models/prices/1", cwd=project)
    assert "24 golden rows answered as at build" in checked.stdout


def test_saved_models_find_the_project_s_own_classes(project: Path) -> None:
    code = (
        "import joblib, skops.io; from shop import prices; m, X, *_ = prices.build(); "
        "joblib.dump(m, 'm.joblib'); skops.io.dump(m, 'm.skops'); X.to_csv('X.csv', index=False)"
    )
    run(PYTHON, "-c", code, cwd=project)
    given = ("--name", "saved", "--models", "saved models", "--data", "X.csv")

    run(COMMAND, "build", "m.joblib", *given, cwd=project)
    own = run(COMMAND, "build", "m.skops", *given, cwd=project, code=1)
    assert "shop.steps.Ratio" in own.stderr
    run(COMMAND, "build", "m.skops", *given, "--trust", "shop.steps.Ratio", cwd=project)


def test_from_a_script_it_is_the_same_version_as_from_the_shell(
    models: Path, project: Path
) -> None:
    done = run(PYTHON, "script.py", cwd=project)
    assert "parity certificate of prices version 1" in done.stdout
    assert [version.name for version in (models / "prices").iterdir()] == ["1"]
    assert done.stderr == ""


def test_from_a_notebook(project: Path, tmp_path: Path) -> None:
    done = run(
        PYTHON, "-c", theirs.RUN_NOTEBOOK, project, cwd=tmp_path, stdin=json.dumps(theirs.CELLS),
        HOME=str(tmp_path),
    )  # fmt: skip
    imports, building, shown, difference, refusal = json.loads(done.stdout)

    assert imports == []
    progress = "".join(each["text"] for each in building)
    assert progress.startswith("regression: Pipeline, 30 held-out")
    assert {each["name"] for each in building} == {"stdout"}
    page = "".join(shown[0]["data"]["text/html"])
    assert page.startswith("<table><caption>parity certificate of prices version 1</caption>")
    values = json.loads("".join(difference[0]["data"]["text/plain"]))
    assert all(abs(value) < 1e-3 for value in values)
    assert [each["output_type"] for each in refusal] == ["stream", "error"]
    assert refusal[1]["traceback"] == [
        "Refusal: X_test has no rows\nParity is proven on held-out rows: give some."
    ]


def test_types_are_seen(project: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", PYTHON]
    told = run(*command, "--cache-dir", "mypy", "typed.py", cwd=project, code=1).stdout

    assert re.findall('Revealed type is "(.*)"', told)[1:2] == [
        "onnxlet.convert.proven_model.ProvenModel"
    ]
    assert 'note: Revealed type is "def (*kinds: type)' in told.replace("builtins.type", "type")
    assert re.findall("error: (.*)", told) == [
        'Missing named argument "name" for "build"  [call-arg]'
    ]


def test_the_bundle_is_the_checkout_s_to_the_byte(models: Path, project: Path) -> None:
    checkout = (sys.executable, "-m", "convert", "package", "--models", models)
    with ThreadPoolExecutor(2) as pool:  # each takes a minute
        ours = project / "build" / "ours.zip"
        whole = pool.submit(run, *checkout, *SERVED, "--out", ours, cwd=ROOT)
        done = run(COMMAND, "package", *SERVED, "--out", "build/own.zip", cwd=project)
    whole.result()

    own = project / "build" / "own.zip"
    assert own.read_bytes() == ours.read_bytes()
    deploy = f"make deploy BUNDLE={shlex.quote(str(own.resolve()))}"
    assert done.stdout.splitlines()[-1] == f"to deploy it, in a clone of onnxlet: {deploy}"


@contextmanager
def serving(*command: str, cwd: Path) -> Iterator[str]:
    """The address of a command that serves."""
    whole = [str(COMMAND), *command, "--port", "0"]
    with subprocess.Popen(whole, cwd=cwd, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.compile(r"http://\S+:\d+")
            yield next(filter(None, map(address.search, server.stdout or ()))).group()
        finally:
            server.terminate()


def predicted(url: str, row: dict[str, Any]) -> Any:
    """The answer to one row."""
    asked = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/predict",
        json.dumps({"instances": [row]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=30) as reply:  # noqa: S310 - our own server
        return json.load(reply)["prediction"][0]


def test_serving_takes_the_models_of_the_same_folder(models: Path, project: Path) -> None:
    with serving("serve", cwd=project) as url:
        answer = predicted(f"{url}/models/prices", {"area": 100, "age": 10})
    assert answer == pytest.approx(300, abs=15)


def test_the_demo_is_served_beside_a_folder_of_its_name(before: set[str], tmp_path: Path) -> None:
    stranger = tmp_path / "onnxlet" / "__init__.py"
    stranger.parent.mkdir()
    stranger.write_text(theirs.THEIRS)
    readme = (ROOT / "README.md").read_text()
    [asked] = json.loads(
        re.findall(r"'Content-Type: application/json' -d '(.*?)'", readme, re.S)[0]
    )["instances"]
    shown = json.loads(re.findall(r"^```json\n(.*?)^```", readme, re.M | re.S)[0])["prediction"][0]
    with serving("demo", "--models", "my models", cwd=tmp_path) as url:
        assert predicted(f"{url}/models/house-prices", asked) == pytest.approx(shown, rel=1e-5)
    assert (tmp_path / "my models" / "house-prices" / "1" / "model.onnx").is_file()


def test_the_demo_ends_where_it_can_not_listen(before: set[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(COMMAND, "demo", "--port", port, cwd=tmp_path, code=1)
    assert f"port {port}" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: the wheel without extras, as an environment has it."""
    packages = tmp_path_factory.mktemp("bare")
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", packages)
    run(*uv, "--require-hashes", "-r", ROOT / "requirements" / "function.txt", cwd=ROOT)
    run(*uv, "--no-deps", "--no-index", wheel, cwd=ROOT)
    return packages


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["build", "shop/prices.py:build", "--name", "p"], "convert"), (["serve"], "edge")],
)
def test_what_is_missing_is_an_extra_of_the_wheel_s(
    arguments: list[str], extra: str, bare: Path, models: Path, project: Path
) -> None:
    code = (
        "import sys; sys.path[:0] = [sys.argv.pop(1)]; "
        "from onnxlet.command_line import main; main()"
    )
    command = (PYTHON, "-I", "-S", "-c", code, bare)

    assert "publish" in run(*command, "--help", cwd=project).stdout
    error, hint = run(*command, *arguments, cwd=project, code=1).stderr.splitlines()[-2:]

    assert re.fullmatch(r"error: .* has no '\w+'", error)
    assert hint == (
        f"hint: Install onnxlet[{extra}], in the folder of the wheel's file: "
        f"{shlex.quote(str(PYTHON))} -m pip install "
        f"'onnxlet-{__version__}-py3-none-any.whl[{extra}]'"
    )


def test_without_extras_the_app_answers(bare: Path, models: Path, project: Path) -> None:
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; from onnxlet.function.app import create_app; "
        "client = create_app(sys.argv[2]).test_client(); "
        "print(client.get('/models').json['models'][0]['name']); "
        "import onnxlet\n"
        "try: onnxlet.build(None, [[1.0]], name='p')\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = run(PYTHON, "-I", "-S", "-c", code, bare, models, cwd=project)
    name, *missing = done.stdout.split("\n")
    assert name == "prices"
    assert "Install onnxlet[convert]" in missing[1]
