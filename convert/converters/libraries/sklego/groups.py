"""scikit-lego's estimators with one fitted part for each group of rows.

Sources: `sklego/meta/grouped_predictor.py`, `grouped_transformer.py`, `hierarchical_predictor.py`,
`_shrinkage_utils.py`. Every part answers every row; which answer counts is looked up by the row's
values in the columns of groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklego import meta
from sklego.common import as_list

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import index_among
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported, labelled
from onnxlet.convert.graph.responses import predicted, total
from onnxlet.function.arrays import Array

Key = tuple[Any, ...]
MOST_COMBINATIONS = 2**16  # of the columns' values


@dataclass(frozen=True)
class Groups:
    """The values by which rows are parted."""

    graph: Graph  # to write to
    known: list[list[Any]]  # of each column, the values that some key has
    # int64, one column for each: the index of a value, or their number for any other.
    codes: list[Tensor]
    given: Table  # the other columns

    def gathered(self, values: Callable[[Key], Array], width: int, dtype: str) -> Tensor:
        """The numbers that each combination of values is mapped to, of shape (rows, width).

        In a combination, None is any other value.
        """
        every = [[*known, None] for known in self.known]
        if np.prod([len(known) for known in every]) > MOST_COMBINATIONS:
            raise Unsupported(
                "its groups have too many combinations of values", "Group by fewer columns."
            )
        rows = np.array([values(key) for key in product(*every)]).reshape(-1, width)
        index = self.codes[0]
        for code, known in zip(self.codes[1:], every[1:], strict=True):
            index = index * len(known) + code
        constant = self.graph.constant(rows, dtype)
        return self.graph.op("Gather", constant, index.reshape([-1], 1), width=width, dimensions=2)

    def chosen(self, parts: Sequence[Tensor], index: Callable[[Key], int]) -> Tensor:
        """The columns of the part at each row's index."""
        width, graph = parts[0].width, self.graph
        if any(part.width != width for part in parts):
            raise Unsupported("its parts answer with different numbers of columns")
        chosen = self.gathered(lambda key: np.array([index(key)]), 1, "int64")
        columns = chosen * width + np.arange(width) if width > 1 else chosen
        return graph.op("GatherElements", graph.concat(parts), columns, width=width, axis=1)


def _groups(graph: Graph, table: Table, columns: Sequence[Any], keys: Sequence[Key]) -> Groups:
    """The columns of groups, by name or, of an array, by index."""
    labels = [str(label) for label in table.labels]
    positions = [
        labels.index(str(column)) if str(column) in labels else range(table.width)[column]
        for column in columns
    ]
    known = [
        list(dict.fromkeys(key[n] for key in keys if len(key) > n)) for n in range(len(columns))
    ]
    codes = [
        index_among(graph, graph.select(table, [position]), values)
        for position, values in zip(positions, known, strict=True)
    ]
    others = [position for position in range(table.width) if position not in positions]
    return Groups(graph, known, codes, graph.select(table, others))


def grouped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GroupedRegressor and GroupedClassifier: the group's own estimator, or that of all rows."""
    columns = as_list(fitted.groups)
    if fitted.shrinkage is None:
        parts = {tuple(as_list(key)): part for key, part in fitted.estimators_.items()}
        return _of_parts(graph, fitted, table, parts, columns)
    # The predictions of all levels, each times its weight in the row's own group.
    top = 1 if fitted.use_global_model else 0  # a level of all rows
    parts = {tuple(as_list(key))[top:]: part for key, part in fitted.estimators_.items()}
    factors = {tuple(as_list(k))[top:]: value for k, value in fitted.shrinkage_factors_.items()}
    levels = [len(names) - top for names in fitted.group_colnames_hierarchical_]
    return {"predict": _levels(graph, table, columns, parts, factors, levels)}


def _of_parts(
    graph: Graph, fitted: Any, table: Table, parts: Mapping[Key, Any], columns: Sequence[Any]
) -> Outputs:
    groups, every = _groups(graph, table, columns, list(parts)), list(parts.values())
    at = {key: position for position, key in enumerate(parts)}
    if fitted.fallback_ is not None:
        every.append(fitted.fallback_)

    def index(key: Key) -> int:  # without a fallback, other rows are refused
        return at.get(key, len(every) - 1)

    if not is_classifier(every[0]):
        answers = [predicted(graph, part, groups.given) for part in every]
        return {"predict": groups.chosen(answers, index)}
    _check_classes(fitted, every)
    return {
        method: groups.chosen([graph.call(part, groups.given, method) for part in every], index)
        for method in ("class_index", "predict_proba", "decision_function")
        if method == "class_index" or hasattr(every[0], method)
    }


