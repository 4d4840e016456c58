"""The converters: one module for each family of estimators, and the user's own.

A converter is `convert(graph, fitted, table)`, see `graph.converter`. It returns the outputs of the
methods that it can convert, by name: `transform`; `predict` of regressors, of clusters and of
several labels; `class_index` of classifiers (int64, the index in `classes_`), `predict_proba`,
`decision_function`; `std` where `predict` can return one. It raises Unsupported, with a hint if
there is a way out, for what it can't write exactly.

Each module of this folder lists its converters by class in CONVERTERS, as does each of a library's
folder: a new family is a new file.
Other packages bring theirs along (`installed`); for classes known here they are not asked.
An estimator of no family goes to skl2onnx (`graph.fallback`). Parity judges the outcome of all.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

import onnxlet.convert.converters as converters_folder
from onnxlet.convert.converters.installed import of_package
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.folders import documented

__all__ = ["Graph", "Outputs", "Table", "Tensor", "Unsupported", "converters", "converts"]

# By package that need not be installed, the module of its converters: imported when one of its
# classes comes.
LIBRARY_MODULES = {
    "lightgbm": "onnxlet.convert.converters.lightgbm_models",
    "xgboost": "onnxlet.convert.converters.xgboost_models",
    "catboost": "onnxlet.convert.converters.catboost_models",
    "category_encoders": "onnxlet.convert.converters.libraries.category_encoders",
    "feature_engine": "onnxlet.convert.converters.libraries.feature_engine",
    "imblearn": "onnxlet.convert.converters.libraries.imbalanced_learn",
    "interpret": "onnxlet.convert.converters.libraries.interpret",
    "mapie": "onnxlet.convert.converters.libraries.mapie",
    "quantile_forest": "onnxlet.convert.converters.libraries.quantile_forest",
    "sklego": "onnxlet.convert.converters.libraries.scikit_lego",
    "skrub": "onnxlet.convert.converters.libraries.skrub",
}
# A subclass that replaces only these still answers as its parent does; a selector is asked for its
# columns.
OF_THE_FIT = frozenset(
    {
        "_abc_impl", "_get_support_mask", "_parameter_constraints",
        "_sklearn_auto_wrap_output_keys", "fit", "fit_predict", "fit_transform", "partial_fit",
        "score",
    }
)  # fmt: skip
# Python and scikit-learn add such names to every class.
EVERYWHERE = re.compile("__(?!getattr)[a-z_]+__|set_[a-z_]+_request").fullmatch
_own: dict[type, Converter] = {}


def converts(*kinds: type) -> Callable[[Converter], Converter]:
    """Register the converter of an estimator class of your own, in the SOURCE file.

    Its graph has to pass the parity gate, as all do.
    """

    def register(convert: Converter) -> Converter:
        _own.update(dict.fromkeys(kinds, convert))
        return convert

    return register


def _parents_that_answer(kind: type) -> Iterator[type]:
    """The parents whose converter fits a subclass, because it replaces nothing but the fit."""
    for index, one in enumerate(kind.__mro__[:-1]):
        others = kind.__mro__[index + 1 : -1]
        own = {name for name in vars(one) if name not in OF_THE_FIT and not EVERYWHERE(name)}
        if any(name in vars(other) for name in own for other in others):
            return
        yield from others[:1]


def _inside(package: ModuleType) -> list[str]:
    """The names of the modules in a folder; none for a file."""
    folders = getattr(package, "__path__", ())
    return [one.name for one in pkgutil.iter_modules(folders, f"{package.__name__}.")]


class _Converters(Mapping[type, Converter]):
    """Converters by estimator class; the user's own come first."""

    def __init__(self) -> None:
        self._known: dict[type, Converter] = {}
        self._asked: set[str] = set()
        for name in _inside(converters_folder):
            if name not in (__name__, *LIBRARY_MODULES.values()):
                self._add(importlib.import_module(name))

    def _add(self, module: ModuleType) -> None:
        for kind, convert in getattr(module, "CONVERTERS", {}).items():
            if kind in self._known and self._known[kind] is not convert:
                raise ValueError(f"two converters for {kind.__name__}")
            self._known[kind] = convert

    def _add_of(self, package: str) -> None:
        try:
            library = importlib.import_module(LIBRARY_MODULES[package])
            modules = [library, *map(importlib.import_module, _inside(library))]
        except ImportError as error:
            raise Unsupported(
                f"its converters need another version of {package}: {error}",
                "Install a version that they know" + documented(" (docs/reference/coverage.md)."),
            ) from error
        for module in modules:
            self._add(module)

    def __getitem__(self, kind: type) -> Converter:
        if kind in _own:
            return _own[kind]
        package = kind.__module__.partition(".")[0]
        if kind not in self._known and package in LIBRARY_MODULES and package in sys.modules:
            self._add_of(package)
        if kind not in self._known and package not in self._asked:
            self._known |= {**dict(of_package(package)), **self._known}
            self._asked.add(package)
        if kind not in self._known:
            for parent in _parents_that_answer(kind):
                if parent in self:
                    return self[parent]
        return self._known[kind]

    def __iter__(self) -> Iterator[type]:
        return iter({**self._known, **_own})

    def __len__(self) -> int:
        return len({**self._known, **_own})


def converters() -> Mapping[type, Converter]:
    """All converters, by estimator class."""
    return _Converters()
