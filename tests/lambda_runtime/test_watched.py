"""What an instance has counted is in its log, where AWS's own client runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.function.aws.test_watched import ROWS, added, counted_at_once
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine
from tests.lambda_runtime.test_snapstart import SNAP_START, lines_of

pytestmark = pytest.mark.lambda_runtime


@pytest.mark.parametrize("environ", [{}, SNAP_START], ids=["new", "restored"])
def test_an_instance_logs_what_it_has_counted(
    native: Machine,
    unpacked: Callable[[Machine], Path],
    models: Path,
    tmp_path: Path,
    environ: dict[str, str],
) -> None:
    with Runtime(unpacked(native), native, tmp_path, environ=environ, own_api=True) as runtime:
        for row in ROWS[:120]:
            runtime.invoke({"model": "iris", "instances": [row]})
        lines = lines_of(runtime, 120)

    [number] = [number for number, line in enumerate(lines) if "watched" in line]
    assert (number, lines[number]["watched"]["number"]) == (99, 1)
    assert added([lines[number]["watched"]]) == (100, counted_at_once(models, ROWS[:100]))
