"""An emulated arm64 machine whose power can be cut.

A cut is SIGKILL to QEMU, at whatever moment. What the machine had in its own memory is lost then:
its page cache, and with it all that no `fsync` or `sync` had brought to the disk. What it had
written to the disk stays, since only QEMU dies, and not the host that has the disk's file in its
own page cache. So a disk that forgets what it called written is not tried here; that a program
relies on what it never had written is.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.machine.system import ROOT_ID, System

PROCESSOR = "cortex-a53"  # a Raspberry Pi 3's: newer ones would hide instructions that it has not
MEMORY = 1024  # megabytes, as there
LONGEST_SECONDS = 3000  # that one start may last, whatever becomes of the tests
QEMU = ["timeout", "-s", "KILL", str(LONGEST_SECONDS), "qemu-system-aarch64"]
QEMU += ["-machine", "virt", "-cpu", PROCESSOR, "-m", str(MEMORY), "-smp", "2"]
QEMU += ["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-nic", "none"]
DISKS = ["-device", "nvme,id=disks,serial=disks"]
KERNEL = "rootwait rw devtmpfs.mount=1 console=ttyAMA0 loglevel=4 panic=-1"
LOG_SHOWN = 1500  # characters


class Disk(NamedTuple):
    """A file that is a disk.

    Attributes:
        keeps: what the machine writes; otherwise it is gone when the machine is off.
    """

    file: Path
    keeps: bool = False


class Machine:
    """One machine; what it writes to disks that keep it stays.

    Args:
        system: what it boots.
        disks: the first is the root.
        folder: for its log.
        init: further words of the kernel's command line.
    """

    def __init__(self, system: System, disks: Sequence[Disk], folder: Path, init: str = "") -> None:
        self.log = folder / "boot.log"
        self._command = [*QEMU, "-kernel", str(system.kernel), *DISKS]
        for number, disk in enumerate(disks, 1):
            keeps = "" if disk.keeps else ",snapshot=on"
            drive = f"if=none,format=raw,file={disk.file},id=disk{number}{keeps}"
            self._command += ["-drive", drive]
            self._command += ["-device", f"nvme-ns,drive=disk{number},bus=disks,nsid={number}"]
        self._command += ["-append", f"root={ROOT_ID} {KERNEL} {init}"]
        self._command += ["-chardev", f"file,id=log,append=on,path={self.log}"]
        self._command += ["-serial", "chardev:log", "-device", "virtio-serial-pci"]
        self._command += ["-device", "virtserialport,chardev=port"]
        self._process: subprocess.Popen[bytes] | None = None
        self._port: socket.socket | None = None
        self._read = b""

    def boot(self) -> None:
        """Switch it on."""
        assert self._process is None
        self._port, theirs = socket.socketpair()
        self._read = b""
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, "-chardev", f"socket,id=port,fd={theirs.fileno()}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def cut(self) -> list[Any]:
        """Cut its power; return what it had sent until then and was not read yet."""
        if self._process is None or self._port is None:
            return []
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._port.settimeout(None)
        with self._port as port:
            while more := port.recv(1 << 16):
                self._read += more
        self._process = self._port = None
        return [json.loads(line) for line in self._read.split(b"\n")[:-1]]

    def hear(self, seconds: float) -> Any:
        """The next message; None if none comes for so long."""
        assert self._port is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._read:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._port.settimeout(left)
            with suppress(TimeoutError):
                more = self._port.recv(1 << 16)
                if not more:
                    raise AssertionError(f"the machine is off: {self.last_words()}")
                self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)

    def tell(self, form: Any) -> None:
        """Tell it something."""
        assert self._port is not None
        self._port.sendall(json.dumps(form).encode() + b"\n")

    def last_words(self) -> str:
        """The end of its console."""
        return self.log.read_text(errors="replace")[-LOG_SHOWN:]


class Device(Machine):
    """A machine that runs Debian's systemd, and commands as root in /srv, which is a disk."""

    def wait(self, seconds: float = 300) -> None:
        """Until it takes commands."""
        if self.hear(seconds) != {"ready": True}:
            raise AssertionError(f"no boot within {seconds:g} s: {self.last_words()}")

    def call(self, *command: object, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        words = list(map(str, command))
        self.tell({"command": words, "seconds": seconds})
        reported = self.hear(seconds + 60)
        assert reported is not None, f"{words}: no answer: {self.last_words()}"
        return subprocess.CompletedProcess(
            words, reported["code"], reported["out"], reported["err"]
        )


def copy_disk(disk: Path, to: Path) -> Path:
    """A disk of its own for a machine; what is empty takes no space."""
    subprocess.run(["cp", "--sparse=always", str(disk), str(to)], check=True)
    return to
