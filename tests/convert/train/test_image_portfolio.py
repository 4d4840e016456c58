"""Candidates of columns of images: what they are given, and that they convert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from onnxlet.convert.estimators.images import Images
from onnxlet.convert.reference.images import text_of
from onnxlet.convert.sources.source import Source
from onnxlet.convert.train.fitting import fit, weighted_mean
from onnxlet.convert.train.kinds.image import WEIGHTS, components_of
from onnxlet.convert.train.kinds.kind import Wanted
from onnxlet.convert.train.pipelines import linear_columns
from onnxlet.convert.train.portfolio import AUGMENTED, WITH_COPIES, portfolio
from onnxlet.convert.train.trials import Candidate
from tests.convert.helpers import built, objects, served
from tests.convert.images import digits
from tests.convert.train.tables import Made, column

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TASKS = ("binary", "multiclass", "regression")
TRAINED, ROWS = 200, 260
ROUNDS = 6


@pytest.fixture(scope="module")
def table() -> Made:
    images, labels = digits()
    random = np.random.default_rng(0)
    cells = np.empty(ROWS, dtype=object)
    for row in range(ROWS):
        cells[row] = images[row]
    city = objects([["Rome", "Oslo", None][at] for at in random.integers(0, 3, ROWS)])
    X = pd.DataFrame({"n": random.normal(size=ROWS), "photo": cells, "city": city})
    columns = [
        column("n", "number", ROWS),
        column("photo", "image", ROWS, "8x8 L"),
        column("city", "category", 2),
    ]
    digit = labels[:ROWS]
    targets = {"binary": digit > 4, "multiclass": digit, "regression": digit + X["n"].to_numpy()}
    return Made(X, columns, targets)


def candidates(table: Made, task: str, augment: bool = False) -> list[Candidate]:
    return portfolio(task, table.columns, TRAINED, table.targets[task][:TRAINED], augment=augment)[
        0
    ]


def fitted(candidate: Candidate, table: Made, task: str, rounds: int = ROUNDS) -> Any:
    X, y = table.X[:TRAINED], table.targets[task][:TRAINED]
    return fit(candidate, X, y, task, seed=0, rounds=rounds, threads=1).pipeline


def error(pipeline: Any, table: Made, task: str) -> float:
    y, answers = table.targets[task][TRAINED:], np.ravel(pipeline.predict(table.X[TRAINED:]))
    return float(np.mean(np.abs(answers - y) if task == "regression" else answers != y))


def test_the_pixels_become_principal_components(table: Made) -> None:
    columns = linear_columns(table.columns[1:2], Wanted(TRAINED)).fit(table.X[:TRAINED])
    made = columns.transform(table.X[:TRAINED])

    raw = Images(8, 8).fit_transform(table.X[["photo"]][:TRAINED]) / 255
    centred = raw - raw.mean(axis=0)
    strengths = np.linalg.svd(centred, compute_uv=False)
    assert made.shape == (TRAINED, 60)
    np.testing.assert_allclose((made**2).sum(axis=0)[:20], strengths[:20] ** 2, rtol=1e-6)


def test_there_are_as_many_components_as_the_size_of_a_model_allows() -> None:
    def of(form: str) -> int:
        return components_of(column("photo", "image", 9, form), 60)

    assert [of("8x8 L"), of("28x28 L"), of("3x3 L"), of("1x1 L")] == [60, 60, 8, 1]
    assert of("32x32 RGB") == WEIGHTS // 3072 < 60


def test_few_rows_have_as_many_components_as_rows(table: Made) -> None:
    """As the learning curve's refits have."""
    made = linear_columns(table.columns, Wanted(12)).fit(table.X[:12])
    assert np.isfinite(made.transform(table.X)).all()


@pytest.mark.training
@pytest.mark.parametrize("task", TASKS)
def test_each_is_better_than_the_constant(table: Made, task: str) -> None:
    found = candidates(table, task, augment=True)
    errors = {one.name: error(fitted(one, table, task, 15), table, task) for one in found}
    assert max(list(errors.values())[1:]) < errors["constant"], errors


def test_those_that_gain_by_it_are_there_with_and_without_copies(table: Made) -> None:
    plain = [one.name for one in candidates(table, "multiclass")]
    assert plain[:3] == ["constant", "linear", "kernel"]
    names = [one.name for one in candidates(table, "multiclass", augment=True)]
    added = {name for name in names if name.endswith(WITH_COPIES)}
    assert added == {f"{name}{WITH_COPIES}" for name in AUGMENTED}
    assert [name for name in names if name not in added] == plain
    assert all(names[names.index(name) - 1] == name.removesuffix(WITH_COPIES) for name in added)


def test_targets_of_categories_are_not_encoded_with_copies_of_a_row(table: Made) -> None:
    many = [*table.columns[:2], column("city", "category", 40)]
    found = portfolio("binary", many, TRAINED, table.targets["binary"][:TRAINED], augment=True)[0]
    added = {one.family for one in found if one.name.endswith(WITH_COPIES)}
    assert added == set(AUGMENTED) - {"LightGBM"}


def test_early_stopping_looks_at_no_copy_of_its_rows(table: Made) -> None:
    plain, copied = (
        fitted(one, table, "multiclass")[-1]
        for one in candidates(table, "multiclass", augment=True)
        if one.family == "perceptron"
    )
    assert (plain.early_stopping, copied.early_stopping) == (True, False)


@pytest.mark.parametrize("task", TASKS)
def test_what_optuna_may_choose_of_kernels_can_be_fitted(table: Made, task: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    one = next(one for one in candidates(table, task) if one.family == "kernel")
    for _ in range(3):
        assert one.space is not None
        chosen = one.with_parameters(one.space(study.ask()))
        assert len(np.unique(fitted(chosen, table, task).predict(table.X))) > 1


@pytest.mark.training
@pytest.mark.parametrize("task", TASKS[1:])
def test_all_of_them_together_are_built_and_served(table: Made, task: str, tmp_path: Path) -> None:
    X, y = table.X, table.targets[task]
    chosen = candidates(table, task)[1:]
    parts = [(fitted(one, table, task), 1.0 + at) for at, one in enumerate(chosen)]
    model = weighted_mean(parts, X[:TRAINED], y[:TRAINED], task)
    result = built(Source(model, X[TRAINED:], y[TRAINED:]), tmp_path)

    assert result.manifest["parity"]["differing_rows"] == 0
    nullable = {one["name"]: one["nullable"] for one in result.manifest["signature"]["inputs"]}
    assert nullable == {"n": True, "photo": False, "city": True}
    rows = X[TRAINED:].assign(photo=[text_of(cell) for cell in X["photo"][TRAINED:]])
    sent = rows.astype(object).where(rows.notna(), None).to_dict("records")
    answer = served(tmp_path).post("/predict", json={"instances": sent}).get_json()
    if task == "regression":
        np.testing.assert_allclose(answer["prediction"], model.predict(X[TRAINED:]), rtol=1e-5)
    else:
        expected = model.predict_proba(X[TRAINED:])
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
