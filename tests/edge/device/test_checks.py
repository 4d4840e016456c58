"""Machines in, problems out: what stops an installation, and what the doctor says."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.bundle.parts import ARCHES, PYTHONS
from onnxlet.edge.device import checks
from onnxlet.edge.device.checks import (
    BEFORE_INSTALLING,
    IN_AN_IMAGE,
    Needs,
    findings,
    report,
    wrong,
)
from onnxlet.edge.device.machine import Machine, read_machine
from onnxlet.edge.install.from_zip import diagnosis, faults
from tests.conftest import ROOT

MB = 1_000_000
PI = Machine(
    memory=3792 * MB, free_memory=3000 * MB, limits_memory=True, space=20_000 * MB, celsius=48.3,
    throttled=0, synchronised=True, board="Raspberry Pi 4 Model B Rev 1.4",
)  # fmt: skip
NEEDS = Needs("3.13", "aarch64", 100 * MB, 2 * MB)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "macOS": ({"system": "Darwin"}, "expected Linux, got Darwin"),
    "32 bits": (
        {"bits": 32},
        "expected a 64-bit system, got a 32-bit one (on an aarch64 processor)",
    ),
    "musl": ({"glibc": ""}, "expected GNU's C library from 2.28 on, got another one"),
    "old": ({"glibc": "2.24"}, "expected GNU's C library from 2.28 on, got 2.24"),
    "processor": (
        {"arch": "x86_64"},
        "this bundle is for aarch64, and this machine is x86_64",
    ),
    "python": ({"python": "3.11"}, "this bundle is for Python 3.13, and this is 3.11"),
    "pyenv": (
        {"executable": "/home/pi/.pyenv/bin/python3"},
        "/home/pi/.pyenv/bin/python3 is in a home, which the service does not see",
    ),
    "memory": (
        {"memory": 150 * MB},
        "expected at least 208 MB in total, got 150 MB in total, 3,000 MB free",
    ),
    "no memory": (
        {"free_memory": 20 * MB},
        "expected at least 50 MB free, got 3,792 MB in total, 20 MB free",
    ),
    "space": ({"space": 99 * MB}, "expected at least 150 MB free, got 99 MB"),
    "little space": ({"space": 149 * MB}, "expected at least 150 MB free, got 149 MB"),
    "read-only": ({"read_only": True}, "the file system is read-only"),
    "user": ({"root": False}, "expected root, got another user"),
    "no systemd": ({"systemd": False}, "expected systemd, and it does not run here"),
}
FARES: dict[str, tuple[dict[str, Any], str, str]] = {
    "hot": ({"celsius": 82.0}, "wrong", "expected less than 75 °C, got 82 °C"),
    "warm": ({"celsius": 76.0}, "warning", "expected less than 75 °C, got 76 °C"),
    "voltage": ({"throttled": 0x50001}, "wrong", "the voltage is too low now"),
    "voltage before": (
        {"throttled": 0x10000},
        "warning",
        "the voltage was too low since the start",
    ),
    "slow": ({"throttled": 0x4}, "wrong", "the processor is slowed down now"),
    "slow before": (
        {"throttled": 0x80000},
        "warning",
        "the processor was slowed down since the start",
    ),
    "1970": ({"year": 1970}, "warning", "it says 1970: it was never set"),
    "not set": ({"synchronised": False}, "warning", "it says 2026, and nothing sets it"),
    "no limit": (
        {"limits_memory": False},
        "warning",
        "this kernel does not hold the service to it",
    ),
}


def test_a_good_machine() -> None:
    assert {each.level for each in findings(PI, NEEDS)} == {"good"}
    assert len(findings(PI, NEEDS)) == 10
    assert wrong(findings(PI, NEEDS, BEFORE_INSTALLING)) == []


@pytest.mark.parametrize("case", WRONG)
def test_what_stops_an_installation(case: str) -> None:
    changed, reported = WRONG[case]
    found = findings(PI._replace(**changed), NEEDS, BEFORE_INSTALLING)
    assert [each.told for each in wrong(found)] == [reported]
    assert all(each.hint for each in wrong(found))


@pytest.mark.parametrize("case", sorted(set(WRONG) - {"user"}))
def test_the_doctor_finds_before_an_installation_what_stops_it(case: str) -> None:
    changed, reported = WRONG[case]
    found = diagnosis(Path("/"), PI._replace(root=False, **changed), NEEDS)
    assert [each.told for each in wrong(found)] == [reported]


def test_the_doctor_of_an_image_finds_what_stops_it_there(tmp_path: Path) -> None:
    machine = PI._replace(root=False, systemd=False, executable="/home/me/.venv/bin/python")
    assert wrong(diagnosis(tmp_path, machine, NEEDS)) == []
    keys = tmp_path / "etc/onnxlet/keys"
    keys.mkdir(parents=True)
    for name in ("one.pub", "two.pub", "three.pub"):
        (keys / name).touch()
    [found] = wrong(diagnosis(tmp_path, machine, NEEDS))
    assert (found.subject, found.hint) == ("keys", "Each is a .pub file there.")


def hint_for(**changed: Any) -> str:
    [found] = wrong(findings(PI._replace(**changed), NEEDS, IN_AN_IMAGE))
    return found.hint


def test_another_bundle_is_advised_only_where_there_can_be_one() -> None:
    assert (checks.PYTHONS, checks.ARCHES) == (PYTHONS, ARCHES)
    makes = "make package TARGET=device PYTHON_VERSION=3.11 ARCH=aarch64; or run it with python3.13"
    assert makes in hint_for(python="3.11")
    assert hint_for(arch="x86_64").endswith("TARGET=device PYTHON_VERSION=3.13 ARCH=x86_64")
    for python in ("3.9", "3.15"):
        assert "made for Python 3.11, 3.12, 3.13, 3.14: install a" in hint_for(python=python)
        assert "make package" not in hint_for(python=python)
    assert "made for aarch64 and x86_64: take" in hint_for(arch="riscv64")


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    machine = PI._replace(bits=32, python="3.9", memory=90 * MB, space=0, root=False)
    reported = [fault for fault, _ in faults(Path("/"), ["no key"], machine, NEEDS)]
    assert len(reported) == 6
    assert reported[-1].startswith("--key no key: expected minisign's public key")
    machine = PI._replace(bits=32, memory=90 * MB)
    reported = [fault for fault, _ in faults(Path("/"), ["no key"], machine, NEEDS)]
    assert len(reported) == 3
    assert reported[-1].startswith("--key no key: expected minisign's public key")


def test_an_image_is_checked_by_its_content() -> None:
    machine = PI._replace(root=False, systemd=False, executable="/home/me/.venv/bin/python")
    assert wrong(findings(machine, NEEDS, IN_AN_IMAGE)) == []


@pytest.mark.parametrize("case", FARES)
def test_how_it_fares(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    changed, level, reported = FARES[case]
    found = findings(PI._replace(**changed), NEEDS)
    assert (level, reported) in [(each.level, each.told) for each in found]
    assert report(found) == (level == "wrong")
    assert reported in capsys.readouterr().out


def test_the_report_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(findings(PI._replace(celsius=90.0), NEEDS), as_json=True) == 1
    form = json.loads(capsys.readouterr().out)
    assert form["ok"] is False
    assert form["findings"][0] == {
        "subject": "system",
        "level": "good",
        "told": "Raspberry Pi 4 Model B Rev 1.4, 64 bits, glibc 2.41",
        "hint": "",
    }


def test_a_machine_that_reports_little() -> None:
    subjects = [each.subject for each in findings(Machine(), Needs())]
    assert subjects == ["system", "processor", "python", "clock"]


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def test_what_is_read_of_a_raspberry_pi(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": "MemTotal:        3884348 kB\nMemFree: 1 kB\nMemAvailable:    3000000 kB\n",
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "sys/class/thermal/thermal_zone0/temp": "55800\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
        "run/systemd/system/x": "",
    }
    write(tmp_path, files)
    got = read_machine(tmp_path / "var" / "lib" / "onnxlet", tmp_path)

    assert (got.memory, got.free_memory) == (3884348 * 1024, 3000000 * 1024)
    assert (got.celsius, got.throttled) == (55.8, 0x50005)
    assert (got.board, got.systemd) == ("Raspberry Pi 5 Model B Rev 1.0", True)
    assert got.limits_memory is False
    assert got.space is not None
    assert got.space > 0


def test_the_firmware_s_command_is_used_where_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vcgencmd").write_text("#!/bin/sh\necho throttled=0x50000\n")
    (tmp_path / "vcgencmd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert read_machine(tmp_path, tmp_path).throttled == 0x50000
    (tmp_path / "vcgencmd").write_text("#!/bin/sh\nexit 1\n")
    assert read_machine(tmp_path, tmp_path).throttled is None


@pytest.mark.parametrize(
    "path",
    [
        *("edge/bundle_main.py", "edge/install/from_zip.py", "edge/update/keys.py"),
        *("edge/device/checks.py", "edge/device/machine.py", "edge/device/slots.py"),
        *("onnxlet/__init__.py", "onnxlet/environment.py", "onnxlet/folders.py"),
    ],
)
def test_an_older_python_can_run_the_checks(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text(), feature_version=(3, 7))
    made = [node.func.value for node in ast.walk(tree) if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Subscript)]  # fmt: skip
    assert made == [], "list[str]() is read, and fails"


def test_a_missing_key_file_is_reported_as_such(tmp_path: Path) -> None:
    [fault], [hint] = zip(*faults(tmp_path, ["/nowhere/onnxlet.pub"], PI, NEEDS), strict=True)
    assert fault.endswith("or a file with one, got a file that is not there")
    assert hint == "It stands in the .pub file that minisign -G wrote."
    keys = tmp_path / "etc/onnxlet/keys"
    keys.mkdir(parents=True)
    for name in ("one.pub", "two.pub", "three.pub"):
        (keys / name).touch()
    [fault], [hint] = zip(*faults(tmp_path, [], PI, NEEDS), strict=True)
    assert "expected at most 2 keys" in fault
    assert hint == "Each is a .pub file there."


def test_what_is_unpacked_needs_no_room_again() -> None:
    """A setting can be changed as long as the disk is not full; an update could not be taken."""
    unpacked = NEEDS._replace(unpacks=False)
    for free, level in ((150, "good"), (149, "warning"), (50, "warning"), (49, "wrong")):
        found = checks.space(PI._replace(space=free * MB), unpacked)
        assert found
        assert found.level == level
