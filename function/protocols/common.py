"""What all protocols have in common: kinds of JSON values, and answers and problems in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from onnxlet.function.arrays import Array
from onnxlet.function.errors import LISTED_PROBLEMS, Problem, UnsupportedMedia
from onnxlet.function.messages import Prediction, Request

IMAGES = ("image/", "multipart/form-data", "application/x-image")  # how their media types begin


def check_charset(request: Request) -> None:
    """Raise UnsupportedMedia for a body in another charset than UTF-8."""
    charset = request.parameters.get("charset", "utf-8").lower() if request.parameters else "utf-8"
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia(f"charset '{charset[:40]}' is not read here", "Send UTF-8.")


def is_list(value: Any) -> bool:
    """Whether a value is a list, or one that `large_json` reads later."""
    return isinstance(value, list) or hasattr(value, "parts")


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if is_list(value):
        return "a list"
    names = {dict: "an object", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def answer(prediction: Prediction) -> dict[str, Any]:
    """The native answer: one entry per row in each output, NumPy arrays to be written as lists.

    With several outputs `classes` has a list for each, and so has each row of `probabilities`.
    """
    model, outputs = prediction.model, prediction.outputs
    form: dict[str, Any] = {"model": model.name, "version": model.version}
    form["prediction"] = outputs["prediction"]
    if model.classes is not None:
        form["classes"] = model.classes
    form |= outputs
    if "probabilities" in outputs and model.classes and isinstance(model.classes[0], list):
        form["probabilities"] = _by_output(outputs["probabilities"], model.classes)
    return form | unanswered(prediction)


def unanswered(prediction: Prediction) -> dict[str, Any]:
    """Why some rows were not answered, as members beside the answer; none where all were."""
    problems = prediction.problems
    if not problems:
        return {}
    return {"errors": located(problems[:LISTED_PROBLEMS]), "error_count": prediction.problem_count}


def _by_output(probabilities: Array, classes: Sequence[Sequence[Any]]) -> list[list[Array] | None]:
    """Split the probabilities of several outputs: `probabilities[row][output][class]`."""
    ends = list(accumulate(map(len, classes)))
    spans = list(zip([0, *ends], ends, strict=False))
    return [
        None if row is None else [row[start:end] for start, end in spans] for row in probabilities
    ]


def located(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems with their rows and columns, as members of an answer."""
    return [
        {
            "row": each.row,
            "column": None if each.column is None else unicode(each.column),
            "detail": unicode(each.detail),
        }
        for each in problems
    ]


def unicode(text: str) -> str:
    """Escape the lone surrogates that a client's text may have, which UTF-8 can't encode."""
    return text.encode("utf-8", "backslashreplace").decode()
