"""Graphs made by hand are imported, and what is then served is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from onnxlet.convert.build import Built
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.convert.helpers import quiet
from tests.convert.imported.onnx_files import save, save_arrays

Rows = Path | Mapping[str, Any] | None


def imported(
    folder: Path,
    proto: onnx.ModelProto | Path,
    shapes: Sequence[str] = (),
    *,
    sample: Rows = None,
    expected: Rows = None,
    say: Callable[[str], object] = quiet,
    **options: Any,
) -> Built:
    """Import a graph; `sample` and `expected` are files, or arrays by name."""
    folder.mkdir(exist_ok=True)
    path = proto if isinstance(proto, Path) else save(folder, proto)
    for name, given in (("sample", sample), ("expected", expected)):
        if isinstance(given, Mapping):
            given = save_arrays(folder / f"{name}.npz", **given)
        options[name] = given
    return import_onnx(path, "net", folder / "models", say, shapes=shapes, **options)


def client_of(where: Built | Path) -> Any:
    """A client of what was built, or of all models beside it in a folder."""
    models = where / "models" if isinstance(where, Path) else where.directory.parent.parent
    return create_app(models, settings=Settings(models=models)).test_client()


def ask(where: Any, instances: Any) -> Any:
    """The answer to a request; or its status and errors.

    Args:
        where: a client, or what `client_of` takes.
        instances: the rows.
    """
    client = client_of(where) if isinstance(where, Path | Built) else where
    got = client.post("/predict", json={"instances": instances})
    return got.get_json() if got.status_code == 200 else (got.status_code, got.get_json()["errors"])


def json_forms(columns: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, Any]]:
    """The path and the body of a request for the same rows, in every form of JSON."""
    names, rows = list(columns), [list(row) for row in zip(*columns.values(), strict=True)]
    named = [dict(zip(names, row, strict=True)) for row in rows]
    v1, mlflow = "/v1/models/net:predict", "/invocations"
    split = {"columns": names[::-1], "data": [row[::-1] for row in rows]}
    return {
        "native, lists": ("/predict", {"instances": rows}),
        "native, objects": ("/predict", {"instances": named}),
        "V1, lists": (v1, {"instances": rows}),
        "V1, objects": (v1, {"instances": named}),
        "V1, by column": (v1, {"inputs": columns}),
        "MLflow, records": (mlflow, {"dataframe_records": named}),
        "MLflow, split": (mlflow, {"dataframe_split": split}),
        "MLflow, inputs": (mlflow, {"inputs": columns}),
    }


def predicted(client: Any, path: str, body: Any) -> Any:
    """The predictions for each row, under the protocol's name for them."""
    got = client.post(path, json=body)
    assert got.status_code == 200, got.get_data()
    answer = got.get_json()
    [found] = [answer[key] for key in ("prediction", "predictions", "outputs") if key in answer]
    return found
