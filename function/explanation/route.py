"""`POST /models/N/explain`: what a request may ask for, and the form of the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, Overloaded, RequestTooLarge, quoted
from onnxlet.function.explanation.background import Background, background
from onnxlet.function.explanation.budget import Budget
from onnxlet.function.explanation.explain import Explained, Wish, explain
from onnxlet.function.explanation.target import Target
from onnxlet.function.explanation.value_function import TableGame
from onnxlet.function.messages import Call, Reply, Request, json_reply
from onnxlet.function.protocols import native
from onnxlet.function.serving import service

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

MOST_ROWS = 100
MOST_SECONDS = 20.0
MOST_PERMUTATIONS = 100_000
MOST_SEED = 2**63 - 1
AT_ONCE = 3  # each may take seconds, and of a server's four threads one is for predictions
ROOM = threading.BoundedSemaphore(AT_ONCE)


def answer(
    serving: service.Service, request: Request, name: str | None = None, version: str | None = None
) -> Reply:
    """Explain the answers to a request's rows.

    Raises:
        RequestError: the client's mistakes, or a model without a background.
        ModelError: the model's background is gone or altered.
    """
    if not ROOM.acquire(blocking=False):
        raise Overloaded(
            f"{AT_ONCE} explanations are being computed, as many as are at once", "Try again."
        )
    try:
        return _answer(serving, request, name, version)
    finally:
        ROOM.release()


def _answer(
    serving: service.Service, request: Request, name: str | None, version: str | None
) -> Reply:
    call, model = serving.decoded(lambda: decode(request), service.Stages(), name, version)
    wish: Wish = call.options
    budget = Budget(min(wish.seconds, serving.settings.max_seconds / 2))
    most = min(MOST_ROWS, serving.settings.max_rows)
    if len(call.rows) > most:
        raise RequestTooLarge(
            f"expected at most {most} rows to explain, got {len(call.rows)}",
            "Send them in several requests.",
        )
    rows = background(model)
    table = service.read(model, call)
    explained = explain(model, rows, table, wish, budget)
    notes = {"model": model.name, "version": model.version, "rows": table.rows}
    return json_reply(form(model, rows, explained))._replace(notes=notes)


def decode(request: Request) -> Call:
    """Read a native request that may say how it wants its answers explained, in its options.

    Raises:
        UnsupportedMedia, MalformedRequest, InvalidRows: as for predictions.
        MalformedRequest: a member beside the instances is not what it should be.
    """
    if native.wants_nulls(request.query):
        raise MalformedRequest("'on_error': rows are explained together, or refused")
    if request.media_type not in ("application/json", "") or not request.body:
        return native.decode(request)._replace(options=Wish())
    native.check_text(request)
    body = json_text.loads(request.body, native.LISTS)
    if not isinstance(body, dict):
        return native.from_object(body)._replace(options=Wish())
    told = {key: body.pop(key) for key in READ if key in body}
    call = native.from_object(body, members=(*native.MEMBERS, *READ))
    try:
        return call._replace(options=Wish(**{key: READ[key](key, told[key]) for key in told}))
    except MalformedRequest as error:
        error.model = call.model
        raise


def _seconds(key: str, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= MOST_SECONDS:
        raise MalformedRequest(
            f"'{key}': expected a number above 0, at most {MOST_SECONDS:g}, got {quoted(value)}"
        )
    return float(value)


def _whole(least: int, most: int) -> Callable[[str, Any], int]:
    def read(key: str, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # 3.0 is a whole number here, too
        if type(value) is not int or not least <= value <= most:
            raise MalformedRequest(
                f"'{key}': expected a whole number from {least} to {most}, got {quoted(value)}"
            )
        return value

    return read


def _name(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedRequest(f"'{key}': expected a name, got {quoted(value)}")
    return value


def _list(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedRequest(f"'{key}': expected a list, got {quoted(value)}")
    return value


READ: Mapping[str, Callable[[str, Any], Any]] = {
    "seconds": _seconds,
    "permutations": _whole(2, MOST_PERMUTATIONS),
    "seed": _whole(0, MOST_SEED),
    "output": _name,
    "classes": _list,
}


def form(model: Model, rows: Background, explained: Explained) -> dict[str, Any]:
    """The answer."""
    about = explained.target
    told: dict[str, Any] = {"model": model.name, "version": model.version}
    told["method"] = "permutation" if explained.permutations else "exact"
    told["background"] = {"source": rows.source, "rows": rows.table.rows}
    told["output"] = about.output
    if about.classes is not None:
        told["classes"] = about.classes
    told["base_value"] = about.form(explained.base.tolist())
    told["evaluations"] = len(explained.end) + sum(game.evaluations for game in explained.games)
    if explained.permutations:
        told["permutations"] = explained.permutations
    told["explanations"] = list(_explanations(model, explained))
    return told


def _explanations(model: Model, explained: Explained) -> Iterator[dict[str, Any]]:
    about = explained.target
    predictions = explained.outputs["prediction"].tolist()
    errors: Sequence[Array | None] = explained.errors or [None] * len(explained.games)
    for game, values, spread in zip(explained.games, explained.values, errors, strict=True):
        for place, row in enumerate(game.numbers):
            told = {
                "prediction": predictions[row],
                "answer": about.form(explained.end[row].tolist()),
                "contributions": _by_column(model, game, about, values[place]),
            }
            if spread is not None:
                told["errors"] = _by_column(model, game, about, spread[place])
            if game.texts:
                told["tokens"] = _by_token(model, game, about, values[place])
            yield told


def _by_column(model: Model, game: TableGame, about: Target, values: Array) -> dict[str, Any]:
    """The players' and spans' numbers under their columns' names; a dropped column has none."""
    nothing = np.zeros(values.shape[1])
    players = {
        column.name: game.columns[block, place]
        for block, each in enumerate(model.signature.blocks)
        for place, column in enumerate(each.columns)
    }
    return {
        column.name: about.form(
            (values[players[column.name]] if column.name in players else nothing).tolist()
        )
        for column in model.signature.columns
    }


def _by_token(model: Model, game: TableGame, about: Target, values: Array) -> dict[str, Any]:
    told = {}
    for ((block, place), pieces), (first, _) in zip(game.texts.items(), game.spans, strict=True):
        text = "".join(pieces.parts)
        told[model.signature.blocks[block].columns[place].name] = [
            {
                "token": text[start:end],
                "start": start,
                "end": end,
                "contribution": about.form(values[first + number].tolist()),
            }
            for number, (start, end) in enumerate(pieces.spans)
        ]
    return told
