"""Setting up: an environment of only the function, a fresh machine, a Python that won't do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from onnxlet.convert.bundle.contents import place_code
from onnxlet.convert.bundle.parts import FUNCTION
from tests.conftest import ROOT, ran
from tests.project.commands import free_port, run_make, wait_for_line

BUILT = (".venv*", "node_modules", ".serverless", ".git", "__pycache__", ".*_cache", ".hypothesis")


def not_built(folder: str, names: list[str]) -> set[str]:
    """What a copy of the repository leaves out, for `shutil.copytree`."""
    made = {"models", "build"} if Path(folder) == ROOT else set()
    return made | shutil.ignore_patterns(*BUILT)(folder, names)


SERVES_ALONE = """
import json, sys, threading
import importlib.util as util
from urllib.request import Request, urlopen
from wsgiref.simple_server import make_server
absent = ("sklearn", "skl2onnx", "pandas", "onnx", "scipy", "httptools")
absent += ("onnxlet.convert", "onnxlet.edge")
assert not [name for name in absent if util.find_spec(name)], "the environment is not empty"
from onnxlet.function.handler import APP, handler
server = make_server("127.0.0.1", 0, APP)
threading.Thread(target=server.serve_forever, daemon=True).start()
body = json.dumps({"instances": json.loads(sys.argv[1]), "model": "shop"})
url = f"http://127.0.0.1:{server.server_port}/predict"
request = Request(url, body.encode(), {"Content-Type": "application/json"})
over_socket = json.loads(urlopen(request, timeout=20).read())
direct = handler(json.loads(body), None)
assert over_socket == direct, (over_socket, direct)
print(json.dumps(direct))
server.shutdown()  # its thread may still hold standard error, for a line of its own log
"""


@pytest.mark.fresh
def test_the_function_serves_with_only_its_own_requirements(tmp_path: Path, models: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    install = ["sh", "tools/setup.sh", str(tmp_path / "env"), "requirements/function.txt"]
    environ = {**os.environ, "PYTHON": str(Path(sys.executable).resolve())}  # PYTHON is words
    subprocess.run(install, cwd=ROOT, env=environ, check=True, timeout=200)
    place_code("function", tmp_path / "alone", FUNCTION.beside)
    rows = json.dumps([{"Preis (€)": 12.5, "count": 4, "new": True, "色": "红"}])

    done = ran(
        [python, "-c", SERVES_ALONE, rows],
        cwd=tmp_path / "alone",
        env={"ONNXLET_MODELS": str(models), "PATH": os.environ["PATH"]},
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prediction"] == [True]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What is in the repository, as an unpacked archive, in a path with a space."""
    folder = tmp_path / "an unpacked archive"
    shutil.copytree(ROOT, folder, symlinks=True, ignore=not_built)
    return folder


