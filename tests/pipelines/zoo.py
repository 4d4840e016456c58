"""Realistic pipelines that have to be equal to scikit-learn, each with rows to prove it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
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
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it has to be first
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, chi2
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from tests.convert.versions import AVERAGED
from tests.pipelines import data_sets as data

Made = tuple[Any, Any]  # the fitted estimator, X_test
ZOO: dict[str, Callable[[], Made]] = {}


def animal(make: Callable[[], Made]) -> Callable[[], Made]:
    """One pipeline of the zoo, by its name."""
    ZOO[make.__name__] = make
    return make


def prepared(X: pd.DataFrame, scaler: Any = None, **encoder: Any) -> ColumnTransformer:
    """The textbook's way with mixed columns."""
    number = make_pipeline(SimpleImputer(strategy="median"), scaler or StandardScaler())
    options = {"handle_unknown": "ignore"} | encoder
    return ColumnTransformer(
        [
            ("number", number, data.numbers(X)),
            ("text", OneHotEncoder(**options), data.texts(X)),
        ]
    )


def fitted(model: Any, X: Any, y: Any) -> Made:
    X_train, X_test, y_train = data.split(X, y)
    return model.fit(X_train, y_train), X_test


HOUSE = [
    "Lot_Area", "Year_Built", "Gr_Liv_Area", "Total_Bsmt_SF", "Garage_Area", "First_Flr_SF",
    "Latitude", "Longitude", "Fireplaces", "Full_Bath",
]  # fmt: skip


def houses(rows: int = 1200) -> tuple[pd.DataFrame, Any]:
    X, y = data.ames(rows)
    return X[HOUSE], y


@animal
def houses_elastic_net_polynomials() -> Made:
    X, y = houses()
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), VarianceThreshold(0.01),
        ElasticNet(0.5, max_iter=5000),
    )  # fmt: skip
    return fitted(model, X, y / 1000)


@animal
def houses_histogram_boosting_all_columns() -> Made:
    X, y = data.ames()
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, data.texts(X)), remainder="passthrough")
    model = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=60, random_state=0))
    made, X_test = fitted(model, X, y)
    return made, data.with_unseen(X_test, ["Neighborhood", "Roof_Style"])


@animal
def houses_target_encoder_gradient_boosting() -> Made:
    X, y = data.ames()
    X = X[["Neighborhood", "House_Style", "Exterior_1st", *HOUSE]]
    columns = make_column_transformer(
        (TargetEncoder(random_state=0), data.texts(X)), ("passthrough", data.numbers(X))
    )
    model = make_pipeline(columns, GradientBoostingRegressor(n_estimators=60, random_state=0))
    made, X_test = fitted(model, X, y)
    return made, data.with_unseen(X_test, ["Neighborhood"])


@animal
def houses_log_target_random_forest() -> Made:
    X, y = houses()
    forest = RandomForestRegressor(50, random_state=0)
    model = TransformedTargetRegressor(forest, func=np.log1p, inverse_func=np.expm1)
    return fitted(model, X, y)


@animal
def houses_power_transformed_neighbours() -> Made:
    X, y = houses()
    model = make_pipeline(PowerTransformer(), KNeighborsRegressor(7, weights="distance"))
    return fitted(model, X, y)


@animal
def houses_spline_ridge_in_pandas() -> Made:
    X, y = houses()
    model = make_pipeline(
        StandardScaler(),
        make_column_transformer(
            (SplineTransformer(5), ["Year_Built", "Latitude"]), remainder="passthrough"
        ),
        Ridge(),
    ).set_output(transform="pandas")
    return fitted(model, X, y)


@animal
def houses_gaussian_process() -> Made:
    X, y = houses(500)
    process = GaussianProcessRegressor(RBF(3.0) + WhiteKernel(0.1), normalize_y=True)
    return fitted(make_pipeline(StandardScaler(), process), X, y / 1000)


