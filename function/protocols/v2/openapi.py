"""The Open Inference Protocol's part of the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onnxlet.function.models.example import example_instance
from onnxlet.function.models.model import Model
from onnxlet.function.numpy_later import np
from onnxlet.function.openapi import forms
from onnxlet.function.openapi.forms import DocumentPart, Endpoint, Operation, Schema
from onnxlet.function.protocols.v2.tensors import BY_TYPE, DATATYPES, HEADER

OCTETS = "application/octet-stream"
LENGTH: Schema = forms.parameter(
    HEADER,
    "bytes of the body that are JSON; tensors' bytes follow, in the order of those inputs "
    "that have a binary_data_size. 0: the body is the only input's bytes",
    forms.COUNT,
    "header",
)
PARAMETERS: Schema = {"type": ["object", "null"]}
# Only for reading: an input that is sent is checked more closely than this can say.
OUTPUT: Schema = forms.record(
    {"data": {"type": "array"}, "parameters": {"type": "object"}},
    name=forms.TEXT,
    datatype={"enum": list(DATATYPES)},
    shape=forms.listed(forms.COUNT),
)
METADATA_TENSOR = forms.record(
    name=forms.TEXT,
    datatype={"enum": list(DATATYPES)},
    shape=forms.listed({"type": "integer", "minimum": -1}),
)
TIMES = forms.record(count=forms.COUNT, ns=forms.COUNT)
STATISTICS: Schema = forms.record(
    name=forms.TEXT,
    version=forms.TEXT,
    last_inference={**forms.COUNT, "description": "milliseconds since 1970"},
    inference_count={**forms.COUNT, "description": "rows that were answered"},
    execution_count={**forms.COUNT, "description": "requests that were answered"},
    inference_stats={"type": "object", "additionalProperties": TIMES},
    batch_stats={"type": "array"},
)
SCHEMAS: Mapping[str, Schema] = {
    "v2.model": forms.record(
        {"parameters": {"type": "object"}},
        name=forms.TEXT,
        versions=forms.listed(forms.TEXT, 1),
        platform=forms.TEXT,
        inputs=forms.listed(METADATA_TENSOR),
        outputs=forms.listed(METADATA_TENSOR),
    ),
    "v2.statistics": forms.record(model_stats=forms.listed(STATISTICS)),
    "v2.answer": forms.record(
        {"id": forms.TEXT},
        model_name=forms.TEXT,
        model_version=forms.TEXT,
        outputs=forms.listed(OUTPUT),
    ),
}


def _request(model: Model) -> Schema:
    tensor = forms.record(
        {
            "data": {"type": "array", "description": "flat, or nested in the shape; null: missing"},
            "parameters": PARAMETERS,
        },
        name={"enum": [each.name for each in model.signature.inputs]},
        datatype={"enum": list(DATATYPES)},
        shape={
            **forms.listed(
                forms.COUNT, 1, max(2, *(len(each.shape) for each in model.signature.inputs))
            ),
            "description": "[rows] or [rows, 1] for a column, [rows, …] for an array",
        },
    )
    region = list(forms.brought(model))
    output = forms.record(
        {"parameters": PARAMETERS},
        name={"enum": [each.name for each in model.signature.outputs] + region},
    )
    return forms.record(
        {
            "id": {"type": ["string", "null"]},
            "outputs": {**forms.listed(output), "type": ["array", "null"]},
            "parameters": {**PARAMETERS, "properties": forms.option_members(model)},
        },
        inputs=forms.listed(tensor, 1),
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
    model = endpoint.example_model
    binary = forms.content({"type": "string", "format": "binary"}, None, OCTETS)
    answer = forms.answered(
        "The model's outputs, or those that were asked for.", forms.ref("v2.answer")
    )
    answer["200"]["content"] |= binary
    return Operation(
        f"Predict by {model.name}",
        answer,
        forms.body(forms.content(_request(model), _example(model)), binary),
        [LENGTH, *forms.option_parameters([model])],
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


OPERATIONS: dict[str, Callable[[Endpoint], Operation]] = {
    "GET /v2": forms.information(
        "Describe the server",
        "Its name and what it can do.",
        forms.record(name=forms.TEXT, version=forms.TEXT, extensions=forms.listed(forms.TEXT)),
    ),
    "GET /v2/health/live": forms.information(
        "Is it alive?", "It is.", forms.record(live={"const": True})
    ),
    "GET /v2/health/ready": forms.information(
        "Is it ready?",
        "Models are loaded.",
        forms.record({"reload": forms.TEXT}, ready={"const": True}),
    ),
    "GET /v2/models": forms.information(
        "Name the models", "All.", forms.record(models=forms.listed(forms.TEXT))
    ),
    "GET /v2/models/stats": forms.information(
        "Count", "Of all models.", forms.ref("v2.statistics")
    ),
    "POST /v2/repository/index": forms.information(
        "List models and versions",
        "All.",
        forms.listed(
            forms.record(
                name=forms.TEXT, version=forms.TEXT, state={"const": "READY"}, reason=forms.TEXT
            )
        ),
    ),
    "POST /v2/repository/models/<name>/load": _change,
    "POST /v2/repository/models/<name>/unload": _change,
}
for _rule in ("/v2/models/<name>", "/v2/models/<name>/versions/<version>"):
    OPERATIONS |= {
        f"GET {_rule}": forms.information(
            "Describe a model", "What goes in and comes out.", forms.ref("v2.model")
        ),
        f"GET {_rule}/ready": forms.information(
            "Is a model ready?", "It is.", forms.record(name=forms.TEXT, ready={"const": True})
        ),
        f"GET {_rule}/stats": forms.information(
            "Count", "Requests, rows and time.", forms.ref("v2.statistics")
        ),
        f"POST {_rule}/infer": _infer,
    }
PART = DocumentPart(
    "Open Inference Protocol v2",
    "As KServe, Triton and MLServer speak it: tensors by name, in JSON or binary.",
    OPERATIONS,
    forms.record(error=forms.TEXT),
    schemas=SCHEMAS,
)
