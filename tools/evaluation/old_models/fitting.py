"""A program for the Python of an older scikit-learn: it fits models, and answers rows by them.

`python -I fitting.py --list` names the models. `python -I fitting.py FOLDER MODEL …` writes, for
each of them, the estimator as `MODEL.joblib`, rows to build with as `MODEL.csv`, other rows as
`MODEL.rows.csv`, and what it answers to these as `MODEL.npz`. Python 3.8 is enough.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Sequence  # noqa: UP035 - Python 3.8 has them here

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the import work
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
NUMBERS = ["age", "income", "visits"]
TEXTS = ["city", "plan"]
WORDS = ["bad", "broken", "cheap", "dear", "early", "fine", "good", "kind", "late", "lost", "rude"]


def rows(seed: int, count: int, gaps: bool) -> Any:
    """A table with numbers, whole numbers, text, rare categories, and perhaps gaps."""
    draw = np.random.RandomState(seed)
    frame = pd.DataFrame(
        {
            "age": draw.normal(45, 12, count),
            "income": draw.lognormal(10, 0.5, count).round(0),
            "visits": draw.poisson(3, count),
            "city": draw.choice(["Bern", "Chur", "Genf", "Thun", "Zug"], count),
            "plan": draw.choice(["a", "b", "c", "d", "e"], count, p=[0.5, 0.3, 0.16, 0.03, 0.01]),
            "note": [" ".join(draw.choice(WORDS, 5)) for _ in range(count)],
        }
    )
    if gaps:
        frame.loc[draw.rand(count) < 0.1, "age"] = np.nan
        frame.loc[draw.rand(count) < 0.1, "income"] = np.nan
        frame.loc[draw.rand(count) < 0.1, "city"] = np.nan
    return frame


def targets(frame: Any, seed: int) -> Any:
    """Three classes and a number, which depend on the table."""
    draw = np.random.RandomState(seed)
    number = frame["age"].fillna(40) / 10 + frame["visits"] + (frame["city"] == "Zug") * 2
    number = number + draw.normal(0, 0.7, len(frame)) + frame["income"].fillna(2e4) / 2e4
    label = pd.cut(number, [-np.inf, 7.5, 10, np.inf], labels=["low", "mid", "top"]).astype(str)
    return label, number


def table(model: Any, numbers: Any = None, encoder: Any = None) -> Any:
    """A model behind a ColumnTransformer, as most tables have it."""
    numbers = numbers or make_pipeline(SimpleImputer(), StandardScaler())
    encoder = encoder or OneHotEncoder(handle_unknown="ignore")
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    return make_pipeline(
        ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)]), model
    )


def scaled(model: Any) -> Any:
    """A model behind a scaler."""
    return make_pipeline(StandardScaler(), model)


def text(model: Any, vectorizer: Any) -> Any:
    """A model of one column of text."""
    return make_pipeline(ColumnTransformer([("note", vectorizer, "note")]), model)


def ordinal() -> Any:
    """An encoder that takes what it has not seen."""
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def log1p() -> Any:
    """A function by NumPy's name."""
    return FunctionTransformer(np.log1p, feature_names_out="one-to-one")


