"""One prediction, whichever way and in whatever dialect it came: choose, decode, validate, run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, MalformedRequest, RequestTooLarge
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.tensors import count_rows, read_tensors
from onnxlet.function.inputs.validation import LeftOut, Table, read_table
from onnxlet.function.messages import Call, Prediction, Route
from onnxlet.function.models.model import Model
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring.metrics import Meter
from onnxlet.function.monitoring.model_stats import Counts
from onnxlet.function.serving.in_flight import Flight
from onnxlet.function.settings import Settings

Observe = Callable[[Prediction], None]
Written = TypeVar("Written")


class Stages(dict[str, float]):
    """Milliseconds of each stage of a request, for its line in the log.

    Attributes:
        model: which one was chosen, or None as long as none is.
        rows: how many were answered, with those that were answered by null.
    """

    def __init__(self) -> None:
        self.model: Model | None = None
        self.rows = 0
        self._since = time.perf_counter()

    @property
    def chosen(self) -> dict[str, Any]:
        """The model's members of the log line; none as long as none is chosen."""
        return {"model": self.model.name, "version": self.model.version} if self.model else {}

    def mark(self, stage: str) -> None:
        """The stage has ended, and the next begins."""
        now = time.perf_counter()
        self[stage] = int((now - self._since) * 1e6) / 1e3  # to microseconds; round is slow
        self._since = now


@dataclass(frozen=True)
class Service:
    """What answering needs."""

    settings: Settings
    repository: Repository
    observe: Observe | None = None
    flight: Flight = field(default_factory=lambda: Flight(Settings.max_in_flight))
    meter: Meter | None = None
    counts: Counts = field(default_factory=Counts)
    routes: Sequence[Route] = ()  # further ones, of whoever serves this

    def answer(
        self,
        decode: Callable[[], Call],
        encode: Callable[[Prediction, Call], Written],
        request_id: str,
        stages: Stages,
        name: str | None = None,
        version: str | None = None,
    ) -> Written:
        """Answer a request, and count it; HTTP, direct invocations and queues all come here.

        Args:
            decode: reads the request; not asked where the path's model is not there.
            encode: writes the answer.
            request_id: the id that the answer bears.
            stages: gets the model, the rows, and how long each stage took.
            name: of the model, from the path; it goes before the body's.
            version: the same.

        Raises:
            RequestError: the client's mistakes.
        """
        start = time.perf_counter_ns()
        try:
            call, model = self.decoded(decode, stages, name, version)
            prediction = self.predict(call, model, request_id, stages)
            written = encode(prediction, call)
        except Exception:
            if stages.model is not None:
                took = time.perf_counter_ns() - start
                self.counts.refused(stages.model.name, stages.model.version, took)
            raise
        stages.mark("encode")
        stages.rows = prediction.rows
        if self.observe is not None:
            self.observe(prediction)
        self.counts.answered(model.name, model.version, prediction.rows, stages)
        return written

    def decoded(
        self,
        decode: Callable[[], Call],
        stages: Stages,
        name: str | None = None,
        version: str | None = None,
    ) -> tuple[Call, Model]:
        """A request's call and the model that it means: the path's goes before the body's.

        A model that is not there is the answer whatever else is wrong: the path's is looked for
        before the body is read, and the body's although its rows can't be.

        Raises:
            UnknownModel: it is not there.
            RequestError: as `decode` raises.
        """
        model = None
        if name is not None:
            model = stages.model = self.repository.choose(name, version)
        try:
            call = decode()
        except MalformedRequest as error:
            if model is None and error.model is not None:
                stages.model = self.repository.choose(error.model)
            raise
        if model is None:
            model = stages.model = self.repository.choose(call.model)
        stages.mark("decode")
        return call, model

    def predict(self, call: Call, model: Model, request_id: str, stages: Stages) -> Prediction:
        """Validate a call's rows and run them, within the limits.

        Raises:
            RequestTooLarge, InvalidRows, TookTooLong: the client's mistakes.
        """
        _check_size(call, model.signature, self.settings.max_rows)
        return answer(model, call, stages, request_id)


def _check_size(call: Call, signature: Signature, most: int) -> None:
    rows = len(call.rows) if call.tensors is None else count_rows(call.tensors, signature)
    if rows > most:
        raise RequestTooLarge(
            f"expected at most {most} rows, got {rows}", "Send them in several requests."
        )


