"""Version 2's answers: which outputs are asked for, in JSON or as bytes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from onnxlet.function import json_text
from onnxlet.function.arrays import Array, Cells, as_array
from onnxlet.function.errors import MalformedRequest
from onnxlet.function.messages import Prediction, Reply
from onnxlet.function.numpy_later import np
from onnxlet.function.protocols.shared.forms import as_texts, unicode
from onnxlet.function.protocols.v2.inputs import check_content_type, parameters_of
from onnxlet.function.protocols.v2.tensors import BY_TYPE, DATATYPES, HEADER, Fault, brief, to_bytes


@cache
def _datatype_of(dtype: Any) -> str:
    """The datatype of an array's dtype."""
    return next(name for name, known in DATATYPES.items() if np.dtype(known.dtype) == dtype)


# How one output is to be written: as bytes or not; and so many of the likeliest, as text, instead
# of the output itself, 0 for itself.
OutputOptions = tuple[bool, int]


class AnswerOptions(NamedTuple):
    """What a request says about its answer."""

    id: str | None = None  # to be echoed; None where there is none
    binary: bool = False  # outputs that are not asked for by name come as bytes
    # By name, those that are asked for; None asks for all.
    outputs: Mapping[str, OutputOptions] | None = None


def read_answer_options(form: Mapping[str, Any], faults: list[str]) -> AnswerOptions:
    """A request's `id`, `parameters` and `outputs`; `faults` takes what is wrong."""
    try:
        parameters = parameters_of(form)
        check_content_type(parameters)
        binary = _flag(parameters, "binary_data_output", otherwise=False)
    except Fault as fault:
        faults.append(str(fault))
        binary = False
    name, entries = form.get("id"), form.get("outputs")
    if name is not None and not isinstance(name, str):
        faults.append(f"'id': expected a string, got {brief(name)}")
    elif name is not None and unicode(name) != name:
        faults.append("'id': it has a lone surrogate, and could not be echoed")
    if entries is not None and not isinstance(entries, list):
        faults.append(f"'outputs': expected a list, got {brief(entries)}")
    if not isinstance(entries, list) or not entries:
        return AnswerOptions(name, binary)
    outputs: dict[str, OutputOptions] = {}
    for index, entry in enumerate(entries):
        output = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(output, str):
            faults.append(f"outputs[{index}]: expected an object with a 'name'")
        elif output in outputs:
            faults.append(f"output '{output[:100]}' is there twice")
        else:
            try:
                outputs[output] = _output_options(entry, binary)
            except Fault as fault:
                faults.append(f"output '{output[:100]}': {fault}")
    return AnswerOptions(name, binary, outputs)


def _output_options(entry: Mapping[str, Any], binary: bool) -> OutputOptions:
    parameters = parameters_of(entry)
    if "shared_memory_region" in parameters:
        raise Fault("shared memory is not written here: take the data from the answer")
    check_content_type(parameters)
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0:
        raise Fault(f"'classification': expected a whole number from 0, got {brief(classes)}")
    return _flag(parameters, "binary_data", binary), classes


def _flag(parameters: Mapping[str, Any], name: str, otherwise: bool) -> bool:
    flag = parameters.get(name, otherwise)
    if not isinstance(flag, bool):
        raise Fault(f"'{name}': expected true or false, got {brief(flag)}")
    return flag


def reply_of(prediction: Prediction, options: AnswerOptions) -> Reply:
    """The answer, its bytes behind its JSON where any output asks for that.

    Raises MalformedRequest where an output is asked for that the model has not.
    """
    tail: list[bytes] = []
    labels = prediction.model.classes
    form: dict[str, Any] = {
        "model_name": prediction.model.name,
        "model_version": str(prediction.model.version),
    }
    if options.id is not None:
        form["id"] = options.id
    outputs = as_texts(prediction)
    there: Mapping[str, Array | Cells] = getattr(outputs, "cells", outputs)
    asked = options.outputs or dict.fromkeys(there, (options.binary, 0))
    if unknown := [name[:100] for name in asked if name not in there]:
        raise MalformedRequest(f"unknown outputs {unknown[:8]}: there are {', '.join(there)}")
    form["outputs"] = [
        _entry(name, _ranked(name, there[name], labels, classes), labels, tail if binary else None)
        for name, (binary, classes) in asked.items()
    ]
    header = json_text.dumps(form)
    if not tail:
        return Reply(header)
    headers = {HEADER: str(len(header))}
    return Reply(b"".join([header, *tail]), "application/octet-stream", headers=headers)


def _ranked(
    name: str, array: Array | Cells, labels: Sequence[Any] | None, count: int
) -> Array | Cells:
    """Triton's classification: `value:index:label` of each row's largest values, largest first."""
    if not count:
        return array
    array = as_array(array)
    single = array.ndim == 2 and labels is not None and not isinstance(labels[0], list)
    if not single or labels is None or len(labels) != array.shape[1] or array.dtype.kind != "f":
        raise MalformedRequest(f"'{name}' has no value for each class: ask without classification")
    order = np.argsort(-array, axis=1, kind="stable")[:, :count]
    texts = [
        [f"{row[index]:f}:{index}:{labels[index]}" for index in largest]
        for row, largest in zip(array.tolist(), order.tolist(), strict=True)
    ]
    return np.array(texts, dtype=object)


def _entry(
    name: str, array: Array | Cells, classes: Sequence[Any] | None, tail: list[bytes] | None
) -> dict[str, Any]:
    """One output; its bytes are put behind `tail` where there is one."""
    if isinstance(array, Cells):
        datatype, data = BY_TYPE[array.dtype], array.flat() if tail is None else None
    elif array.dtype == object and array.ndim == 1 and len(array) and type(array[0]) is np.ndarray:
        raise MalformedRequest(
            f"'{name}' differs in size from row to row, and is no tensor",
            "Send one row at a time, or as JSON to /models/NAME/predict.",
        )
    else:
        datatype, data = _datatype_of(array.dtype), array.ravel()
    entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
    parameters: dict[str, Any] = {}
    if name == "probabilities" and classes and isinstance(classes[0], list):
        parameters["classes_per_output"] = ",".join(str(len(each)) for each in classes)
    if name == "set" and classes:  # only what a coverage brings has labels and this name
        parameters["classes"] = json_text.dumps(classes).decode()
    if tail is None:
        entry["data"] = data
    elif datatype == "BYTES" and None in as_array(array).ravel().tolist():
        raise MalformedRequest(
            f"'{name}' has a missing text, which binary data has no form for",
            "Ask for it as JSON, 'binary_data': false: it is null there.",
        )
    else:
        tail.append(to_bytes(as_array(array)))
        parameters["binary_data_size"] = len(tail[-1])
    if parameters:
        entry["parameters"] = parameters
    return entry
