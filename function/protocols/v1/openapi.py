"""Version 1's part of the document: TensorFlow Serving's and KServe's."""

from __future__ import annotations

from collections.abc import Mapping

from onnxlet.function.models.example import example_instance
from onnxlet.function.openapi import forms, schemas
from onnxlet.function.openapi.forms import DocumentPart, Endpoint, Operation, Schema
from onnxlet.function.protocols.v1 import MODEL, VERSION

SIGNATURE: Mapping[str, Schema] = {"signature_name": {"enum": ["serving_default", "", None]}}


def _predict(endpoint: Endpoint) -> Operation:
    model = endpoint.example_model
    beside = {**SIGNATURE, **forms.option_members(model)}
    requests = forms.one_of(
        forms.closed(beside, instances=schemas.by_row(model)),
        forms.closed(beside, inputs=forms.one_of(schemas.by_row(model), schemas.by_column(model))),
    )
    columns = {name: forms.listed(entry) for name, entry in schemas.entries(model).items()}
    outputs = forms.one_of(*columns.values(), forms.closed(columns))
    answers = forms.one_of(
        forms.closed(schemas.BESIDE, predictions=schemas.in_rows(model)),
        forms.closed(schemas.BESIDE, outputs=outputs),
    )
    return Operation(
        f"Predict by {model.name}",
        forms.answered("The prediction of each row; for columns they are called outputs.", answers),
        forms.body(forms.content(requests, {"instances": [example_instance(model)]})),
        [forms.ON_ERROR, schemas.outputs_parameter([model]), *forms.option_parameters([model])],
        (400, 413, 415),
        'A text may be {"b64": ...}, base64 of its UTF-8.',
    )


STATE = forms.record(
    version=forms.TEXT,
    state={"const": "AVAILABLE"},
    status=forms.record(error_code={"const": "OK"}, error_message={"const": ""}),
)
_status = forms.information(
    "Is a model ready?",
    "TensorFlow Serving's and KServe's.",
    forms.record(
        model_version_status=forms.listed(STATE, 1), name=forms.TEXT, ready={"const": True}
    ),
)
SPEC = {"type": "object"}
_metadata = forms.information(
    "Describe a model",
    "TensorFlow Serving's form.",
    forms.record(model_spec=SPEC, metadata=forms.record(signature_def=SPEC)),
)
PART = DocumentPart(
    "V1",
    "As TensorFlow Serving and KServe speak it: rows or columns in, predictions out.",
    {
        "GET /v1/models": forms.information(
            "Name the models",
            "KServe's form.",
            forms.record(models=forms.listed(forms.TEXT, 1)),
        ),
        **{
            f"{method} {path}{rest}": operation
            for path in (MODEL, VERSION)
            for method, rest, operation in (
                ("POST", ":predict", _predict),
                ("GET", "", _status),
                ("GET", "/metadata", _metadata),
            )
        },
    },
    forms.record(error=forms.TEXT),
)