@animal
def houses_vote_of_regressors() -> Made:
    X, y = houses()
    model = VotingRegressor(
        [
            ("ridge", make_pipeline(RobustScaler(), Ridge())),
            ("boosting", HistGradientBoostingRegressor(max_iter=30, random_state=0)),
            ("svr", make_pipeline(StandardScaler(), SVR(C=100.0))),
        ],
        weights=[1, 2, 1],
    )
    return fitted(model, X, y / 1000)


@animal
def houses_several_outputs() -> Made:
    X, _ = houses()
    y = X[["Garage_Area", "Fireplaces"]].to_numpy()
    X = X.drop(columns=["Garage_Area", "Fireplaces"])
    return fitted(MultiOutputRegressor(GradientBoostingRegressor(n_estimators=20)), X, y)


@animal
def houses_quantile_mlp() -> Made:
    X, y = houses()
    model = make_pipeline(
        QuantileTransformer(n_quantiles=100, output_distribution="normal"),
        MLPRegressor(hidden_layer_sizes=(20,), max_iter=200, random_state=0),
    )
    return fitted(model, X, y / 1000)


@animal
def houses_bayesian_ridge_with_gaps() -> Made:
    X, y = houses()
    X = data.with_gaps(X, ["Lot_Area", "Garage_Area"])
    model = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), BayesianRidge())
    return fitted(model, X, y)


@animal
def houses_iterative_imputer() -> Made:
    X, y = houses(600)
    X = data.with_gaps(X, ["Lot_Area", "Garage_Area", "Total_Bsmt_SF"])
    model = make_pipeline(StandardScaler(), IterativeImputer(random_state=0), LinearRegression())
    return fitted(model, X, y)


@animal
def houses_neighbour_imputer() -> Made:
    X, y = houses(600)
    X = data.with_gaps(X, ["Lot_Area", "Garage_Area"])
    return fitted(make_pipeline(StandardScaler(), KNNImputer(), Lasso()), X, y / 1000)


@animal
def houses_gamma_with_bins() -> Made:
    X, y = houses()
    model = make_pipeline(KBinsDiscretizer(6, **AVERAGED), GammaRegressor())
    return fitted(model, X, y)


@animal
def rooms_poisson() -> Made:
    X, _ = data.ames()
    return fitted(
        make_pipeline(prepared(X.drop(columns="Fireplaces")), PoissonRegressor()),
        X,
        X["Fireplaces"],
    )


@animal
def churn_forest_with_infrequent_categories() -> Made:
    X, y = data.churn()
    columns = prepared(X, min_frequency=50, handle_unknown="infrequent_if_exist")
    made, X_test = fitted(make_pipeline(columns, RandomForestClassifier(40, random_state=0)), X, y)
    return made, data.with_unseen(X_test, ["contract", "payment_method"])


@animal
def churn_grid_search_over_everything() -> Made:
    X, y = data.churn()
    model = GridSearchCV(
        Pipeline([("columns", prepared(X)), ("model", LogisticRegression(max_iter=500))]),
        {"model__C": [0.1, 1.0]},
        cv=2,
    )
    made, X_test = fitted(model, X, y)
    return made, data.with_unseen(X_test, ["contract"])


@animal
def churn_calibrated_isotonic() -> Made:
    X, y = data.churn()
    model = make_pipeline(
        prepared(X), CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=3)
    )
    model.steps[0][1].sparse_threshold = 0
    return fitted(model, X, y)


@animal
def churn_stacked() -> Made:
    X, y = data.churn()
    model = make_pipeline(
        prepared(X),
        StackingClassifier(
            [
                ("svc", LinearSVC()),
                ("tree", DecisionTreeClassifier(max_depth=4)),
                ("nearest", KNeighborsClassifier(9)),
            ],
            LogisticRegression(),
            cv=3,
        ),
    )
    return fitted(model, X, y)


@animal
def churn_soft_vote() -> Made:
    X, y = data.churn()
    vote = VotingClassifier(
        [("a", LogisticRegression(max_iter=500)), ("b", ExtraTreesClassifier(20, random_state=0))],
        voting="soft",
    )
    return fitted(make_pipeline(prepared(X), vote), X, y)


