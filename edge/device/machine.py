"""What this machine is and how it fares, read and not judged; edge/device/checks.py judges.

Standard library alone, in words that Python 3.7 reads, too: the installer asks before anything is
unpacked, and whoever has the wrong Python is told so rather than shown a traceback.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

NAMES = {"arm64": "aarch64", "amd64": "x86_64"}  # of processors elsewhere, as Linux has them
TIME_ERROR = 5  # what adjtimex answers of a clock that nothing sets
VCGENCMD_SECONDS = 5


class Machine(NamedTuple):
    """Facts; None is what this machine does not tell.

    Attributes:
        system: as `uname` has it.
        arch: of the processor, as `uname -m` has it on Linux.
        bits: of this Python, and so of the system's programs.
        python: its major and minor version.
        executable: where it is.
        glibc: version of the C library, empty where it is another one.
        root: this is run by root.
        systemd: it runs here.
        memory: bytes in all.
        free_memory: bytes that a program can have.
        limits_memory: the kernel can hold programs to a limit.
        space: bytes that are free where onnxlet's files are.
        read_only: that place can't be written to.
        celsius: of the processor.
        throttled: flags as the Raspberry Pi's firmware has them.
        year: that the clock says.
        synchronised: something sets the clock.
        board: what the device tree calls it.
    """

    system: str = "Linux"
    arch: str = "aarch64"
    bits: int = 64
    python: str = "3.13"
    executable: str = "/usr/bin/python3"
    glibc: str = "2.41"
    root: bool = True
    systemd: bool = True
    memory: int | None = None
    free_memory: int | None = None
    limits_memory: bool | None = None
    space: int | None = None
    read_only: bool = False
    celsius: float | None = None
    throttled: int | None = None
    year: int = 2026
    synchronised: bool | None = None
    board: str = ""


def read_machine(folder: Path, root: Path = Path("/")) -> Machine:
    """Look at this machine.

    Args:
        folder: where onnxlet's files are or will be.
        root: of the files that tell of it.
    """
    place = _there(folder)
    found = os.statvfs(str(place))
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


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def this_arch() -> str:
    """The processor that this program is for, as Linux calls it."""
    arch = platform.machine()
    return NAMES.get(arch.lower(), arch)


def read_text(path: Path) -> str:
    """A file's text without NULs and spaces around it; empty where it can't be read."""
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def read_bytes_of(path: Path, name: str) -> int | None:
    """What one of /proc's files says in kB by this name, in bytes."""
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
    if not text and shutil.which("vcgencmd"):
        try:
            text = subprocess.run(
                ["vcgencmd", "get_throttled"],  # noqa: S607 - Raspberry Pi OS has it in the PATH
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=VCGENCMD_SECONDS,
                check=False,
            ).stdout.decode()  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
    found = re.search(r"(?:^|throttled=)(?:0x)?([0-9a-f]+)\s*$", text)
    return int(found[1], 16) if found else None


def _synchronised() -> bool | None:
    """Asked of the kernel, since any program may set the clock."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != TIME_ERROR