def stand_in(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def set_up(copy: Path, python: Path | str, **more: str) -> subprocess.CompletedProcess[str]:
    return ran(
        ["make", "--no-print-directory", "setup", f"PYTHON={python}"],
        cwd=copy,
        env={**os.environ, **more},
    )


def test_too_old_a_python_is_refused_with_what_to_install(copy: Path, tmp_path: Path) -> None:
    old = stand_in(
        tmp_path / "old python3.9", 'case $1 in --version) echo "Python 3.9.2";; esac; exit 1'
    )

    done = set_up(copy, old)

    assert done.returncode != 0
    assert "onnxlet needs Python 3.11" in done.stderr
    assert f"; {old} is Python 3.9.2\n" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert not (copy / ".venv").exists()


def test_a_python_that_is_named_and_not_usable_is_reported_as_what_it_is(tmp_path: Path) -> None:
    mute = stand_in(tmp_path / "mute", "exit 1")
    for python, told in (
        (mute, f"{mute} is no Python that runs"),
        ("/nope", "/nope: there is none"),
    ):
        done = ran(
            ["sh", ROOT / "tools" / "setup.sh", tmp_path / "made"],
            env=os.environ | {"PYTHON": str(python)},
        )
        assert f"or 3.14; {told}\n" in done.stderr
        assert not (tmp_path / "made").exists()


def test_a_python_without_venv_is_refused_with_what_to_install(copy: Path, tmp_path: Path) -> None:
    lacking = stand_in(
        tmp_path / "python3",
        f'case "$2" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"',
    )

    done = set_up(copy, lacking)

    version = "{}.{}".format(*sys.version_info[:2])
    assert done.returncode != 0
    assert f"apt-get install python{version}-venv" in done.stderr


@pytest.mark.long
def test_from_any_folder_the_environment_imports_this_checkout(copy: Path, tmp_path: Path) -> None:
    venv.create(copy / ".venv", with_pip=True)
    (copy / "none.txt").touch()
    for _ in range(2):
        ran(["sh", "tools/setup.sh", ".venv", "none.txt", "part"], cwd=copy, check=True)

    copy = copy.rename(tmp_path / "moved")
    code = (
        "import onnxlet, importlib.util as util; print(onnxlet.folders.ROOT);"
        "print([name for name in ('convert', 'function', 'edge', 'tests') if util.find_spec(name)])"
    )
    done = ran([copy / ".venv" / "bin" / "python", "-c", code], cwd=tmp_path, check=True)

    assert done.stdout.splitlines() == [str(copy), "[]"]


WRONG_HASH = "flask==3.1.3 --hash=sha256:" + "0" * 64 + "\n"


@pytest.mark.fresh
def test_a_set_up_that_fails_is_not_taken_for_ready(copy: Path, tmp_path: Path) -> None:
    (copy / "requirements" / "run.txt").write_text(WRONG_HASH)

    done = set_up(copy, sys.executable)

    assert done.returncode != 0
    assert not (copy / ".venv" / "ready").exists()


@pytest.mark.fresh
def test_what_setup_adds_is_added_to_what_is_there(copy: Path, tmp_path: Path) -> None:
    """`make run` came first: what it installed stays, and what it did not is tried again.

    uv is asked first, by the index that pip is told, and pip where uv can't.
    """
    environment = copy / ".venv"
    venv.create(environment, with_pip=True)
    (environment / "ready").touch()
    uv = stand_in(
        environment / "bin" / "uv",
        'printenv UV_DEFAULT_INDEX UV_INDEX >"$0 was told"; [ "$1" = --version ]',
    )
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    nobody = "http://127.0.0.1:9"
    index = {"PIP_INDEX_URL": f"{nobody}/simple", "PIP_EXTRA_INDEX_URL": f"{nobody}/a {nobody}/b"}
    for lock, more in (
        (WRONG_HASH, {**index, "PIP_RETRIES": "0"}),
        ("\n".join(pinned(locked)["iniconfig"]), {}),
    ):
        (copy / "requirements" / "dev.txt").write_text(lock)
        done = set_up(copy, "/nope", **more)  # which would refuse to make another
        told = Path(f"{uv} was told").read_text().splitlines()
        assert told == [value for value in index.values() if more]
        assert f"adding requirements/dev.txt to {environment.name}" in done.stderr
        assert (environment / "ready").exists()
        assert (environment / "dev").exists() is (done.returncode == 0) is (lock != WRONG_HASH)
    subprocess.run([environment / "bin" / "python", "-c", "import iniconfig"], check=True)


def pinned(lock: str) -> dict[str, tuple[str, ...]]:
    """The lines of each package in a lock: its versions and their hashes."""
    found: dict[str, list[str]] = {}
    for line in lock.splitlines():
        if line[:1].isalnum():
            lines = found.setdefault(line.partition("==")[0], [])
        if not line.lstrip().startswith("#"):
            lines.append(line)
    return {name: tuple(lines) for name, lines in found.items()}


def test_make_run_installs_what_is_tested_and_nothing_that_only_tests_need() -> None:
    read = {name: pinned((ROOT / "requirements" / f"{name}.txt").read_text())
            for name in ("run", "test-run", "dev", "train")}  # fmt: skip
    only_others_need = {"dask", "duckdb", "matplotlib", "mypy", "optuna", "pyarrow", "pytest"}

    assert read["run"].items() <= read["test-run"].items()
    assert read["run"].items() <= read["dev"].items()
    for name in read["run"].keys() & read["train"].keys():
        assert read["run"][name] == read["train"][name]
    assert not only_others_need & read["run"].keys()
    assert only_others_need <= read["dev"].keys()
    assert not {"pyarrow", "matplotlib"} & read["test-run"].keys()


def test_each_make_restores_links_and_sets_nothing_up_again(copy: Path) -> None:
    (copy / ".venv").mkdir()
    for part in ("ready", "dev"):
        (copy / ".venv" / part).touch()
    (copy / "onnxlet" / "edge").unlink()
    (copy / "onnxlet" / "function").unlink()
    (copy / "onnxlet" / "function").write_text("../function")  # as a system without links has it

    done = set_up(copy, "/nope")  # which would refuse to set up

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for link in ("function", "convert", "edge", "requirements"):
        assert (copy / "onnxlet" / link).resolve() == copy / link


PYTHONS = [
    path
    for version in ("3.11", "3.12", "3.13", "3.14")
    if (path := shutil.which(f"python{version}"))
    and subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0
]


LARGEST_MB = 600  # of what `make run` installs, and of what Python compiles of it


@pytest.mark.fresh
@pytest.mark.parametrize("python", PYTHONS, ids=[Path(path).name for path in PYTHONS])
def test_a_fresh_machine_runs_and_runs_again(copy: Path, tmp_path: Path, python: str) -> None:
    (tmp_path / "home").mkdir()
    environ = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "PATH", "LANG"))}
    environ |= {"HOME": str(tmp_path / "home"), "PIP_NO_CACHE_DIR": "1", "PYTHON": python}
    for number, setting_up in ((1, True), (2, False)):
        port, log = free_port(), tmp_path / f"log {number}"
        with run_make(["run", f"PORT={port}"], copy, environ, log) as process:
            printed = wait_for_line(process, log, "curl ", seconds=600 if setting_up else 180)
            pasted = printed.splitlines()[-1]
            answer = json.loads(subprocess.check_output(["sh", "-c", pasted], timeout=20))
            os.killpg(process.pid, signal.SIGINT)
            process.wait(20)
        assert answer["prediction"][0] > 10_000
        assert ("setting up" in log.read_text()) is setting_up
        assert "Traceback" not in log.read_text()
    assert [path.name for path in (copy / "models" / "house-prices").iterdir()] == ["1"]
    elsewhere: list[str | Path] = [
        copy / ".venv" / "bin" / "python",
        "-m",
        "onnxlet",
        "verify",
        "--help",
    ]
    assert "Usage: python -m onnxlet verify" in ran(elsewhere, cwd=tmp_path).stdout
    files = [path for path in (copy / ".venv").rglob("*") if path.is_file()]
    assert sum(path.lstat().st_size for path in files) < LARGEST_MB * 10**6
    assert not (copy / ".venv" / "dev").exists()


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """What an archive left of the folders and of the links to them: a copy, a text, and none."""
    (tmp_path / "tools").mkdir()
    for script in ("setup.sh", "links.sh"):
        shutil.copy(ROOT / "tools" / script, tmp_path / "tools")
    for folder in ("function", "convert", "edge", "requirements", "onnxlet/function"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file.py").write_text("ours")
    (tmp_path / "onnxlet" / "edge").write_text("../edge")
    return tmp_path


def set_up_without_python(folder: Path) -> str:
    """What setup says, which ends where it has its links and looks for a Python."""
    done = ran(["sh", "tools/setup.sh"], cwd=folder, env={**os.environ, "PYTHON": "none-such"})
    assert done.returncode == 1
    return done.stderr


def test_links_that_an_archive_lost_are_restored(unpacked: Path) -> None:
    (unpacked / "onnxlet" / "function" / "__pycache__").mkdir()

    assert "onnxlet needs Python" in set_up_without_python(unpacked)

    for link in ("function", "convert", "edge", "requirements"):
        assert (unpacked / "onnxlet" / link).readlink() == Path("..") / link
        assert (unpacked / link / "file.py").read_text() == "ours"


def test_a_copy_with_edits_of_its_own_is_kept_and_refused(unpacked: Path) -> None:
    edited = unpacked / "onnxlet" / "function" / "file.py"
    edited.write_text("edited")

    assert set_up_without_python(unpacked).startswith(
        "onnxlet/function is a copy of function, and differs"
    )
    assert edited.read_text() == "edited"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Links, git, the rights of files, and a folder of models that is empty: the tests of conversions
# and of what a server does for hours need none of them, and are the longest.
WHAT_AN_ARCHIVE_MAY_LACK = (
    "tests/project tests/function/aws tests/function/http tests/function/models "
    "tests/function/serving tests/edge/device tests/edge/install tests/edge/service "
    "tests/edge/settings tests/convert/bundle/test_contents.py tests/convert/directory "
    "tests/convert/sources tests/convert/test_command_line.py tests/convert/test_interface.py"
)


@pytest.mark.fresh
def test_the_suite_passes_in_an_unpacked_archive(copy: Path, tmp_path: Path) -> None:
    for name in ("churn", "iris", "house-prices"):  # the user's own, and none that can be served
        (copy / "models" / name / "1").mkdir(parents=True)
        (copy / "models" / name / "1" / "manifest.json").write_text("{}")
    theirs = contents(copy / "models")
    for link in ("edge", "requirements"):  # as a system without links unpacks them
        (copy / "onnxlet" / link).unlink()
    (copy / "onnxlet" / "edge").write_text("../edge")
    kept = ("PIP_", "PATH", "LANG", "PROCESSES")
    environ = {k: v for k, v in os.environ.items() if k.startswith(kept)}
    environ |= {"HOME": str(tmp_path), "PYTHON": PYTHONS[-1]}
    done = ran(
        ["make", "test", f"ARGS=-q -x {WHAT_AN_ARCHIVE_MAY_LACK}"],
        cwd=copy,
        env=environ,
        timeout=1000,
    )

    assert done.returncode == 0, done.stdout[-20_000:]
    assert " passed" in done.stdout
    assert contents(copy / "models") == theirs
