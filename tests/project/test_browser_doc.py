"""docs/how-to/browser.md: its commands and its example are run, its lists are the code's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onnxlet.convert.bundle.npm import OLDEST
from onnxlet.convert.bundle.targets import BROWSER
from onnxlet.edge.browser.absent import ABSENT
from onnxlet.edge.browser.app import REFUSED
from tests.conftest import ROOT, ran
from tests.convert.helpers import command
from tests.project.commands import free_port, wait_for_port
from tests.project.test_device_docs import blocks

HOW_TO = (ROOT / "docs" / "how-to" / "browser.md").read_text("utf-8")
SHELL = blocks(HOW_TO, "sh")
HAS_NODE = shutil.which("node") and shutil.which("npm")


@contextmanager
def served(line: str, folder: Path) -> Iterator[str]:
    """What a documented line serves, on another port; its address."""
    port = free_port()
    process = subprocess.Popen(
        [*shlex.split(line), str(port)], cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()


@pytest.mark.docs
@pytest.mark.skipif(not HAS_NODE, reason="needs Node.js and npm")
@pytest.mark.skipif(not (ROOT / ".venv" / "ready").is_file(), reason="run by `make test`")
def test_the_first_lines_package_and_serve_and_the_module_answers(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    models = folder / "the models"
    source = ROOT / "convert" / "examples" / "house_prices.py"
    built = command("build", f"{source}:build", "--name", "house-prices", "--models", models)
    assert built.returncode == 0, built.stderr
    site = folder / "build" / "site"
    package, serve = SHELL[0].splitlines()
    made = ran([*shlex.split(package), f"MODELS={models}", f"BUNDLE={site}", "ARGS="])
    assert made.returncode == 0, made.stderr
    assert f"{site}: release 1;" in made.stdout

    with served(serve, folder) as address:
        page = urllib.request.urlopen(address, timeout=20).read().decode()  # noqa: S310 - ours
    assert "<title>On this device · onnxlet</title>" in page

    [code] = blocks(HOW_TO, "js")
    (folder / "ask.mjs").write_text(code)
    asked = ran(shlex.split(SHELL[1]), cwd=folder)
    assert asked.returncode == 0, asked.stderr
    [shown] = json.loads(blocks(HOW_TO, "text")[0])
    assert json.loads(asked.stdout) == [pytest.approx(shown, rel=1e-5)]


def test_make_writes_where_the_page_says() -> None:
    said = subprocess.check_output(["make", "-n", *shlex.split(SHELL[0].splitlines()[0])[1:]],
                                   cwd=ROOT, text=True)  # fmt: skip
    assert "--target browser" in said
    assert '--out "build/site"' in said
    assert "--directory build/site" in SHELL[0]


def test_what_is_501_is_what_the_code_refuses() -> None:
    rows = re.findall(r"^\| (.*) \| 501 \|$", HOW_TO, re.M)
    paths = {path for row in rows for path in re.findall(r"`(/\w+)`", row)}
    assert paths == {*REFUSED}
    assert {name.rpartition(".")[2] for name in ABSENT} == {
        "numpy", "PIL", "image_feed", "sentences", "sequences", "unusual",
    }  # fmt: skip


def test_the_versions_and_budgets_are_those_of_the_code() -> None:
    packaging = (ROOT / "docs" / "how-to" / "packaging.md").read_text("utf-8")
    most = BROWSER.budget
    assert f"Node.js {OLDEST} or newer" in HOW_TO
    assert f"Node.js {OLDEST} or newer" in packaging
    assert f"browser {most.zipped / 1e6:g}, {most.unpacked / 1e6:g} |" in packaging
