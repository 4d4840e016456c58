"""Python in a process of its own, for what may crash or never end: an end to time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import NamedTuple

from onnxlet.convert.errors import shortened

PATIENCE = 120.0  # seconds
MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # bytes of memory
MOST_MEMORY = max(4 * 2**30, MACHINE // 4 * 3)  # bytes
OUT_OF_MEMORY = 3  # an exit code that a program ends with by itself
BEFORE = """
import sys
sys.path[:] = {path!r}
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({memory},) * 2)
except (ImportError, ValueError, OSError):
    pass
"""


class ProgramExit(NamedTuple):
    """How a program ended."""

    output: bytes = b""
    late: str = ""  # "within 120 seconds", where it took longer
    large: str = ""  # "more than 4.0 GiB", where it says so of the memory, or the kernel did
    code: int = 0  # that it ended with, below 0 a signal's
    last_words: str = ""  # the last line of its standard error

    @property
    def end(self) -> str:
        """The signal or exit code that ended it, and its last words."""
        how = signal.Signals(-self.code).name if self.code < 0 else f"exit code {self.code}"
        return how + (f": {shortened(ValueError(self.last_words))}" if self.last_words else "")


def run_apart(
    program: str, given: bytes, *arguments: str, seconds: float, memory: int
) -> ProgramExit:
    """Run a program of our own to its end, in so many seconds and bytes of memory.

    It is Python, imports along the path that this process has now, is `given` its standard input,
    and has arguments in its sys.argv, from 1.
    """
    before = BEFORE.format(path=[entry for entry in sys.path if entry], memory=memory)
    command = [sys.executable, "-I", "-c", before + program, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 # this interpreter, and a script of our own
            command, input=given, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return ProgramExit(late=f"within {seconds:g} seconds")
    if done.returncode in (OUT_OF_MEMORY, -signal.SIGKILL):
        return ProgramExit(large=f"more than {memory / 2**30:.1f} GiB", code=done.returncode)
    lines = done.stderr.decode(errors="replace").strip().splitlines() or [""]
    return ProgramExit(done.stdout, code=done.returncode, last_words=lines[-1])
