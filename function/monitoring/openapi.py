"""What the document says of `GET /models/N/drift`."""

from __future__ import annotations

from onnxlet.function.openapi import forms
from onnxlet.function.openapi.forms import Endpoint, Operation, Schema

NUMBER: Schema = {"type": "number"}
SHARES: Schema = {
    **forms.listed({"type": "number", "minimum": 0, "maximum": 1}),
    "description": "of the rows in each bin; the last are missing values",
}
SIDE: Schema = {"enum": ["above", "below"]}
TESTED = {"statistic": forms.TEXT, "value": NUMBER, "threshold": NUMBER}
TEST: Schema = forms.record(
    {"sentence": forms.TEXT}, **TESTED, side=SIDE, alarmed={"type": "boolean"}
)
BINNED: Schema = forms.record(
    {
        "column": forms.TEXT,
        "output": forms.TEXT,
        "index": forms.COUNT,
        "edges": forms.listed(NUMBER),
        "categories": {"type": "array", "description": "all others count behind them"},
    },
    measure=forms.TEXT,
    reference=SHARES,
    window=SHARES,
    total=SHARES,
    tests=forms.listed(TEST),
)
ALARM: Schema = forms.record(
    {"output": forms.TEXT, "index": forms.COUNT, "side": SIDE},
    column=forms.TEXT,
    measure=forms.TEXT,
    **TESTED,
    sentence={**forms.TEXT, "description": "the alarm in plain English"},
)
FIGURES: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["number", "null", "object", "array", "string"]},
}
DRIFT: Schema = forms.record(
    model=forms.TEXT,
    version=forms.POSITIVE,
    since={"type": "string", "format": "date-time"},
    rows=forms.COUNT,
    came={**forms.COUNT, "description": "rows, all counted until 250 a second come for long"},
    window=forms.COUNT,
    waiting={
        **forms.or_null(forms.COUNT),
        "description": "rows that are in no figure yet; null where keys that predict read this",
    },
    refused={"type": "object", "additionalProperties": forms.COUNT},
    reference=forms.record(source=forms.TEXT, rows=forms.COUNT, held_out=forms.COUNT),
    alarms=forms.listed(ALARM),
    columns=forms.listed(forms.ref("binned")),
    predictions=forms.listed(forms.ref("binned")),
    estimated=forms.or_null(FIGURES),
    realised=forms.or_null(FIGURES),
    left_out=forms.listed(forms.TEXT),
    unusual=forms.or_null(FIGURES),
)


def operation(endpoint: Endpoint) -> Operation | None:
    """The operation; None where nothing is counted of the model."""
    model = endpoint.model
    if model is None or endpoint.service.watches.of(model) is None:
        return None
    return Operation(
        "What came in and went out, against the reference statistics",
        forms.answered("Counts, tests and alarms.", forms.ref("drift")),
        None,
        [forms.versions(endpoint)],
        (400, 404),
        "Rows are shown in blocks of at least 100.",
    )
