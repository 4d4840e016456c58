"""Which Pythons there are: the same in every place that names them, with wheels for each."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from onnxlet.convert.bundle.parts import PYTHONS
from tests.conftest import ROOT, ran

FIRST, LAST = PYTHONS[0], PYTHONS[-1]
NEXT = f"3.{int(LAST.removeprefix('3.')) + 1}"
SAID = {
    "README.md": f"You need Python {', '.join(PYTHONS[:-1])} or {LAST}, and make.",
    "tools/setup.sh": f"onnxlet needs Python {', '.join(PYTHONS[:-1])} or {LAST}$",
    "docs/explanation/conversion.md": f"Python {FIRST} to {LAST} (`make test-oldest`",
    "docs/how-to/deploy.md": f"the function's Python: {FIRST} to {LAST}",
}


@pytest.mark.parametrize("document", SAID)
def test_every_document_says_the_same(document: str) -> None:
    assert SAID[document] in (ROOT / document).read_text()


def test_what_is_installed_says_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["requires-python"] == f">={FIRST},<{NEXT}"


@pytest.mark.parametrize(
    ("version", "usable"),
    [(p, True) for p in PYTHONS]
    + [
        ("3.10", False),
        (NEXT, False),
    ],
)
def test_setting_up_takes_these_and_no_others(version: str, usable: bool) -> None:
    [condition] = re.findall(r"sys.exit\((not .*)\)'", (ROOT / "tools" / "setup.sh").read_text())
    found = tuple(map(int, version.split(".")))

    refused = eval(condition.replace("sys.version_info[:2]", repr(found)))  # noqa: S307 - ours
    assert refused is not usable


@pytest.mark.fresh
@pytest.mark.parametrize("version", PYTHONS)
def test_every_locked_package_has_a_wheel(version: str, tmp_path: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv, "requirements/convert.txt has it"
    lock = ROOT / "requirements" / "dev.txt"
    command = [uv, "pip", "install", "--dry-run", "--target", str(tmp_path), "-r", str(lock)]
    command += ["--only-binary", ":all:", "--require-hashes", "--python-version", version]

    done = ran(command)

    assert done.returncode == 0, done.stderr
