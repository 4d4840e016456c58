"""The estimators of other libraries, for `make coverage`: one module for each library.

Each module has `cases() -> Iterator[Case]`, with every public estimator of its library.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from types import ModuleType

# By module of this folder: the distribution, whose name is the heading of the table.
DISTRIBUTIONS = {
    "catboost": "catboost",
    "category_encoders": "category_encoders",
    "feature_engine": "feature-engine",
    "flaml": "flaml",
    "imbalanced_learn": "imbalanced-learn",
    "interpret": "interpret-core",
    "lightgbm": "lightgbm",
    "mapie": "mapie",
    "quantile_forest": "quantile-forest",
    "scikit_lego": "scikit-lego",
    "skrub": "skrub",
    "xgboost": "xgboost-cpu",
}


def estimators_of(package: str, *without: str) -> dict[str, type]:
    """The public estimator classes of an installed package, by name.

    `without` are the names of classes that only others derive from.
    """
    found = {
        name: kind
        for module in _public_modules(package)
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and not inspect.isabstract(kind)
        if kind.__module__.partition(".")[0] == package and kind.__name__ == name
        if hasattr(kind, "get_params") and hasattr(kind, "fit")
        if not name.startswith(("_", "Base")) and not name.endswith("Mixin")
    }
    return {name: found[name] for name in sorted(found) if name not in without}


def _public_modules(package: str) -> Iterator[ModuleType]:
    """The package and its modules; not those that need what is not installed, and no tests."""
    root = importlib.import_module(package)
    yield root
    for module in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=lambda name: None):
        parts = module.name.split(".")
        if not any(p.startswith("_") or p in ("test", "tests", "testing") for p in parts):
            with warnings.catch_warnings(), redirect_stdout(StringIO()):
                warnings.simplefilter("ignore")
                try:
                    made = importlib.import_module(module.name)
                except Exception:  # whatever a module raises without what it needs  # noqa: S112
                    continue
            yield made
