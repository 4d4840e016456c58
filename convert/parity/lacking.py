"""Refuses a pipeline with a step that has no converter before its estimator is asked anything.

Asking is what takes long: for UMAP's rows it is minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from skl2onnx._supported_operators import sklearn_operator_name_map
from sklearn.pipeline import Pipeline

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph, Table, Unsupported
from onnxlet.convert.graph.fallback import fallback
from onnxlet.convert.parity.refusals import FailedRecipe, no_conversion


def refuse_what_has_no_converter(estimator: Any) -> None:
    """Raise NoConversion for an estimator, or a step of a pipeline, whose class no one knows."""
    graph = Graph("float64", converters(), fallback)
    for path, step in _steps(estimator, ()):
        try:
            known = graph.knows(type(step)) or type(step) in sklearn_operator_name_map
            if known or _is_users_own(type(step)):
                continue
            fallback(graph, step, Table(()))
        except Unsupported as error:
            names = " > ".join((*path, type(step).__name__))
            failed = FailedRecipe("", f"step {names}: {error}", error.hint, error)
            raise no_conversion(type(estimator).__name__, [failed]) from error


def _is_users_own(kind: type) -> bool:
    """Whether it is of no installed package: asking such a class may show a better reason."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and "site-packages" not in file


def _steps(estimator: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All steps that are no pipelines, each with the pipelines that lead to it."""
    if type(estimator) is not Pipeline:
        yield path, estimator
        return
    for _, step in estimator.steps:
        if step is not None and not isinstance(step, str):
            yield from _steps(step, (*path, type(estimator).__name__))