def answer(
    model: Model, call: Call, stages: Stages | None = None, request_id: str = ""
) -> Prediction:
    """Validate a call's rows and run them; what golden rows are replayed through, too.

    Raises:
        InvalidRows: with every problem, located.
    """
    stages = Stages() if stages is None else stages
    if call.nulls:
        return _answer_the_good(model, call, stages, request_id)
    table = read(model, call)
    stages.mark("validate")
    outputs = model.run(table)
    stages.mark("run")
    return Prediction(request_id, model, table, outputs, table.rows)


def read(model: Model, call: Call, left_out: LeftOut | None = None) -> Table:
    """A call's rows as the arrays of a model's signature.

    Args:
        model: which has it.
        call: rows or tensors.
        left_out: takes the rows that are wrong, and why; None has them refused.

    Raises:
        InvalidRows: with every problem, located.
    """
    signature = model.signature
    if call.tensors is not None:
        return read_tensors(call.tensors, signature)
    if not call.text and call.names is None:
        return read_table(call.rows, signature, call.faults, left_out=left_out)
    if call.text and call.names is not None:
        from onnxlet.function.inputs import csv_text

        csv_text.check_header(call.names, signature)
    return read_table(call.rows, signature, call.faults, partial(_prepared, call, model), left_out)


def _prepared(
    call: Call, model: Model, rows: Sequence[Any], faults: Mapping[int, str]
) -> tuple[Sequence[Any], Mapping[int, str]]:
    """Some rows with their values typed and named as the signature has it."""
    if call.text:
        from onnxlet.function.inputs import csv_text

        rows = csv_text.typed(rows, call.names, model.signature.columns)
    if call.names is None:
        return rows, faults
    return _in_order(rows, list(call.names), model.signature, faults)


def _in_order(
    rows: Sequence[Any], names: list[str], signature: Signature, faults: Mapping[int, str]
) -> tuple[Sequence[Any], Mapping[int, str]]:
    """Lists whose values are named: as they are in signature order, else objects by name."""
    order = [column.name for column in signature.columns]
    if names in (order, [signature.whole]):
        return rows, faults
    width = len(names)
    expected = f"expected a list of {width} values, one for each named column"
    unlike = {
        n: expected for n, row in enumerate(rows) if type(row) is not list or len(row) != width
    }
    if not unlike and width > 1 and sorted(names) == sorted(order):
        place = {name: number for number, name in enumerate(names)}
        arrange = itemgetter(*map(place.__getitem__, order))
        return list(map(list, map(arrange, rows))), faults
    found = [
        row if n in unlike else dict(zip(names, row, strict=True)) for n, row in enumerate(rows)
    ]
    return found, {**unlike, **faults}


def _answer_the_good(model: Model, call: Call, stages: Stages, request_id: str) -> Prediction:
    """Leave out the rows that can't be answered, and say why."""
    rows, left_out = len(call.rows), LeftOut()
    table, outputs = read(model, call, left_out), dict[str, Array]()
    kept, problems, count = left_out.kept, left_out.problems.first, left_out.problems.count
    while table.rows:
        try:
            outputs = model.run(table)
            break
        except InvalidRows as error:  # raised for by the model itself
            bad = {each.row for each in error.every}
            problems += [each._replace(row=kept[each.row or 0]) for each in error.every]
            count += len(error.every)
            good = [place for place in range(table.rows) if place not in bad]
            kept = [kept[place] for place in good]
            table = Table(len(good), [array[good] for array in table.arrays])
    stages.mark("run")
    if not problems:
        return Prediction(request_id, model, table, outputs, rows)
    spread = {
        output.name: _spread(outputs.get(output.name), kept, rows)
        for output in model.signature.outputs
    }
    problems.sort(key=lambda problem: problem.row or 0)
    return Prediction(request_id, model, table, spread, rows, problems, count)


def _spread(answered: Array | None, kept: Sequence[int], rows: int) -> Array:
    """Answers at their rows' places, None in the others.

    They stay NumPy's own, so that a float32 is written with as few digits as it is otherwise.
    """
    whole = np.full(rows, None, dtype=object)
    if answered is not None:
        for row, entry in zip(kept, answered, strict=True):
            whole[row] = entry
    return whole
