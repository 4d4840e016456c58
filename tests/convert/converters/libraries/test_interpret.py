"""interpret's models answer as interpret does; an EBM's contributions are its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("interpret")

from interpret import glassbox, privacy

from onnxlet.convert.converters.libraries.interpret import terms_of
from onnxlet.convert.errors import Refusal
from onnxlet.convert.examples.loan_default import DATA
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.convert.sources.source import Source
from tests.convert.exactness import answers, assert_exact
from tests.convert.helpers import built, served

ROWS = 400
FAST: dict[str, Any] = {"outer_bags": 2, "max_rounds": 60, "n_jobs": 1, "random_state": 0}


def people(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Numbers, whole numbers, booleans and text, with gaps."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.normal(40, 15, rows).round(1),
            "rooms": random.integers(1, 5, rows),
            "member": random.random(rows) > 0.4,
            "town": random.choice(["Rome", "Oslo", "3", "", "Ankara"], rows),
            "grade": random.choice([1.0, 2.5, 4.0, np.nan], rows),
        }
    )
    frame.loc[::17, "age"] = np.nan
    frame.loc[::13, "town"] = None
    return frame


def target(X: pd.DataFrame) -> Any:
    return (
        X["age"].fillna(30) / 10 + X["rooms"] * X["member"] + (X["town"] == "Rome") * 2.0
    ).to_numpy()


def odd(X: pd.DataFrame) -> pd.DataFrame:
    """The same, with what was never seen, and with values on the cuts."""
    X = X.copy()
    X.loc[1, "town"], X.loc[2, "grade"], X.loc[3, "rooms"] = "Paris", 2.50001, 99
    X.loc[4:6, "age"] = [np.inf, -np.inf, 1e300]
    return X


TYPES = ["continuous", "nominal", "nominal", "nominal", "ordinal"]
CLASSES = {2: ["no", "yes"], 4: ["a", "b", "c", "d"]}


def fitted(model: Any, y: Any, X: pd.DataFrame | None = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(people() if X is None else X, y)


def labels(count: int) -> Any:
    y = target(people())
    cuts = np.quantile(y, np.linspace(0, 1, count + 1)[1:-1])
    return np.array(CLASSES[count])[np.searchsorted(cuts, y)]


def on_cuts(model: Any) -> pd.DataFrame:
    X = odd(people(seed=1))
    for name, kind, bins in zip(
        model.feature_names_in_, model.feature_types_in_, model.bins_, strict=True
    ):
        if kind == "continuous" and X[name].dtype.kind == "f":
            cuts = np.concatenate(bins)[:300]
            X.loc[len(X) - len(cuts) :, name] = cuts
    return X


@pytest.mark.parametrize("types", [None, TYPES], ids=["found", "given"])
@pytest.mark.parametrize("count", [2, 4])
def test_a_classifier_answers_as_interpret_does(count: int, types: Any) -> None:
    model = glassbox.ExplainableBoostingClassifier(feature_types=types, interactions=4, **FAST)
    assert_exact(fitted(model, labels(count)), on_cuts(model))


@pytest.mark.parametrize(
    "objective",
    [
        "rmse", "rmse_log", "poisson_deviance", "gamma_deviance", "pseudo_huber:delta=1.0",
        "tweedie_deviance:variance_power=1.5",
    ],
)  # fmt: skip
def test_a_regressor_answers_as_interpret_does(objective: str) -> None:
    y = np.abs(target(people())) + 0.1
    model = glassbox.ExplainableBoostingRegressor(
        objective=objective, feature_types=TYPES, interactions=[(0, 1), (0, 3, 4)], **FAST
    )
    assert_exact(fitted(model, y), on_cuts(model))
    assert any(len(term) == 3 for term in model.term_features_)


def test_a_text_that_is_a_number_is_met_by_that_number_only() -> None:
    X = pd.DataFrame({"code": ["1", "1.0", "2", "True", "1e+15", "0"] * 20})
    y = np.arange(120) % 6 + np.arange(120) % 7
    model = glassbox.ExplainableBoostingRegressor(feature_types=["nominal"], **FAST)
    model = fitted(model, y, X)
    assert_exact(model, X)
    for column in ([1.0, 2.0, 1e15, -0.0, np.nan, 7.0], [1, 2, 3, 0], [True, False]):
        assert_exact(model, pd.DataFrame({"code": column}))


def test_columns_are_taken_by_name_and_by_position() -> None:
    X = people()
    model = fitted(glassbox.ExplainableBoostingRegressor(feature_types=TYPES, **FAST), target(X), X)
    assert_exact(model, X[["grade", "town", "member", "rooms", "age"]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # interpret says that it goes by position
        assert_exact(model, X.set_axis(list("vwxyz"), axis=1))


def test_edited_and_merged_models() -> None:
    X, y = people(), target(people())
    kind = glassbox.ExplainableBoostingRegressor
    first = fitted(kind(feature_types=TYPES, interactions=3, **FAST), y)
    first.scale(0, 0.5)
    first.remove_terms([1])
    first.sweep(features=False)
    assert_exact(first, on_cuts(first))
    some = fitted(kind(feature_types=TYPES, interactions=3, **FAST), y[::2], X[::2])
    other = X[1::2].assign(town=lambda rows: rows["town"].replace("Oslo", "Lima"))
    merged = glassbox.merge_ebms(
        [some, fitted(kind(feature_types=TYPES, interactions=2, **FAST), y[1::2], other)]
    )
    assert_exact(merged, on_cuts(merged))
    kept = fitted(kind(feature_types=TYPES, interactions=0, **FAST), y)
    kept.remove_terms(list(range(len(kept.term_features_))))
    assert_exact(kept, X)


def test_private_models() -> None:
    X = people()[["rooms", "member"]].astype(float)
    options: dict[str, Any] = {
        "outer_bags": 1, "max_rounds": 20, "n_jobs": 1, "privacy_bounds": [(0, 5), (0, 1)],
    }  # fmt: skip
    model = privacy.DPExplainableBoostingClassifier(**options)
    assert_exact(fitted(model, labels(2), X), X)
    model = privacy.DPExplainableBoostingRegressor(privacy_target_min=0, privacy_target_max=9)
    assert_exact(fitted(model.set_params(**options), target(people()), X), X)


@pytest.mark.parametrize("name", ["LinearRegression", "RegressionTree"])
def test_a_wrapped_regressor(name: str) -> None:
    X = people().drop(columns="town").fillna(0.0)
    model = fitted(getattr(glassbox, name)(feature_types=["continuous"] * 4), target(people()), X)
    assert_exact(model, X)


@pytest.mark.parametrize("name", ["LogisticRegression", "ClassificationTree"])
def test_a_wrapped_classifier(name: str) -> None:
    X = people().drop(columns="town").fillna(0.0)
    for count in (2, 4):
        assert_exact(fitted(getattr(glassbox, name)(), labels(count), X), X)


def test_what_is_refused_says_why() -> None:
    model = glassbox.ExplainableBoostingClassifier(**FAST)
    with pytest.raises(Unsupported, match="one class only"):
        answers(fitted(model, np.zeros(ROWS)), people())
    X = pd.DataFrame({"id": np.arange(ROWS) % 3 * 10**16})
    nominal = glassbox.ExplainableBoostingClassifier(feature_types=["nominal"], **FAST)
    with pytest.raises(Unsupported, match="category 10000000000000000 is another text"):
        answers(fitted(nominal, labels(2), X), X)
    X = people()[["town"]].assign(town="3")
    model = glassbox.ExplainableBoostingRegressor(feature_types=["continuous"], **FAST)
    with pytest.raises(Unsupported, match="given text where it computes with numbers"):
        answers(fitted(model, target(people()), X), X)


LOANS = pd.read_csv(DATA).iloc[:1500]


@pytest.mark.parametrize("text", ["object", "str", "category"])
def test_a_build_of_loans(text: str, tmp_path: Path) -> None:
    X = LOANS.drop(columns="Status")
    X = X.astype({name: text for name in X if X[name].dtype.kind not in "if"})
    model = glassbox.ExplainableBoostingClassifier(interactions=3, **FAST)
    made = built(Source(fitted(model, LOANS["Status"], X), X[1000:]), tmp_path)
    names = [entry["name"] for entry in made.manifest["signature"]["outputs"]]
    assert names == ["prediction", "probabilities"]


def test_a_build_of_a_wrapped_tree(tmp_path: Path) -> None:
    X = LOANS[["Age", "Amount", "Time"]]
    model = fitted(glassbox.ClassificationTree(), LOANS["Status"], X)
    made = built(Source(model, X[1000:]), tmp_path)
    assert made.manifest["task"] == "classification"


def explained(model: Any, X: pd.DataFrame, folder: Path, **options: Any) -> Any:
    """The function's answer, through JSON."""
    built(Source(model, X), folder)
    rows = [
        {name: None if pd.isna(cell) else cell for name, cell in row.items()}
        for row in X.head(5).astype(object).to_dict("records")
    ]
    answer = served(folder).post("/models/m/explain", json={"instances": rows, **options})
    return answer.get_json(force=True)


