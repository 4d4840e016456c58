"""A Debian system of its own, booted by systemd-nspawn: real systemd, and no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT

SYSTEM = ROOT / "build" / "device" / "trixie"
PYTHON = "3.13"  # trixie's
PACKAGES = "systemd,systemd-sysv,python3-minimal,python3.13,libstdc++6,dbus"
TOOLS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "nsenter": "util-linux"}
# The host's control groups may be of the first version, which a new systemd does not take.
BOOT = """
umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup &&
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe \
    --directory="$1" --machine="$2" --bind-ro="$3:/srv" --boot
"""
CLEAN = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Unavailable(Exception):
    """Such a system can't be had here, and why."""


def check_tools() -> None:
    """Raise where something lacks."""
    lacking = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if lacking or os.geteuid() != 0:
        raise Unavailable(f"needs root, and apt-get install {' '.join(lacking)}".rstrip())


def make_system() -> Path:
    """A minimal Debian, made once."""
    if not (SYSTEM / "etc" / "debian_version").is_file():
        SYSTEM.parent.mkdir(parents=True, exist_ok=True)
        unfinished = SYSTEM.with_name("unfinished")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}"]
        done = subprocess.run(
            [*command, "trixie", str(unfinished)], capture_output=True, text=True, timeout=1800
        )
        if done.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Unavailable(f"mmdebstrap: {done.stderr[-600:]}")
        unfinished.rename(SYSTEM)
    return SYSTEM


class Machine:
    """One system; what it writes stays as long as its folder does.

    Args:
        folder: that it is copied to.
        shared: a folder that it has as /srv.
    """

    def __init__(self, folder: Path, shared: Path) -> None:
        self._root, self._shared, self._log = folder / "root", shared, folder / "boot.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0
        subprocess.run(["cp", "-a", str(make_system()), str(self._root)], check=True)

    def boot(self) -> None:
        """Start it, and wait until its services have started."""
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT, "boot"]
        command += [str(self._root), f"onnxlet-{os.getpid()}", str(self._shared)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self._wait(lambda: self._find_init() and self._has_started())

    def _has_started(self) -> bool:
        return self.run("systemctl", "is-system-running").strip() in ("running", "degraded")

    def _find_init(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise Unavailable(f"systemd-nspawn: {self._log.read_text(errors='replace')[-600:]}")
        number = self._process.pid
        with suppress(OSError):
            children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
            for child in map(int, children):
                if Path(f"/proc/{child}/cmdline").read_bytes().find(b"systemd\0") > 0:
                    self._init = child
                    return True
        return False

    def _wait(self, until: Callable[[], bool], seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise Unavailable(f"no boot: {self._log.read_text(errors='replace')[-600:]}")
            time.sleep(0.1)

    def call(self, *command: object, seconds: float = 200) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root."""
        inside = ["nsenter", "-t", str(self._init), "-a", "--", "env", "-i", CLEAN, "HOME=/root"]
        words: Sequence[str] = [*inside, *map(str, command)]
        return subprocess.run(words, capture_output=True, text=True, timeout=seconds)

    def run(self, *command: object) -> str:
        """What a command in it prints."""
        return self.call(*command).stdout

    def write(self, path: str, text: str) -> None:
        """Write a file in it."""
        file = self._root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def main_pid(self, unit: str = "onnxlet") -> str:
        """The process of a service."""
        return self.run("systemctl", "show", unit, "-p", "MainPID", "--value").strip()

    def pid_here(self, pid: str) -> int:
        """The number that a process of it has outside of it."""
        own = Path(f"/proc/{self._init}/ns/pid").readlink()
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):  # it has ended meanwhile
                numbers = re.findall(r"^NSpid:(.*)$", status.read_text(), re.MULTILINE)[0].split()
                if numbers[-1] == pid and (status.parent / "ns" / "pid").readlink() == own:
                    return int(numbers[0])
        raise LookupError(f"no process {pid}")

    def power_off(self) -> None:
        """Stop it as a power switch that asks first does, and without asking after 20 s."""
        if self._process is None:
            return
        self.call("systemctl", "--no-block", "poweroff")
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
