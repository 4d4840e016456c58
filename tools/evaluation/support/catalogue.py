"""The libraries whose estimators are swept over: scikit-learn, and those that are installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from tools.evaluation.support import estimators, libraries
from tools.evaluation.support.estimators import Case

SCIKIT_LEARN = "scikit-learn"
TOOLS = (SCIKIT_LEARN, "skl2onnx", "onnx", "onnxruntime")  # the same on every Python


def installed() -> list[str]:
    """The names of the libraries, scikit-learn first."""
    modules = libraries.DISTRIBUTIONS.items()
    return [SCIKIT_LEARN, *(name for module, name in modules if _is_there(module, name))]


def cases_of(library: str) -> Iterator[Case]:
    """Every estimator of a library."""
    if library == SCIKIT_LEARN:
        return estimators.cases()
    module = next(m for m, name in libraries.DISTRIBUTIONS.items() if name == library)
    found: Iterator[Case] = importlib.import_module(f"{libraries.__name__}.{module}").cases()
    return found


def versions_of(library: str) -> str:
    """What a table was made with."""
    names = TOOLS if library == SCIKIT_LEARN else (library,)
    return ", ".join(f"{name} {version(name)}" for name in names)


def _is_there(module: str, distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return find_spec(f"{libraries.__name__}.{module}") is not None
