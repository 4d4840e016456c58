"""What each kind of learner is given of the columns: numbers, in forms that convert exactly.

Every form answers missing and unseen values: imputed, a category of their own, or left to the
learner. None of them learns of validation rows: targets are encoded out of fold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from onnxlet.convert.estimators.bounded_svd import BoundedSVD
from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.estimators.date_parts import DateParts
from onnxlet.convert.estimators.images import Images
from onnxlet.convert.estimators.pair_arithmetic import PairArithmetic
from onnxlet.convert.graph.responses import RELEASE
from onnxlet.convert.train.kinds.image_files import KIND as IMAGE
from onnxlet.convert.train.kinds.image_files import RESIZE, form_named
from onnxlet.function.arrays import Array

FEW = 12  # categories: so many become a column each for trees, more are encoded by their target
MOST = 100  # categories of a column that linear models tell apart
CURVED = 20  # distinct numbers: with fewer, a column gets no splines
QUANTILES = 100
WILD = 4.0  # standard deviations beyond which numbers are all alike to linear models
WORDS, CHARACTERS = 20_000, 30_000  # terms of a text for linear models
CONDENSED = 2_000  # terms of a text that are condensed for trees
PLAIN, FEWEST_PLAIN = 300, 50  # terms of a text that trees have as they are
PLAIN_CELLS = 20_000_000  # of all rows and terms: 160 MB
COMPONENTS = 30  # to which they are condensed, and images for trees
MOST_COMPONENTS = 60  # of images, for the others
WEIGHTS = 90_000  # numbers that make components of an image: 8 bytes each of the model
DECIMALS = 6  # of these: sums of products differ in the last digits
CLOCK = ("%H", "%I", "%T", "%X", "%c")  # in a form of dates that have a time of day
DAY_PARTS = ("year", "month", "day", "weekday", "dayofyear", "days")

Part = tuple[str, Any, Any]  # as a ColumnTransformer has it: name, transformer, columns


class Column(Protocol):
    """A column as `columns.Taken` describes it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def used(self) -> bool: ...  # noqa: D102
    @property
    def distinct(self) -> int: ...  # noqa: D102
    @property
    def format(self) -> str | None: ...  # noqa: D102


def of_kind(
    taken: Sequence[Column], *kinds: str, where: Callable[[Column], bool] = lambda column: True
) -> list[str]:
    """Names of the used columns of some kinds."""
    return [one.name for one in taken if one.used and one.kind in kinds and where(one)]


def linear_columns(
    taken: Sequence[Column],
    rows: int,
    *,
    curves: bool = True,
    texts: Sequence[str] = ("words",),
    seed: int = 0,
) -> ColumnTransformer:
    """For linear models, perceptrons and neighbours: scaled numbers, and a column a category.

    Args:
        taken: the columns.
        rows: of training.
        curves: splines of the numbers as well.
        texts: how text is cut: "words", "characters" or both.
        seed: of what is drawn to find the components of images.
    """
    curved = of_kind(taken, "number", where=lambda one: one.distinct >= CURVED) if curves else []
    parts: list[Part] = [
        ("numbers", _scaled(), of_kind(taken, "number")),
        ("curves", _curves(rows), curved),
        ("categories", _one_hot(rows), of_kind(taken, "category", "boolean")),
        *_dates(taken, cyclic=True, last=_scaled),
        *_images(taken, seed, MOST_COMPONENTS),
    ]
    for name in of_kind(taken, "text"):
        parts += [(f"{cut} of {name}", _terms(cut), [name]) for cut in texts]
    return _columns(parts)


