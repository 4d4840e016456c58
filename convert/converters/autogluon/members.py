"""One fitted model of AutoGluon's, given the columns that feature generators and models make.

Each is given its columns as AutoGluon prepares them: `tabular/models/*/*_model.py`, `_preprocess`.
Categories come as codes, NaN where one is missing or unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnxlet.convert.converters.libraries.catboost import trees as catboost
from onnxlet.convert.converters.libraries.catboost.model_file import ModelFile
from onnxlet.convert.converters.libraries.lightgbm import booster_text as lightgbm
from onnxlet.convert.converters.libraries.xgboost import booster_file as xgboost
from onnxlet.convert.graph.categories import mapped
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.responses import total

Member = Mapping[str, Any]
CLASSES = ("binary", "multiclass")  # problems


def answered(graph: Graph, member: Member, table: Table, problem: str) -> Tensor:
    """What a model answers, float32 as AutoGluon keeps it: (rows, 1), or a column for each.

    Of two classes it is the probability of the second.

    Raises:
        Unsupported: its library's model has no conversion.
    """
    names: list[str] = member["columns"]
    made = KINDS[member["kind"]](graph, member, table[names])
    if isinstance(made, Tensor):
        return made.cast("float32")
    answer = made["predict_proba" if problem in CLASSES else "predict"]
    whole = answer if isinstance(answer, Tensor) else graph.matrix(answer)
    return (whole.take([1]) if problem == "binary" else whole).cast("float32")


def _lightgbm(graph: Graph, member: Member, table: Table) -> Tensor:
    """A booster for each quantile, or one. Of categories it was given the codes, too."""
    models = [lightgbm.read(text) for text in member["texts"]]
    return graph.concat(
        [lightgbm.converted(each, lightgbm.raw_scores(graph, each, table)) for each in models]
    )


def _catboost(graph: Graph, member: Member, table: Table) -> Outputs:
    """Categories by their texts, whose hashes it knows."""
    texts = member["texts"]
    tensors = [
        _by_code(graph, table[name], texts[name], "string") if name in texts else column
        for name, column in zip(table.labels, graph.columns(table), strict=True)
    ]
    model = ModelFile(member["json"].tobytes(), member["cbm"].tobytes())
    answer = catboost.numbers if model.loss in NUMBERS else catboost.classes
    return answer(graph, model, Table(tuple(tensors)))


def _by_code(graph: Graph, code: Tensor, values: Sequence[Any], dtype: str) -> Tensor:
    """The values of codes; the last one is that of a missing code."""
    *known, missing = values
    return mapped(graph, code, {float(n): value for n, value in enumerate(known)}, missing, dtype)


def _xgboost(graph: Graph, member: Member, table: Table) -> Outputs:
    """Given a sparse matrix, in which a zero is missing."""
    names: list[str] = member["numbers"]
    numbers = table[names].tensors if names else ()
    given = Table((*_one_hot(graph, member["hot"], table), *numbers))
    model = xgboost.read(member["json"].tobytes())
    raw = xgboost.raw_scores(graph, model, given, sparse=True)
    if model.objective.startswith(("binary:", "multi:")):
        return xgboost.classes(graph, model, raw)
    return {"predict": xgboost.converted(model, raw)}


def _one_hot(graph: Graph, hot: Mapping[str, Any], table: Table) -> tuple[Tensor, ...]:
    """Columns of 0 and 1 of those of categories; nothing where there are none."""
    if not hot["width"]:
        return ()
    made, order = [], []
    for name, at in hot["at"].items():
        known = sorted({index for index in at.tolist() if index >= 0})
        if known:
            index = _by_code(graph, table[name], at.tolist(), "int64")
            made.append(index.equals(graph.constant([known], "int64")).cast(graph.precision))
            order += known
    zero = made[0].take([0]) * 0.0
    whole = graph.concat([*made, zero])
    back = {position: index for index, position in enumerate(order)}
    return (whole.take([back.get(position, len(order)) for position in range(hot["width"])]),)


def _forest(graph: Graph, member: Member, table: Table) -> Outputs:
    """Missing numbers are 0, missing categories the code -1."""
    codes = [-1.0 if name in member["categorical"] else 0.0 for name in table.labels]
    x = graph.matrix(table)
    filled = x.isnan().where(graph.constant([codes], x.dtype), x)
    return graph.convert(member["fitted"], Table((filled.cast("float32").cast(x.dtype),)))


def _linear(graph: Graph, member: Member, table: Table) -> Outputs:
    """Categories one-hot, numbers by scikit-learn's own steps."""
    made: list[Tensor] = []
    for part in member["parts"]:
        if "hot" in part:
            made += _one_hot(graph, part["hot"], table)
        else:
            made += graph.transform(part["fitted"], table[part["columns"]]).tensors
    return graph.convert(member["fitted"], Table((graph.matrix(Table(tuple(made))),)))


def _weighted(graph: Graph, member: Member, table: Table) -> Tensor:
    """The weighted sum of models' answers, in float32 and in their order."""
    weights = member["weights"]
    whole = graph.matrix(table, "float32")
    width = whole.width // len(weights)
    parts = [whole.take(range(n * width, (n + 1) * width)) for n in range(len(weights))]
    return total([part * weight for part, weight in zip(parts, weights, strict=True) if weight])


NUMBERS = catboost.EXPONENTIAL | {"RMSE", "MAE", "MAPE", "Quantile", "MultiQuantile", "Huber"}
KINDS: Mapping[str, Callable[[Graph, Member, Table], Outputs | Tensor]] = {
    "CatBoostModel": _catboost,
    "KNNModel": _forest,
    "LGBModel": _lightgbm,
    "LinearModel": _linear,
    "RFModel": _forest,
    "XGBoostModel": _xgboost,
    "XTModel": _forest,
    **dict.fromkeys(("GreedyWeightedEnsembleModel", "SimpleWeightedEnsembleModel"), _weighted),
}
