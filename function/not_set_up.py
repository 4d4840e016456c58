"""What is said where packages are missing: the standard library is all that there is then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from onnxlet.folders import ROOT

OURS = ("onnxlet", "tests", "tools")


def stop(error: ModuleNotFoundError, program: str) -> NoReturn:
    """Name the package that this Python has not, and the Python that has it; exit code 1.

    Args:
        error: of an import that failed.
        program: that was started, such as `convert`.

    Raises:
        ModuleNotFoundError: a module of this project is absent, and no package.
    """
    package = (error.name or "").partition(".")[0]
    if package in OURS or not package:
        raise error
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"error: {sys.executable} (Python {version}) has no '{package}'", file=sys.stderr)
    print(f"hint: {_way_out(program, package)}", file=sys.stderr)
    sys.exit(1)


def _way_out(program: str, package: str) -> str:
    python = ROOT / ".venv" / "bin" / "python"
    if not (ROOT / "Makefile").exists():
        return f"Install {package}."
    if Path(sys.executable) == python:
        return "make setup brings every package that is missing."
    shown = python.relative_to(ROOT) if Path.cwd() == ROOT else python
    if (ROOT / ".venv" / "ready").exists():
        return f"Use the Python that has the packages: {shown} -m {program}"
    return f"make setup, in {ROOT}, brings the packages; then {shown} -m {program}"
