"""`edge bench` on an emulated processor: it says so, and reports no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import lacking
from tests.device import guest
from tests.edge.bench.test_bench import TIME_OR_RATE, rows_of
from tests.lambda_runtime.conftest import package
from tests.lambda_runtime.harness import unpack
from tests.lambda_runtime.machines import Unavailable

pytestmark = pytest.mark.device


def test_no_time_of_an_emulated_processor_is_reported(models: Path, tmp_path: Path) -> None:
    try:
        machine = guest.system()
    except Unavailable as error:
        lacking(str(error))
    archive, more = tmp_path / "bundle.zip", ["--target", "device", "--model", "iris"]
    package(models, machine, archive, *more)
    slot = unpack(archive, tmp_path / "slot")
    reported = [told_by("cortex-a53", slot), told_by("neoverse-n1", slot, "--json")]

    assert all("the kernel is for" in each or "runs this Python" in each for each in reported)
    assert [TIME_OR_RATE.findall(each.replace(str(slot), "")) for each in reported] == [[], []]
    assert rows_of(reported[0])["memory of the server"].endswith("itself takes in this process")
    assert "golden rows are answered as at build" in rows_of(reported[0])["model"]
    assert json.loads(reported[1])["memory_bytes"]["idle"] > 10_000_000


def told_by(processor: str, slot: Path, *arguments: str) -> str:
    done = guest.run(processor, "-I", "-S", "-B", slot, "bench", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
