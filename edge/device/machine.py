"""Facts about this machine and its state; edge/device/checks.py judges them.

Standard library only, in syntax that Python 3.7 accepts: the installer checks before it unpacks
anything, and a wrong Python gets a message rather than a traceback.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

NAMES = {"arm64": "aarch64", "amd64": "x86_64"}  # of processors elsewhere, as Linux has them
TIME_ERROR = 5  # adjtimex's state of a clock that is not synchronised
PROGRAM_SECONDS = 5  # that one of the system's takes at most


class Machine(NamedTuple):
    """Facts; None where this machine does not report one."""

    system: str = "Linux"  # as `uname` has it
    arch: str = "aarch64"  # of the processor, as `uname -m` has it on Linux
    bits: int = 64  # 32 or 64, of this Python and so of the system's programs
    python: str = "3.13"  # its major and minor version
    executable: str = "/usr/bin/python3"
    glibc: str = "2.41"  # version of the C library, empty if it is another one
    root: bool = True  # root runs this
    systemd: bool = True  # it runs here
    memory: int | None = None  # bytes in total
    free_memory: int | None = None  # bytes available to programs
    limits_memory: bool | None = None  # the kernel can enforce memory limits
    space: int | None = None  # bytes that are free on the file system of onnxlet's files
    read_only: bool = False  # that file system is read-only
    celsius: float | None = None  # of the processor
    throttled: int | None = None  # flags as the Raspberry Pi's firmware has them
    year: int = 2026  # that the clock shows
    synchronised: bool | None = None  # something sets the clock
    board: str = ""  # what the device tree calls it


def read_machine(folder: Path, root: Path = Path("/")) -> Machine:
    """Read the facts about this machine, below /proc, /sys and /run.

    The folder is where onnxlet's files are or will be; the root is another one for tests.
    """
    found = os.statvfs(str(_existing(folder)))
    return Machine(
        system=platform.system(),
        arch=this_arch(),
        bits=64 if sys.maxsize > 2**32 else 32,
        python="{}.{}".format(*sys.version_info[:2]),
        executable=sys.executable,
        glibc=platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
        root=os.geteuid() == 0,
        systemd=(root / "run/systemd/system").is_dir(),
        memory=read_bytes_of(root / "proc/meminfo", "MemTotal"),
        free_memory=read_bytes_of(root / "proc/meminfo", "MemAvailable"),
        limits_memory=_limits_memory(root),
        space=found.f_bavail * found.f_frsize,
        read_only=bool(found.f_flag & os.ST_RDONLY),
        celsius=_celsius(root),
        throttled=_throttled(root),
        year=time.gmtime().tm_year,
        synchronised=_synchronised(),
        board=read_text(root / "proc/device-tree/model"),
    )


def _existing(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def this_arch() -> str:
    """The architecture of this program, as Linux names it."""
    arch = platform.machine()
    return NAMES.get(arch.lower(), arch)


def machine_id(*files: Path) -> str:
    """The id in the first of the files that can be read; this machine's name where none can."""
    for each in files:
        with suppress(OSError):
            return each.read_text().strip()
    return platform.node()


def read_text(path: Path) -> str:
    """A file's text, stripped, NULs as spaces; empty if it can't be read."""
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def output_of(*command: str) -> str:
    """What one of the system's programs prints; empty where it is not there, fails or hangs."""
    try:
        done = subprocess.run(  # noqa: S603 - nobody's input
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PROGRAM_SECONDS,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return "" if done.returncode else done.stdout.decode(errors="replace")


def read_bytes_of(path: Path, name: str) -> int | None:
    """The bytes that a file of /proc gives by this name, in kB."""
    found = re.search(rf"^{name}:\s*(\d+) kB", read_text(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _limits_memory(root: Path) -> bool | None:
    controllers = root / "sys/fs/cgroup/cgroup.controllers"
    return "memory" in read_text(controllers).split() if controllers.exists() else None


def _celsius(root: Path) -> float | None:
    text = read_text(root / "sys/class/thermal/thermal_zone0/temp")
    return int(text) / 1000 if re.fullmatch(r"-?\d+", text) else None


def _throttled(root: Path) -> int | None:
    text = read_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    text = text or output_of("vcgencmd", "get_throttled")
    found = re.search(r"(?:^|throttled=)(?:0x)?([0-9a-f]+)\s*$", text)
    return int(found[1], 16) if found else None


def _synchronised() -> bool | None:
    """Ask the kernel, since any program may set the clock."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != TIME_ERROR
