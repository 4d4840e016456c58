"""What is kept of a prediction for its truth, and ground truth as it comes in.

That is the answer, and nothing of the rows. A truth has the type of what was predicted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from onnxlet.edge.predictions.performance import OUTLIER
from onnxlet.edge.predictions.readers import MOST_CLASSES
from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import (
    InvalidRows,
    MalformedRequest,
    Overloaded,
    Problem,
    RequestTooLarge,
    quoted,
)
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.estimate import kind_of
from onnxlet.function.numpy_later import np
from onnxlet.function.protocols.shared.forms import kind as kind_in_json
from onnxlet.function.request_log import REQUEST_ID

PART_ROWS = 100  # of a large prediction that are kept together: one truth reads so many
HINT = 'Send {"truth": [{"id": "REQUEST ID", "row": 0, "value": ...}]}.'
ID_FORM = "1 to 128 letters of a to z, A to Z, digits and . _ : / + = -"  # REQUEST_ID's
MEMBERS = {"id", "row", "value"}


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


class TruthFault(Problem):
    """What is wrong with one truth: `row` is the entry's index, and the detail names the entry.

    An entry has a `row` of its own, and a message that says `row 3` would be taken for it.
    """

    __slots__ = ()

    @classmethod
    def of(cls, number: int, entry: Any, why: str) -> TruthFault:
        """The fault of an entry, as JSON has it, at an index: what was expected and what came."""
        name = entry.get("id") if isinstance(entry, dict) else None
        beside = f" (id {quoted(name)})" if isinstance(name, str) else ""
        return cls(number, None, f"entry {number}{beside}: {why}")

    def __str__(self) -> str:
        return self.detail


def fault_of(value: Any, prediction: Any, kind: str) -> str:
    """Why a value can't be the truth of a prediction, both as JSON has them; empty if it can.

    The kind of truths is `labels` or `numbers`.
    """
    expected = _expected(value, prediction, kind)
    if not expected:
        return ""
    got = kind_in_json(value)
    alike = got in ("a number", "a list") and expected.endswith(("number", "numbers"))
    return f"'value': expected {expected}, got {quoted(value) if alike else got}"


def _expected(value: Any, prediction: Any, kind: str) -> str:
    """What a truth has to be; empty where it is that."""
    if isinstance(prediction, list):
        fits = isinstance(value, list) and len(value) == len(prediction)
        fits = fits and all(map(is_number, value))
        return "" if fits else f"a list of {len(prediction)} numbers"
    if isinstance(prediction, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(prediction, str):
        return "" if isinstance(value, str) else "a text"
    if kind == "labels" and isinstance(prediction, int):
        whole = is_number(value) and float(value).is_integer()
        return "" if whole else "a whole number"
    return "" if is_number(value) else "a number"


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a float64 holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def read(body: Any, most: int) -> list[dict[str, Any]]:
    """Check a decoded body of so many entries at most.

    Raises MalformedRequest for another form, RequestTooLarge for too many entries, InvalidRows with
    every invalid entry.
    """
    truths = body.get("truth") if isinstance(body, dict) and set(body) == {"truth"} else None
    if not isinstance(truths, list) or not truths:
        raise MalformedRequest("expected an object with 'truth', a list of at least one", HINT)
    if len(truths) > most:
        raise RequestTooLarge(f"expected at most {most} entries, got {len(truths)}", "Send fewer.")
    problems = [
        TruthFault.of(number, each, why)
        for number, each in enumerate(truths)
        if (why := _fault(each))
    ]
    if problems:
        raise InvalidRows(problems)
    return [
        {"id": each["id"], "row": each.get("row", 0), "value": each["value"]} for each in truths
    ]


def _fault(entry: Any) -> str:
    """What is wrong with one entry; empty if nothing."""
    if not isinstance(entry, dict):
        return f"expected an object, got {kind_in_json(entry)}"
    if not {"id", "value"} <= set(entry) <= MEMBERS:
        return f"expected the members id, row and value, got {sorted(entry)[:8]}"
    if not isinstance(entry["id"], str) or not REQUEST_ID.fullmatch(entry["id"]):
        return f"'id': expected the X-Request-Id that the prediction's answer bore, {ID_FORM}"
    row = entry.get("row", 0)
    if type(row) is not int or not 0 <= row < 2**31:
        return "'row': expected a whole number from 0"
    return ""


def no_disk() -> Overloaded:
    """What is answered where truths can't be written."""
    return Overloaded("the disk takes nothing just now", "Send it again later.")
