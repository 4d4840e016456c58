"""One function, two homes: a hundred requests, and the same bytes back from each processor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnxlet.convert.sources.source import Source
from onnxlet.function.protocols.v2.tensors import HEADER
from tests.conftest import Answer, ran
from tests.function.protocols.test_v2 import outputs_of
from tests.homes.asked import Ask
from tests.homes.conftest import LAMBDAS, Bundles, Told
from tests.homes.device import hidden
from tests.lambda_runtime import machines
from tests.lambda_runtime.machines import Machine
from tests.lambda_runtime.test_golden import LAST_DIGITS, assert_same

pytestmark = pytest.mark.emulation

# "CPU part" of Arm's own designs, by which /proc/cpuinfo names them.
PARTS = {"cortex-a53": "0xd03", "cortex-a72": "0xd08", "neoverse-n1": "0xd0c"}
SEEN = """
import os
print(*(line.split()[-1] for line in open("/proc/cpuinfo") if line.startswith("CPU part")))
print(os.path.exists("/sys/devices/system/cpu/possible"), os.uname().machine)
"""
LISTED = Path("/sys/devices/system/cpu/possible").exists()  # by this machine
# ONNX Runtime says so where there is no list of processors.
NO_LIST = "failed to parse both lists of possible and present processors"

GetMachine = Callable[[str], Machine]
Get = Callable[[Machine], Told]


def digest(answer: Answer) -> tuple[int, str, str]:
    return answer.status, answer.headers.get("content-type", ""), sha256(answer.body).hexdigest()


def differing(asks: Sequence[Ask], ours: Sequence[Answer], theirs: Sequence[Answer]) -> list[str]:
    """Which requests were answered by other bytes, and by which."""
    return [
        f"{ask}: {here.status} {here.body[:300]!r}, {there.status} {there.body[:300]!r}"
        for ask, here, there in zip(asks, ours, theirs, strict=True)
        if digest(here) != digest(there)
    ]


def test_a_hundred_requests_of_every_kind(asks: list[Ask], natively: list[Answer]) -> None:
    assert len({ask[:3] for ask in asks}) == len(asks) == 100
    assert {answer.status for answer in natively} == {200, 400, 404, 405, 415, 422}


def test_a_machine_is_what_it_is_called(machine: Machine) -> None:
    assert machine.root is not None
    python = machines.guest(machine.processor, machine.root, machine.python)
    done = ran(hidden(machine.hide, [*python, "-I", "-S", "-c", SEEN]))

    parts, reported = done.stdout.splitlines()
    assert set(parts.split()) == {PARTS[machine.processor]}
    assert reported == f"{LISTED and machine.processor != LAMBDAS} aarch64"


@pytest.mark.parametrize("name", [LAMBDAS, "cortex-a53, bookworm"])
def test_a_device_has_every_file_of_lambda_unchanged(
    get_machine: GetMachine, get_bundles: Callable[[Machine], Bundles], name: str
) -> None:
    on_lambda, on_device = get_bundles(get_machine(name))
    paths = [path.relative_to(on_lambda) for path in on_lambda.rglob("*") if path.is_file()]

    assert len(paths) > 500
    for path in paths:
        assert (on_device / path).read_bytes() == (on_lambda / path).read_bytes(), path


def test_both_homes_answer_by_the_same_bytes_as_everywhere(
    machine: Machine, get_machine: GetMachine, asks: list[Ask], ask_lambda: Get, ask_device: Get
) -> None:
    reference = ask_lambda(get_machine(LAMBDAS)).answers

    assert differing(asks, reference, ask_lambda(machine).answers) == []
    assert differing(asks, reference, ask_device(machine).answers) == []


def test_lambdas_processors_are_in_no_list(
    machine: Machine, ask_lambda: Get, ask_device: Get
) -> None:
    for reported in (ask_lambda(machine), ask_device(machine)):
        assert (NO_LIST in reported.log) is (machine.processor == LAMBDAS or not LISTED)


def test_golden_rows_are_answered_within_the_certificates_tolerance(
    machine: Machine,
    ask_lambda: Get,
    ask_device: Get,
    all_sources: Mapping[str, Source],
    all_models: Path,
) -> None:
    for reported in (ask_lambda(machine), ask_device(machine)):
        assert_golden(reported.answers, all_sources, all_models)


def assert_golden(answers: Sequence[Answer], names: Collection[str], models: Path) -> None:
    """The first answers are to the models' golden rows."""
    for name, answer in zip(names, answers, strict=False):
        directory = models / name / "1"
        golden = json.loads((directory / "golden.json").read_text())
        manifest = json.loads((directory / "manifest.json").read_text())
        assert golden["tolerance"] == manifest["parity"]["tolerance"]
        given = answer.json()
        assert given["model"] == name
        for output, expected in golden["answers"].items():
            floor = golden.get("floors", {}).get(output)
            assert_same(output, given[output], expected, golden["tolerance"], floor)


