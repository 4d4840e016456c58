"""What clients see of positions: items by their labels, and a summary's by its sentences.

Neighbours are called by the labels of their rows, recommendations by the names of the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.estimators.summary import Summary
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Task, last_of
from onnxlet.convert.reference.row_forms import as_pandas
from onnxlet.convert.sources.source import Source
from onnxlet.function import json_text
from onnxlet.function.arrays import LARGEST_INTEGER

POSITIONS = "note: neighbours are answered by their position in the rows of the fit"


def items_of(
    task: Task, source: Source, names: Sequence[str], report: Report
) -> list[int] | list[str] | None:
    """The labels of the items by position; None where the positions themselves are answered.

    The names are those of the columns, in signature order, which the items of recommendations are;
    `report` is called with a line where there are no labels.
    """
    if task.name == "recommendation":
        return list(names)
    if task.name != "neighbours":
        return None
    points = int(last_of(source.estimator).n_samples_fit_)
    if source.X_train is None:
        report(f"{POSITIONS}: X_train would bring the labels of its index")
        return None
    index = getattr(as_pandas(source.X_train), "index", None)
    if not isinstance(index, pd.Index) or index.equals(pd.RangeIndex(len(index))):
        return None
    if len(index) != points:
        report(f"{POSITIONS}: X_train has {len(index)} rows, and the fit had {points}")
        return None
    return labels_of(index.tolist())


def labels_of(values: Sequence[Any]) -> list[int] | list[str]:
    """Labels as clients get them: whole numbers and text as they are, others as text."""
    if all(_is_whole(value) for value in values):
        return [int(value) for value in values]
    return [str(value) for value in values]


def items_file(labels: Sequence[int] | Sequence[str]) -> bytes:
    """The bytes of the file that the back end reads the labels from."""
    return json_text.dumps({"items": labels})


def with_items(
    manifest: Mapping[str, Any], labels: Sequence[int] | Sequence[str]
) -> dict[str, Any]:
    """The serving part of a manifest whose predictions are labels, no longer positions."""
    kind = "int64" if {*map(type, labels)} <= {int} else "string"
    outputs = [
        {**output, "type": kind} if output["name"] == "prediction" else output
        for output in manifest["signature"]["outputs"]
    ]
    return _served(manifest, outputs, {"prediction": {"step": "items"}})


def _served(
    manifest: Mapping[str, Any], outputs: Sequence[Any], back_end: Mapping[str, Any]
) -> dict[str, Any]:
    """The serving part of a manifest whose outputs are made of the graph's by the back end."""
    signature = {**manifest["signature"], "outputs": outputs}
    return {
        **manifest,
        "signature": signature,
        "graph": {**manifest["graph"], "back_end": back_end},
    }


def named(
    positions: Sequence[Sequence[int]], labels: Sequence[int] | Sequence[str]
) -> list[list[Any]]:
    """Lists of positions as lists of labels; -1 stands for no item."""
    return [[None if at < 0 else labels[at] for at in row] for row in positions]


def _is_whole(value: Any) -> bool:
    is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_number and abs(int(value)) <= LARGEST_INTEGER


TYPES = {"prediction": "string", "positions": "int64", "score": "float64"}
NO_EXPLANATIONS = "a summary has no explanations: its sentences and their scores are beside it"


def with_sentences(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The serving part of a manifest whose predictions are sentences, no longer positions."""
    [column] = manifest["graph"]["inputs"][0]["columns"]
    outputs = [
        {"name": output["name"], "type": TYPES[output["name"]], "shape": [-1, -1]}
        for output in manifest["signature"]["outputs"]
    ]
    steps = {
        "prediction": {"step": "sentences", "column": column},
        "positions": {"step": "without_gaps"},
        "score": {"step": "without_gaps"},
    }
    return _served(manifest, outputs, steps)


def golden_sentences(golden: Mapping[str, Any], fitted: Summary) -> dict[str, Any]:
    """Golden rows with the sentences themselves, and nothing where a document has fewer.

    The rows were chosen without regard to scores, which short documents lack.
    """
    documents = [row[0] for row in golden["instances"]]
    scores = fitted.sentence_scores(documents) if documents else np.zeros((0, 1))
    positions = golden["answers"]["positions"]
    answers = {
        "prediction": fitted.predict(documents) if documents else [],
        "positions": [[at for at in row if at >= 0] for row in positions],
        "score": [row[~np.isnan(row)].tolist() for row in scores],
    }
    return {**golden, "answers": {name: answers[name] for name in golden["answers"] | answers}}
