"""What each kind of learner is given of the columns: numbers, in forms that convert exactly.

Every form answers missing and unseen values: imputed, a category of their own, or left to the
learner. None of them learns of validation rows: targets are encoded out of fold.
"""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.compose import ColumnTransformer

from onnxlet.convert.train.kinds.category import CATEGORY, ENCODED
from onnxlet.convert.train.kinds.kind import Part, Wanted
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.registry import FEATURES, KINDS, columns_encoded_as


def linear_columns(columns: Sequence[TableColumn], wanted: Wanted) -> ColumnTransformer:
    """For linear models, perceptrons and neighbours: scaled numbers, and a column a category."""
    return ColumnTransformer(_parts("linear", columns, wanted))


def tree_columns(columns: Sequence[TableColumn], wanted: Wanted) -> ColumnTransformer:
    """For trees: numbers as they are, categories one-hot where few, else by their target."""
    return ColumnTransformer(_parts("trees", columns, wanted), sparse_threshold=0.0)


def native_columns(
    columns: Sequence[TableColumn], wanted: Wanted
) -> tuple[ColumnTransformer, list[str]]:
    """For learners of categories: a frame in which these are whole numbers; and their names."""
    made = ColumnTransformer(_parts("native", columns, wanted), sparse_threshold=0.0)
    names = [f"{ENCODED}__{one.name}" for one in columns_encoded_as(columns, CATEGORY)]
    return made.set_output(transform="pandas"), names


def _parts(learner: str, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
    """Of the kinds that there are columns of, in the order in which the learner has them."""
    groups = [(kind, columns_encoded_as(columns, kind)) for kind in FEATURES[learner]]
    parts = [p for kind, some in groups if some for p in getattr(kind, learner)(some, wanted)]
    return [part for part in parts if part[2]]


def are_native(columns: Sequence[TableColumn]) -> bool:
    """Whether all columns have a form for learners of categories."""
    return all(KINDS[one.kind].encoded_as in FEATURES["native"] for one in columns if one.used)


def width_of(columns: Sequence[TableColumn]) -> int:
    """About so many columns a linear model has, without those of texts."""
    return sum(KINDS[one.kind].encoded_as.width(one) for one in columns if one.used)


def variance_of(columns: Sequence[TableColumn]) -> float:
    """About that of all columns of a linear model together, without those of texts."""
    return sum(KINDS[one.kind].encoded_as.variance(one) for one in columns if one.used)
