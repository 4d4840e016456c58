"""MLflow's and SageMaker's part of the document."""

from __future__ import annotations

from onnxlet.function.models.example import example_instance
from onnxlet.function.models.model import Model
from onnxlet.function.openapi import forms, schemas
from onnxlet.function.openapi.forms import DocumentPart, Endpoint, Operation, Schema
from onnxlet.function.protocols.invocations import ATTRIBUTES, TARGET


def _request(model: Model) -> Schema:
    outputs = {"enum": ["all", *(output.name for output in model.signature.outputs)]}
    known = {
        "outputs": forms.or_null(outputs),
        "on_error": forms.or_null(forms.ON_ERROR["schema"]),
    }
    params = forms.closed(known | forms.option_members(model))
    beside: dict[str, Schema] = {"params": {**params, "type": ["object", "null"]}}
    columns = [column.name for column in model.signature.columns]
    split = forms.closed(
        {"columns": {"enum": [columns, None]}, "index": {"description": "pandas' own, not read"}},
        data=forms.listed(forms.ref(f"{model.name}.values"), 1),
    )
    return forms.one_of(
        forms.closed(beside, dataframe_split=split),
        forms.closed(beside, dataframe_records=forms.listed(forms.ref(f"{model.name}.row"), 1)),
        forms.closed(beside, instances=schemas.by_row(model)),
        forms.closed(beside, inputs=forms.one_of(schemas.by_row(model), schemas.by_column(model))),
    )


def _invocations(endpoint: Endpoint) -> Operation:
    models, example_of = endpoint.models, endpoint.example_model
    split = {
        "columns": list(example_instance(example_of)),
        "data": [list(example_instance(example_of).values())],
    }
    requests = forms.one_of(*map(_request, models))
    contents = (
        forms.content(requests, {"dataframe_split": split})
        | schemas.csv(example_of)
        | schemas.images(example_of)
    )
    answers = forms.one_of(
        *(forms.closed(schemas.BESIDE, predictions=schemas.in_rows(model)) for model in models)
    )
    target = forms.parameter(
        TARGET,
        "the model; not needed where one is the default, or the only one",
        {"enum": [model.name for model in models]},
        "header",
    )
    target |= {"required": endpoint.default is None, "example": example_of.name}
    attributes = forms.parameter(
        ATTRIBUTES,
        "given back as it is, where it is visible ASCII; coverage=0.9 and k=3 in it are as in the "
        "query",
        forms.TEXT,
        "header",
    )
    asked = [forms.ON_ERROR, schemas.outputs_parameter(models), *forms.option_parameters(models)]
    return Operation(
        "Predict in MLflow's and SageMaker's forms",
        forms.answered(
            "The prediction of each row; text/csv where it is accepted instead.", answers
        ),
        forms.body(contents),
        [*asked, target, attributes],
        (400, 404, 406, 413, 415),
    )


_ping = forms.information("Is the server ready?", "It is.", forms.record(ready={"const": True}))
LIMITS = forms.record(
    MaxConcurrentTransforms=forms.POSITIVE,
    BatchStrategy={"const": "MULTI_RECORD"},
    MaxPayloadInMB=forms.POSITIVE,
)
PART = DocumentPart(
    "MLflow and SageMaker",
    "As MLflow's scoring server and SageMaker's containers answer.",
    {
        "POST /invocations": _invocations,
        "GET /ping": _ping,
        "GET /health": _ping,
        "GET /version": forms.information(
            "Whose scoring protocol is spoken", "MLflow's version.", forms.TEXT, "text/plain"
        ),
        "GET /execution-parameters": forms.information(
            "What SageMaker's batch transform may send", "Its limits.", LIMITS
        ),
    },
    forms.record(error_code=forms.TEXT, message=forms.TEXT),
)
