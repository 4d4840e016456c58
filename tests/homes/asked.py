"""A hundred requests: every protocol, several models, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.sources.source import Source
from tests.function.protocols.held_out import Row, columns_of, rows_of
from tests.function.protocols.test_v2 import as_columns, in_bytes, tensor, with_bytes
from tests.function.serving.test_predict import HOUSE, LOAN, SHOP

DEFAULT = "house-prices"  # the model of requests that name none
ROWS = 4
LIST = list(HOUSE.values())
WRONG = [{**SHOP, "count": 3.5, "colour": 1}, SHOP, [1, 2], 7, {**SHOP, "色": "紫"}]


class Ask(NamedTuple):
    """One request; its id is fixed, since each answer bears it."""

    method: str
    path: str
    body: bytes | None
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.headers['X-Request-Id']}: {self.method} {self.path}"


class Part(NamedTuple):
    """What makes a request: a body that is no bytes goes as JSON."""

    method: str
    path: str
    body: Any = None
    kind: str = "application/json"
    headers: Mapping[str, str] = {}


def all_asks(sources: Mapping[str, Source], models: Path) -> list[Ask]:
    """All requests; the first ones are the models' golden rows, in the order of the sources.

    Args:
        sources: of the models, by name.
        models: folder of their directories.
    """
    parts = [_golden(name, models) for name in sources]
    for name, source in sources.items():
        parts += _of_a_model(name, source)
    parts += [*INVOCATIONS, *ABOUT, *EXPLANATIONS, *REFUSED]
    return [_ask(part, f"request-{number}") for number, part in enumerate(parts)]


def _ask(part: Part, request_id: str) -> Ask:
    headers = {**part.headers, "X-Request-Id": request_id}
    if part.body is None:
        return Ask(part.method, part.path, None, headers)
    body = part.body if isinstance(part.body, bytes) else json.dumps(part.body).encode()
    return Ask(part.method, part.path, body, {"Content-Type": part.kind, **headers})


def _golden(name: str, models: Path) -> Part:
    golden = json.loads((models / name / "1" / "golden.json").read_text())
    return Part("POST", f"/models/{name}/predict", {"instances": golden["instances"]})


def _of_a_model(name: str, source: Source) -> list[Part]:
    rows = rows_of(source, ROWS)
    lists = [list(row.values()) for row in rows]
    return [
        Part("POST", f"/models/{name}/predict", {"instances": rows}),
        Part("POST", f"/models/{name}/versions/1/predict", lists[:1]),
        Part("POST", f"/models/{name}/predict", _csv(rows), "text/csv"),
        Part("POST", f"/v1/models/{name}:predict", {"instances": rows}),
        Part("POST", f"/v1/models/{name}:predict", {"inputs": columns_of(rows)}),
        Part("POST", f"/v2/models/{name}/infer", {"id": "mine", "inputs": _inputs(source, rows)}),
        _in_binary(name, source, rows),
        Part("GET", f"/models/{name}"),
    ]


def _csv(rows: list[Row]) -> bytes:
    return pd.DataFrame(rows).to_csv(index=False).encode()


def _inputs(source: Source, rows: list[Row]) -> list[dict[str, Any]]:
    if isinstance(source.X_test, pd.DataFrame):
        return as_columns(rows)
    lists = [list(row.values()) for row in rows]
    return [tensor(lists, shape=[len(lists), len(lists[0])])]


def _in_binary(name: str, source: Source, rows: list[Row]) -> Part:
    """Answered in bytes, and asked in them where the model takes one array."""
    form: dict[str, Any] = {"parameters": {"binary_data_output": True}}
    pieces = []
    if isinstance(source.X_test, pd.DataFrame):
        form["inputs"] = as_columns(rows)
    else:
        array = np.array([list(row.values()) for row in rows])
        form["inputs"], pieces = [in_bytes(array, "FP64")], [array.tobytes()]
    body, headers = with_bytes(form, *pieces)
    kind = "application/octet-stream"
    return Part("POST", f"/v2/models/{name}/versions/1/infer", body, kind, headers)


INVOCATIONS = [
    Part("POST", "/invocations", {"dataframe_split": {"columns": list(HOUSE), "data": [LIST]}}),
    Part("POST", "/invocations", {"dataframe_records": [HOUSE, HOUSE]}),
    Part("POST", "/invocations", {"inputs": columns_of([HOUSE, HOUSE])}),
    Part("POST", "/invocations", _csv([HOUSE]), "text/csv"),
    Part("POST", "/predict", [LIST]),
]
ABOUT = [
    Part("GET", path)
    for path in (
        "/", "/openapi.json", "/models", "/v2", "/v2/health/ready", "/v2/models/shop",
        "/v1/models/iris", "/ping", "/version",
    )
]  # fmt: skip
EXPLANATIONS = [
    Part("POST", "/models/house-prices/explain", {"instances": [HOUSE]}),
    Part("POST", "/models/iris/explain", {"instances": [[5.1, 3.5, 1.4, 0.2]]}),
]
REFUSED = [
    Part("POST", "/models/shop/predict", b'{"instances": ['),
    Part("POST", "/models/shop/predict", {"instances": WRONG}),
    Part("POST", "/models/shop/predict?on_error=null", {"instances": WRONG}),
    Part("POST", "/models/loan-default/predict", {"instances": [{**LOAN, "Age": None}]}),
    Part("POST", "/models/shop/predict", b"<row/>", "application/xml"),
    Part("POST", "/models/gone/predict", {"instances": [SHOP]}),
    Part("GET", "/nowhere"),
    Part("GET", "/models/shop/predict"),
    Part("POST", "/v1/models/shop:predict", {"instances": WRONG}),
    Part("POST", "/v2/models/iris/infer", {"inputs": [tensor([1, "x"], shape=[1, 2])]}),
    Part("POST", "/v2/models/iris/versions/9/infer", {"inputs": []}),
    Part("POST", "/invocations", {"dataframe_split": {"columns": [], "data": []}}),
]