def tree_columns(
    taken: Sequence[Column],
    task: str,
    seed: int,
    rows: int,
    *,
    filled: bool = False,
    counts: bool = False,
    pairs: bool = False,
    codes: bool = False,
    terms: bool = False,
) -> ColumnTransformer:
    """For trees: numbers as they are, categories one-hot where few, else by their target.

    Args:
        taken: the columns.
        task: binary, multiclass or regression.
        seed: of the folds in which targets are encoded.
        rows: of training.
        filled: gaps get the median and a column that marks them, and all categories but those
            of two values are encoded by their target: as forests want it.
        counts: how often a category is there, too.
        pairs: arithmetic of pairs of number columns, too.
        codes: categories that are not few by their positions in order, not by their target: trees
            part them as they like, and learn less of a category that is rare.
        terms: of text, which of its most frequent terms it has, instead of a few numbers that all
            are condensed to.
    """
    numbers = of_kind(taken, "number")
    most = 2 if filled else FEW
    many = of_kind(taken, "category", where=lambda one: one.distinct > most)
    few = of_kind(taken, "category", where=lambda one: one.distinct <= most)
    few += of_kind(taken, "boolean")
    filler = _filler() if filled else "passthrough"
    parts: list[Part] = [
        ("numbers", filler, numbers),
        ("pairs", _pairs(filled), numbers if pairs and len(numbers) > 1 else []),
        ("few", _one_hot(rows), few),
        ("many", _codes() if codes else by_target(task, seed), many),
        ("counts", CategoryCounts(), many if counts else []),
        *_dates(taken, cyclic=False, last=_filler if filled else None),
        *(_plain(taken, rows) if terms else _condensed(taken, seed)),
        *_images(taken, seed, COMPONENTS, _rounded),
    ]
    return _columns(parts, sparse_threshold=0.0)


def native_columns(
    taken: Sequence[Column], *, pairs: bool = False
) -> tuple[ColumnTransformer, list[str]]:
    """For learners of categories: a frame in which these are whole numbers; and their names.

    Args:
        taken: the columns.
        pairs: arithmetic of pairs of number columns, too.
    """
    numbers = of_kind(taken, "number")
    categories = of_kind(taken, "category", "boolean")
    parts: list[Part] = [
        ("categories", _codes(), categories),
        ("numbers", "passthrough", numbers),
        ("pairs", PairArithmetic(), numbers if pairs and len(numbers) > 1 else []),
        *_dates(taken, cyclic=False, last=None),
    ]
    made = _columns(parts, sparse_threshold=0.0).set_output(transform="pandas")
    return made, [f"categories__{name}" for name in categories]


def by_target(task: str, seed: int) -> TargetEncoder:
    """Categories as the mean of their target, fitted out of fold."""
    # Of a classifier it looks: a fold by time may have two classes of three.
    kind = "continuous" if task == "regression" else "auto"
    if RELEASE < (1, 9):
        return TargetEncoder(target_type=kind, random_state=seed)
    folds = KFold if task == "regression" else StratifiedKFold
    return TargetEncoder(target_type=kind, cv=folds(5, shuffle=True, random_state=seed))


def _columns(parts: Sequence[Part], **settings: Any) -> ColumnTransformer:
    return ColumnTransformer([part for part in parts if part[2]], **settings)


def _filler() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _scaled() -> Pipeline:
    """Deviations of the mean, bounded: one wild number decides no answer."""
    bounded = FunctionTransformer(np.clip, kw_args={"a_min": -WILD, "a_max": WILD})
    return make_pipeline(_filler(), StandardScaler(), bounded)


