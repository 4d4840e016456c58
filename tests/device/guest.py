"""An emulated arm64 whose programs can start each other, as binfmt_misc has it on a real system."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from tests.lambda_runtime import machines
from tests.lambda_runtime.machines import Machine, Unavailable

SECONDS = 300
# Programs whose first bytes say 64-bit, little-endian, for Arm (binfmt_misc's own form).
ARM64 = (
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:{}:F"
)


def run(processor: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Debian's arm64 Python with these arguments; what it says.

    Raises:
        Unavailable: something lacks here; the message says what to install.
    """
    machine = system()
    root, python = machine.root, f"{machine.root}/usr/bin/python{machine.python}"
    environ = {"PATH": "/usr/bin:/bin", "QEMU_LD_PREFIX": str(root), "QEMU_CPU": processor}
    return subprocess.run(
        [*_unshared(), python, *map(str, arguments)], capture_output=True, text=True, env=environ,
        cwd="/",
    )  # fmt: skip


def system() -> Machine:
    """The emulated system.

    Raises:
        Unavailable: something lacks here.
    """
    machine = machines.arm64()
    machines.run([*_unshared(), "true"])
    return machine


def _unshared() -> Sequence[str]:
    qemu = shutil.which("qemu-aarch64")
    if qemu is None:
        raise Unavailable("no qemu-aarch64: apt-get install qemu-user")
    command = ["timeout", "-s", "KILL", str(SECONDS), "unshare", "--user", "--map-root-user"]
    command += ["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    return [*command, f"--load-interp={ARM64.format(qemu)}"]
