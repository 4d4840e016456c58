"""The wheel, built once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EPOCH = re.search(r"SOURCE_DATE_EPOCH=(\d+)", (ROOT / "Makefile").read_text())


def packed(checkout: Path, out: Path, *targets: str) -> None:
    """Build as `make dist` does, elsewhere."""
    assert EPOCH is not None
    flags = [flag for target in targets for flag in ("--target", target)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(out), *flags],
        cwd=checkout,
        env={"PATH": "", "SOURCE_DATE_EPOCH": EPOCH.group(1)},
        check=True,
        capture_output=True,
        timeout=100,
    )


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "tools.wheel_bill"], cwd=ROOT, check=True)
    packed(ROOT, out, "sdist", "wheel")
    return out


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """The wheel's file."""
    return next(dist.glob("*.whl"))
