"""The Open Inference Protocol's part of the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxlet.function.models.example import example_instance
from onnxlet.function.openapi import wishes
from onnxlet.function.openapi.forms import (
    COUNT,
    TEXT,
    Endpoint,
    Operation,
    Part,
    Schema,
    answered,
    body,
    content,
    information,
    listed,
    parameter,
    record,
    ref,
)
from onnxlet.function.protocols.v2_binary import HEADER
from onnxlet.function.protocols.v2_tensors import BY_TYPE, DATATYPES

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

OCTETS = "application/octet-stream"
LENGTH: Schema = parameter(
    HEADER,
    "bytes of the body that are JSON; tensors' bytes follow, in the order of those inputs "
    "that have a binary_data_size. 0: the body is the only input's bytes",
    COUNT,
    "header",
)
PARAMETERS: Schema = {"type": ["object", "null"]}
# Only for reading: an input that is sent is checked more closely than this can say.
OUTPUT: Schema = record(
    {"name": TEXT, "datatype": {"enum": list(DATATYPES)}, "shape": listed(COUNT)},
    {"data": {"type": "array"}, "parameters": {"type": "object"}},
)
METADATA_TENSOR = record(
    {
        "name": TEXT,
        "datatype": {"enum": list(DATATYPES)},
        "shape": listed({"type": "integer", "minimum": -1}),
    }
)
TIMES = record({"count": COUNT, "ns": COUNT})
STATISTICS: Schema = record(
    {
        "name": TEXT,
        "version": TEXT,
        "last_inference": {**COUNT, "description": "milliseconds since 1970"},
        "inference_count": {**COUNT, "description": "rows that were answered"},
        "execution_count": {**COUNT, "description": "requests that were answered"},
        "inference_stats": {"type": "object", "additionalProperties": TIMES},
        "batch_stats": {"type": "array"},
    }
)
SCHEMAS: Mapping[str, Schema] = {
    "v2.model": record(
        {
            "name": TEXT,
            "versions": listed(TEXT, 1),
            "platform": TEXT,
            "inputs": listed(METADATA_TENSOR),
            "outputs": listed(METADATA_TENSOR),
        },
        {"parameters": {"type": "object"}},
    ),
    "v2.statistics": record({"model_stats": listed(STATISTICS)}),
    "v2.answer": record(
        {"model_name": TEXT, "model_version": TEXT, "outputs": listed(OUTPUT)}, {"id": TEXT}
    ),
}


def _request(model: Model) -> Schema:
    tensor = record(
        {
            "name": {"enum": [each.name for each in model.signature.inputs]},
            "datatype": {"enum": list(DATATYPES)},
            "shape": {
                **listed(COUNT, 1, max(2, *(len(each.shape) for each in model.signature.inputs))),
                "description": "[rows] or [rows, 1] for a column, [rows, …] for an array",
            },
        },
        {
            "data": {"type": "array", "description": "flat, or nested in the shape; null: missing"},
            "parameters": PARAMETERS,
        },
    )
    region = list(wishes.region(model))
    output = record(
        {"name": {"enum": [each.name for each in model.signature.outputs] + region}},
        {"parameters": PARAMETERS},
    )
    return record(
        {"inputs": listed(tensor, 1)},
        {
            "id": {"type": ["string", "null"]},
            "outputs": {**listed(output), "type": ["array", "null"]},
            "parameters": {**PARAMETERS, "properties": wishes.member(model)},
        },
    )


def _example(model: Model) -> dict[str, Any]:
    row = example_instance(model)
    inputs = []
    for each in model.signature.inputs:
        if not each.required:
            continue
        values = [row[name] for name in each.columns]
        entry = {"name": each.name, "datatype": BY_TYPE[each.type], "shape": [1, *each.shape[1:]]}
        if each.nested:
            entry["shape"] = list(np.shape(values))
        inputs.append({**entry, "data": values})
    return {"inputs": inputs}


def _infer(endpoint: Endpoint) -> Operation:
    model = endpoint.shown
    binary = content({"type": "string", "format": "binary"}, None, OCTETS)
    answer = answered("The model's outputs, or those that were asked for.", ref("v2.answer"))
    answer["200"]["content"] |= binary
    return Operation(
        f"Predict by {model.name}",
        answer,
        body(content(_request(model), _example(model)), binary),
        [LENGTH, *wishes.parameters([model])],
        (400, 413, 415),
        "Every required input has to be there, with as many rows as the others, its data as "
        "long as its shape says.",
    )


def _change(endpoint: Endpoint) -> Operation:
    return Operation(
        "Not done here",
        {},
        refusals=(400,),
        description="Versions are put into the models directory, or taken out.",
    )


INDEX = record({"name": TEXT, "version": TEXT, "state": {"const": "READY"}, "reason": TEXT})
SERVER = record({"name": TEXT, "version": TEXT, "extensions": listed(TEXT)})
READY = record({"name": TEXT, "ready": {"const": True}})
OPERATIONS: dict[str, Callable[[Endpoint], Operation]] = {
    "GET /v2": information("Describe the server", "Its name and what it can do.", SERVER),
    "GET /v2/health/live": information("Is it alive?", "It is.", record({"live": {"const": True}})),
    "GET /v2/health/ready": information(
        "Is it ready?", "Models are loaded.", record({"ready": {"const": True}}, {"reload": TEXT})
    ),
    "GET /v2/models": information("Name the models", "All.", record({"models": listed(TEXT)})),
    "GET /v2/models/stats": information("Count", "Of all models.", ref("v2.statistics")),
    "POST /v2/repository/index": information("List models and versions", "All.", listed(INDEX)),
    "POST /v2/repository/models/<name>/load": _change,
    "POST /v2/repository/models/<name>/unload": _change,
}
for _rule in ("/v2/models/<name>", "/v2/models/<name>/versions/<version>"):
    OPERATIONS |= {
        f"GET {_rule}": information(
            "Describe a model", "What goes in and comes out.", ref("v2.model")
        ),
        f"GET {_rule}/ready": information("Is a model ready?", "It is.", READY),
        f"GET {_rule}/stats": information(
            "Count", "Requests, rows and time.", ref("v2.statistics")
        ),
        f"POST {_rule}/infer": _infer,
    }
PART = Part(
    "Open Inference Protocol v2",
    "As KServe, Triton and MLServer speak it: tensors by name, in JSON or binary.",
    OPERATIONS,
    record({"error": TEXT}),
    schemas=SCHEMAS,
)