def _check_classes(fitted: Any, parts: Sequence[Any]) -> None:
    if not hasattr(fitted, "classes_"):
        raise Unsupported(
            f"{type(fitted).__name__} does not keep the classes", "Fit GroupedClassifier instead."
        )
    if any(not np.array_equal(part.classes_, fitted.classes_) for part in parts):
        raise Unsupported(
            "not every group has rows of every class, so that the order of its probabilities "
            "depends on the other rows that are asked",
            "Group by a column with fewer values.",
        )


def _levels(
    graph: Graph,
    table: Table,
    columns: Sequence[Any],
    parts: Mapping[Key, Any],
    factors: Mapping[Key, Array],
    levels: Sequence[int],
    answer: Callable[[Graph, Any, Table], Tensor] = predicted,
) -> Tensor:
    """The sum over levels of the part's answer, times the weight of the level.

    A level says how many of the columns of groups part the rows. Parts and factors are by the
    values of the first columns; a factor has the weight of each level.
    """
    groups = _groups(graph, table, columns, list(parts))

    def found(key: Key, level: int) -> Key:
        """The key of the level, or of the nearest one above that is known."""
        return next(
            (key[:n] for n in range(level, -1, -1) if key[:n] in parts), min(parts, key=len)
        )

    def weights(key: Key) -> Array:
        own = factors.get(found(key, len(columns)), ())
        return np.pad(np.asarray(own, dtype=np.float64), (0, len(levels) - len(own)))

    weight = groups.gathered(weights, len(levels), graph.precision)
    answers = [answer(graph, part, groups.given) for part in parts.values()]
    at = {key: position for position, key in enumerate(parts)}
    terms = []
    for number, level in enumerate(levels):

        def index(key: Key, level: int = level) -> int:
            return at[found(key, level)]

        terms.append(groups.chosen(answers, index) * weight.take([number]))
    return total(terms)


def hierarchical(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """HierarchicalRegressor and HierarchicalClassifier: as grouped ones with shrinkage."""
    parts = {key[1:]: part for key, part in fitted.estimators_.items()}
    factors = {key[1:]: value for key, value in fitted.shrinkage_factors_.items()}
    levels = list(range(fitted.n_fitted_levels_))
    columns = fitted.groups_[1:]
    if not is_classifier(fitted):
        return {"predict": _levels(graph, table, columns, parts, factors, levels)}
    if fitted.classes_.tolist() != list(range(len(fitted.classes_))):
        raise Unsupported("its classes are not 0, 1, …", "Encode the target so.")

    def shares(graph: Graph, part: Any, given: Table) -> Tensor:
        if len(part.classes_) != len(fitted.classes_):
            raise Unsupported("not every group has rows of every class", "Group by fewer values.")
        return graph.call(part, given, "predict_proba")

    made = _levels(graph, table, columns, parts, factors, levels, shares)
    return {"class_index": made.argmax(), "predict_proba": made}


def transformed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GroupedTransformer: the group's own transformer, or that of all rows."""
    if fitted.groups is None:
        return {"transform": labelled(graph.transform(fitted.transformers_, table), ())}
    groups = _groups(graph, table, fitted.groups_, list(fitted.transformers_))
    every = list(fitted.transformers_.values())
    at = {key: position for position, key in enumerate(fitted.transformers_)}
    if fitted.fallback_ is not None:
        every.append(fitted.fallback_)
    made = [graph.matrix(graph.transform(part, groups.given)) for part in every]
    return {"transform": groups.chosen(made, lambda key: at.get(key, len(every) - 1))}


CONVERTERS: Converters = {
    meta.GroupedClassifier: exact(grouped),
    meta.GroupedPredictor: exact(grouped),
    meta.GroupedRegressor: exact(grouped),
    meta.GroupedTransformer: transformed,
    meta.HierarchicalClassifier: exact(hierarchical),
    meta.HierarchicalRegressor: exact(hierarchical),
}
