"""The ways of typing a model's inputs that are tried, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from onnxlet.convert.graph.converter import Precision
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.inputs.columns import Column

TOO_NARROW = "scikit-learn answers numbers beyond"  # begins every float32_refusal
Layout = Literal["matrix", "columns"]


@dataclass(frozen=True)
class Recipe:
    """One way of typing the inputs."""

    precision: Precision  # of all numbers that go in
    layout: Layout  # one matrix, or one for each type of column
    cast: bool = False  # what skl2onnx converts is given float32, all else is computed in float64

    def __str__(self) -> str:
        last = ", skl2onnx's steps in float32" if self.cast else ""
        return f"{self.precision} {self.layout}{last}"


def recipes(columns: Sequence[Column]) -> Iterator[Recipe]:
    """All recipes in the order of trying: the smaller first, and few tensors before many."""
    numbers = [column for column in columns if column.required and column.type != "string"]
    texts = len(numbers) < sum(column.required for column in columns)
    ways: tuple[tuple[Precision, bool], ...] = (
        ("float32", False), ("float64", False), ("float64", True)
    )  # fmt: skip
    for precision, cast in ways:
        if numbers and not texts:
            yield Recipe(precision, "matrix", cast)
        yield Recipe(precision, "columns", cast)


def float32_refusal(columns: Sequence[Column], recipe: Recipe) -> str | None:
    """Why a float32 model could not answer all that scikit-learn answers; None where it could."""
    wide = [
        column.name
        for column in columns
        if column.required
        and column.type == "float64"
        and column.categories is None
        and not _is_single(column)
    ]
    if recipe.precision == "float64" or not wide:
        return None
    some = ", ".join(f"'{name}'" for name in wide[:3]) + (", …" if len(wide) > 3 else "")
    return f"{TOO_NARROW} {3.4e38:g}, the largest of float32, in {some}"


def _is_single(column: Column) -> bool:
    """scikit-learn itself answers no number that float32 can't hold."""
    bounds = (column.minimum, column.maximum)
    return all(bound is not None and abs(bound) <= LARGEST_FLOAT32 for bound in bounds)
