"""What a scheduler and workers are sent as code, since they may not have this package.

Only the standard library is imported, here and inside functions, but for what `called` names.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import FunctionType
from typing import Any


def described(packages: list[str]) -> dict[str, str | None]:
    """The versions that a worker has of distributions, by name; None of what is not installed."""
    import os
    import platform
    from importlib import import_module, metadata

    found: dict[str, str | None] = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "processor": {"AMD64": "x86_64", "arm64": "aarch64"}.get(
            platform.machine(), platform.machine()
        ),
    }
    for name in packages:
        if name in found or name == "onnxlet":
            continue
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    try:  # a checkout is no distribution
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        found["onnxlet"] = import_module("onnxlet").__version__
    except ImportError:
        found["onnxlet"] = None
    return found


def called(function: str, first: Any, others: bytes) -> Any:
    """Call a function of this package, `module:name`, on a worker.

    All arguments but the first are pickled: the scheduler reads what it hands on.
    """
    import pickle
    from pkgutil import resolve_name

    return resolve_name(function)(first, *pickle.loads(others))  # noqa: S301 - from the client, as all that Dask does


def by_value(function: Any) -> Callable[..., Any]:
    """A function of this module, that is pickled as its code: nobody has to import it.

    Dask tries pickle first, which sends names. Of `__main__`, whose names are nobody else's,
    cloudpickle sends the code.
    """
    copied = FunctionType(function.__code__, {"__builtins__": builtins}, function.__name__)
    copied.__module__ = "__main__"
    return copied
