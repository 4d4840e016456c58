"""Python in a process of its own, for what may crash or never end: an end to time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

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


def run_apart(
    program: str,
    given: bytes,
    *arguments: str,
    seconds: float = PATIENCE,
    memory: int = MOST_MEMORY,
) -> subprocess.CompletedProcess[bytes] | None:
    """Run a program of our own to its end; None where it took too long.

    Args:
        program: in Python, which imports along the path that this process has now.
        given: its standard input.
        arguments: in its sys.argv, from 1.
        seconds: that it may take.
        memory: bytes that it may take.
    """
    before = BEFORE.format(path=[entry for entry in sys.path if entry], memory=memory)
    command = [sys.executable, "-I", "-c", before + program, *arguments]
    try:
        return subprocess.run(  # noqa: S603 # this interpreter, and a script of our own
            command, input=given, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return None


def ran_out_of_memory(done: subprocess.CompletedProcess[bytes]) -> bool:
    """Whether it says so, or the kernel did."""
    return done.returncode in (OUT_OF_MEMORY, -signal.SIGKILL)