def check_explained(answer: Any, model: Any, X: pd.DataFrame, pick: Any = None) -> None:
    """Each term is `eval_terms`'s, and each column has its share of them."""
    wanted = model.eval_terms(X.head(5)).reshape(5, len(model.term_features_), -1)
    wanted = wanted if pick is None else wanted[..., pick]
    names = [[model.feature_names_in_[f] for f in term] for term in model.term_features_]
    np.testing.assert_allclose(
        np.ravel(answer["base_value"]), np.ravel(model.intercept_)[pick or slice(None)]
    )
    for row, each in enumerate(answer["explanations"]):
        assert [term["columns"] for term in each["terms"]] == names
        got = np.array([np.ravel(term["contribution"]) for term in each["terms"]])
        np.testing.assert_allclose(got, wanted[row], rtol=1e-9, atol=1e-12)
        for name, value in each["contributions"].items():
            share = sum(
                score / len(term)
                for term, score in zip(names, wanted[row], strict=True)
                if name in term
            )
            np.testing.assert_allclose(np.ravel(value), share, rtol=1e-9, atol=1e-12)
        total = np.sum([np.ravel(v) for v in each["contributions"].values()], axis=0)
        np.testing.assert_allclose(total + np.ravel(answer["base_value"]), np.ravel(each["answer"]))