@animal
def churn_hard_vote() -> Made:
    X, y = data.churn()
    vote = VotingClassifier(
        [
            ("a", LogisticRegression(max_iter=500)),
            ("b", DecisionTreeClassifier(max_depth=5)),
            ("c", RidgeClassifier()),
        ]
    )
    return fitted(make_pipeline(prepared(X), vote), X, y)


@animal
def churn_fixed_threshold() -> Made:
    X, y = data.mlc()
    model = make_pipeline(prepared(X), LogisticRegression(max_iter=500))
    return fitted(FixedThresholdClassifier(model, threshold=0.2), X, y)


@animal
def churn_tuned_threshold_boosting() -> Made:
    X, y = data.mlc()
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer((encoder, data.texts(X)), remainder="passthrough")
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=30, random_state=0))
    return fitted(TunedThresholdClassifierCV(model, cv=2, random_state=0), X, y)


@animal
def churn_kernel_approximation() -> Made:
    X, y = data.mlc()
    model = make_pipeline(
        prepared(X), Nystroem(n_components=50, random_state=0), SGDClassifier(loss="log_loss")
    )
    return fitted(model, X, y)


@animal
def churn_support_vectors() -> Made:
    X, y = data.mlc()
    X, y = X[:1000], y[:1000]
    return fitted(make_pipeline(prepared(X), SVC()), X, y)


@animal
def credit_with_gaps_everywhere() -> Made:
    X, y = data.credit()
    text = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    number = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = ColumnTransformer(
        [
            ("number", number, make_column_selector(dtype_include="number")),
            ("text", text, make_column_selector(dtype_exclude="number")),
        ]
    )
    return fitted(make_pipeline(columns, LogisticRegression(max_iter=1000)), X, y)


@animal
def credit_native_gaps_in_boosting() -> Made:
    X, y = data.credit()
    for column in data.texts(X):
        X[column] = X[column].astype("category")
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=40, random_state=0
    )
    return fitted(model, X, y)


@animal
def credit_union_of_views() -> Made:
    X, y = data.credit()
    X = X[data.numbers(X)]
    views = make_union(
        make_pipeline(SimpleImputer(), StandardScaler(), PCA(4)),
        make_pipeline(SimpleImputer(), Binarizer(threshold=10.0)),
        make_pipeline(SimpleImputer(strategy="most_frequent"), MinMaxScaler(clip=True)),
    )
    return fitted(make_pipeline(views, LogisticRegressionCV(Cs=3, cv=2)), X, y)


@animal
def credit_bagged_pipelines() -> Made:
    X, y = data.credit()
    X = X[data.numbers(X)]
    part = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    return fitted(BaggingClassifier(part, 8, max_features=0.6, random_state=0), X, y)


@animal
def credit_nested_column_transformers() -> Made:
    X, y = data.credit()
    inner = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), data.numbers(X)),
        remainder="drop",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    again = make_column_transformer(
        (
            KBinsDiscretizer(4, encode="onehot-dense", **AVERAGED),
            ["Age", "Income"],
        ),
        remainder="passthrough",
    )
    union = FeatureUnion(
        [
            ("twice", make_pipeline(inner, again)),
            (
                "text",
                make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["Home", "Job"])),
            ),
        ]
    )
    return fitted(make_pipeline(union, LogisticRegression(max_iter=1000)), X, y)


@animal
def attrition_select_from_model() -> Made:
    X, y = data.attrition()
    model = make_pipeline(
        prepared(X),
        SelectFromModel(RandomForestClassifier(20, random_state=0)),
        AdaBoostClassifier(n_estimators=20, random_state=0),
    )
    return fitted(model, X, y)


@animal
def attrition_discriminant() -> Made:
    X, y = data.attrition()
    return fitted(
        make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()), X[data.numbers(X)], y
    )


