"""Memory that is limited by the kernel, for a command or for a process that runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.conftest import lacking

ROOTS = (  # of the second version of control groups, and of the first; and their files
    (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.swappiness"),
)


class Limit(NamedTuple):
    """A control group with a limit."""

    folder: Path

    def around(self, command: list[str]) -> list[str]:
        """The command, with the limit."""
        return ["sh", "-c", f'echo $$ >{self.folder}/cgroup.procs && exec "$@"', "sh", *command]

    def put(self, process: int) -> None:
        """Have it hold for a process that runs."""
        (self.folder / "cgroup.procs").write_text(str(process))


@contextmanager
def limit(size: int) -> Iterator[Limit]:
    """A limit of so many bytes, without swap."""
    for root, most, swap in ROOTS:
        folder = root / f"onnxlet-{os.getpid()}"
        with suppress(OSError):
            folder.mkdir()
            if (folder / most).exists():
                (folder / most).write_text(str(size))
                with suppress(OSError):  # a kernel without swap has none
                    (folder / swap).write_text("0")
                break
            folder.rmdir()
    else:
        lacking("control groups for memory can't be made: that needs root, and their controller")
    try:
        yield Limit(folder)
    finally:
        for _ in range(100):  # what was killed is still leaving it
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.05)
