"""What the protocols have in common: kinds of JSON values, forms of requests and of answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from onnxlet.function import json_text
from onnxlet.function.arrays import Array, LateOutputs
from onnxlet.function.errors import (
    LISTED_PROBLEMS,
    InvalidRows,
    MalformedRequest,
    Problem,
    RequestTooLarge,
    UnsupportedMedia,
)
from onnxlet.function.inputs import json_body
from onnxlet.function.inputs.columns import Encoded
from onnxlet.function.messages import Failure, Prediction, PredictRequest, Request
from onnxlet.function.numpy_later import is_array, np

if TYPE_CHECKING:
    from onnxlet.function.inputs.parts import Change, Faults

UNUSUAL = "unusual"  # what is beside outputs where rows were compared with training rows
PREDICTION, ALL = ("prediction",), ("all",)  # outputs that a request asks for
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
    if isinstance(outputs, LateOutputs):
        outputs = {name: cells.written() for name, cells in outputs.cells.items()}
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
    spans = list(pairwise([0, *accumulate(map(len, classes))]))
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


def read_object(
    body: bytes,
    hint: str,
    lists: frozenset[tuple[str, ...]] = frozenset(),
    members: frozenset[tuple[str, ...]] = frozenset(),
) -> dict[str, Any]:
    """A JSON body that is an object; the hint says what to send.

    Long lists at these paths are read later, and long objects. Raises MalformedRequest where it is
    empty, no JSON, or no object.
    """
    if not body:
        raise MalformedRequest("the body is empty", hint)
    value = json_body.read(body, lists, members)
    if not isinstance(value, dict):
        raise MalformedRequest(f"expected an object, got {kind(value)}", hint)
    return value


def only_one(
    body: Mapping[str, Any], kinds: Sequence[str], others: Sequence[str], hint: str
) -> str:
    """The one of `kinds` that a body has; its other members have to be among `others`.

    Raises MalformedRequest where it has none of them, several, or one that is not known.
    """
    found = [name for name in kinds if name in body]
    unknown = sorted(name for name in body if name not in kinds and name not in others)
    if len(found) != 1:
        got = ", ".join(found) or f"an object with {sorted(body)[:8]}"
        raise MalformedRequest(f"expected exactly one of {', '.join(kinds)}, got {got}", hint)
    if unknown:
        raise MalformedRequest(
            f"unknown members {unknown[:8]} beside '{found[0]}'",
            f"The members of a request are {', '.join([*kinds, *others])}.",
        )
    return found[0]


def by_row(value: Any, name: str, hint: str) -> PredictRequest:
    """Instances as a list; where they are bare values, these are the only column's.

    Raises MalformedRequest where they are no list.
    """
    if not is_list(value):
        raise MalformedRequest(f"'{name}': expected a list of rows, got {kind(value)}", hint)
    return changed(PredictRequest(value), _as_rows)


def changed(decoded: PredictRequest, change: Change) -> PredictRequest:
    """The same request with other rows: what `change` makes of them, some at a time if read so."""
    if hasattr(decoded.rows, "then"):
        return decoded._replace(rows=decoded.rows.then(change))
    rows, faults = change(list(decoded.rows))
    every = {**(decoded.faults or {}), **faults} if faults else decoded.faults
    return decoded._replace(rows=rows, faults=every)


def _as_rows(values: Sequence[Any]) -> tuple[Sequence[Any], Faults]:
    if set(map(type, values)) <= {list, dict}:
        return values, {}
    return [row if isinstance(row, list | dict) else [row] for row in values], {}


def by_column(value: Any, check_rows: Callable[[int], None] = lambda rows: None) -> PredictRequest:
    """Columns by name, each a list with a value (or a list of one value) for every row.

    A single one may have a list for every row: the rows of a model fitted on an array. Long ones
    are still to be read. Raises InvalidRows where a column is no list, or they differ in length;
    RequestTooLarge where there are too many rows, as `check_rows` has it, or columns.
    """
    columns = value if isinstance(value, dict) else _gathered(value, check_rows)
    names = list(columns)
    problems = [
        Problem(None, name, f"expected a list with a value for each row, got {kind(cells)}")
        for name, cells in columns.items()
        if not (is_list(cells) or is_array(cells))
    ]
    if problems or not columns:
        raise InvalidRows(problems or [Problem(None, None, "no columns: expected at least one")])
    rows = len(columns[names[0]])
    if wrong := [name for name in names if len(columns[name]) != rows]:
        expected = f"expected {rows} values as in column '{names[0]}', got"
        raise InvalidRows([Problem(None, n, f"{expected} {len(columns[n])}") for n in wrong])
    check_rows(rows)
    if len(names) == 1:
        [cells] = columns.values()
        cells = cells.tolist() if is_array(cells) else cells
        return changed(
            PredictRequest(cells, names=names),
            lambda some: ([cell if isinstance(cell, list) else [cell] for cell in some], {}),
        )
    if not isinstance(value, dict):
        from onnxlet.function.inputs.parts import compact, rows_of

        read = (list(c) if hasattr(c, "parts") else c for c in columns.values())
        return PredictRequest(rows_of([compact(_flat(cells)) for cells in read]), names=names)
    together = zip(*map(_flat, columns.values()), strict=True)
    return PredictRequest(list(map(list, together)), names=names)


def _gathered(members: Any, check_rows: Callable[[int], None]) -> dict[str, Any]:
    """The columns of a long object, each in as few bytes as hold it."""
    from onnxlet.function.inputs.large_json import MOST_VALUES
    from onnxlet.function.inputs.parts import compact

    columns: dict[str, Any] = {}
    for some in members.objects():
        for name, cells in some.items():
            if is_list(cells):
                check_rows(len(cells))
            # One that is still unread may be the only one, and then has rows, not a column.
            columns[name] = compact(_flat(cells)) if isinstance(cells, list) else cells
        if len(columns) > MOST_VALUES:
            raise RequestTooLarge(f"the body has more than {MOST_VALUES} columns")
    return columns


def _flat(cells: Any) -> Any:
    """A column of shape (rows, 1) as one of shape (rows,); one that is flat stays as it is."""
    if not len(cells) or type(cells[0]) is not list:
        return cells
    return [
        c[0] if type(c) is list and len(c) == 1 and type(c[0]) is not list else c for c in cells
    ]


def with_text(decoded: PredictRequest) -> PredictRequest:
    """Values that are `{"b64": ...}` as the UTF-8 text in them, or as the bytes of an image."""
    return changed(decoded._replace(faults=decoded.faults or {}), _with_texts)


def _with_texts(values: Sequence[Any]) -> tuple[Sequence[Any], Faults]:
    rows, faults = [], dict[int, str]()
    for number, row in enumerate(values):
        try:
            rows.append(_with_text(row))
        except ValueError as error:
            rows.append(row)
            faults[number] = str(error)
    return rows, faults


def _with_text(row: Any) -> Any:
    if _is_base64(row):
        return [_decoded(row["b64"])]
    if isinstance(row, dict):
        return {k: _decoded(v["b64"]) if _is_base64(v) else v for k, v in row.items()}
    return [_decoded(v["b64"]) if _is_base64(v) else v for v in row]


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _decoded(text: str) -> str:
    """The text in the base64, or an `Encoded` where no column of images could have it as text."""
    try:
        content = base64.b64decode(text, validate=True)
        return content.decode() if b"\0" not in content else Encoded(text)
    except UnicodeDecodeError:
        return Encoded(text)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"'b64': expected base64 of UTF-8 text, got {text[:40]!r}") from error


def requested_outputs(value: Any) -> tuple[str, ...]:
    """The outputs that a request asks for, by name: `all`, names with commas, or a list of them.

    Raises MalformedRequest where it is none of these.
    """
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise MalformedRequest("'outputs': expected all, or names of outputs")
    return tuple(name.strip() for name in names)


def chosen(prediction: Prediction, requested: tuple[str, ...]) -> dict[str, Any]:
    """The outputs asked for, by name, in the native form; and what options of the request bring.

    Raises MalformedRequest where the model has no such output.
    """
    brings = prediction.coverage is not None or prediction.unusual is not None
    if not brings and requested == PREDICTION:
        return {"prediction": answer(prediction)["prediction"]}
    names = [output.name for output in prediction.model.signature.outputs]
    if brings:
        more = [name for name in prediction.outputs if name not in names]
        names += more
        requested += () if requested == ALL else tuple(n for n in more if n not in requested)
    if unknown := [name for name in requested if name not in names and requested != ALL]:
        raise MalformedRequest(
            f"'outputs': model '{prediction.model.name}' has no {unknown[0][:100]!r}",
            f"Ask for all, or for some of {', '.join(names)}.",
        )
    whole = answer(prediction)
    return {name: whole[name] for name in (names if requested == ALL else requested)}


def as_texts(prediction: Prediction) -> Mapping[str, Array]:
    """The outputs for a form without objects: boxes, and what is unusual, are JSON texts.

    That of an ordinary row is empty.
    """
    outputs = prediction.outputs
    if prediction.unusual is not None and UNUSUAL in outputs:
        found = ["" if row is None else json_text.dumps(row).decode() for row in outputs[UNUSUAL]]
        outputs = {**outputs, UNUSUAL: np.array(found, dtype=object)}
    names = [each.name for each in prediction.model.signature.outputs if each.type == "boxes"]
    if not names:
        return outputs
    from onnxlet.function.outputs import boxes  # few models answer boxes

    return {**outputs, **{name: boxes.as_texts(outputs[name]) for name in names}}


def in_rows(outputs: Mapping[str, Any], prediction: Prediction) -> Any:
    """A list with an entry for each row; an object of several outputs, null where it has none."""
    if len(outputs) == 1:
        return next(iter(outputs.values()))
    unanswered = {problem.row for problem in prediction.problems}
    return [
        None if number in unanswered else dict(zip(outputs, row, strict=True))
        for number, row in enumerate(zip(*outputs.values(), strict=True))
    ]


def beside(outputs: Mapping[str, Any], prediction: Prediction) -> dict[str, Any]:
    """Further members of an answer: the classes of its probabilities, the rows not answered."""
    form: dict[str, Any] = {}
    if "probabilities" in outputs and prediction.model.classes is not None:
        form["classes"] = prediction.model.classes
    return form | unanswered(prediction)


def message(failure: Failure, others: str = "more", hint: str = " ({})") -> str:
    """An error as one text: every problem that is listed, how many others, and what to do."""
    text = "; ".join(map(str, failure.problems)) or failure.detail
    if more := failure.error_count - len(failure.problems):
        text += f"; and {more} {others}"
    return unicode(text + hint.format(failure.hint) * bool(failure.hint))
