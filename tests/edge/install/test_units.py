"""The unit files, judged by systemd itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from onnxlet.edge.install.units import MQTT, SERVICE, SETTLE, TIMER, UPDATE, files
from tests.conftest import ROOT, ran

HAS_ANALYZE = shutil.which("systemd-analyze") is not None
needs_systemd = pytest.mark.skipif(not HAS_ANALYZE, reason="needs systemd-analyze")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All of the units, for a Python that is there."""
    for path, (text, _) in files("/bin/true").items():
        if path.startswith("etc/systemd/system/"):
            (tmp_path / Path(path).name).write_text(text)
    return tmp_path


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return ran(command)


@needs_systemd
def test_systemd_takes_them(folder: Path) -> None:
    done = analyze("verify", *(folder / name for name in (SERVICE, MQTT, UPDATE, SETTLE, TIMER)))
    assert (done.returncode, done.stderr) == (0, "")
    (folder / SERVICE).write_text((folder / SERVICE).read_text().replace("WatchdogSec", "Watchdo"))
    assert "Watchdo" in analyze("verify", folder / SERVICE).stderr


@needs_systemd
@pytest.mark.parametrize(("unit", "most"), [(SERVICE, 15), (MQTT, 15), (UPDATE, 20), (SETTLE, 20)])
def test_the_services_are_confined(folder: Path, unit: str, most: int) -> None:
    """Those that change what is installed are root's, which has to start the service again."""
    judge = ("security", "--offline=true", f"--threshold={most}", folder / unit)
    done = analyze(*judge)
    assert done.returncode == 0, done.stdout
    text = (folder / unit).read_text()
    for line in ("SystemCallFilter", "CapabilityBoundingSet"):
        (folder / unit).write_text(text.replace(line, f"#{line}"))
        assert analyze(*judge).returncode


def test_every_name_is_filled_in() -> None:
    for path, (text, _) in files("/usr/bin/python3.13").items():
        assert not re.search(r"\{\w+\}", text), path


def test_the_document_lists_every_file() -> None:
    text = (ROOT / "docs" / "how-to" / "device.md").read_text()
    for path in files(""):
        assert f"`/{path}`" in text
