"""A disk of its own that turns read-only while files on it are open, as a card does at its end.

It is ext4 in a file, mounted in a namespace of its own; errors are made in the kernel itself.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT, lacking

TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "mkfs.ext4": "e2fsprogs"}
MEGABYTES = 128
MOUNT = "mount -o loop,errors=remount-ro {image} {folder}"
HOLD = f"{MOUNT} && findmnt -no SOURCE {{folder}} && exec cat"
# By a device of its own: the one before goes on as long as anything on it is open.
REPAIR = """
umount -l {folder}; fsck.ext4 -fy {image}
new=$(losetup --find --show {image}) && mount $new {folder}; losetup --detach $new
"""


class Disk:
    """One, in a folder.

    Args:
        folder: where it is, for what runs by `inside`; outside it is empty.
        image: file that it is in.

    Attributes:
        trigger: file that is written to for an error.
    """

    def __init__(self, folder: Path, image: Path) -> None:
        folder.mkdir()
        self._places = {"folder": shlex.quote(str(folder)), "image": shlex.quote(str(image))}
        with image.open("wb") as file:
            file.truncate(MEGABYTES << 20)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", HOLD.format(**self._places)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout
        device = self._holder.stdout.readline().strip()
        assert device, "no loop device"
        self.trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"

    @property
    def inside(self) -> list[str]:
        """What a command is run by that has it."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "env", "-C", str(ROOT)]

    def run(self, script: str) -> str:
        """What a shell prints that has it."""
        command = [*self.inside, "sh", "-c", script]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def fail(self) -> None:
        """Have it turn read-only."""
        self.trigger.write_text("a test's")

    def repair(self) -> None:
        """Put it in its place again, checked; what is open is of the one before."""
        self.run(REPAIR.format(**self._places))

    def close(self) -> None:
        """Take it away."""
        self._holder.communicate()


def unavailable() -> str:
    """Why there can be no such disk here; empty where there can."""
    searched = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool, path=searched)}
    if missing or os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        return f"a disk of one's own needs root, loop devices, apt-get install {' '.join(missing)}"
    return ""


def need_fiu() -> None:
    """Without fiu-run the test is skipped, or fails in CI."""
    if shutil.which("fiu-run") is None:
        lacking("fiu-run is not here (Debian: apt-get install fiu-utils)")


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """One, in the folder's `disk`."""
    if why := unavailable():
        lacking(why)
    made = Disk(folder / "disk", folder / "image")
    try:
        yield made
    finally:
        made.close()
