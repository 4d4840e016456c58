"""MLflow's and SageMaker's part of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.function.models.example import example_instance
from onnxlet.function.openapi import v1, wishes
from onnxlet.function.openapi.forms import (
    POSITIVE,
    TEXT,
    Endpoint,
    Operation,
    Part,
    Schema,
    answered,
    body,
    closed,
    content,
    information,
    listed,
    one_of,
    or_null,
    parameter,
    record,
    ref,
)
from onnxlet.function.openapi.native import ON_ERROR, csv, images
from onnxlet.function.protocols.invocations import ATTRIBUTES, TARGET

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model


def _request(model: Model) -> Schema:
    outputs = {"enum": ["all", *(output.name for output in model.signature.outputs)]}
    known = {"outputs": or_null(outputs), "on_error": or_null(ON_ERROR["schema"])}
    params = closed({}, known | wishes.member(model))
    beside: dict[str, Schema] = {"params": {**params, "type": ["object", "null"]}}
    columns = [column.name for column in model.signature.columns]
    split = closed(
        {"data": listed(ref(f"{model.name}.values"), 1)},
        {"columns": {"enum": [columns, None]}, "index": {"description": "pandas' own, not read"}},
    )
    return one_of(
        closed({"dataframe_split": split}, beside),
        closed({"dataframe_records": listed(ref(f"{model.name}.row"), 1)}, beside),
        closed({"instances": v1.by_row(model)}, beside),
        closed({"inputs": one_of(v1.by_row(model), v1.by_column(model))}, beside),
    )


def _invocations(endpoint: Endpoint) -> Operation:
    models, example_of = endpoint.models, endpoint.shown
    split = {
        "columns": list(example_instance(example_of)),
        "data": [list(example_instance(example_of).values())],
    }
    requests = one_of(*map(_request, models))
    contents = content(requests, {"dataframe_split": split}) | csv(example_of) | images(example_of)
    answers = one_of(*(closed({"predictions": v1.in_rows(model)}, v1.BESIDE) for model in models))
    target = parameter(
        TARGET,
        "the model; not needed where one is the default, or the only one",
        {"enum": [model.name for model in models]},
        "header",
    )
    target |= {"required": endpoint.meant is None, "example": example_of.name}
    attributes = parameter(
        ATTRIBUTES,
        "given back as it is, where it is visible ASCII; coverage=0.9 and k=3 in it are as in the "
        "query",
        TEXT,
        "header",
    )
    asked = [ON_ERROR, v1.outputs_parameter(models), *wishes.parameters(models)]
    return Operation(
        "Predict in MLflow's and SageMaker's forms",
        answered("The prediction of each row; text/csv where it is accepted instead.", answers),
        body(contents),
        [*asked, target, attributes],
        (400, 404, 406, 413, 415),
    )


_ping = information("Is the server ready?", "It is.", record({"ready": {"const": True}}))
LIMITS = record(
    {
        "MaxConcurrentTransforms": POSITIVE,
        "BatchStrategy": {"const": "MULTI_RECORD"},
        "MaxPayloadInMB": POSITIVE,
    }
)
PART = Part(
    "MLflow and SageMaker",
    "As MLflow's scoring server and SageMaker's containers answer.",
    {
        "POST /invocations": _invocations,
        "GET /ping": _ping,
        "GET /health": _ping,
        "GET /version": information(
            "Whose scoring protocol is spoken", "MLflow's version.", TEXT, "text/plain"
        ),
        "GET /execution-parameters": information(
            "What SageMaker's batch transform may send", "Its limits.", LIMITS
        ),
    },
    record({"error_code": TEXT, "message": TEXT}),
)
