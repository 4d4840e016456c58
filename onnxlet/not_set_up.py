"""The message where packages are missing; this module needs only the standard library."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import NoReturn

from onnxlet.folders import CHECKOUT, PYTHON, ROOT, VERSION, in_root

OURS = ("onnxlet", "tests", "tools")
ROOMS = ("convert", "edge", "function")  # of a checkout; elsewhere a package of the name is another
# What the wheel's extras bring beside [convert], as it is imported, and which to install for it.
# What else a program needs is in the extra that bears its name.
BOOSTERS, ENGINES = "convert,train,boosters", "convert,train,engines"
EXTRAS = {
    "convert,train": (
        "cloudpickle", "fairlearn", "fsspec", "matplotlib", "optuna", "pyarrow", "python_calamine",
    ),
    BOOSTERS: ("catboost", "lightgbm", "xgboost"),
    ENGINES: ("dask", "distributed", "duckdb"),
}  # fmt: skip
CONVERT = (
    "PIL", "cyclonedx", "joblib", "onnx", "pandas", "scipy", "skl2onnx", "sklearn", "skops",
    "threadpoolctl", "yaml",
)  # fmt: skip


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


def explained(error: ModuleNotFoundError, program: str | None = None) -> ModuleNotFoundError:
    """The same error with what to do about it; of a module of this project as it is.

    In Python no `program` is called: there a package that no extra has is the caller's own.
    """
    package = (error.name or "").partition(".")[0]
    otherwise = program or ("convert" if package in CONVERT else None)
    extra = next((name for name, packages in EXTRAS.items() if package in packages), otherwise)
    if package in OURS or not package or extra is None:
        return error
    version = ".".join(map(str, sys.version_info[:3]))
    message = f"{sys.executable} (Python {version}) has no '{package}'"
    way = how_to_get(error.name or "", "") or _way_out(extra, program, package)
    return ModuleNotFoundError(f"{message}\nhint: {way}", name=error.name)


def how_to_get(module: str, otherwise: str) -> str:
    """What to do where a user's code asks for a module that is not there.

    A package that has a name of a folder here is a stranger's: nothing has it installed.
    """
    package = module.partition(".")[0]
    if package not in ROOMS:
        return otherwise
    return (
        f"If onnxlet's is meant, import onnxlet.{module}; if it is your own, put its folder into "
        "PYTHONPATH. A package of that name to install is neither."
    )


def check_installed(*packages: str) -> None:
    """Raise ModuleNotFoundError for one that is not there, before work that ends by it."""
    for package in packages:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)


def to_install(extras: str, otherwise: str) -> str:
    """How to install extras of the wheel's; `otherwise` where this runs from no wheel."""
    about = ROOT / f"onnxlet-{VERSION}.dist-info"
    if not about.is_dir():
        return otherwise
    command = f"{quote(sys.executable)} -m pip install"
    if not (about / "direct_url.json").is_file():  # of a file, and not from an index (PEP 610)
        return f"Install onnxlet[{extras}]: {command} 'onnxlet[{extras}]=={VERSION}'"
    wheel = f"onnxlet-{VERSION}-py3-none-any.whl"
    return (
        f"Install onnxlet[{extras}], in the folder of the wheel's file: "
        f"{command} '{wheel}[{extras}]'"
    )


def _way_out(extra: str, program: str | None, package: str) -> str:
    if found := to_install(extra, ""):
        return found
    if not CHECKOUT:
        return f"Install {package}."
    if Path(sys.executable) == PYTHON:
        return "make setup brings every package that is missing."
    module = program and (f" -m {program}" if in_root() else " -m onnxlet")
    shown = f"{PYTHON.relative_to(ROOT) if in_root() else PYTHON}{module or ''}"
    if (ROOT / ".venv" / "ready").exists():
        return f"Use the Python that has the packages: {shown}"
    return f"make setup, in {ROOT}, brings the packages; then {shown}"
