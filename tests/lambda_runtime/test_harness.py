"""What the harness promises: Lambda's user, its folders, no network, its exit."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.lambda_runtime import machines
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine, Unavailable

pytestmark = pytest.mark.lambda_runtime


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The probe and nothing else."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("probe.py"), folder)
    return folder


@pytest.mark.parametrize("own_api", [False, True])
def test_a_function_finds_what_it_finds_on_lambda(
    bundle: Path, tmp_path: Path, machine: Machine, own_api: bool
) -> None:
    with Runtime(bundle, machine, tmp_path, handler="probe.handler", own_api=own_api) as runtime:
        found = runtime.invoke({}).json()

    assert len(found.pop("request_id")) == 36
    assert found == {
        "user": 993 if os.geteuid() == 0 else 0,
        "arch": machine.arch,
        "folder": "/var/task",
        "processors": machine.hide is None,
        "network": "Network is unreachable",
        "interfaces": ["lo"],
        "code": "Read-only file system",
        "elsewhere": "Read-only file system",
        "tmp": "done",
    }
    assert not (bundle / "new").exists()


def test_nothing_of_it_is_left(bundle: Path, tmp_path: Path, native: Machine) -> None:
    with Runtime(bundle, native, tmp_path, handler="probe.handler") as runtime:
        runtime.invoke({})
        started = runtime.pids()
        assert len(started) >= 3  # the driver, the emulator, the function

    end = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < end, started
        time.sleep(0.01)


def test_a_function_that_raises_is_reported(bundle: Path, tmp_path: Path, native: Machine) -> None:
    (bundle / "raising.py").write_text("def handler(event, context):\n    1 / 0\n")
    for own_api in (False, True):
        logs = tmp_path / f"logs-{own_api}"
        logs.mkdir()
        with Runtime(bundle, native, logs, handler="raising.handler", own_api=own_api) as runtime:
            assert runtime.invoke({}).json()["errorType"] == "ZeroDivisionError"
            assert "ZeroDivisionError" in "".join(runtime.log(until="ZeroDivisionError"))


def test_a_tool_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(Unavailable, match="apt-get install qemu-user mmdebstrap"):
        machines.arm64()
    with pytest.raises(Unavailable, match=r"none of python3\.13, python3\.12, python3\.11 runs"):
        machines.native()


def test_a_folder_is_made_once_for_each_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "BUILT", tmp_path / "built")
    made = [machines.made("x", recipe, Path.mkdir) for recipe in ("a", "a", "b")]

    assert made[0] == made[1] != made[2]
    assert sorted((tmp_path / "built").iterdir()) == sorted(set(made))


def test_what_can_not_be_made_leaves_nothing_to_be_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "BUILT", tmp_path / "built")

    def fail(folder: Path) -> None:
        folder.mkdir()
        machines.run(["sh", "-c", "echo no network >&2; exit 3"])

    for _ in range(2):
        with pytest.raises(Unavailable, match="no network"):
            machines.made("x", "a", fail)
        for left in (tmp_path / "built").iterdir():
            assert left.name.startswith(".")
            left.rmdir()
