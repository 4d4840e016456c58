"""A model folder as MLflow writes it: the estimator's file, and what stands beside it.

The form is that of MLflow's documentation ("MLflow Models", Storage Format): MLmodel, YAML, says
which file holds the estimator, what columns it takes, and where an example of its input is.
MLflow itself need not be installed.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.errors import SourceFailed, shortened
from onnxlet.convert.progress import Report
from onnxlet.function.errors import WrongUse

FILE = "MLmodel"
PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([\w.!+-]+)")
# scikit-learn: what its file says counts, and is to be had.
NOT_NEEDED = ("mlflow", "mlflow-skinny", "mlflow-tracing", "scikit-learn")
DTYPES = {
    "long": "int64",
    "integer": "int32",
    "double": "float64",
    "float": "float32",
    "boolean": "bool",
    "string": "object",
    "datetime": "datetime64[ns]",
}
OTHERS = (
    "Of the flavours only sklearn is read: save it with mlflow.sklearn.save_model, or give SOURCE "
    "as FILE.py:FUNCTION, which loads it by mlflow and returns (estimator, X_test)."
)
ROWS_HINT = "Add --data FILE, held-out rows as CSV or Parquet; --target COL names their answer."


class MLflowModel(NamedTuple):
    """What a folder says of its model."""

    file: Path  # that holds the estimator
    code: Path | None  # a folder of modules that it needs, or None
    about: Mapping[str, Any]  # MLmodel, as it stands there


def is_mlflow(path: Path) -> bool:
    """Whether a path is a model folder of MLflow's, or the MLmodel file in one."""
    return (path / FILE).is_file() or (path.name == FILE and path.is_file())


def read_mlflow(path: Path, report: Report) -> MLflowModel:
    """Read MLmodel, and compare the folder's requirements with what is installed.

    Raises:
        WrongUse: PyYAML is not installed.
        SourceFailed: it is no MLmodel, of another flavour, or names a file outside.
    """
    folder = path if path.is_dir() else path.parent
    about = _parsed(folder / FILE)
    flavours = about.get("flavors")
    flavour = flavours.get("sklearn") if isinstance(flavours, dict) else None
    if not isinstance(flavour, dict) or not isinstance(flavour.get("pickled_model"), str):
        names = ", ".join(map(str, flavours)) if isinstance(flavours, dict) else "none"
        hint = OTHERS
        if isinstance(flavours, dict) and isinstance(flavours.get("onnx"), dict):
            graph = flavours["onnx"].get("data")
            graph = graph if isinstance(graph, str) else "model.onnx"
            hint = f"'import {folder / graph}' takes it."
        raise SourceFailed(f"'{folder / FILE}' has the flavours {names}: expected sklearn", hint)
    code = flavour.get("code")
    for differs in _differing(folder / "requirements.txt"):
        report(f"warning: {differs}")
    return MLflowModel(
        _inside(folder, flavour["pickled_model"]),
        _inside(folder, code) if isinstance(code, str) else None,
        about,
    )


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise WrongUse(f"SOURCE: '{path}' is YAML", "pip install pyyaml") from error
    try:
        about = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SourceFailed(f"'{path}' can't be read: {shortened(error)}") from error
    if not isinstance(about, dict):
        raise SourceFailed(f"'{path}' is no MLmodel: expected names and values")
    return about


def _inside(folder: Path, name: str) -> Path:
    """A path of the folder's own: what leads outside, or is not there, is refused."""
    try:
        whole = (folder / name).resolve()
        is_there = whole.exists()
    except (OSError, ValueError) as error:  # a name that is too long, or none
        message = f"'{folder / FILE}' names what is no file: {shortened(error)}"
        raise SourceFailed(message) from error
    if not whole.is_relative_to(folder.resolve()):
        raise SourceFailed(f"'{folder / FILE}' names '{name}', which is outside the folder")
    if not is_there:
        raise SourceFailed(f"'{folder / FILE}' names '{name}', which is not there")
    return whole


def _differing(path: Path) -> list[str]:
    """What a file of requirements pins to other versions than are installed, in words."""
    if not path.is_file():  # a pipe would be waited for
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    found = []
    for line in lines:
        pinned = PINNED.match(line.strip())
        if pinned is None or pinned[1].lower() in NOT_NEEDED:
            continue
        name, wanted = pinned.groups()
        try:
            got = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found.append(f"the folder requires {name} {wanted}, which is not installed")
        else:
            if got != wanted:
                found.append(
                    f"the folder requires {name} {wanted}, and {got} is installed: it may answer "
                    "differently, or not read the file"
                )
    return found


def example_rows(model: MLflowModel, folder: Path) -> Any:
    """The folder's own example of the model's input, as a DataFrame or an array.

    Raises:
        WrongUse: there is none, or it has no form of rows.
    """
    saved = model.about.get("saved_input_example_info")
    columns = _columns(model.about)
    if not isinstance(saved, dict) or not isinstance(saved.get("artifact_path"), str):
        named = f" It takes {', '.join(columns)}." if columns else ""
        raise WrongUse(
            f"SOURCE: '{folder}' has no input example, and no rows to prove it on",
            f"{ROWS_HINT}{named}",
        )
    path = _inside(folder, saved["artifact_path"])
    try:
        content = json.loads(path.read_bytes())
        rows = _rows(content, str(saved.get("type")), columns)
    except Exception as error:  # whatever pandas raises for what is no table
        raise WrongUse(
            f"SOURCE: the input example '{path}' is no table: {shortened(error)}", ROWS_HINT
        ) from error
    if not len(rows):
        raise WrongUse(f"SOURCE: the input example '{path}' has no rows", ROWS_HINT)
    return rows


def _columns(about: Mapping[str, Any]) -> dict[str, str]:
    """The columns that the signature names, with their types; none for an array."""
    signature = about.get("signature")
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    try:
        listed = json.loads(inputs) if isinstance(inputs, str) else []
        return {str(each["name"]): str(each["type"]) for each in listed if "name" in each}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}


def _rows(content: Any, kind: str, columns: Mapping[str, str]) -> Any:
    if kind == "dataframe":
        if isinstance(content, dict):
            frame = pd.DataFrame(content["data"], columns=content["columns"])
        elif all(isinstance(row, dict) for row in content):
            frame = pd.DataFrame(content)
        else:
            raise ValueError("expected rows by column name")
        kinds = {name: DTYPES.get(columns.get(str(name), "")) for name in frame}
        known = {name: kind for name, kind in kinds.items() if kind is not None}
        return frame.astype(known)
    if isinstance(content, dict) and set(content) == {"inputs"}:
        content = content["inputs"]
    array = np.asarray(content)
    if kind != "ndarray" or array.ndim != 2 or array.dtype == object:
        raise ValueError(f"expected a table, got {kind}")
    return array