@animal
def attrition_mlp() -> Made:
    X, y = data.attrition()
    return fitted(
        make_pipeline(prepared(X), MLPClassifier((16,), max_iter=80, random_state=0)), X, y
    )


@animal
def attrition_ordinal_naive_bayes() -> Made:
    X, y = data.attrition()
    columns = make_column_transformer(
        (
            OrdinalEncoder(
                categories=[["Below_College", "College", "Bachelor", "Master", "Doctor"]]
            ),
            ["Education"],
        ),
        ("passthrough", data.numbers(X)),
    )
    return fitted(make_pipeline(columns, GaussianNB()), X, y)


@animal
def taxi_gradient_boosting() -> Made:
    X, y = data.taxi()
    return fitted(make_pipeline(prepared(X), GradientBoostingClassifier(n_estimators=30)), X, y)


@animal
def taxi_log_distance() -> Made:
    X, y = data.taxi()
    columns = make_column_transformer(
        (make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), ["distance"]),
        (OneHotEncoder(drop="first"), ["dow", "month"]),
        ("passthrough", ["hour"]),
    )
    return fitted(make_pipeline(columns, LogisticRegression(max_iter=500)), X, y)


@animal
def penguins_quadratic_discriminant() -> Made:
    X, y = data.penguins()
    X = X[data.numbers(X)]
    return fitted(make_pipeline(SimpleImputer(), QuadraticDiscriminantAnalysis()), X, y)


@animal
def penguins_one_versus_one() -> Made:
    X, y = data.penguins()
    return fitted(make_pipeline(prepared(X), OneVsOneClassifier(LinearSVC())), X, y)


@animal
def penguins_one_versus_rest() -> Made:
    X, y = data.penguins()
    return fitted(make_pipeline(prepared(X), OneVsRestClassifier(SVC(kernel="poly"))), X, y)


@animal
def penguins_forest_with_gaps() -> Made:
    X, y = data.penguins()
    return fitted(RandomForestClassifier(30, random_state=0), X[data.numbers(X)], y)


@animal
def penguins_two_labels() -> Made:
    X, y = data.penguins()
    X = X.dropna()
    both = np.c_[y[X.index].astype(str), X.pop("sex").to_numpy(str)].astype(object)
    return fitted(make_pipeline(prepared(X), RandomForestClassifier(15, random_state=0)), X, both)


@animal
def penguins_chain_of_labels() -> Made:
    X, y = data.penguins()
    X = X[data.numbers(X)].dropna()
    both = np.c_[y[X.index] == "Adelie", X.pop("body_mass_g") > 4000].astype(int)
    return fitted(ClassifierChain(LogisticRegression(max_iter=1000), random_state=0), X, both)


@animal
def penguins_two_labels_each_its_own() -> Made:
    X, y = data.penguins()
    X = X[data.numbers(X)].dropna()
    both = np.c_[y[X.index] == "Gentoo", X["body_mass_g"] > 4000].astype(int)
    model = MultiOutputClassifier(make_pipeline(StandardScaler(), LogisticRegression()))
    return fitted(model, X, both)


@animal
def penguins_clusters() -> Made:
    X, y = data.penguins()
    X = X[data.numbers(X)].dropna()
    return fitted(make_pipeline(StandardScaler(), KMeans(4, random_state=0)), X, y[: len(X)])


@animal
def penguins_mixture() -> Made:
    X, y = data.penguins()
    X = X[data.numbers(X)].dropna()
    return fitted(
        make_pipeline(StandardScaler(), GaussianMixture(3, random_state=0)), X, y[: len(X)]
    )


@animal
def houses_outliers_by_isolation() -> Made:
    X, y = houses()
    return fitted(IsolationForest(n_estimators=50, random_state=0), X, y)


@animal
def houses_outliers_by_neighbours() -> Made:
    X, y = houses(600)
    return fitted(make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)), X, y)


@animal
def houses_outliers_by_support() -> Made:
    X, y = houses(600)
    return fitted(make_pipeline(StandardScaler(), OneClassSVM(nu=0.1)), X, y)


