"""Golden rows, and a hundred bodies, on both processors: scikit-learn's answers everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from onnxlet.function.serving.golden import differences, floor_of
from tests.conftest import quiet
from tests.estimators import every_task
from tests.events import make_v2_event
from tests.function.protocols.held_out import rows_of
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine

pytestmark = pytest.mark.lambda_runtime

BODIES = 100
LEAST_SAME = 90  # bodies that are the same, byte by byte
LAST_DIGITS = 1e-6


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of every task and form of answer."""
    folder = tmp_path_factory.mktemp("tasks") / "models"
    for name, source in every_task().items():
        build(source, name, folder, quiet)
    return folder


@pytest.fixture(scope="module")
def every_task_running(
    machine: Machine,
    unpacked: Callable[[Machine], Path],
    tasks: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Runtime]:
    logs = tmp_path_factory.mktemp("logs")
    with Runtime(unpacked(machine), machine, logs, models=tasks) as running:
        yield running


def test_golden_rows_of_the_bundled_models(runtime: Runtime, models: Path) -> None:
    assert answers_are_golden(runtime, models) == 4


def test_golden_rows_of_every_task(every_task_running: Runtime, tasks: Path) -> None:
    assert answers_are_golden(every_task_running, tasks) == 8


def answers_are_golden(runtime: Runtime, models: Path) -> int:
    """Replay each model's golden rows as a direct event; how many models there are."""
    directories = sorted(path.parent for path in models.glob("*/1/golden.json"))
    for directory in directories:
        golden = json.loads((directory / "golden.json").read_text())
        manifest = json.loads((directory / "manifest.json").read_text())
        assert golden["tolerance"] == manifest["parity"]["tolerance"]
        assert golden["instances"]
        event = {"model": directory.parent.name, "instances": golden["instances"]}
        given = runtime.invoke(event).json()
        for name, expected in golden["answers"].items():
            floor = golden.get("floors", {}).get(name)
            assert_same(name, given[name], expected, golden["tolerance"], floor)
    return len(directories)


def assert_same(name: str, given: Any, expected: Any, tolerance: float, floor: Any) -> None:
    """As the certificate counts: labels equal, numbers within its tolerance."""
    wanted = np.array(expected)
    if wanted.dtype.kind != "f":
        assert given == expected, name
        return
    least = floor_of(name, wanted) if floor is None else np.asarray(floor)
    got = np.array(given, dtype=np.float64).reshape(wanted.shape)
    absolute, relative = differences(got, wanted, least)
    assert np.max(absolute if name == "probabilities" else relative) <= tolerance, name


def test_a_hundred_bodies_are_answered_alike_on_both_processors(
    get_machine: Callable[[str], Machine],
    unpacked: Callable[[Machine], Path],
    sources: Mapping[str, Source],
    tmp_path: Path,
) -> None:
    events = [
        make_v2_event(
            method="POST",
            path=f"/models/{name}/predict",
            body=json.dumps({"instances": [row]}).encode(),
        )
        for name, source in sources.items()
        for row in rows_of(source, BODIES // len(sources))
    ]
    assert len(events) == BODIES
    answers = []
    for name in ("native", "arm64"):
        machine, logs = get_machine(name), tmp_path / name
        logs.mkdir()
        with Runtime(unpacked(machine), machine, logs) as runtime:
            answers.append([runtime.invoke(event).json() for event in events])

    for here, there in zip(*answers, strict=True):
        assert (here["statusCode"], there["statusCode"]) == (200, 200)
        assert_alike(json.loads(here["body"]), json.loads(there["body"]))
    same = [here["body"] == there["body"] for here, there in zip(*answers, strict=True)]
    assert sum(same) >= LEAST_SAME


def assert_alike(here: dict[str, Any], there: dict[str, Any]) -> None:
    """Labels equal, numbers but for their last digits."""
    assert here.keys() == there.keys()
    for member, value in here.items():
        if isinstance(np.ravel(value)[0], float):
            got = np.array(there[member])
            np.testing.assert_allclose(got, value, rtol=LAST_DIGITS, atol=LAST_DIGITS)
        else:
            assert there[member] == value
