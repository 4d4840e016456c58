"""`POST /models/N/explain`: what a request may ask for, and the form of the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, Overloaded, RequestTooLarge, quoted
from onnxlet.function.explanation import additive
from onnxlet.function.explanation.background import (
    Background,
    background,
    evaluations,
    has_background,
)
from onnxlet.function.explanation.explain import Explained, ExplainOptions, explain
from onnxlet.function.explanation.shapley import Budget
from onnxlet.function.explanation.target import ExplainedOutput, check_explained
from onnxlet.function.explanation.value_function import TableValueFunction
from onnxlet.function.inputs import json_body
from onnxlet.function.json_text import without_none
from onnxlet.function.messages import PredictRequest, Reply, Request, json_reply
from onnxlet.function.models.model import Model
from onnxlet.function.protocols import native
from onnxlet.function.protocols.shared.request_options import wants_nulls, whole_number
from onnxlet.function.serving.predict import read
from onnxlet.function.serving.service import Service

if TYPE_CHECKING:
    from onnxlet.function.explanation.tiles import Tiles

OCCLUSION = "occlusion"  # the method where there are only the tiles of images
MOST_ROWS = 100  # each is run against every background row, many times
MOST_SECONDS = 20.0
TIME_SHARE = 0.5  # of the request's time, in which further work is begun
MOST_PERMUTATIONS = 100_000
MOST_SEED = 2**63 - 1
EXPLANATIONS_AT_ONCE = (
    3  # each may take seconds, and of a server's four threads one is for predictions
)
NOT_EXPLAINED = {
    "coverage": "'coverage': intervals and sets are not explained",
    "k": "'k': another number of nearest is not explained",
}
PREDICT_HINT = "Ask for them at /models/N/predict."
ROOM = threading.BoundedSemaphore(EXPLANATIONS_AT_ONCE)


def answer(
    service: Service, request: Request, name: str | None = None, version: str | None = None
) -> Reply:
    """Explain the answers to a request's rows.

    Raises RequestError for the client's mistakes, or a model without a background or without
    numbers; ModelError where the model's background is gone or altered.
    """
    if not ROOM.acquire(blocking=False):
        raise Overloaded(
            f"{EXPLANATIONS_AT_ONCE} explanations are being computed, as many as are at once",
            "Try again.",
        )
    try:
        return _answer(service, request, name, version)
    finally:
        ROOM.release()


def _answer(service: Service, request: Request, name: str | None, version: str | None) -> Reply:
    notes: dict[str, Any] = {}
    decoded, model = service.decoded(lambda: decode(request), notes, name, version)
    options: ExplainOptions = decoded.options
    # The least that an explanation takes comes on top of the time.
    in_time = deadline.until(TIME_SHARE)
    budget = Budget(evaluations(model) * options.seconds, in_time)
    most = min(MOST_ROWS, service.settings.max_rows)
    if len(decoded.rows) > most:
        raise RequestTooLarge(
            f"expected at most {most} rows to explain, got {len(decoded.rows)}",
            "Send them in several requests.",
        )
    if additive.wanted(model, options):
        table = read(model, decoded)
        formed = additive.form(model, table, options)
    else:
        check_explained(model, options.output)
        # Where images are, there are tiles to explain without one.
        tiled = bool(model.signature.image_feeds) and not has_background(model)
        rows = None if tiled else background(model)
        table = read(model, decoded)
        formed = form(model, rows, explain(model, rows, table, options, budget))
    notes["rows"] = table.rows
    return json_reply(formed)._replace(notes=notes)


def decode(request: Request) -> PredictRequest:
    """Read a native request that may say how it wants its answers explained, in its options.

    Raises UnsupportedMedia, MalformedRequest and InvalidRows as for predictions, and
    MalformedRequest where a member beside the instances is not what it should be.
    """
    if wants_nulls(request.query):
        raise MalformedRequest("'on_error': rows are explained together, or refused")
    for option, why in NOT_EXPLAINED.items():
        if option in request.query:
            raise MalformedRequest(why, PREDICT_HINT)
    if request.media_type not in ("application/json", "") or not request.body:
        return native.decode(request)._replace(options=ExplainOptions())
    native.check_text(request)
    body = json_body.read(request.body, native.LONG_LISTS)
    if not isinstance(body, dict):
        return native.from_object(body)._replace(options=ExplainOptions())
    given = {key: body.pop(key) for key in READ if key in body}
    decoded = native.from_object(body, members=(*native.MEMBERS, *READ))
    try:
        for option, why in NOT_EXPLAINED.items():
            if getattr(decoded, option) is not None:
                raise MalformedRequest(why, PREDICT_HINT)
        return decoded._replace(
            options=ExplainOptions(**{key: READ[key](key, given[key]) for key in given})
        )
    except MalformedRequest as error:
        error.model = decoded.model
        raise


def _seconds(key: str, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= MOST_SECONDS:
        raise MalformedRequest(
            f"'{key}': expected a number above 0, at most {MOST_SECONDS:g}, got {quoted(value)}"
        )
    return float(value)


def _of_type(key: str, value: Any, kind: type, words: str) -> Any:
    if not isinstance(value, kind):
        raise MalformedRequest(f"'{key}': expected {words}, got {quoted(value)}")
    return value


READ: Mapping[str, Callable[[str, Any], Any]] = {
    "seconds": _seconds,
    "permutations": partial(whole_number, least=2, most=MOST_PERMUTATIONS),
    "seed": partial(whole_number, least=0, most=MOST_SEED),
    "output": partial(_of_type, kind=str, words="a name"),
    "classes": partial(_of_type, kind=list, words="a list"),
}


def form(model: Model, rows: Background | None, explained: Explained) -> dict[str, Any]:
    """The answer: contributions of columns, and of the tokens of texts and tiles of images."""
    about, base = explained.target, explained.base
    method = "permutation" if explained.permutations else "exact"
    of_functions = sum(function.evaluations for function in explained.functions)
    of_tiles = sum(len(each.gains) * each.gains.shape[1] for each in explained.tiles.values())
    return without_none(
        {
            "model": model.name,
            "version": model.version,
            "method": OCCLUSION if rows is None else method,
            "background": rows and {"source": rows.source, "rows": rows.table.rows},
            "output": about.output,
            "classes": about.classes,
            "base_value": None if base is None else about.form(base.tolist()),
            "evaluations": len(explained.end) + of_functions + of_tiles,
            "permutations": explained.permutations or None,
            "cut_short": explained.cut_short or None,
            "explanations": _explanations(model, explained),
        }
    )


def _explanations(model: Model, explained: Explained) -> list[dict[str, Any]]:
    about = explained.target
    predictions = explained.outputs["prediction"].tolist()
    answers = about.forms(explained.end.tolist())
    entries: list[dict[str, Any]] = [
        {"prediction": prediction, "answer": answer}
        for prediction, answer in zip(predictions, answers, strict=True)
    ]
    errors: Sequence[Array | None] = explained.errors or [None] * len(explained.functions)
    for function, values, spread in zip(explained.functions, explained.values, errors, strict=True):
        for position, row in enumerate(function.numbers):
            entry = entries[row]
            entry["contributions"] = _by_column(model, function, about, values[position])
            if spread is not None:
                entry["errors"] = _by_column(model, function, about, spread[position])
            if function.texts:
                entry["tokens"] = _by_token(model, function, about, values[position])
    for row, entry in enumerate(entries if explained.tiles else ()):
        entry["tiles"] = {
            column: _by_tile(about, tiles, row) for column, tiles in explained.tiles.items()
        }
    return entries


def _by_column(
    model: Model, function: TableValueFunction, about: ExplainedOutput, values: Array
) -> dict[str, Any]:
    """The players' and spans' numbers under their columns' names; a dropped column has none."""
    blocks = model.signature.blocks
    players = {blocks[block].columns[at].name: n for (block, at), n in function.columns.items()}
    *forms, nothing = about.forms([*values.tolist(), [0.0] * values.shape[1]])
    found = {}
    for column in model.signature.columns:
        player = players.get(column.name)
        found[column.name] = nothing if player is None else forms[player]
    return found


def _by_token(
    model: Model, function: TableValueFunction, about: ExplainedOutput, values: Array
) -> dict[str, Any]:
    tokens = {}
    for ((block, position), pieces), (first, _) in zip(
        function.texts.items(), function.spans, strict=True
    ):
        text = "".join(pieces.parts)
        tokens[model.signature.blocks[block].columns[position].name] = [
            {
                "token": text[start:end],
                "start": start,
                "end": end,
                "contribution": about.form(values[first + number].tolist()),
            }
            for number, (start, end) in enumerate(pieces.spans)
        ]
    return tokens


def _by_tile(about: ExplainedOutput, tiles: Tiles, row: int) -> dict[str, Any]:
    numbers = [about.form(each) for each in tiles.gains[row].tolist()]
    grid = [
        numbers[first : first + tiles.columns] for first in range(0, len(numbers), tiles.columns)
    ]
    return {"rows": tiles.rows, "columns": tiles.columns, "contributions": grid}
