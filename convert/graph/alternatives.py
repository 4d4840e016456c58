"""scikit-learn's alternatives to other packages' estimators that have no converter.

Only those for the same purpose that have a converter: a test compares each name here with the
converters.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxlet.folders import documented

ANY = "Replace it by an estimator that has one" + documented(" (docs/reference/coverage.md)")
# By package, then by class: scikit-learn's class for the same purpose.
EQUALS: Mapping[str, Mapping[str, str]] = {
    "category_encoders": {
        "OneHotEncoder": "OneHotEncoder",
        "OrdinalEncoder": "OrdinalEncoder",
        "TargetEncoder": "TargetEncoder",
    },
    "feature_engine": {
        "AddMissingIndicator": "MissingIndicator",
        "ArbitraryNumberImputer": "SimpleImputer",
        "CategoricalImputer": "SimpleImputer",
        "DropFeatures": "ColumnTransformer",
        "EqualFrequencyDiscretiser": "KBinsDiscretizer",
        "EqualWidthDiscretiser": "KBinsDiscretizer",
        "MeanEncoder": "TargetEncoder",
        "MeanMedianImputer": "SimpleImputer",
        "OneHotEncoder": "OneHotEncoder",
        "OrdinalEncoder": "OrdinalEncoder",
        "SklearnTransformerWrapper": "ColumnTransformer",
        "YeoJohnsonTransformer": "PowerTransformer",
    },
}

# By package, then by class: why nobody can write a converter.
IMPOSSIBLE: Mapping[str, Mapping[str, str]] = {
    "umap": {
        "AlignedUMAP": "it looks at all rows of a batch together",
        "ParametricUMAP": "it keeps its network in Keras",
        "UMAP": "it looks at all rows of a batch together: a row on its own is placed elsewhere",
    },
    "openTSNE": {
        "TSNEEmbedding": "it looks at all rows of a batch together: a row on its own is placed "
        "elsewhere"
    },
}


def why_not(kind: type) -> str:
    """Why a class has no converter, behind a comma; empty where one could be written."""
    found = IMPOSSIBLE.get(kind.__module__.partition(".")[0], {}).get(kind.__name__)
    return f", since {found}" if found else ""


def instead_of(kind: type) -> str:
    """What to use instead of a class without a converter, as the beginning of a sentence."""
    package = kind.__module__.partition(".")[0]
    equal = EQUALS.get(package, {}).get(kind.__name__)
    return f"Fit scikit-learn's {equal} instead, which has one" if equal else ANY