@animal
def houses_transformed_only() -> Made:
    X, y = data.ames()
    X = data.with_gaps(X, ["Garage_Area"])
    return fitted(prepared(X, RobustScaler(), min_frequency=20), X, y)


@animal
def movies_counts_naive_bayes() -> Made:
    X, y = data.movies()
    model = make_pipeline(CountVectorizer(ngram_range=(1, 2), min_df=2), MultinomialNB())
    return fitted(model, X["text"], y)


@animal
def movies_characters_linear_svc() -> Made:
    X, y = data.movies()
    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=4000)
    return fitted(make_pipeline(vectoriser, LinearSVC()), X["text"].tolist(), y)


@animal
def movies_hashed_sgd() -> Made:
    X, y = data.movies()
    model = make_pipeline(
        HashingVectorizer(n_features=2**12, stop_words="english"),
        SGDClassifier(loss="modified_huber", random_state=0),
    )
    return fitted(model, X["text"].to_numpy(), y)


@animal
def movies_latent_semantics_forest() -> Made:
    X, y = data.movies()
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, stop_words="english", max_features=3000),
        TruncatedSVD(20, random_state=0),
        Normalizer(),
        RandomForestClassifier(20, random_state=0),
    )
    return fitted(model, X["text"], y)


@animal
def movies_complement_naive_bayes_selected() -> Made:
    X, y = data.movies()
    columns = make_column_transformer(
        (make_pipeline(TfidfVectorizer(strip_accents="unicode"), SelectKBest(chi2, k=800)), "text")
    )
    return fitted(make_pipeline(columns, ComplementNB()), X, y)


@animal
def reviews_in_chinese_characters() -> Made:
    X, y = data.reviews()
    vectoriser = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), max_features=5000)
    return fitted(make_pipeline(vectoriser, LogisticRegression()), X["text"], y)


@animal
def reviews_in_chinese_own_pattern() -> Made:
    X, y = data.reviews()
    vectoriser = CountVectorizer(token_pattern=r"(?u)[\u4e00-\u9fff]", binary=True)
    return fitted(make_pipeline(vectoriser, LogisticRegression(max_iter=500)), X["text"], y)


@animal
def art_two_texts_and_a_number() -> Made:
    frame = data.load("tate_text", 2000).dropna()
    columns = make_column_transformer(
        (TfidfVectorizer(max_features=500), "title"),
        (CountVectorizer(max_features=200, ngram_range=(1, 2)), "medium"),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=5), ["artist"]),
    )
    return fitted(
        make_pipeline(columns, Ridge()), frame[["artist", "title", "medium"]], frame["year"]
    )


@animal
def art_missing_titles_filled() -> Made:
    frame = data.load("tate_text", 2000).dropna()
    y = (frame["year"] > 1990).to_numpy()
    X = data.with_gaps(frame[["title", "medium"]], ["title"]).fillna(np.nan)  # None in pandas 2
    title = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=""),
        FunctionTransformer(np.ravel),
        TfidfVectorizer(max_features=400),
    )
    columns = make_column_transformer((title, ["title"]), (CountVectorizer(min_df=3), "medium"))
    return fitted(make_pipeline(columns, LogisticRegression(max_iter=500)), X, y)


@animal
def bare_array_mini_batch_clusters() -> Made:
    X, y = houses()
    return fitted(MiniBatchKMeans(5, random_state=0), StandardScaler().fit_transform(X), y)


@animal
def bare_array_in_float32() -> Made:
    X, y = houses()
    return fitted(BaggingRegressor(n_estimators=10, random_state=0), X.to_numpy(np.float32), y)


@animal
def mixed_array_by_position() -> Made:
    X, y = data.taxi()
    columns = make_column_transformer(
        (StandardScaler(), [0, 5]), (OneHotEncoder(handle_unknown="ignore"), [1, 2, 3, 4])
    )
    return fitted(make_pipeline(columns, LogisticRegression(max_iter=500)), X.to_numpy(object), y)
