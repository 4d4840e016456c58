"""What is kept of a prediction for its truth: the answer, and nothing of the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.performance import OUTLIER, kind_of
from onnxlet.function.monitoring.readers import MOST_CLASSES

PART_ROWS = 100  # of a large prediction that are kept together: one truth reads so many


class Answer(NamedTuple):
    """Some rows of a prediction."""

    id: str  # of the request that was answered, as `id_of` has it
    first: int  # index of the first row
    model: str  # that answered
    version: int
    kind: str  # what its truths are, `labels` or `numbers`
    body: bytes  # in JSON, lists with an entry for each row, by name; and the `coverage`
    time_s: int  # when it was answered, in seconds since 1970 as far as the machine knew


def id_of(request_id: str, key: str) -> str:
    """The id under which an answer is kept: two keys may choose the same one.

    A request's id has no space. The name of the API key that asked is empty where there was none,
    as before there were keys.
    """
    return f"{request_id} {key}" if key else request_id


def answers_of(prediction: Prediction, time_s: int) -> list[Answer]:
    """A prediction in parts; none where no truth can be compared with it."""
    model = prediction.model
    kind = kind_of(model.manifest)
    if not kind:
        return []
    columns = _columns(prediction, kind)
    kept_as = id_of(prediction.request_id, prediction.key)
    beside = {} if prediction.coverage is None else {"coverage": prediction.coverage}
    return [
        Answer(
            kept_as, first, model.name, model.version, kind,
            json_text.dumps(beside | {k: v[first : first + PART_ROWS] for k, v in columns.items()}),
            time_s,
        )
        for first in range(0, prediction.rows, PART_ROWS)
    ]  # fmt: skip


def _columns(prediction: Prediction, kind: str) -> dict[str, Any]:
    outputs = prediction.outputs
    columns = {name: outputs[name] for name in ("interval", "set") if name in outputs}
    if kind == "numbers":
        return columns | {"prediction": _wide(outputs["prediction"])}
    columns["prediction"] = outputs["prediction"]
    classes = prediction.model.classes or []
    if "probabilities" not in outputs:
        score = {"score": _wide(outputs["score"])} if _has_score(prediction.model) else {}
        return columns | score
    if len(classes) <= MOST_CLASSES:
        return columns | {"probabilities": _wide(outputs["probabilities"])}
    index = {label: number for number, label in enumerate(classes)}
    pairs = zip(outputs["prediction"].tolist(), outputs["probabilities"], strict=True)
    own = [None if row is None else float(row[index[label]]) for label, row in pairs]
    return columns | {"confidence": own}


def _has_score(model: Model) -> bool:
    """Whether there is a score of each class, or one of two; not one of each pair of classes.

    Three classes have as many pairs: only where the build has calibrated them are they of classes.
    """
    classes = len(model.classes or OUTLIER)
    widths = [math.prod(each.shape[1:]) for each in model.signature.outputs if each.name == "score"]
    if classes == 2:
        return widths == [1]
    of_classes = (model.manifest.get("estimate") or {}).get("of") == "score"
    return of_classes and classes <= MOST_CLASSES and widths == [classes]


def _wide(array: Array) -> Any:
    """Numbers with all digits of float64: with those of a float32 they could change their bin."""
    if array.dtype == object:  # some rows were not answered
        return [None if each is None else np.asarray(each, np.float64) for each in array]
    return array.astype(np.float64)


def row_of(columns: Mapping[str, Any], row: int) -> dict[str, Any] | None:
    """What was answered to one row of a part's body, by name; None where it was not answered."""
    predictions = columns["prediction"]
    if row >= len(predictions) or not _is_whole(predictions[row]):
        return None
    found = {name: each[row] for name, each in columns.items() if isinstance(each, list)}
    if "coverage" in columns:
        found["coverage"] = columns["coverage"]
    return {name: value for name, value in found.items() if value is not None}


def _is_whole(prediction: Any) -> bool:
    """Whether nothing of it is missing: what was NaN or infinite is null in JSON."""
    many = isinstance(prediction, list)
    return None not in prediction if many else prediction is not None
