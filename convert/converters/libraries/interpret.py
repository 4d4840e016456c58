"""Converters of interpret's glassbox models: explainable boosting machines, and wrapped models.

An EBM is a sum: the intercept, and of each term (a feature, or several) the score of the bin that
a row falls into. So explanations are exact: `graph.additive` holds what each term adds.

Sources: `interpret/glassbox/_ebm/_bin.py` (eval_terms, ebm_predict_scores),
`interpret/utils/_clean_x.py` (how values become texts), `interpret/utils/_link.py` (inv_link),
`interpret/glassbox/_linear.py`, `_decisiontree.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from interpret import glassbox, privacy

from onnxlet.convert.converters.registration import Converters, Registration, Term
from onnxlet.convert.graph.additive import Additive
from onnxlet.convert.graph.categories import Meaning, look_up
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported, refusing
from onnxlet.convert.graph.responses import class_index, every_row, total, two_sided
from onnxlet.convert.graph.tree_ensemble import intervals

Level = tuple[int, int]  # a feature, and which of its bins: in pairs they may be coarser
DIGITS = 16  # of whole numbers; longer ones are written with an exponent as floats
WAY_OUT = "Write its converter yourself: @onnxlet.convert.converts."


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The inverse of the link, of the sum."""
    score = additive(graph, fitted, table)
    if fitted.link_ not in ("identity", "log"):
        raise Unsupported(f"its link {fitted.link_!r} has no conversion", WAY_OUT)
    return {"predict": score if fitted.link_ == "identity" else score.unary("Exp")}


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Sigmoid, softmax, or a sigmoid for each class that is not normalised."""
    if fitted.link_ == "monoclassification":
        raise Unsupported("it has seen one class only", "Fit it on rows of two classes or more.")
    score = additive(graph, fitted, table)
    two = score.width == 1
    made = {"decision_function": score, "class_index": class_index(score)}
    if fitted.link_ == "logit" and two:
        return {**made, "predict_proba": two_sided(score.sigmoid())}
    if fitted.link_ == "mlogit":
        return {**made, "predict_proba": score.softmax()}
    if fitted.link_ == "vlogit" and not two:
        return {**made, "predict_proba": score.sigmoid()}
    raise Unsupported(f"its link {fitted.link_!r} has no conversion", WAY_OUT)


SCALES = {
    "identity": "the prediction",
    "log": "the logarithm of the prediction",
    "logit": "log odds",
    "mlogit": "logits: the probabilities are their softmax",
    "vlogit": "log odds of each class against the rest",
}


def additive(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The score before the link; what its terms add to it is noted in the graph."""
    width = int(np.size(fitted.intercept_))
    intercept = np.reshape(fitted.intercept_, (1, width))
    terms = len(fitted.term_features_)
    if not terms:
        return every_row(graph, table, intercept)
    tables = [np.reshape(scores, (-1, width)) for scores in fitted.term_scores_]
    if not all(np.isfinite(scores).all() for scores in (intercept, *tables)):
        raise Unsupported("some of its scores are not finite", "Edit these scores, or fit it anew.")
    starts = np.cumsum([0, *(len(scores) for scores in tables[:-1])])
    given = _by_name(graph, fitted, table)
    index = _cells(graph, fitted, given) + starts
    scores = np.concatenate(tables)
    if width == 1:
        known = graph.constant(scores[:, 0], graph.precision)
        made = graph.op("Gather", known, index, width=terms, dimensions=2, axis=0)
        _note(graph, fitted, given, made)
        return made.sum() + intercept
    known = graph.constant(scores, graph.precision)
    made = graph.op("Gather", known, index, width=width, dimensions=3, axis=0)
    axis = graph.constant([1], "int64")
    summed = graph.op("ReduceSum", made, axis, width=width, dimensions=2, keepdims=0)
    _note(graph, fitted, given, made.reshape([0, terms * width], terms * width))
    return summed + intercept


def _note(graph: Graph, fitted: Any, given: Table, scores: Tensor) -> None:
    """Note the terms under their columns' names, which inputs have."""
    if given.labels:
        names = [[given.labels[f] for f in features] for features in fitted.term_features_]
        base = np.ravel(fitted.intercept_).tolist()
        scale = SCALES[fitted.link_]
        graph.additive[id(fitted)] = Additive(scores, names, base, scale, "eval_terms")


