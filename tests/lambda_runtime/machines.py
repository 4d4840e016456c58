"""Where a bundle runs: this machine's processor, and emulated ones with Debian's arm64 Python."""

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
SUITES = {"trixie": "3.13", "bookworm": "3.11"}  # Debian's, with their Python; trixie's is Lambda's
PACKAGES = "python{0}-minimal,libpython{0}-stdlib,libstdc++6,base-files,netbase"
GRAVITON = "neoverse-n1"  # Graviton2: newer ones would hide instructions that it has not
IN_NAMESPACES = Path("/var/lang")  # where an emulated system's root is in there
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
        processor: that is emulated, as QEMU calls it.
    """

    arch: str
    python: str
    command: Sequence[str]
    root: Path | None = None
    hide: Path | None = None
    processor: str = ""


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


def arm64(processor: str = GRAVITON, suite: str = "trixie") -> Machine:
    """An emulated processor with Debian's Python; Lambda's has no list of processors.

    Args:
        processor: as QEMU calls it.
        suite: of Debian.

    Raises:
        Unavailable: a tool is missing, or Debian's archive can't be reached.
    """
    if sys.platform != "linux":
        raise Unavailable("no Linux, which alone emulates another processor for one program")
    missing = [tool for tool in ("qemu-aarch64", "mmdebstrap") if not shutil.which(tool)]
    if missing:
        raise Unavailable(f"no {' and no '.join(missing)}: apt-get install qemu-user mmdebstrap")
    python = SUITES[suite]
    hide = Path("/sys") if processor == GRAVITON else None
    command = guest(processor, IN_NAMESPACES, python)
    return Machine("aarch64", python, command, _system(suite, python), hide, processor)


def _system(suite: str, python: str) -> Path:
    """The root of a Debian, its Python compiled, as Debian's own scripts do where they can run."""
    root = Path('"$1"')  # as mmdebstrap tells its hooks
    compiling = [*guest(GRAVITON, root, python), "-I", "-S", "-m", "compileall", "-q"]
    compiling += ["-x", "'/(test|encodings|asyncio)/'", f"{root}/usr/lib/python{python}"]
    debian = ["mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64"]
    debian += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    debian += [f"--extract-hook={' '.join(compiling)}"]
    debian += [f"--include={PACKAGES.format(python)}", suite]
    return made(f"{suite}-arm64", " ".join(debian), lambda folder: run([*debian, str(folder)]))


def guest(processor: str, root: Path, python: str) -> list[str]:
    """Starts the interpreter of an emulated system whose root is here."""
    # In the foreground, since in the background it hands each signal on twice.
    limit = ["timeout", "--foreground", "-s", "KILL", str(SECONDS)]
    return [
        *limit,
        "qemu-aarch64",
        "-cpu",
        processor,
        "-L",
        str(root),
        f"{root}/usr/bin/python{python}",
    ]


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
    uv += ["--require-hashes", "--no-deps", "-r", str(LOCKS / f"{lock}.txt")]
    try:
        run(uv)
    except Unavailable as error:
        if "UnknownIssuer" not in str(error):
            raise
        run([*uv, "--system-certs"])  # a certificate that the system knows, and uv alone does not


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
