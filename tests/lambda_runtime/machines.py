"""Where a bundle runs: this machine's own processor, and an emulated arm64 with Debian's Python."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

BUILT = ROOT / "build" / "lambda"
LOCKS = ROOT / "requirements" / "lambda_runtime"
RAPID = Path("samcli/local/rapid")  # in the wheel of aws-sam-cli
PYTHONS = ("3.13", "3.12", "3.11")  # the first that is there
ASK = "import sys; print(*sys.version_info[:2], sep='.'); print(sys.executable)"
SUITE = "trixie"  # its Python is Lambda's
SUITE_PYTHON = "3.13"
PACKAGES = "python3.13-minimal,libpython3.13-stdlib,libstdc++6,base-files,netbase"
PROCESSOR = "neoverse-n1"  # Graviton2: newer ones would hide instructions that it has not
SECONDS = 600  # an aborted guest can hang the emulator
# Lambda runs functions as a user of no rights. Only root can become that user.
NOBODY = (
    ["setpriv", "--reuid=993", "--regid=990", "--clear-groups", "--no-new-privs"]
    if os.geteuid() == 0
    else []
)


class Unavailable(Exception):
    """Something is missing here; the message says what, and how to get it."""


@dataclass(frozen=True)
class Machine:
    """A processor with a Python.

    Attributes:
        arch: as `uname -m` says it.
        python: major and minor version.
        command: starts the interpreter.
        root: of an emulated system, at /var/lang in there.
        hide: a folder that Lambda has not.
    """

    arch: str
    python: str
    command: Sequence[str]
    root: Path | None = None
    hide: Path | None = None


def native() -> Machine:
    """This machine, with the newest Python that a user without rights can run.

    Raises:
        Unavailable: there is none.
    """
    names = [f"python{version}" for version in PYTHONS]
    for name in names:
        for folder in os.get_exec_path():
            path = shutil.which(name, path=folder)
            if path and (said := _said([*NOBODY, path, "-I", "-c", ASK])):
                version, executable = said.splitlines()
                return Machine(platform.machine(), version, [executable])
    raise Unavailable(f"none of {', '.join(names)} runs for every user: apt-get install python3")


def arm64() -> Machine:
    """An emulated Graviton2 with what Debian has of Lambda's Python; no list of processors.

    Raises:
        Unavailable: a tool is missing, or Debian's archive can't be reached.
    """
    missing = [tool for tool in ("qemu-aarch64", "mmdebstrap") if not shutil.which(tool)]
    if missing:
        raise Unavailable(f"no {' and no '.join(missing)}: apt-get install qemu-user mmdebstrap")
    python = f"/var/lang/usr/bin/python{SUITE_PYTHON}"
    guest = ["timeout", "-s", "KILL", str(SECONDS), "qemu-aarch64", "-cpu", PROCESSOR]
    debian = ["mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64"]
    debian += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", f"--include={PACKAGES}", SUITE]
    root = made(f"{SUITE}-arm64", " ".join(debian), lambda folder: run([*debian, str(folder)]))
    return Machine("aarch64", SUITE_PYTHON, [*guest, "-L", "/var/lang", python], root, Path("/sys"))


def client(machine: Machine) -> Path:
    """AWS's Python client of the Runtime API, for a machine."""
    name = f"client-python{machine.python}-{machine.arch}"
    return made(name, _lock("client"), lambda folder: install("client", machine, folder))


def emulator() -> Path:
    """The folder of AWS's Runtime Interface Emulator, a program for each processor."""
    machine = Machine(platform.machine(), "{}.{}".format(*sys.version_info[:2]), [])

    def make(folder: Path) -> None:
        install("emulator", machine, folder)
        for file in (folder / RAPID).iterdir():
            file.chmod(0o755)

    return made("emulator", _lock("emulator"), make) / RAPID


def _lock(name: str) -> str:
    return (LOCKS / f"{name}.txt").read_text()


def install(lock: str, machine: Machine, folder: Path) -> None:
    """Install a lock file's wheels for a machine, their hashes checked."""
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(folder)]
    uv += ["--python-version", machine.python]
    uv += ["--python-platform", f"{machine.arch}-manylinux_2_28", "--only-binary", ":all:"]
    run([*uv, "--require-hashes", "--no-deps", "-r", str(LOCKS / f"{lock}.txt")])


def made(name: str, recipe: str, make: Callable[[Path], None]) -> Path:
    """A folder that is made once for each recipe, and kept.

    Args:
        name: of the folder, the recipe's hash aside.
        recipe: what it is made by; another one makes another folder.
        make: fills the folder of this path.

    Raises:
        Unavailable: it can't be made.
    """
    folder = BUILT / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not folder.exists():
        part = folder.with_name(f".{folder.name}.{os.getpid()}")
        part.parent.mkdir(parents=True, exist_ok=True)
        make(part)
        with suppress(OSError):  # another process was faster
            part.rename(folder)
    return folder


def run(command: Sequence[str]) -> None:
    """Run a command.

    Raises:
        Unavailable: with its own words where it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} fails: {done.stderr.strip()[-800:]}")


def _said(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