def _curves(rows: int) -> Pipeline:
    """Splines over ranks: outliers and lumps leave no interval empty."""
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        QuantileTransformer(n_quantiles=max(2, min(QUANTILES, rows // 3)), subsample=None),
        SplineTransformer(n_knots=5, include_bias=False, extrapolation="constant"),
    )


def _pairs(filled: bool) -> Any:
    return make_pipeline(PairArithmetic(), _filler()) if filled else PairArithmetic()


def _one_hot(rows: int) -> OneHotEncoder:
    least = max(2, min(20, rows // 300))
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=least, max_categories=MOST
    )


def _codes() -> OrdinalEncoder:
    return OrdinalEncoder(
        dtype=np.int64,
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        encoded_missing_value=-2,
    )


def _dates(taken: Sequence[Column], *, cyclic: bool, last: Callable[[], Any] | None) -> list[Part]:
    """A part for each column of dates, since each has its own form."""
    parts: list[Part] = []
    for column in taken:
        if column.used and column.kind == "date":
            made = DateParts(_parts_of(column.format), format=column.format, cyclic=cyclic)
            whole = make_pipeline(made, last()) if last else made
            parts.append((f"date {column.name}", whole, [column.name]))
    return parts


def _parts_of(form: str | None) -> tuple[str, ...]:
    has_time = form is None or any(mark in form for mark in CLOCK)
    return (*DAY_PARTS, "hour", "minute") if has_time else DAY_PARTS


def _terms(cut: str) -> Pipeline:
    """Weights of a text's terms; a missing text has none."""
    settings: dict[str, Any] = {
        "words": {"ngram_range": (1, 2), "max_features": WORDS},
        "characters": {"analyzer": "char_wb", "ngram_range": (2, 4), "max_features": CHARACTERS},
    }[cut]
    return _of_text(TfidfVectorizer(sublinear_tf=True, min_df=2, **settings))


def _condensed(taken: Sequence[Column], seed: int) -> list[Part]:
    return [
        (
            f"text {name}",
            make_pipeline(
                _of_text(TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=CONDENSED)),
                BoundedSVD(COMPONENTS, random_state=seed),
                _rounded(),
            ),
            [name],
        )
        for name in of_kind(taken, "text")
    ]


def _rounded() -> FunctionTransformer:
    """A tree's threshold may be a training row's own value, to the last digit."""
    return FunctionTransformer(np.round, kw_args={"decimals": DECIMALS})


def width_of(taken: Sequence[Column]) -> int:
    """About so many columns a linear model has, without those of texts and images."""
    categories = [one for one in taken if one.used and one.kind in ("category", "boolean")]
    others = len(of_kind(taken, "number")) * 2 + len(of_kind(taken, "date")) * 10
    return others + sum(min(one.distinct, MOST) for one in categories)


def components_of(column: Column, most: int) -> int:
    """How many components the pixels of a column become."""
    numbers = form_named(column.format).numbers
    return max(1, min(most, WEIGHTS // numbers, numbers - 1))


def _images(
    taken: Sequence[Column], seed: int, most: int, last: Callable[[], Any] | None = None
) -> list[Part]:
    """Principal components of pixels from 0 to 1: a decomposition of what is centred."""
    parts: list[Part] = []
    for column in taken:
        if column.used and column.kind == IMAGE:
            steps = [
                Images(*form_named(column.format), RESIZE),
                FunctionTransformer(from_0_to_1),
                StandardScaler(with_std=False),
                BoundedSVD(components_of(column, most), random_state=seed),
                *([last()] if last else []),
            ]
            parts.append((f"image {column.name}", make_pipeline(*steps), [column.name]))
    return parts


def from_0_to_1(pixels: Array) -> Array:
    """Pixels that were from 0 to 255."""
    return pixels / 255.0


def plain_terms(taken: Sequence[Column], rows: int) -> int:
    """How many terms of each text trees may have as they are; too few are 0."""
    texts = len(of_kind(taken, "text"))
    most = min(PLAIN, PLAIN_CELLS // (rows * texts)) if texts else 0
    return most if most >= FEWEST_PLAIN else 0


def _plain(taken: Sequence[Column], rows: int) -> list[Part]:
    most = plain_terms(taken, rows)
    counted = {"binary": True, "min_df": 2, "max_features": most}
    return [
        (f"text {name}", _of_text(CountVectorizer(**counted)), [name])
        for name in of_kind(taken, "text")
    ]


def _of_text(vectoriser: CountVectorizer) -> Pipeline:
    """A missing text, NaN or None, is one without terms."""
    filled = [
        SimpleImputer(missing_values=missing, strategy="constant", fill_value="")
        for missing in (np.nan, None)
    ]
    return make_pipeline(*filled, FunctionTransformer(np.ravel), vectoriser)
