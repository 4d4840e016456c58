"""docs/reference/coverage.md lists every estimator, and is what a sweep finds."""

from __future__ import annotations

import warnings

import pytest
from sklearn.utils import all_estimators

from tools.coverage.document import FILE, document, row_of
from tools.coverage.estimators import cases
from tools.coverage.outcomes import Outcome
from tools.coverage.sweep import judged

LEAST_EXACT = 165
SAMPLE = (
    "BernoulliNB", "CountVectorizer", "DBSCAN", "DecisionTreeClassifier", "DictVectorizer",
    "HistGradientBoostingRegressor", "KMeans", "LabelEncoder", "LinearRegression",
    "LogisticRegression", "NMF", "OneHotEncoder", "PCA", "Pipeline", "SimpleImputer",
    "StandardScaler",
)  # fmt: skip


@pytest.fixture(scope="module")
def lines() -> dict[str, str]:
    """The lines of the table, by estimator."""
    rows = [line for line in FILE.read_text().splitlines() if line.startswith("| ")]
    return {line.split(" | ")[0].removeprefix("| "): line for line in rows[1:] if "---" not in line}


def test_every_estimator_has_its_line_and_none_differs(lines: dict[str, str]) -> None:
    results = {name: line.split(" | ")[1] for name, line in lines.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some estimators warn that they will go
        names = [case.name for case in cases()]
    assert names == [name for name, _ in all_estimators()]
    assert list(results) == names
    assert set(results.values()) == {"exact", "refused", "transductive"}
    assert list(results.values()).count("exact") >= LEAST_EXACT


@pytest.mark.parametrize("name", SAMPLE)
def test_the_line_is_what_a_sweep_finds(name: str, lines: dict[str, str]) -> None:
    assert row_of(judged(name)) == lines[name]


def test_what_differs_is_counted_and_reported() -> None:
    outcomes = [Outcome("A", "exact", "prediction"), Outcome("B", "differs", "by 1 | 2")]
    text = document(outcomes)
    assert "1 exact, 0 refused, 0 transductive, 1 differs" in text
    assert "| B | differs | by 1 ¦ 2 |" in text
