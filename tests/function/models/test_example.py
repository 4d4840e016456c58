"""Made-up rows: usual values that the model takes, and nobody's."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.example import example_instance, typical_values
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.openapi.schemas import column_schema


def altered(models: Path, statistics: dict[str, Any], **bounds: Any) -> Model:
    """`shop` with other statistics, and with bounds of its column `count`."""
    folder = models / "shop" / "1"
    manifest = copy.deepcopy(json.loads((folder / "manifest.json").read_bytes()))
    manifest["statistics"]["columns"] = statistics
    [count] = [each for each in manifest["signature"]["inputs"] if each["name"] == "count"]
    count |= bounds
    return Model("shop", 1, manifest, (folder / "model.onnx").read_bytes())


def test_medians_and_the_most_frequent_values(models: Path) -> None:
    known = {
        "Preis (€)": {"median": 9.5, "quantiles": [1, 5, 9.5, 12, 20], "maximum": 99, "mean": 9},
        "count": {"median": 4},
        "new": {"frequent": [[True, 60], [False, 40]]},
        "色": {"frequent": [["蓝", 50], ["红", 20]]},
        "note": {"frequent": [["a", 9]]},
    }
    model = altered(models, known)

    assert example_instance(model) == {"Preis (€)": 9.5, "count": 4, "new": True, "色": "蓝"}
    assert typical_values(model) == {
        "Preis (€)": {"median": 9.5, "quantiles": [1, 5, 9.5, 12, 20]},
        "count": {"median": 4},
        "new": {"frequent": [True, False]},
        "色": {"frequent": ["蓝", "红"]},
    }


def test_no_value_that_the_model_refuses(models: Path) -> None:
    unseen = {"色": {"frequent": [["黑", 50], ["绿", 20]]}, "count": {"median": 4}}

    assert example_instance(altered(models, unseen, minimum=5))["count"] == 5
    assert example_instance(altered(models, unseen, maximum=3))["count"] == 3
    assert example_instance(altered(models, unseen))["色"] == "绿"
    assert example_instance(altered(models, {"色": {"frequent": [["黑", 50]]}}))["色"] == "红"


def test_without_statistics(models: Path) -> None:
    model = altered(models, {})

    assert example_instance(model) == {"Preis (€)": 0, "count": 0, "new": False, "色": "红"}
    assert typical_values(model) == {name: {} for name in example_instance(model)}


@pytest.mark.parametrize(
    ("column", "about", "schema"),
    [
        (
            Column("x", "float64", nullable=True, minimum=-1.5, maximum=2.5),
            {"median": 0.5},
            {
                "type": ["number", "null"],
                "format": "double",
                "minimum": -1.5,
                "maximum": 2.5,
                "examples": [0.5],
            },
        ),
        (
            Column("x", "int64", minimum=0),
            {},
            {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**63 - 1},
        ),
        (Column("x", "bool", nullable=True), {}, {"type": ["boolean", "null"]}),
        (
            Column("x", "string"),
            {"frequent": ["a", "b"]},
            {"type": "string", "maxLength": 100_000, "examples": ["a", "b"]},
        ),
        (
            Column("x", "string", nullable=True, categories=("a", "b")),
            {"frequent": ["a"]},
            {"enum": ["a", "b", None]},
        ),
        (Column("x", "int64", categories=(1, 2)), {"median": 1}, {"enum": [1, 2]}),
    ],
    ids=["numbers", "whole numbers", "booleans", "texts", "closed texts", "closed numbers"],
)
def test_a_column_as_a_schema(
    column: Column, about: dict[str, Any], schema: dict[str, Any]
) -> None:
    assert column_schema(column, about) == schema


def test_a_few_ratings_leave_something_to_recommend(near: Path) -> None:
    model = load_model(near / "films" / "1")
    row = example_instance(model)

    assert [value is None for value in row.values()] == [False] * 3 + [True] * 9
    [items] = model.run(validate_rows([row], model.signature))["prediction"]
    assert all(isinstance(item, str) for item in items)
