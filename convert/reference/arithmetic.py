"""What is known of estimators' arithmetic: which of them round in a way of their own."""

from __future__ import annotations

from typing import Any

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, NuSVC

from onnxlet.convert.reference.estimators import parts_of

# Their answers are values as they came, or arithmetic that the converters mirror operation by
# operation: a tree behind only these is held to the last bit.
EXACT = frozenset(
    {
        "BaggingClassifier", "BaggingRegressor", "BalancedBaggingClassifier",
        "BalancedRandomForestClassifier", "Binarizer", "ColumnTransformer",
        "CountVectorizer", "DecisionTreeClassifier", "DecisionTreeRegressor", "DummyClassifier",
        "DummyRegressor", "ExtraTreeClassifier",
        "ExtraTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor", "FeatureUnion",
        "FrozenEstimator", "GradientBoostingClassifier", "GradientBoostingRegressor",
        "GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV",
        "HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "IsolationForest",
        "KBinsDiscretizer", "LabelBinarizer", "LabelEncoder", "MaxAbsScaler", "MinMaxScaler",
        "MissingIndicator",
        "MultiOutputClassifier", "MultiOutputRegressor", "OneHotEncoder", "OneVsRestClassifier",
        "OrdinalEncoder", "Pipeline", "RandomForestClassifier", "RandomForestRegressor",
        "RandomTreesEmbedding", "RandomizedSearchCV", "RobustScaler", "SimpleImputer",
        "StandardScaler", "TargetEncoder", "TreePredictor", "VotingClassifier", "VotingRegressor",
        "_BinMapper",
    }
    # category_encoders look categories up
    | {
        "BackwardDifferenceEncoder", "BaseNEncoder", "BinaryEncoder", "CatBoostEncoder",
        "CountEncoder", "CountTargetEncoder", "GLMMEncoder", "GrayEncoder", "HashingEncoder",
        "HelmertEncoder", "JamesSteinEncoder", "LeaveOneOutEncoder", "MEstimateEncoder",
        "MultiHotEncoder", "NestedCVWrapper", "PolynomialEncoder", "PolynomialWrapper",
        "QuantileEncoder", "RankHotEncoder", "SumEncoder", "SummaryEncoder", "WOEEncoder",
    }
    # so do feature-engine's encoders, and its other steps replace or bound numbers
    | {
        "AddMissingIndicator", "ArbitraryDiscretiser", "ArbitraryNumberImputer",
        "ArbitraryOutlierCapper", "CategoricalImputer", "CountFrequencyEncoder",
        "DatetimeFeatures", "DatetimeOrdinal", "DatetimeSubtraction", "DecisionTreeDiscretiser",
        "DecisionTreeEncoder", "DecisionTreeFeatures", "EndTailImputer",
        "EqualFrequencyDiscretiser", "EqualWidthDiscretiser", "GeometricWidthDiscretiser",
        "MatchCategories", "MatchVariables", "MeanEncoder", "MeanMedianImputer",
        "MeanNormalizationScaler", "RareLabelEncoder", "ReciprocalTransformer",
        "SklearnTransformerWrapper", "StringSimilarityEncoder", "TextFeatures", "Winsorizer",
        "WoEEncoder",
    }
    # skrub's read cells, look them up, or hash them
    | {
        "AggJoiner", "AggTarget", "ApplyToCols", "ApplyToEachCol", "ApplyToSubFrame", "CatEncoder",
        "CheckInputDataFrame", "CleanCategories", "CleanNullStrings", "Cleaner",
        "DatetimeEncoder", "Drop", "DropCols", "DropSimilar", "DropUninformative",
        "DurationToFloat", "MinHashEncoder", "MultiAggJoiner", "PassThrough", "SelectCols",
        "TableVectorizer", "ToCategorical", "ToDatetime", "ToFloat", "ToStr",
    }
    # scikit-lego's choose columns, bound them, or choose a model by group
    | {
        "ColumnCapper", "ColumnDropper", "ColumnSelector", "DebugPipeline", "DictMapper",
        "EstimatorTransformer", "GroupedClassifier", "GroupedPredictor", "GroupedRegressor",
        "HierarchicalClassifier", "HierarchicalRegressor", "IdentityTransformer",
        "PandasTypeSelector", "RandomAdder", "Thresholder", "TypeSelector",
        "ZeroInflatedRegressor",
    }
)  # fmt: skip


def rounds(estimator: Any) -> bool:
    """Whether some part rounds in a way of its own."""
    return any(_rounds(part) for part in parts_of(estimator))


def rounds_before_a_step(estimator: Any) -> bool:
    """Whether some part rounds in a way of its own, and is not a linear model at the end.

    Support vectors with a linear kernel are none: with several classes their pairs vote.
    """
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    return any(
        _rounds(part)
        for part in parts_of(estimator)
        if part is not last or isinstance(part, SVC | NuSVC) or not hasattr(part, "coef_")
    )


def begins_in_float32(estimator: Any) -> bool:
    """Gradient boosting rounds rows to float32, and the model that it begins with computes so."""
    begun = [getattr(part, "init_", None) for part in parts_of(estimator)]
    return any(hasattr(init, "predict") and not _is_dummy(init) for init in begun)


def _is_dummy(estimator: Any) -> bool:
    """Whether it answers without a look at the row."""
    return isinstance(estimator, DummyClassifier | DummyRegressor)


def _rounds(part: Any) -> bool:
    if isinstance(part, FunctionTransformer) and part.func is None:
        return False  # columns that are passed through
    return type(part).__name__ not in EXACT and not hasattr(part, "get_support")
