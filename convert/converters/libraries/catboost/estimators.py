"""CatBoost's classifiers, regressors and rankers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import catboost

from onnxlet.convert.converters.libraries.catboost.model_file import ModelFile
from onnxlet.convert.converters.libraries.catboost.trees import classes, numbers, raw_scores
from onnxlet.convert.converters.registration import Converters, Registration
from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Unsupported

INSTEAD = {
    "text": "Give it the columns of a TfidfVectorizer; or the text as a category.",
    "embedding": "Give it each number of the embedding as a column.",
}


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The classes, as its loss function has them."""
    return classes(graph, model_of(fitted), table)


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """What its loss function makes of the raw score."""
    return numbers(graph, model_of(fitted), table)


def raw_score(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CatBoostRanker, and CatBoost itself, whatever its loss function."""
    return {"predict": raw_scores(graph, model_of(fitted), table)}


def model_of(fitted: Any) -> ModelFile:
    """A fitted model's files."""
    with tempfile.TemporaryDirectory() as folder:
        as_json, binary = Path(folder) / "model.json", Path(folder) / "model.cbm"
        try:
            fitted.save_model(str(as_json), format="json")
        except catboost.CatBoostError as error:
            for kind, instead in INSTEAD.items():
                if f"{kind} features" in str(error):
                    reason = f"it has {kind} features, made by CatBoost's own steps"
                    raise Unsupported(reason, instead) from error
            raise Unsupported(f"CatBoost can't write it as JSON: {shortened(error)}") from error
        fitted.save_model(str(binary))
        return ModelFile(as_json.read_bytes(), binary.read_bytes())


def borders(fitted: Any) -> tuple[list[str], list[tuple[int, float]]]:
    """The names of the columns, and the borders of each one of numbers."""
    if not fitted.is_fitted():
        return [], []
    known = fitted.get_borders().items()
    names = [str(name) for name in fitted.feature_names_]
    return names, [(index, float(border)) for index, some in known for border in some]


CONVERTERS: Converters = {
    catboost.CatBoost: Registration(raw_score, borders=borders),
    catboost.CatBoostClassifier: classifier,
    catboost.CatBoostRanker: raw_score,
    catboost.CatBoostRegressor: regressor,
}
