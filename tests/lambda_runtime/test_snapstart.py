"""SnapStart: what is done before the snapshot, and what after it is restored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.function.serving.test_predict import SHOP
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine

pytestmark = pytest.mark.lambda_runtime

ROW = {"instances": [SHOP], "model": "shop"}
SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


def lines_of(runtime: Runtime, count: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in runtime.log(count) if line.startswith("{")]


def test_the_first_request_after_a_restore_is_marked(
    machine: Machine, unpacked: Callable[[Machine], Path], tmp_path: Path
) -> None:
    environ = {**SNAP_START, "ONNXLET_LOAD": "first-use"}
    with Runtime(unpacked(machine), machine, tmp_path, environ=environ, own_api=True) as runtime:
        before = runtime.process()["calls"], lines_of(runtime, 0)
        answers = [runtime.invoke(ROW).json() for _ in range(2)]
        lines = lines_of(runtime, 2)
        after = runtime.process()["calls"]

    assert before == (["restore/next"], [])
    assert after[:3] == ["restore/next", "invocation/next", "invocation/response"]
    assert [answer["prediction"] for answer in answers] == [[True], [True]]
    assert [(line.get("cold"), line.get("restored")) for line in lines] == [
        (True, True),
        (None, None),
    ]


def test_without_it_no_hook_is_waited_for(
    native: Machine, unpacked: Callable[[Machine], Path], tmp_path: Path
) -> None:
    with Runtime(unpacked(native), native, tmp_path, own_api=True) as runtime:
        runtime.invoke(ROW)
        [line] = lines_of(runtime, 1)
        calls = runtime.process()["calls"]

    assert calls[:2] == ["invocation/next", "invocation/response"]
    assert (line["cold"], "restored" in line) == (True, False)


def test_every_model_runs_before_the_snapshot(
    native: Machine, unpacked: Callable[[Machine], Path], altered: Path, tmp_path: Path
) -> None:
    environ = {**SNAP_START, "ONNXLET_LOAD": "first-use"}

    with Runtime(
        unpacked(native), native, tmp_path, models=altered, environ=environ, own_api=True
    ) as runtime:
        answer = runtime.invoke(ROW)
        calls = runtime.process()["calls"]
        said = "".join(runtime.log())

    assert answer.status == 502
    assert calls == ["init/error", "exit 64"]
    assert "model shop/1" in said
