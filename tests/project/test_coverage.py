"""docs/reference/coverage.md lists every estimator, and is what a sweep finds."""

from __future__ import annotations

import warnings

import pytest
from sklearn.utils import all_estimators

from tools.evaluation.support.document import FILE, Table, document, row_of, tables_in
from tools.evaluation.support.estimators import cases
from tools.evaluation.support.outcomes import Outcome
from tools.evaluation.support.sweep import SCIKIT_LEARN, judged

LEAST_EXACT = 165
LEAST_LIBRARIES = 2
SAMPLE = (
    "BernoulliNB", "CountVectorizer", "DBSCAN", "DecisionTreeClassifier", "DictVectorizer",
    "HistGradientBoostingRegressor", "KMeans", "LabelEncoder", "LinearRegression",
    "LogisticRegression", "OneHotEncoder", "PCA", "Pipeline", "SimpleImputer",
    "StandardScaler",
)  # fmt: skip


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """The lines of scikit-learn's table, by estimator."""
    return {one.name: one for one in tables_in(FILE.read_text())[SCIKIT_LEARN].outcomes}


def test_every_estimator_has_its_line_and_none_differs(outcomes: dict[str, Outcome]) -> None:
    results = [one.result for one in outcomes.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some estimators warn that they will go
        names = [case.name for case in cases()]
    assert names == [name for name, _ in all_estimators()]
    assert list(outcomes) == names
    assert set(results) <= {"exact", "refused", "transductive"}
    assert results.count("exact") >= LEAST_EXACT


@pytest.mark.pipelines
@pytest.mark.parametrize("name", SAMPLE)
def test_the_line_is_what_a_sweep_finds(name: str, outcomes: dict[str, Outcome]) -> None:
    assert row_of(judged(name)) == row_of(outcomes[name])


def test_the_page_is_what_the_document_of_its_tables_is() -> None:
    assert document(tables_in(FILE.read_text())) == FILE.read_text()


def test_what_differs_is_counted_and_reported() -> None:
    outcomes = [Outcome("A", "exact", "prediction"), Outcome("B", "differs", "by 1 | 2")]
    text = document({"lib": Table("lib 1.0, onnx 2.0", outcomes), "other": Table("other 3", [])})
    assert "| library | estimators | exact | refused | transductive | differs |" in text
    assert "| [lib 1.0](#lib) | 2 | 1 | 0 | 0 | 1 |" in text
    assert "| [other 3](#other) | 0 | 0 | 0 | 0 | 0 |" in text
    assert "| B | differs | by 1 ¦ 2 |" in text


def test_no_library_loses_its_table() -> None:
    assert len(tables_in(FILE.read_text())) >= LEAST_LIBRARIES