def test_explanations_of_two_classes(tmp_path: Path) -> None:
    model = fitted(glassbox.ExplainableBoostingClassifier(interactions=3, **FAST), labels(2))
    X = people(60, seed=2)
    answer = explained(model, X, tmp_path)
    assert (answer["method"], answer["output"], answer["scale"]) == (
        "additive",
        "score",
        "log odds",
    )
    assert answer["classes"] == ["yes"]
    assert "background" not in answer
    check_explained(answer, model, X)
    scores = [np.ravel(each["answer"]).item() for each in answer["explanations"]]
    np.testing.assert_allclose(scores, model.decision_function(X.head(5)))


def test_explanations_of_some_of_four_classes(tmp_path: Path) -> None:
    model = fitted(glassbox.ExplainableBoostingClassifier(interactions=1, **FAST), labels(4))
    X = people(60, seed=2)
    answer = explained(model, X, tmp_path, classes=["c", "a"])
    assert answer["classes"] == ["c", "a"]
    check_explained(answer, model, X, [2, 0])


def test_explanations_of_a_count(tmp_path: Path) -> None:
    model = glassbox.ExplainableBoostingRegressor(objective="poisson_deviance", **FAST)
    y = np.abs(target(people())) + 0.1
    X = people(60, seed=2)
    answer = explained(fitted(model, y), X, tmp_path)
    assert answer["scale"] == "the logarithm of the prediction"
    assert "classes" not in answer
    check_explained(answer, model, X)
    asked = {"instances": [[30.0, 2, True, "Rome", None]], "output": "prediction"}
    sampled = served(tmp_path).post("/models/m/explain", json=asked).get_json(force=True)
    assert sampled["method"] == "exact"
    assert sampled["output"] == "prediction"


def test_terms_that_differ_from_the_model_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fitted(glassbox.ExplainableBoostingClassifier(interactions=1, **FAST), labels(2))
    terms = type(model).eval_terms
    monkeypatch.setattr(type(model), "eval_terms", lambda self, X: terms(self, X) * 1.001)
    with pytest.raises(Refusal, match="its terms are not those of eval_terms"):
        built(Source(model, people(60, seed=2)), tmp_path)


def test_bins_of_terms_are_coarser_where_a_term_has_several_features() -> None:
    fitted = SimpleNamespace(
        feature_names_in_=["a", "b"],
        term_features_=[(0,), (1,), (0, 1)],
        bins_=[[{"fine": 1}, {"coarse": 1}], [{"only": 1}]],
    )
    terms = [
        ((0,), [{"fine": 1}]), ((1,), [{"only": 1}]), ((0, 1), [{"coarse": 1}, {"only": 1}])
    ]  # fmt: skip
    assert terms_of(fitted) == (["a", "b"], terms)
    assert terms_of(SimpleNamespace()) == ([], [])
