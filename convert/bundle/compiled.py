"""Compiled Python (`.pyc`) for the target, by an interpreter of its very version.

Without it Lambda compiles everything at each cold start, since it can't write beside the code:
600 ms instead of 210. Unchecked hashes (PEP 552) say nothing of when a file was made, so that the
same sources give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from onnxlet.convert.errors import PackagingFailed

SCRIPT = Path(__file__).with_name("compile_tree.py")
ROOT_ON_LAMBDA = "/var/task"  # what tracebacks say
ASK = "import sys; print(*sys.version_info[:2], sys.implementation.name, sys.version_info[3])"


def find_interpreter(python: str) -> str | None:
    """An interpreter of this version, such as 3.13, from the PATH or from uv; None without one."""
    return next((path for path in _candidates(python) if _is(path, python)), None)


def _candidates(python: str) -> Iterator[str]:
    yield sys.executable
    for name in (f"python{python}", "python3"):
        for folder in os.get_exec_path():
            found = shutil.which(name, path=folder)
            if found:
                yield found
    for action in (["find", "--managed-python", "--no-python-downloads"], ["install"]):
        uv = [sys.executable, "-P", "-m", "uv", "python", *action, python]
        environ = {**os.environ, "UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "0"}
        if _said(uv, environ, seconds=300) is None:
            continue
        found = _said([*uv[:5], "find", "--managed-python", python], environ, seconds=60)
        if found:
            yield found


def _is(path: str, python: str) -> bool:
    """Whether it runs (a name on the PATH may be a shim with nothing behind) and is that one."""
    said = _said([path, "-I", "-c", ASK], dict(os.environ), seconds=20)
    return said == f"{python.replace('.', ' ')} cpython final"


def _said(command: Sequence[str], environ: dict[str, str], seconds: float) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, env=environ, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def compile_sources(
    folder: Path, sources: Sequence[str], interpreter: str, there: str = ROOT_ON_LAMBDA
) -> list[str]:
    """Compile sources below a folder into the `__pycache__` folders beside them.

    Returns the paths of what was made. Tracebacks say that the folder is `there`. PackagingFailed
    is raised where a source can't be compiled.
    """
    # A fixed seed, since sets of constants are written in the order of their hashes.
    environ = {"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    done = subprocess.run(  # noqa: S603 - our own arguments
        [interpreter, "-S", str(SCRIPT), str(folder), there],
        input="\n".join(sources),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackagingFailed(f"{interpreter} can't compile: {done.stderr.strip()[-500:]}")
    return done.stdout.splitlines()