def test_another_architecture_differs_only_in_last_digits(
    get_machine: GetMachine, asks: list[Ask], natively: list[Answer], ask_device: Get
) -> None:
    emulated = ask_device(get_machine(LAMBDAS)).answers

    for ask, here, there in zip(asks, natively, emulated, strict=True):
        assert digest(here)[:2] == digest(there)[:2], ask
        assert_alike(ask, content(here), content(there))


def content(answer: Answer) -> Any:
    """What a body says: JSON, tensors in bytes, or text."""
    if HEADER.lower() in answer.headers:
        return outputs_of(answer)
    if "json" in answer.headers["content-type"]:
        return answer.json()
    return answer.body


def assert_alike(place: Any, here: Any, there: Any) -> None:
    """Everything is equal, but for a float's last digits."""
    if isinstance(here, dict) and isinstance(there, dict):
        assert list(here) == list(there), place
        for key, value in here.items():
            assert_alike(f"{place}, {key}", value, there[key])
    elif isinstance(here, list) and isinstance(there, list):
        assert len(here) == len(there), place
        for number, (one, other) in enumerate(zip(here, there, strict=True)):
            assert_alike(f"{place}, {number}", one, other)
    elif isinstance(here, float):
        assert there == pytest.approx(here, rel=LAST_DIGITS, abs=LAST_DIGITS), place
    else:
        assert (type(here), here) == (type(there), there), place


@pytest.fixture
def a_bit_off(all_models: Path, tmp_path: Path) -> Path:
    """The models, with the last bit of one weight of iris turned over."""
    folder = tmp_path / "models"
    shutil.copytree(all_models, folder)
    graph, manifest = (folder / "iris" / "1" / name for name in ("model.onnx", "manifest.json"))
    before = graph.read_bytes()
    constants = onnx.load_from_string(before).graph.initializer
    weights = next(each.raw_data for each in constants if list(each.dims) == [4, 3])
    altered = bytearray(weights)
    # The largest, whose last bit is worth most: a small one's is lost in some processors' sums.
    altered[8 * int(np.argmax(np.abs(np.frombuffer(weights, "<f8"))))] ^= 1
    after = before.replace(weights, bytes(altered))
    assert after != before
    graph.write_bytes(after)
    reported = manifest.read_text().replace(sha256(before).hexdigest(), sha256(after).hexdigest())
    manifest.write_text(reported)
    return folder


def test_the_last_bit_of_a_weight_would_be_seen(
    asks: list[Ask],
    natively: list[Answer],
    ask_natively: Callable[[Path], list[Answer]],
    a_bit_off: Path,
    all_sources: Mapping[str, Source],
) -> None:
    answers = ask_natively(a_bit_off)

    seen = differing(asks, natively, answers)
    assert len(seen) >= 5
    assert all("iris" in reported for reported in seen)
    assert_golden(answers, all_sources, a_bit_off)  # it is that small