def _cells(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Which cell of its scores each term takes: int64, of shape (rows, terms)."""
    levels = list(dict.fromkeys(pair for term in _levels(fitted) for pair in term))
    bins = _bins(graph, fitted, table, levels)
    parts, order = [], []
    for count in sorted({len(term) for term in _levels(fitted)}):
        chosen = [number for number, term in enumerate(_levels(fitted)) if len(term) == count]
        made = []
        for axis in range(count):
            sizes = [np.shape(fitted.term_scores_[n])[axis + 1 : count] for n in chosen]
            strides = np.array([np.prod(size, dtype=int) for size in sizes])
            part = bins.take([levels.index(_levels(fitted)[n][axis]) for n in chosen])
            made.append(part if axis + 1 == count else part * strides)
        parts.append(total(made))
        order += chosen
    return graph.concat(parts).take(np.argsort(order).tolist())


def _levels(fitted: Any) -> list[tuple[Level, ...]]:
    """Of each term, its features and which bins of theirs it uses."""
    return [
        tuple((f, min(len(fitted.bins_[f]), len(features)) - 1) for f in features)
        for features in fitted.term_features_
    ]


def _bins(graph: Graph, fitted: Any, table: Table, levels: Sequence[Level]) -> Tensor:
    """The bin of each feature: 0 if it is missing, the last if it is a category never seen.

    Cuts are compared in float64; bin i + 1 begins at the i-th cut.
    """
    cut = [n for n, (f, _) in enumerate(levels) if fitted.feature_types_in_[f] == "continuous"]
    named = [n for n in range(len(levels)) if n not in cut]
    parts = []
    if cut:
        x = graph.matrix(graph.select(table, [levels[n][0] for n in cut]), "float64")
        edges = [fitted.bins_[f][level] for f, level in (levels[n] for n in cut)]
        inside = (intervals(graph, x, edges) + 1.0).cast("int64")
        parts.append(x.isnan().where(graph.constant([[0]], "int64"), inside))
    if named:
        chosen = graph.select(table, [levels[n][0] for n in named])
        columns = [_without_nul(graph, column) for column in graph.columns(chosen)]
        meanings = [
            _meaning(fitted.bins_[f][level], column)
            for (f, level), column in zip((levels[n] for n in named), columns, strict=True)
        ]
        parts.append(look_up(graph, Table(tuple(columns)), meanings, "int64"))
    return graph.concat(parts).take(np.argsort([*cut, *named]).tolist())


def _without_nul(graph: Graph, column: Tensor) -> Tensor:
    """Text without NUL characters at its end: NumPy's arrays of text drop them.

    Categoricals keep them, as long as they list the categories in the order of the fit.
    """
    kind = column.types[0] if column.types else ""
    if column.dtype != "string" or column.column is None or kind.startswith("category"):
        return column
    return graph.front_end(column, {"step": "str_method", "name": "rstrip", "arguments": ["\0"]})


def _meaning(categories: Mapping[str, int], column: Tensor) -> Meaning:
    """A bin for each category, as the column holds it."""
    known = [(_value(text, column), number) for text, number in categories.items()]
    values = {value: number for value, number in known if value is not None}
    last = max(categories.values(), default=0) + 1
    keys = np.array([*values, None], dtype=object)
    return Meaning(keys, np.array([*values.values(), 0]).reshape(-1, 1), np.array([last]))


def _value(text: str, column: Tensor) -> Any:
    """What becomes this text where categories are compared; None if nothing in the column does.

    Whole numbers are written without a point, booleans as 1 and 0, other numbers as NumPy does.
    """
    if column.dtype == "string":
        return text
    whole = column.types and column.types[0].startswith("int")
    if text.lstrip("-").isdecimal() and len(text.lstrip("-")) > DIGITS:
        raise Unsupported(
            f"its category {text} is another text where the column has a gap: of a float",
            "Give the column as text (astype(str)), and fit it so.",
        )
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        return None
    return number if str(np.array(number).astype(str)).removesuffix(".0") == text else None


def _by_name(graph: Graph, fitted: Any, table: Table) -> Table:
    """The features' columns: by name if all are there, else by position."""
    at = {str(label): position for position, label in enumerate(table.labels)}
    types = fitted.feature_types_in_
    names = fitted.feature_names_in_
    used = [name for name, kind in zip(names, types, strict=True) if kind != "ignore"]
    if table.labels and all(name in at for name in used):
        return graph.select(table, [at.get(name, 0) for name in names])
    if table.width == len(names):
        return table
    if table.width == len(used):
        positions = np.cumsum([kind != "ignore" for kind in types]) - 1
        return graph.select(table, np.maximum(positions, 0).tolist())
    raise Unsupported(f"it has {len(names)} features, and is given {table.width} columns")


def wrapped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The scikit-learn model inside, which is given the features as numbers."""
    given = graph.matrix(_by_name(graph, fitted, table))
    made = dict(graph.convert(fitted._model(), Table((given,))))
    return {method: output for method, output in made.items() if hasattr(fitted, method)} | {
        method: output for method, output in made.items() if method == "class_index"
    }


def terms_of(fitted: Any) -> tuple[Sequence[str], list[Term]]:
    """The names of the features, and the bins of those of each term."""
    if not hasattr(fitted, "term_features_"):
        return [], []
    terms: list[Term] = [
        (features, [fitted.bins_[feature][level] for feature, level in levels])
        for features, levels in zip(fitted.term_features_, _levels(fitted), strict=True)
    ]
    return fitted.feature_names_in_, terms


OF_RULES = refusing("its rules come from skope-rules, which has no conversion", WAY_OUT)
OF_SPLINES = refusing("its terms are kept inside the package aplr", WAY_OUT)
CONVERTERS: Converters = {
    glassbox.APLRClassifier: OF_SPLINES,
    glassbox.APLRRegressor: OF_SPLINES,
    glassbox.ClassificationTree: wrapped,
    glassbox.DecisionListClassifier: OF_RULES,
    glassbox.ExplainableBoostingClassifier: Registration(classifier, terms=terms_of),
    glassbox.ExplainableBoostingRegressor: Registration(regressor, terms=terms_of),
    glassbox.LinearRegression: wrapped,
    glassbox.LogisticRegression: wrapped,
    glassbox.RegressionTree: wrapped,
    privacy.DPExplainableBoostingClassifier: Registration(classifier, terms=terms_of),
    privacy.DPExplainableBoostingRegressor: Registration(regressor, terms=terms_of),
}
