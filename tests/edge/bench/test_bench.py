"""`edge bench`: whole runs on this machine; tests/device has those on an emulated one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.bench.board import Board, BoardState, emulated, read_facts
from onnxlet.edge.bench.report import (
    Energy,
    Memory,
    Results,
    Speed,
    Times,
    as_json,
    as_markdown,
    times_of,
)
from onnxlet.edge.settings.device import KEYS
from onnxlet.edge.settings.keys import make_key
from tests.conftest import ROOT, ran
from tests.edge.reload.test_reload import rewrite_golden
from tests.edge.service.test_serve import CLEAN

TIME_OR_RATE = re.compile(r"\d\s*(?:[mµn]?s|rows/s|/s|m?J|W)\b|_ms\b|per_second|cold start")
DOCUMENT = (ROOT / "docs" / "how-to" / "device.md").read_text()
PI = Results(
    release=7, model="pump-wear/3", models=2, golden=25, emulated="", virtual="",
    board=Board(
        "Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76", 4, 8_443_000_000, "ondemand", (1500, 2400),
        "Linux 6.12.25+rpt-rpi-2712", "Debian GNU/Linux 13 (trixie)", "3.13.5",
    ),
    before=BoardState(48.3, 0, "the voltage has been well since the start", 1500),
    after=BoardState(61.5, 0x50000, "the voltage was too low since the start", 2400),
    memory=Memory(61_000_000, 70_400_000, 81_000_000),
    speed=Speed(
        {"python": 31.0, "import": 402.0, "load": 18.0, "first run": 3.0}, 5,
        Times(0.21, 0.35, 2.0, 20_000), Times(0.52, 0.81, 4.25, 16_000),
        {1: 3111.0, 100: 152_345.0}, 8, Energy(36.0, 9.0, 16_000, 2.5, "vcgencmd pmic_read_adc"),
    ),
)  # fmt: skip


def bench(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return ran([sys.executable, "-m", "edge", "bench", *arguments], env={**CLEAN, **environ})


def rows_of(markdown: str) -> dict[str, str]:
    return dict(re.findall(r"^\| (.+?) \| (.+) \|$", markdown, re.MULTILINE)[1:])


@pytest.fixture
def real() -> None:
    if why := emulated(read_facts()):
        pytest.skip(f"no time is measured here: {why}")


@pytest.mark.long
def test_this_machine(
    real: None, models: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Settings of this device count for nothing: neither its keys, nor its queue or its port."""
    served = tmp_path_factory.mktemp("served")
    for model in models.iterdir():
        (served / model.name).symlink_to(model)
    make_key("me", served / KEYS)
    done = bench(
        "--models", str(served), "--model", "house-prices", "--seconds", "2",
        ONNXLET_API_KEYS=f"me:{'0' * 64}", ONNXLET_DEVICE_QUEUE=str(tmp_path / "queue.db"),
        ONNXLET_DEVICE_FORWARD_URL="https://localhost:9/",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert re.fullmatch(
        r"house-prices/1, of 4 served, no release, \d+ golden rows are answered as at build",
        rows["model"],
    )
    assert re.match(r"\d+ ms: python \d+, import \d+, load \d+, first run \d+", rows["cold start"])
    for way in ("the function in its process", "over the server's socket"):
        assert re.match(
            r"p50 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms \([\d,]+ requests\)",
            rows[f"one row, {way}"],
        )
    assert re.match(r"[\d,]+ rows/s", rows["throughput, 100 rows a request"])
    assert re.match(r"\d+ MB proportional at idle", rows["memory of the server"])
    assert "  starting the function, 5 of 5" in done.stderr
    assert not list(tmp_path.iterdir())
    golden = json.loads((models / "house-prices" / "1" / "golden.json").read_text())
    texts = {text for row in golden["instances"] for text in row if isinstance(text, str)}
    assert texts
    assert not any(text in done.stdout + done.stderr for text in texts)


QUICK = """
from onnxlet.edge.bench import measure
measure.STARTS, measure.FUNCTION, measure.SOCKET, measure.RATE = 1, 0.05, 0.05, 0.05
from onnxlet.edge.command_line import main
main()
"""


def test_for_programs(real: None, models: Path) -> None:
    """By few starts and requests: its figures are there, however they are."""
    command = [sys.executable, "-c", QUICK, "bench", "--models", str(models), "--seconds", "2"]
    form = json.loads(ran([*command, "--json"], env=CLEAN, check=True).stdout)

    assert (form["format"], form["model"], form["emulated"]) == (1, "house-prices/1", "")
    assert list(form["start_ms"]) == ["python", "import", "load", "first run"]
    assert all(value > 0 for value in form["start_ms"].values())
    for way in ("function_ms", "socket_ms"):
        assert 0 < form[way]["p50"] <= form[way]["p99"] <= form[way]["max"]
    assert set(form["rows_per_second"]) == {"1", "100"}
    assert form["memory_bytes"]["idle"] > 10_000_000
    assert form["memory_bytes"]["peak"] > 10_000_000


def altered(models: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    shutil.copytree(models / "iris", folder / "iris")
    rewrite_golden(folder / "iris" / "1", change)
    return folder


@pytest.mark.long
def test_what_can_not_be_measured(models: Path, tmp_path: Path) -> None:
    done = bench("--models", str(models), "--model", "nothing")
    assert done.returncode == 2
    assert done.stderr == (
        "error: --model nothing: there is no such model\n"
        "hint: There are house-prices, iris, loan-default, shop.\n"
    )
    done = bench("--models", str(tmp_path))
    assert done.returncode == 2
    assert f"error: {tmp_path}: expected model directories, got none" in done.stderr

    empty = {"instances": [], "answers": {"prediction": []}}
    folder = altered(models, tmp_path / "empty", lambda golden: golden.update(empty))
    done = bench("--models", str(folder))
    assert done.returncode == 2
    assert "error: model iris/1 has no golden rows, and so nothing to measure" in done.stderr

    def spoil(golden: Any) -> None:
        golden["answers"]["prediction"][0] = 9

    done = bench("--models", str(altered(models, tmp_path / "off", spoil)))
    assert done.returncode == 1
    assert "1 golden rows are answered differently than at build" in done.stderr
    assert done.stdout == ""

    (folder / "iris" / "1" / "model.onnx").write_bytes(b"")
    rewrite_golden(folder / "iris" / "1", lambda golden: golden.update(instances=[1]))
    done = bench("--models", str(folder))
    assert done.returncode == 1
    assert "was altered: expected sha256" in done.stderr
    assert "Traceback" not in done.stderr


def test_everything_that_a_board_reports() -> None:
    rows = rows_of(as_markdown(PI))
    assert rows == {
        "board": "Raspberry Pi 5 Model B Rev 1.0, 4 cores, 8,443 MB",
        "processor": "Cortex-A76, governor ondemand 1500 to 2400 MHz",
        "system": "Debian GNU/Linux 13 (trixie), Linux 6.12.25+rpt-rpi-2712, Python 3.13.5",
        "model": "pump-wear/3, of 2 served, release 7, 25 golden rows are answered as at build",
        "before": "48.3 °C, 1500 MHz, flags 0x0, the voltage has been well since the start",
        "after": "61.5 °C, 2400 MHz, flags 0x50000, the voltage was too low since the start",
        "cold start": (
            "454 ms: python 31, import 402, load 18, first run 3 (medians of 5 processes)"
        ),
        "one row, the function in its process": (
            "p50 0.21 ms, p99 0.35 ms, max 2.00 ms (20,000 requests)"
        ),
        "one row, over the server's socket": (
            "p50 0.52 ms, p99 0.81 ms, max 4.25 ms (16,000 requests)"
        ),
        "throughput, 1 row a request": "3,111 rows/s over 8 connections",
        "throughput, 100 rows a request": "152,345 rows/s over 8 connections",
        "energy": (
            "36.0 J for 16,000 requests, 2.25 mJ each; 4.00 W, at idle 2.50 W "
            "(by vcgencmd pmic_read_adc)"
        ),
        "memory of the server": (
            "61 MB proportional at idle, 70 MB after all requests, 81 MB at its peak"
        ),
    }
    form = json.loads(as_json(PI))
    assert form["energy"]["joules"] == 36.0
    assert form["before"]["celsius"] == 48.3
    left_out = as_markdown(PI._replace(speed=None, emulated="qemu-aarch64 runs this Python"))
    assert TIME_OR_RATE.findall(left_out) == []
    assert TIME_OR_RATE.findall(as_markdown(PI))


def test_the_figures_of_many_answers() -> None:
    assert times_of([0.001]) == Times(1.0, 1.0, 1.0, 1)
    times = times_of([number / 1000 for number in range(200, 0, -1)])
    assert times == Times(101.0, 199.0, 200.0, 200)


def test_the_block_that_is_shown(real: None) -> None:
    [shown] = re.findall(r"```text\n(\| onnxlet bench .*?)\n```", DOCUMENT, re.DOTALL)
    assert list(rows_of(shown)) == list(rows_of(as_markdown(PI._replace(virtual="kvm"))))
    assert TIME_OR_RATE.findall(shown)