GBC, GBR = GradientBoostingClassifier, GradientBoostingRegressor
HGBC, HGBR = HistGradientBoostingClassifier, HistGradientBoostingRegressor
FOREST: Any = {"n_estimators": 15, "random_state": 0}
NETWORK: Any = {"hidden_layer_sizes": (8,), "max_iter": 300, "random_state": 0}
OWN = "estimator" if VERSION >= (1, 2) else "base_estimator"
# By name: what is fitted, of which columns, to which target, whether there are gaps.
MODELS: dict[str, Callable[[], Any]] = {
    "tree": lambda: (DecisionTreeClassifier(max_depth=6), NUMBERS, 0, False),
    "tree-gaps": lambda: (DecisionTreeClassifier(max_depth=6), NUMBERS, 0, VERSION >= (1, 3)),
    "tree-number": lambda: (DecisionTreeRegressor(max_depth=6), NUMBERS, 1, False),
    "forest": lambda: (RandomForestClassifier(**FOREST), NUMBERS, 0, False),
    "forest-gaps": lambda: (RandomForestClassifier(**FOREST), NUMBERS, 0, VERSION >= (1, 4)),
    "forest-number": lambda: (RandomForestRegressor(**FOREST), NUMBERS, 1, False),
    "forest-weighted": lambda: (
        RandomForestClassifier(class_weight="balanced", **FOREST), NUMBERS, 0, False),
    "extra-trees": lambda: (ExtraTreesClassifier(**FOREST), NUMBERS, 0, False),
    "extra-trees-number": lambda: (ExtraTreesRegressor(**FOREST), NUMBERS, 1, False),
    "forest-table": lambda: (table(RandomForestClassifier(**FOREST)), NUMBERS + TEXTS, 0, True),
    "gbm": lambda: (GBC(n_estimators=20), NUMBERS, 0, False),
    "gbm-exponential": lambda: (GBC(n_estimators=20, loss="exponential"), NUMBERS, 2, False),
    "gbm-binary": lambda: (GBC(n_estimators=20), NUMBERS, 2, False),
    "gbm-number": lambda: (GBR(n_estimators=20), NUMBERS, 1, False),
    "gbm-huber": lambda: (GBR(n_estimators=20, loss="huber"), NUMBERS, 1, False),
    "gbm-quantile": lambda: (GBR(n_estimators=20, loss="quantile", alpha=0.8), NUMBERS, 1, False),
    "gbm-table": lambda: (table(GBC(n_estimators=20)), NUMBERS + TEXTS, 0, True),
    "hist": lambda: (HGBC(max_iter=20), NUMBERS, 0, True),
    "hist-binary": lambda: (HGBC(max_iter=20), NUMBERS, 2, True),
    "hist-number": lambda: (HGBR(max_iter=20), NUMBERS, 1, True),
    "hist-poisson": lambda: (HGBR(max_iter=20, loss="poisson"), NUMBERS, 1, True),
    "hist-categories": lambda: (
        make_pipeline(
            ColumnTransformer([("texts", ordinal(), TEXTS)], remainder="passthrough"),
            HGBC(max_iter=20, categorical_features=[0, 1])), TEXTS + NUMBERS, 0, True),
    "hist-monotonic": lambda: (HGBR(max_iter=20, monotonic_cst=[1, 0, 1]), NUMBERS, 1, True),
    "adaboost": lambda: (
        AdaBoostClassifier(n_estimators=10, random_state=0, **(
            {"algorithm": "SAMME"} if VERSION < (1, 6) else {})), NUMBERS, 0, False),
    "adaboost-samme-r": lambda: (AdaBoostClassifier(n_estimators=10), NUMBERS, 0, False),
    "adaboost-number": lambda: (AdaBoostRegressor(n_estimators=10), NUMBERS, 1, False),
    "bagging": lambda: (
        BaggingClassifier(**{OWN: DecisionTreeClassifier(max_depth=4)}), NUMBERS, 0, False),
    "bagging-number": lambda: (BaggingRegressor(n_estimators=5), NUMBERS, 1, False),
    "isolation-forest": lambda: (IsolationForest(n_estimators=20), NUMBERS, 1, False),
    "voting": lambda: (
        VotingClassifier([("l", scaled(LogisticRegression())), ("n", GaussianNB())],
                         voting="soft"), NUMBERS, 0, False),
    "voting-number": lambda: (
        VotingRegressor([("l", LinearRegression()), ("t", DecisionTreeRegressor(max_depth=3))]),
        NUMBERS, 1, False),
    "stacking": lambda: (
        StackingClassifier([("l", scaled(LogisticRegression())),
                            ("t", DecisionTreeClassifier(max_depth=3))], cv=3),
        NUMBERS, 0, False),
    "calibrated": lambda: (
        CalibratedClassifierCV(**{OWN: RandomForestClassifier(5, random_state=0)}, cv=3),
        NUMBERS, 0, False),
    "calibrated-isotonic": lambda: (
        CalibratedClassifierCV(**{OWN: GaussianNB()}, cv=3, method="isotonic"),
        NUMBERS, 0, False),
    "linear": lambda: (LinearRegression(), NUMBERS, 1, False),
    "ridge-table": lambda: (table(Ridge()), NUMBERS + TEXTS, 1, True),
    "lasso": lambda: (scaled(Lasso(0.01)), NUMBERS, 1, False),
    "elastic-net": lambda: (scaled(ElasticNet(0.01)), NUMBERS, 1, False),
    "bayesian-ridge": lambda: (scaled(BayesianRidge()), NUMBERS, 1, False),
    "poisson": lambda: (scaled(PoissonRegressor()), NUMBERS, 1, False),
    "quantile": lambda: (scaled(QuantileRegressor(alpha=0.01, solver="highs")), NUMBERS, 1, False),
    "logistic": lambda: (scaled(LogisticRegression()), NUMBERS, 0, False),
    "logistic-one-vs-rest": lambda: (
        scaled(LogisticRegression(**({"multi_class": "ovr"} if VERSION < (1, 7) else {}))),
        NUMBERS, 0, False),
    "logistic-binary": lambda: (scaled(LogisticRegression()), NUMBERS, 2, False),
    "logistic-liblinear": lambda: (
        scaled(LogisticRegression(solver="liblinear")), NUMBERS, 2, False),
    "logistic-cv": lambda: (scaled(LogisticRegressionCV(cv=3)), NUMBERS, 0, False),
    "logistic-table": lambda: (table(LogisticRegression()), NUMBERS + TEXTS, 0, True),
    "ridge-classifier": lambda: (scaled(RidgeClassifier()), NUMBERS, 0, False),
    "sgd": lambda: (scaled(SGDClassifier(random_state=0)), NUMBERS, 0, False),
    "sgd-log": lambda: (
        scaled(SGDClassifier(loss="log_loss", random_state=0)), NUMBERS, 0, False),
    "sgd-number": lambda: (scaled(SGDRegressor(random_state=0)), NUMBERS, 1, False),
    "perceptron": lambda: (scaled(Perceptron(random_state=0)), NUMBERS, 0, False),
    "svc": lambda: (scaled(SVC()), NUMBERS, 0, False),
    "svc-probability": lambda: (scaled(SVC(probability=True, random_state=0)), NUMBERS, 0, False),
    "svr": lambda: (scaled(SVR()), NUMBERS, 1, False),
    "linear-svc": lambda: (scaled(LinearSVC()), NUMBERS, 0, False),
    "one-class-svm": lambda: (scaled(OneClassSVM()), NUMBERS, 1, False),
    "neighbours": lambda: (scaled(KNeighborsClassifier()), NUMBERS, 0, False),
    "neighbours-number": lambda: (
        scaled(KNeighborsRegressor(weights="distance")), NUMBERS, 1, False),
    "nearest-centroid": lambda: (scaled(NearestCentroid()), NUMBERS, 0, False),
    "gaussian-nb": lambda: (GaussianNB(), NUMBERS, 0, False),
    "categorical-nb": lambda: (
        table(CategoricalNB(min_categories=8), KBinsDiscretizer(4, encode="ordinal",
              strategy="uniform"), OrdinalEncoder()), NUMBERS + TEXTS, 0, False),
    "mlp": lambda: (
        scaled(MLPClassifier(**NETWORK)), NUMBERS, 0, False),
    "mlp-number": lambda: (
        scaled(MLPRegressor(**NETWORK)), NUMBERS, 1, False),
    "lda": lambda: (LinearDiscriminantAnalysis(), NUMBERS, 0, False),
    "qda": lambda: (scaled(QuadraticDiscriminantAnalysis()), NUMBERS, 0, False),
    "gaussian-process": lambda: (scaled(GaussianProcessRegressor(alpha=1.0)), NUMBERS, 1, False),
    "isotonic": lambda: (IsotonicRegression(out_of_bounds="clip"), ["age"], 1, False),
    "k-means": lambda: (scaled(KMeans(3, n_init=3, random_state=0)), NUMBERS, 1, False),
    "mixture": lambda: (scaled(GaussianMixture(2, random_state=0)), NUMBERS, 1, False),
    "one-vs-rest": lambda: (
        OneVsRestClassifier(scaled(LogisticRegression())), NUMBERS, 0, False),
    "several-outputs": lambda: (MultiOutputRegressor(Ridge()), NUMBERS, 3, False),
    "log-target": lambda: (
        TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
        NUMBERS, 1, False),
    "search": lambda: (
        GridSearchCV(scaled(LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=3),
        NUMBERS, 0, False),
    "pca": lambda: (make_pipeline(StandardScaler(), PCA(2)), NUMBERS, 1, False),
    "select": lambda: (make_pipeline(SelectKBest(k=2), Ridge()), NUMBERS, 0.5, False),
    "select-model": lambda: (
        make_pipeline(SelectFromModel(RandomForestClassifier(5, random_state=0)), GaussianNB()),
        NUMBERS, 0, False),
    "scalers": lambda: (
        make_pipeline(FeatureUnion([("m", MinMaxScaler()), ("r", RobustScaler()),
                                    ("p", PowerTransformer())]), Ridge()), NUMBERS, 1, False),
    "quantiles": lambda: (
        make_pipeline(QuantileTransformer(n_quantiles=20), Ridge()), NUMBERS, 1, False),
    "bins": lambda: (
        make_pipeline(KBinsDiscretizer(4), LogisticRegression()), NUMBERS, 0, False),
    "splines": lambda: (make_pipeline(SplineTransformer(n_knots=4), Ridge()), NUMBERS, 1, False),
    "polynomial": lambda: (
        make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()), NUMBERS, 1, False),
    "logarithm": lambda: (make_pipeline(log1p(), Ridge()), ["income", "visits"], 1, False),
    "imputed-knn": lambda: (make_pipeline(KNNImputer(), Ridge()), NUMBERS, 1, True),
    "imputed-iterative": lambda: (
        make_pipeline(IterativeImputer(max_iter=3), Ridge()), NUMBERS, 1, True),
    "imputed-indicator": lambda: (
        make_pipeline(SimpleImputer(add_indicator=True), GaussianNB()), NUMBERS, 0, True),
    "missing-indicator": lambda: (
        make_pipeline(FeatureUnion([("i", SimpleImputer(strategy="median")),
                                    ("m", MissingIndicator())]), Ridge()), NUMBERS, 1, True),
    "infrequent": lambda: (
        table(LogisticRegression(),
              encoder=OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20)),
        NUMBERS + TEXTS, 0, True),
    "dense-one-hot": lambda: (
        table(GaussianNB(), encoder=OneHotEncoder(
            handle_unknown="ignore", **{"sparse_output" if VERSION >= (1, 2) else "sparse": False}
        )), NUMBERS + TEXTS, 0, True),
    "ordinal": lambda: (
        table(RandomForestClassifier(**FOREST), encoder=ordinal()), NUMBERS + TEXTS, 0, True),
    "tf-idf": lambda: (text(LogisticRegression(), TfidfVectorizer()), ["note"], 0, False),
    "counts": lambda: (text(MultinomialNB(), CountVectorizer()), ["note"], 0, False),
    "counts-bernoulli": lambda: (
        text(BernoulliNB(), CountVectorizer(ngram_range=(1, 2))), ["note"], 0, False),
    "complement": lambda: (text(ComplementNB(), CountVectorizer()), ["note"], 0, False),
    "hashing": lambda: (text(SGDClassifier(random_state=0), HashingVectorizer(n_features=64)),
                        ["note"], 0, False),
    "svd": lambda: (
        make_pipeline(ColumnTransformer([("note", TfidfVectorizer(), "note")]),
                      TruncatedSVD(3, random_state=0), LogisticRegression()), ["note"], 0, False),
}  # fmt: skip


