"""Version 2's `inputs`: each entry's form is checked, and all faults are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onnxlet.function.errors import RequestTooLarge
from onnxlet.function.messages import Tensor
from onnxlet.function.protocols.shared.forms import is_list
from onnxlet.function.protocols.v2.tensors import (
    DATATYPES,
    Fault,
    Tail,
    brief,
    columns_from_json,
    from_json,
    shape_of,
)

PLAIN = {"name", "shape", "datatype", "data"}
FORM = "an object with name, shape, datatype and data"
MOST_INPUTS = 2**16  # each takes a dictionary, and is sent in a few bytes
FEW_COLUMNS = 3  # so many columns are read as fast one by one
# MLServer's hints that change nothing here: the signature says what is an array, a frame, a text.
PLAIN_CONTENT = ("np", "pd", "str", "raw")


def read_inputs(
    entries: Any,
    tail: Tail,
    faults: list[str],
    check_rows: Callable[[int], None] = lambda rows: None,
) -> dict[str, Tensor]:
    """The tensors by name; `faults` takes what is wrong with each entry of `inputs`.

    The tail is the bytes behind the JSON header. `check_rows` refuses a batch by the number of its
    rows, before these are read. Raises RequestTooLarge where an input has too many rows, or there
    are too many inputs.
    """
    if not is_list(entries) or not len(entries):
        expected = f"a list of at least one tensor ({FORM})"
        faults.append(f"'inputs': expected {expected}, got {brief(entries)}")
        return {}
    if len(entries) > MOST_INPUTS:
        raise RequestTooLarge(f"expected at most {MOST_INPUTS} inputs, got {len(entries)}")
    columns = _columns(entries) if isinstance(entries, list) else None
    if columns is not None and not tail.left:
        return columns
    tensors: dict[str, Tensor] = {}
    for index, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            tail.lose()  # its bytes may stand before those of others
            faults.append(f"inputs[{index}]: expected an object with a 'name'")
        elif name in tensors:
            tail.lose()
            faults.append(f"input '{name[:100]}' is there twice")
        else:
            try:
                tensors[name] = _read_input(entry, tail, check_rows)
            except Fault as fault:
                faults.append(f"input '{name[:100]}': {fault}")
    if tail.left and not faults:
        faults.append(f"{tail.left} bytes are left in the body behind the last binary input")
    return tensors


def _columns(entries: list[Any]) -> dict[str, Tensor] | None:
    """Columns of numbers that are declared alike, read together; None where anything is odd."""
    if len(entries) < FEW_COLUMNS or not all(
        type(e) is dict and e.keys() == PLAIN for e in entries
    ):
        return None
    shapes, kinds = [e["shape"] for e in entries], [e["datatype"] for e in entries]
    if shapes.count(shapes[0]) < len(shapes) or kinds.count(kinds[0]) < len(kinds):
        return None
    names, datatype = [e["name"] for e in entries], kinds[0]
    columns = columns_from_json([e["data"] for e in entries], shapes[0], datatype)
    if columns is None or set(map(type, names)) != {str} or len({"", *names}) <= len(names):
        return None
    return {name: Tensor(column, datatype) for name, column in zip(names, columns, strict=True)}


def _read_input(entry: Mapping[str, Any], tail: Tail, check_rows: Callable[[int], None]) -> Tensor:
    parameters = parameters_of(entry)
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        tail.lose()
        raise Fault(f"'binary_data_size': expected a whole number from 0, got {brief(size)}")
    try:
        shape, datatype = shape_of(entry), _datatype(entry)
        check_content_type(parameters)
        if "shared_memory_region" in parameters:
            raise Fault("shared memory is not read here: send the data in the request")
        if "data" in entry and size is not None:
            raise Fault("it has both 'data' and a 'binary_data_size'")
    except Fault:
        if size is not None:
            tail.take(size)
        raise
    if size is not None:
        if shape[0] <= size:
            check_rows(shape[0])
        return Tensor(tail.array(size, shape, datatype), datatype)
    if "data" not in entry:
        raise Fault("it has no 'data', and no 'binary_data_size' in its 'parameters'")
    data = entry["data"]
    # More rows than values: the shape is wrong, which from_json reports as such.
    if is_list(data) and shape[0] <= len(data):
        check_rows(shape[0])
    return Tensor(from_json(data, shape, datatype), datatype)


def _datatype(entry: Mapping[str, Any]) -> str:
    datatype = entry.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        shown = f"'{datatype[:20]}'" if isinstance(datatype, str) else brief(datatype)
        raise Fault(f"'datatype': expected one of {', '.join(DATATYPES)}, got {shown}")
    return datatype


def parameters_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An entry's `parameters`, which may be lacking; raises Fault where they are no object."""
    parameters = entry.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Fault(f"'parameters': expected an object, got {brief(parameters)}")
    return parameters


def check_content_type(parameters: Mapping[str, Any]) -> None:
    """Ignore a hint of MLServer's that changes nothing; raises Fault for one that does."""
    hint = parameters.get("content_type")
    if hint is not None and hint not in PLAIN_CONTENT:
        shown = f"'{hint[:40]}'" if isinstance(hint, str) else brief(hint)
        raise Fault(
            f"content_type {shown} is not read here: send the values themselves "
            f"(content_type {', '.join(PLAIN_CONTENT)}, or none)"
        )
