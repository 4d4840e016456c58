"""The same request in every protocol, and the member in which each reports an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TYPES = {float: "FP64", int: "INT64", bool: "BOOL", str: "BYTES"}
ERRORS = {"native": "detail", "csv": "detail", "v1": "error", "v2": "error", "mlflow": "message"}
JSON = "application/json"


def request(protocol: str, model: str, row: Mapping[str, Any]) -> tuple[str, Any, str]:
    """One row as a path, a body and its media type."""
    if protocol == "v1":
        return f"/v1/models/{model}:predict", {"instances": [row]}, JSON
    if protocol == "v2":
        inputs = [
            {"name": name, "shape": [1], "datatype": TYPES[type(cell)], "data": [cell]}
            for name, cell in row.items()
        ]
        return f"/v2/models/{model}/infer", {"inputs": inputs}, JSON
    if protocol == "mlflow":
        return "/invocations", {"dataframe_records": [row]}, JSON
    if protocol == "csv":
        lines = [",".join(row), ",".join(str(cell) for cell in row.values())]
        return f"/models/{model}/predict", "\n".join(lines).encode(), "text/csv"
    return f"/models/{model}/predict", {"instances": [row]}, JSON
