"""Converters of our own: one file for each family of estimators.

A converter is `convert(graph, fitted, table)`, see `graph` and `tensor`. It returns the answers of
the methods that it can convert, by name: `transform`; `predict` of what is no class; `places` of
classifiers (int64, where in `classes_` the answer stands), `predict_proba`, `decision_function`;
`std` where `predict` can return one. It raises Unsupported, with a hint where there is a way out,
for what it can't write exactly.

What no family knows goes to skl2onnx, one estimator at a time (`fallback`); what passes is for
the parity gate to say.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping

import onnxlet.convert.converters as converters_folder
from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Tensor, Unsupported

__all__ = ["Answers", "Graph", "Table", "Tensor", "Unsupported", "converters", "converts"]

# Families of packages that need not be installed.
OPTIONAL = {
    "lightgbm": "onnxlet.convert.converters.lightgbm_models",
    "xgboost": "onnxlet.convert.converters.xgboost_models",
    "catboost": "onnxlet.convert.converters.catboost_models",
}
# What a subclass may replace, and answers as its parent still.
OF_THE_FIT = frozenset(
    {
        "_abc_impl", "_parameter_constraints", "_sklearn_auto_wrap_output_keys", "fit",
        "fit_predict", "fit_transform", "partial_fit", "score",
    }
)  # fmt: skip
# Python and scikit-learn give such names to every class, copying one adds some.
EVERYWHERE = re.compile("__(?!getattr)[a-z_]+__|set_[a-z_]+_request").fullmatch
_own: dict[type, Converter] = {}


def converts(*kinds: type) -> Callable[[Converter], Converter]:
    """Register the converter of an estimator class of your own, in the SOURCE file.

    What it writes is judged by parity like everything else.
    """

    def register(convert: Converter) -> Converter:
        _own.update(dict.fromkeys(kinds, convert))
        return convert

    return register


def _parents_that_answer(kind: type) -> Iterator[type]:
    """The classes that a subclass leaves the answering to: it replaces nothing but the fit."""
    for place, one in enumerate(kind.__mro__[:-1]):
        others = kind.__mro__[place + 1 : -1]
        said = {name for name in vars(one) if name not in OF_THE_FIT and not EVERYWHERE(name)}
        if any(name in vars(other) for name in said for other in others):
            return
        yield from others[:1]


class _Converters(Mapping[type, Converter]):
    """By estimator class; families of optional packages are read when one is asked for."""

    def __init__(self) -> None:
        self._known: dict[type, Converter] = {}
        package = converters_folder.__name__
        for module in pkgutil.iter_modules(converters_folder.__path__, f"{package}."):
            if module.name not in (__name__, *OPTIONAL.values()):
                self._add(module.name)

    def _add(self, module: str) -> None:
        for kind, convert in getattr(importlib.import_module(module), "CONVERTERS", {}).items():
            if kind in self._known and self._known[kind] is not convert:
                raise ValueError(f"two converters for {kind.__name__}")
            self._known[kind] = convert

    def __getitem__(self, kind: type) -> Converter:
        if kind in _own:
            return _own[kind]
        package = kind.__module__.partition(".")[0]
        if kind not in self._known and package in OPTIONAL:
            self._add(OPTIONAL[package])
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
    """All of them, by estimator class."""
    return _Converters()
