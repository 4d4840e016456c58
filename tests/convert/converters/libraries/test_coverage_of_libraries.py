"""docs/reference/coverage.md has a line for every public estimator of the other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tools.evaluation.support.document import FILE, Table, row_of, tables_in
from tools.evaluation.support.libraries import estimators_of
from tools.evaluation.support.sweep import SCIKIT_LEARN, cases_of, installed, judged, versions_of

pytest.importorskip("imblearn")
LIBRARIES = [name for name in installed() if name != SCIKIT_LEARN]
# Lines that a sweep finds quickly; of other libraries the first one.
SAMPLE = {
    "category_encoders": ("CatBoostEncoder", "HashingEncoder", "SummaryEncoder"),
    "imbalanced-learn": ("Pipeline", "SMOTE"),
    "scikit-lego": ("ColumnCapper", "RandomRegressor", "Thresholder"),
}


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    """The page's tables, by library."""
    return tables_in(FILE.read_text())


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_estimator_has_its_line_and_none_differs(
    library: str, tables: dict[str, Table]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [case.name for case in cases_of(library)]
    assert names
    assert [one.name for one in tables[library].outcomes] == names
    assert {one.result for one in tables[library].outcomes} <= {"exact", "refused", "transductive"}
    assert tables[library].versions == versions_of(library)


def _sampled() -> Iterator[tuple[str, str]]:
    for library in LIBRARIES:
        first = next(case.name for case in cases_of(library))
        yield from ((library, name) for name in SAMPLE.get(library, (first,)))


@pytest.mark.parametrize(("library", "name"), list(_sampled()))
def test_the_line_is_what_a_sweep_finds(library: str, name: str, tables: dict[str, Table]) -> None:
    lines = {one.name: row_of(one) for one in tables[library].outcomes}
    assert row_of(judged(name, library)) == lines[name]


def test_every_library_has_its_table(tables: dict[str, Table]) -> None:
    assert list(tables) == [SCIKIT_LEARN, *LIBRARIES]
    assert set(SAMPLE) <= set(LIBRARIES)


def test_public_estimators_are_found_and_no_base_classes() -> None:
    found = estimators_of("imblearn")
    assert {"SMOTE", "Pipeline", "BalancedBaggingClassifier"} <= set(found)
    assert not {name for name in found if name.startswith("Base")}
    assert "SMOTE" not in estimators_of("imblearn", "SMOTE")
