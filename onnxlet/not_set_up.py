"""The message where packages are missing; this module needs only the standard library."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from onnxlet.folders import CHECKOUT, ROOT, VERSION

OURS = ("onnxlet", "tests", "tools")


def stop(error: ModuleNotFoundError, program: str) -> NoReturn:
    """Name the package that this Python has not, and the way to it; exit code 1.

    The packages are those of a program, `convert` or `edge`. Where a module of this project is
    absent, and no package, the error is raised.
    """
    found = explained(error, program)
    if found is error:
        raise error
    print(f"error: {found}", file=sys.stderr)
    sys.exit(1)


def explained(error: ModuleNotFoundError, program: str) -> ModuleNotFoundError:
    """The same error with what to do about it; of a module of this project as it is."""
    package = (error.name or "").partition(".")[0]
    if package in OURS or not package:
        return error
    version = ".".join(map(str, sys.version_info[:3]))
    message = f"{sys.executable} (Python {version}) has no '{package}'"
    return ModuleNotFoundError(f"{message}\nhint: {_way_out(program, package)}", name=error.name)


def _way_out(program: str, package: str) -> str:
    if (ROOT / f"onnxlet-{VERSION}.dist-info").is_dir():
        wheel = f"onnxlet-{VERSION}-py3-none-any.whl"
        return (
            f"Install onnxlet[{program}], from the wheel's file: "
            f"{sys.executable} -m pip install '{wheel}[{program}]'"
        )
    if not CHECKOUT:
        return f"Install {package}."
    python = ROOT / ".venv" / "bin" / "python"
    if Path(sys.executable) == python:
        return "make setup brings every package that is missing."
    shown = python.relative_to(ROOT) if Path.cwd() == ROOT else python
    if (ROOT / ".venv" / "ready").exists():
        return f"Use the Python that has the packages: {shown} -m {program}"
    return f"make setup, in {ROOT}, brings the packages; then {shown} -m {program}"
