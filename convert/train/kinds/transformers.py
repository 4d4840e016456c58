"""Steps that several kinds of columns have in their features."""

from __future__ import annotations

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

WILD = 4.0  # standard deviations beyond which numbers are all alike to linear models
DECIMALS = 6  # of components: sums of products differ in the last digits
COMPONENTS = 30  # to which texts and images are condensed for trees


def imputer(**settings: bool) -> SimpleImputer:
    """The median for gaps."""
    return SimpleImputer(strategy="median", keep_empty_features=True, **settings)


def filler() -> SimpleImputer:
    """The median for gaps, and a column that marks them."""
    return imputer(add_indicator=True)


def scaled() -> Pipeline:
    """Deviations of the mean, bounded: one wild number decides no answer."""
    bounded = FunctionTransformer(np.clip, kw_args={"a_min": -WILD, "a_max": WILD})
    return make_pipeline(filler(), StandardScaler(), bounded)


def rounded() -> FunctionTransformer:
    """A tree's threshold may be a training row's own value, to the last digit."""
    return FunctionTransformer(np.round, kw_args={"decimals": DECIMALS})
