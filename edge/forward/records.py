"""What is kept of a prediction: the answer, and as much of its inputs as is set."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.edge.settings.device import Inputs
from onnxlet.function import json_text
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.messages import Prediction
from onnxlet.function.numpy_later import np
from onnxlet.function.protocols.shared import forms

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(NamedTuple):
    """The time, on a machine whose wall clock may be wrong."""

    boot: str  # an id that changes with each boot of the machine
    # Nanoseconds since some moment of this boot; never goes backwards.
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    time_ns: Callable[[], int] = time.time_ns  # nanoseconds since 1970, by the wall clock


def this_boot() -> str:
    """The kernel's id of this boot; where it has none (macOS), a new one for this process."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        import uuid

        return str(uuid.uuid4())


class Record(NamedTuple):
    """A prediction or its ground truth, to be kept."""

    kind: str  # `prediction` or `truth`
    id: str  # of the request that was answered
    body: bytes  # an object in JSON
    monotonic_ns: int  # when it happened, in this boot
    time_ns: int  # the same, by the wall clock
    again: bool = False  # the request may have been answered before; it is kept once


def record(kind: str, request_id: str, form: Any, clock: Clock, again: bool = False) -> Record:
    """Make a record with the current time."""
    body = json_text.dumps(form)
    return Record(kind, request_id, body, clock.monotonic_ns(), clock.time_ns(), again)


def form_of(prediction: Prediction, inputs: Inputs, secret: bytes) -> dict[str, Any]:
    """The native answer with the request's id and key, and what is to be kept of the rows.

    That is nothing, a hash of each row by the secret, or each row as an object by column name. The
    problems of refused rows are left out, since they quote the rows.
    """
    form: dict[str, Any] = {"id": prediction.request_id, "rows": prediction.rows}
    if prediction.key:
        form["key"] = prediction.key
    form |= forms.answer(prediction._replace(problems=()))
    refused = {problem.row for problem in prediction.problems}
    if refused:
        form["refused"] = sorted(row for row in refused if row is not None)
    if inputs != "none":
        rows: Sequence[Any] = instances(prediction)
        if inputs == "hash":
            rows = [hmac.digest(secret, json_text.dumps(row), "sha256").hex() for row in rows]
        rest = iter(rows)
        name = "instances" if inputs == "all" else "hashes"
        form[name] = [None if n in refused else next(rest) for n in range(prediction.rows)]
    return form


def instances(prediction: Prediction) -> list[dict[str, Any]]:
    """The answered rows as objects by column name, in the signature's order."""
    signature = prediction.model.signature
    held = [column.name for block in signature.blocks for column in block.columns]
    order = [column.name for column in signature.columns if column.name in set(held)]
    lists = [array.tolist() for array in prediction.table.arrays]
    found = []
    for parts in zip(*lists, strict=True):
        cells = dict(zip(held, map(_cell, chain.from_iterable(parts)), strict=True))
        found.append({name: cells[name] for name in order})
    return found


def _cell(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()  # a nested list
    return None if value == MISSING_TEXT else value