def fitted(name: str) -> Any:
    """The estimator, and the columns and rows that it was made for."""
    estimator, columns, target, gaps = MODELS[name]()
    frame = rows(1, 300, gaps)
    label, number = targets(frame, 2)
    y = {0: label, 0.5: number > 9, 1: number, 2: label == "low",
         3: np.column_stack([number, -number])}[target]  # fmt: skip
    return estimator.fit(frame[columns], y), columns, gaps


def answers(estimator: Any, frame: Any) -> Any:
    """What it answers, by the names of a function's outputs."""
    if not hasattr(estimator, "predict"):
        return {"prediction": np.asarray(estimator.transform(frame))}
    made = {"prediction": np.asarray(estimator.predict(frame))}
    if hasattr(estimator, "predict_proba"):
        made["probabilities"] = np.asarray(estimator.predict_proba(frame))
    if made["prediction"].dtype == object:
        made["prediction"] = made["prediction"].astype(str)
    return made


def main(folder: Path, names: Sequence[str]) -> None:
    """Fit, save and ask."""
    for name in names:
        estimator, columns, gaps = fitted(name)
        joblib.dump(estimator, folder / (name + ".joblib"))
        rows(3, 200, gaps)[columns].to_csv(folder / (name + ".csv"), index=False)
        rows(4, 500, gaps)[columns].to_csv(folder / (name + ".rows.csv"), index=False)
        asked = pd.read_csv(folder / (name + ".rows.csv"), float_precision="round_trip")
        np.savez(folder / (name + ".npz"), **answers(estimator, asked))


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    if sys.argv[1] == "--list":
        print(*MODELS)
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
