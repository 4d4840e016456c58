"""The README's section on devices, followed on a fresh Debian for arm64 that boots."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.edge.service.test_serve import CLEAN
from tests.machine.machine import Device, Disk, copy_disk
from tests.machine.system import System, make_disk
from tests.project.test_device_docs import blocks

pytestmark = pytest.mark.machine

README = (ROOT / "README.md").read_text()
UPDATES = (ROOT / "docs" / "how-to" / "updates.md").read_text()
HERE = Path(__file__).parent
DATA = "/var/lib/onnxlet"
EVERY_FILE = (
    f"find {DATA} -type f ! -name .lock | sort | xargs sha256sum | sha256sum; readlink {DATA}/live"
)
# Under emulation a program starts ten to fifty times as slowly as on a Raspberry Pi.
PATIENCE_SECONDS = 600


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def readme_commands() -> tuple[str, str]:
    """What is run on the laptop, and what on the device."""
    [block] = blocks(section(README, "On a Raspberry Pi"), "sh")
    here, there = block.splitlines()
    return here, there.removesuffix("# there").strip()


def make_files(models: Path, folder: Path) -> None:
    """What a person brings to the device, by the commands of the README and docs/how-to/updates.md.

    Two releases are signed, 2 and 3; the bundle that is installed first is neither.
    """
    shutil.copytree(models / "iris", folder / "models" / "iris")
    key, release = blocks(section(UPDATES, "Sign and publish"), "sh")[0].splitlines()[:2]
    assert key.startswith("minisign -G ")
    assert release.startswith(".venv/bin/python -m convert package --target device --release 7 ")
    run(key.replace("pumps", "onnxlet").replace("-G", "-G -W").partition("#")[0], folder)
    package, there = readme_commands()
    out = folder / there.split()[2]
    more = shlex.quote(f"ARGS=--models {folder / 'models'}")
    run(f"{package} -o .venv/ready BUNDLE={shlex.quote(str(out))} {more}", ROOT)
    for number in ("2", "3"):
        words = release.replace("pumps", "onnxlet").replace("7", number).replace("build/", "")
        run(words.replace(".venv/bin/python", shlex.quote(sys.executable), 1), folder)
    for name in ("agent.py", "ask.py"):
        shutil.copy(HERE / name, folder)
    shutil.rmtree(folder / "models")


def run(command: str, folder: Path) -> None:
    environ = {**CLEAN, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.fixture
def device(system: System, models: Path, tmp_path: Path) -> Iterator[Device]:
    files = tmp_path / "files"
    files.mkdir()
    make_files(models, files)
    disks = [
        Disk(copy_disk(system.disk, tmp_path / "root"), keeps=True),
        Disk(make_disk(files, tmp_path / "srv", "300M", "srv")),
    ]
    device = Device(system, disks, tmp_path)
    try:
        switch_on(device)
        yield device
    finally:
        device.cut()


def switch_on(device: Device) -> None:
    device.boot()
    device.wait(PATIENCE_SECONDS)


def do(device: Device, command: str, code: int = 0) -> str:
    """What a command prints that is typed at the device."""
    start = time.monotonic()
    done = device.call("sh", "-c", command, seconds=900)
    print(f"{command}: {time.monotonic() - start:.0f} s")
    assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def check_answers(device: Device) -> None:
    answer = json.loads(do(device, f"python3 ask.py {PATIENCE_SECONDS}"))
    assert (answer["model"], answer["prediction"]) == ("iris", [0])


def release(device: Device) -> tuple[str, int | None]:
    """The live slot, and its number."""
    reported = json.loads(do(device, "onnxlet status --json"))
    return reported["live"], reported["slots"][reported["live"]]["release"]


def cut_off_while(device: Device, command: str, step: str) -> None:
    """Cut the power as soon as a command says that it is at a step, and switch it on again."""
    do(device, f"{command} >/root/said 2>&1 &")
    do(device, f"until grep -q '{step}' /root/said; do sleep 0.1; done")
    device.cut()
    switch_on(device)


def test_the_readme_s_section_ends_with_a_device_that_answers(device: Device) -> None:
    _, install = readme_commands()
    assert "sudo onnxlet update" in section(README, "On a Raspberry Pi")
    take = re.search(r"^sudo onnxlet update pumps-7.zip", UPDATES, re.MULTILINE)
    assert take
    update = take[0].replace("pumps-7", "onnxlet-{}").format

    said = do(device, install)
    assert "24 golden rows are answered as at build" in said
    check_answers(device)
    assert release(device) == ("a", None)
    assert json.loads(do(device, "onnxlet doctor --json"))["ok"]

    do(device, "kill -9 $(systemctl show onnxlet -p MainPID --value)")
    check_answers(device)

    before = do(device, EVERY_FILE)
    do(
        device,
        "cp onnxlet-2.zip* /root; printf x | dd of=/root/onnxlet-2.zip seek=9999 conv=notrunc",
    )
    said = do(device, "cd /root && " + update("2"), code=1)
    assert "error: onnxlet-2.zip: expected sha256" in said
    assert "Traceback" not in said
    assert do(device, EVERY_FILE) == before

    assert "bundle release 2: taken" in do(device, update("2"))
    check_answers(device)
    assert release(device) == ("b", 2)

    cut_off_while(device, update("3"), "unpacking")
    check_answers(device)
    assert release(device) == ("b", 2)
    cut_off_while(device, update("3"), "switching to slot a")
    check_answers(device)
    do(device, "python3 /var/lib/onnxlet/live check")
    do(device, "sudo systemctl start onnxlet-settle")  # it proves release 3, and holds the lock
    said = do(device, update("3"))
    assert release(device) == ("a", 3), said

    assert "slot b serves, release 2" in do(device, "sudo onnxlet rollback")
    check_answers(device)
    do(device, "sudo onnxlet uninstall")
    do(device, "python3 ask.py 1", code=1)
