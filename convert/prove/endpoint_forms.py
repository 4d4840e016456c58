"""The bodies of the protocols that an endpoint may speak, and what its answers hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from onnxlet.convert.prove.subject import Given, SubjectFailed
from onnxlet.convert.prove.tensors import Feed, Tensor, feeds_of
from onnxlet.convert.reference.inputs import Cells, InputColumn

Body = Callable[[Sequence[Cells]], Any]
V2 = re.compile(r"(.*/v2/models/[^/]+(?:/versions/[^/]+)?)(?:/infer)?")
V1 = re.compile(r"(.*/v1/models/[^/:]+(?:/versions/[^/:]+)?)(?::predict)?")
TYPES = {"BYTES": "string", "BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64"}
MOST_INPUTS = 10_000
MOST_OUTPUTS = 1000  # of one row, where each has an object of them
MOST_SIZES = 8  # of a tensor's shape
WHOLE_SECONDS = len("2026-03-25T14:30:00")


@dataclass(frozen=True)
class Form:
    """Where and how rows are sent."""

    path: str  # with its query
    ways: Sequence[Body]  # of writing rows, the likeliest first
    feeds: Sequence[Feed] = ()  # of v2
    columns: Sequence[InputColumn] = ()

    @property
    def single(self) -> bool:
        """Whether all its tensors of numbers are float32."""
        floats = [f.tensor.type for f in self.feeds if f.tensor.type.startswith("float")]
        return bool(floats) and all(each == "float32" for each in floats)

    def unasked(self, row: Cells) -> str:
        """Why its tensors can't hold a row; '' where they can."""
        return next((why for feed in self.feeds if (why := feed.unasked(row, self.columns))), "")


def form_of(path: str, query: str, given: Given, get: Callable[[str], Any]) -> Form | None:
    """The form that a path says; None where it says none. `get` asks the server for metadata."""
    names, frame = [c.name for c in given.columns], given.reference.inputs.frame
    dates = [column.date is not None for column in given.columns]

    def objects(rows: Sequence[Cells]) -> Any:
        return [dict(zip(names, row, strict=True)) for row in rows]

    def split(rows: Sequence[Cells]) -> Any:
        cells = [zip(row, dates, strict=True) for row in rows]
        data = [[_in_microseconds(c) if is_date else c for c, is_date in row] for row in cells]
        return {"dataframe_split": {"columns": names, "data": data}}

    def instances(rows: Sequence[Cells]) -> Any:
        return {"instances": rows}

    named: list[Body] = [lambda rows: {"instances": objects(rows)}, instances]
    if found := V2.fullmatch(path):
        tensors = _tensors(get(found[1]))
        feeds = feeds_of(tensors, given)
        ways: list[Body] = [lambda rows: _of_v2(feeds, rows)]
        return Form(f"{found[1]}/infer{query}", ways, feeds, given.columns)
    if found := V1.fullmatch(path):
        return Form(f"{found[1]}:predict{query}", named if frame else named[::-1])
    if path.endswith("/invocations"):
        ways = [split, lambda rows: {"inputs": rows}, instances]
        return Form(path + query, ways if frame else [ways[1], ways[0], ways[2]])
    return Form(path + query, named) if path.endswith("/predict") else None


def _in_microseconds(date: Any) -> Any:
    """A date in the one form that pandas reads of a whole column, where some have fractions."""
    return f"{date}.000000" if date is not None and len(date) == WHOLE_SECONDS else date


def _tensors(metadata: Any) -> list[Tensor]:
    """The inputs that v2's metadata declare."""
    try:
        listed = metadata["inputs"][:MOST_INPUTS]
        optional = set(metadata.get("parameters", {}).get("optional_inputs", ()))
        return [
            Tensor(
                str(each["name"]),
                TYPES.get(each["datatype"], str(each["datatype"]).lower()),
                tuple(size if size > 0 else None for size in map(int, each["shape"])),
            )
            for each in listed
            if each["name"] not in optional
        ]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        why = "its metadata have no inputs with name, datatype and shape"
        raise SubjectFailed(why, "Is it a server of the Open Inference Protocol v2?") from error


def _of_v2(feeds: Sequence[Feed], rows: Sequence[Cells]) -> Any:
    datatypes = {kind: name for name, kind in TYPES.items()}
    made = []
    for feed in feeds:
        kind, array = feed.tensor.type, feed.array(rows)
        data: list[Any] = array.ravel().tolist()
        made.append(
            {
                "name": feed.tensor.name,
                "shape": list(array.shape),
                "datatype": datatypes.get(kind, kind.upper()),
                "data": [None if each != each else each for each in data],
            }
        )
    return {"inputs": made}


def lists_by_output(answer: Any, rows: int) -> dict[str, list[Any]]:
    """The outputs of an answer by name, with an entry for each row; {} where there are none."""
    if isinstance(answer, list):
        answer = {"predictions": answer}
    if not isinstance(answer, Mapping):
        return {}
    if isinstance(tensors := answer.get("outputs"), list):
        return dict(filter(None, (_tensor(each, rows) for each in tensors)))
    listed = {**answer, **(tensors if isinstance(tensors, Mapping) else {})}
    found = {
        str(name): value
        for name, value in listed.items()
        if isinstance(value, list) and len(value) == rows and name not in ("classes", "errors")
    }
    for name, value in list(found.items()):  # an object for each row, with its outputs by name
        if all(isinstance(each, Mapping) and "prediction" in each for each in value):
            del found[name]
            keys = islice(value[0], MOST_OUTPUTS)
            found |= {str(key): [each.get(key) for each in value] for key in keys}
    return found


def _tensor(output: Any, rows: int) -> tuple[str, list[Any]] | None:
    """An output of v2 by name; None where its data are not of its shape."""
    try:
        name, shape, array = output["name"], output["shape"], np.array(output["data"], dtype=object)
        fits = shape[0] == rows and len(shape) <= MOST_SIZES
        fits = fits and all(type(size) is int and 1 <= size <= array.size for size in shape)
        if fits and math.prod(shape) == array.size:  # an empty tensor may be of any size
            return str(name), array.reshape(shape).tolist()
    except (LookupError, TypeError, ValueError):
        pass
    return None
