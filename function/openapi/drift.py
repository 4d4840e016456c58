"""What the document says of `GET /models/N/drift`."""

from __future__ import annotations

from onnxlet.function.openapi.forms import (
    COUNT,
    POSITIVE,
    TEXT,
    Endpoint,
    Operation,
    Schema,
    answered,
    listed,
    or_null,
    record,
    ref,
    versions,
)

NUMBER: Schema = {"type": "number"}
SHARES: Schema = {
    **listed({"type": "number", "minimum": 0, "maximum": 1}),
    "description": "of the rows in each bin; the last are missing values",
}
TEST: Schema = record(
    {
        "statistic": TEXT,
        "value": NUMBER,
        "threshold": NUMBER,
        "side": {"enum": ["above", "below"]},
        "alarmed": {"type": "boolean"},
    }
)
BINNED: Schema = record(
    {
        "measure": TEXT,
        "reference": SHARES,
        "window": SHARES,
        "total": SHARES,
        "tests": listed(TEST),
    },
    {
        "column": TEXT,
        "output": TEXT,
        "index": COUNT,
        "edges": listed(NUMBER),
        "categories": {"type": "array", "description": "all others count behind them"},
    },
)
ALARM: Schema = record(
    {"column": TEXT, "measure": TEXT, "statistic": TEXT, "value": NUMBER, "threshold": NUMBER},
    {"output": TEXT, "index": COUNT, "side": {"enum": ["above", "below"]}},
)
FIGURES: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["number", "null", "object", "array", "string"]},
}
DRIFT: Schema = record(
    {
        "model": TEXT,
        "version": POSITIVE,
        "since": {"type": "string", "format": "date-time"},
        "rows": COUNT,
        "window": COUNT,
        "refused": {"type": "object", "additionalProperties": COUNT},
        "reference": record({"source": TEXT, "rows": COUNT, "held_out": COUNT}),
        "alarms": listed(ALARM),
        "columns": listed(ref("binned")),
        "predictions": listed(ref("binned")),
        "estimated": or_null(FIGURES),
        "realised": or_null(FIGURES),
        "left_out": listed(TEXT),
    }
)


def operation(endpoint: Endpoint) -> Operation | None:
    """The operation; None where nothing is counted of the model."""
    model = endpoint.model
    if model is None or endpoint.service.watches.of(model) is None:
        return None
    return Operation(
        "What came in and went out, against the reference statistics",
        answered("Counts, tests and alarms.", ref("drift")),
        None,
        [versions(endpoint)],
        (404,),
        "Rows are shown in blocks of at least 100.",
    )
