"""Every candidate answers all kinds of columns, with gaps and values never seen, and converts."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.model_selection import FixedThresholdClassifier

from onnxlet.convert.sources.source import Source
from onnxlet.convert.train import portfolio as module
from onnxlet.convert.train.fitting import fading, fit, weighted_mean
from onnxlet.convert.train.kinds.category import FEW
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.pipelines import LEAVES
from onnxlet.convert.train.portfolio import is_skewed, portfolio
from onnxlet.convert.train.trials import Candidate
from tests.convert.helpers import built, served
from tests.convert.train.tables import Made, column, made, never_seen

pytestmark = pytest.mark.training

TASKS = ("binary", "multiclass", "regression")
TABLES = {"text": made(), "no text": made(text=False)}
TRAINED = 180
ROUNDS = 8


def candidates(table: Made, task: str, **others: Any) -> list[Candidate]:
    return portfolio(task, table.columns, TRAINED, table.targets[task][:TRAINED], **others)[0]


def fitted(candidate: Candidate, table: Made, task: str) -> Any:
    X, y = table.X[:TRAINED], table.targets[task][:TRAINED]
    return fit(candidate, X, y, task, seed=0, rounds=ROUNDS, threads=1).pipeline


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_constant_and_the_linear_model_come_first(table: Made, task: str) -> None:
    found = candidates(table, task)

    assert [one.name for one in found[:2]] == ["constant", "linear"]
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    families = {one.family for one in found}
    assert families >= {"constant", "linear", "LightGBM", "histogram boosting", "extra trees"}
    assert ("neighbours" in families) == ("perceptron" in families) == ("note" not in table.X)
    assert all(one.rounds is None or one.rounds in one.parameters for one in found)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_candidate_answers_what_was_never_seen_and_beats_the_constant(
    table: Made, task: str
) -> None:
    rows, y = never_seen(table.X), table.targets[task]
    errors: dict[str, float] = {}
    for candidate in candidates(table, task):
        read = pickle.loads(pickle.dumps(candidate))  # noqa: S301
        fits = fit(read, table.X[:TRAINED], y[:TRAINED], task, seed=0, rounds=40, threads=1)
        pipeline = fits.pipeline
        answers = pipeline.predict(rows) if task == "regression" else pipeline.predict_proba(rows)
        assert np.isfinite(np.asarray(answers, dtype=np.float64)).all(), candidate.name
        assert len(answers) == len(rows)
        if task != "regression":
            np.testing.assert_allclose(answers.sum(axis=1), 1.0, rtol=1e-6)
        found, known = np.ravel(pipeline.predict(table.X[TRAINED:])), y[TRAINED:]
        off = np.abs(found - known) if task == "regression" else found != known
        errors[candidate.name] = float(np.mean(off))
    assert max(list(errors.values())[1:]) < errors["constant"], errors


@pytest.mark.parametrize(("task", "text"), [(t, x) for t in TASKS for x in ("text", "no text")])
def test_all_of_them_together_are_built_and_served(task: str, text: str, tmp_path: Path) -> None:
    assert_served(TABLES[text], task, candidates(TABLES[text], task), tmp_path)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", ["CatBoost", "XGBoost"])
def test_those_of_a_large_library_are_built_and_served(
    family: str, task: str, tmp_path: Path
) -> None:
    pytest.importorskip(family.lower())
    for at, table in enumerate(TABLES.values()):
        chosen = [one for one in candidates(table, task) if one.family == family]
        chosen.append(chosen[0].with_parameters({"pairs": True}))
        if family == "XGBoost":
            chosen.append(chosen[0].with_parameters({"codes": True}))
        assert_served(table, task, chosen, tmp_path / str(at))


def test_some_together_are_built_and_served(tmp_path: Path) -> None:
    some = candidates(TABLES["text"], "binary")[3:5]
    assert_served(TABLES["text"], "binary", some, tmp_path)


def assert_served(table: Made, task: str, chosen: list[Candidate], folder: Path) -> None:
    """As the search combines them, inside the threshold: no step's conversion is refused."""
    X, y = table.X, table.targets[task]
    parts = [(fitted(one, table, task), 1.0 + at) for at, one in enumerate(chosen)]
    model = weighted_mean(parts, X[:TRAINED], y[:TRAINED], task)
    if task == "binary":
        model = FixedThresholdClassifier(model, threshold=0.4, pos_label="yes")
        model.fit(X[:TRAINED], y[:TRAINED])
    result = built(Source(model, X[TRAINED:], y[TRAINED:]), folder)

    columns = result.manifest["signature"]["inputs"]
    assert [one["name"] for one in columns if not one["nullable"]] == []
    assert result.manifest["parity"]["differing_rows"] == 0
    rows = never_seen(X)
    sent: list[dict[str, Any]] = [{str(n): None if pd.isna(v) else v for n, v in row.items()}
            for row in rows.to_dict("records")]  # fmt: skip
    for row in sent:
        row |= {name: int(row[name]) for name in ("count", "code") if row[name] is not None}
    answer = served(folder).post("/predict", json={"instances": sent}).get_json()
    if task == "regression":
        np.testing.assert_allclose(answer["prediction"], model.predict(rows), rtol=1e-5)
    else:
        said = np.ravel(model.predict(rows)).tolist()  # CatBoost answers a column of labels
        assert answer["prediction"] == said
        np.testing.assert_allclose(answer["probabilities"], model.predict_proba(rows), atol=1e-5)


@pytest.mark.parametrize("absent", ["CatBoost", "XGBoost", "LightGBM"])
def test_an_absent_library_is_left_out_and_named(
    absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: name != absent.lower() or None)
    listed, notes = portfolio("binary", TABLES["text"].columns, 100)

    families = {one.family for one in listed}
    libraries = {"CatBoost", "XGBoost", "LightGBM"}
    assert families & libraries == libraries - {absent}
    said, way = notes
    assert f"{absent} is not installed" in said
    assert way == "make train brings it."


def test_codes_are_tried_of_many_categories_and_large_trees_where_they_are_small() -> None:
    table = TABLES["no text"]
    few = [one for one in table.columns if one.kind != "category" or one.distinct <= FEW]

    def tried(columns: Sequence[TableColumn], rows: int, classes: int = 2) -> set[str]:
        task = "binary" if classes == 2 else "multiclass"
        found = portfolio(task, columns, rows, np.arange(300) % classes)[0]
        return {one.name for one in found} & {"LightGBM, codes", "LightGBM, large trees"}

    assert tried(table.columns, 200) == {"LightGBM, codes", "LightGBM, large trees"}
    assert tried(few, 200) == {"LightGBM, large trees"}
    assert tried(few, 50_000) == set()
    assert tried(few, 200, classes=9) == set()


def test_terms_of_text_are_tried_where_there_are_not_too_many_rows() -> None:
    def tried(name: str, rows: int) -> bool:
        found = portfolio("binary", TABLES[name].columns, rows, np.arange(300) % 2)[0]
        return "LightGBM, terms" in {one.name for one in found}

    assert tried("text", 200)
    assert not tried("text", 1_000_000)
    assert not tried("no text", 200)


def test_terms_are_words_that_a_text_has() -> None:
    table = TABLES["text"]
    one = next(one for one in candidates(table, "binary") if one.name == "LightGBM, terms")
    columns = fitted(one, table, "binary").named_steps["columns"]
    words = columns.named_transformers_["text note"][-1].get_feature_names_out()
    notes = table.X["note"].fillna("").str.lower()
    made = columns.transform(table.X)[:, -len(words) :]
    expected = [[len(re.findall(rf"\b{word}\b", note)) > 0 for word in words] for note in notes]
    assert np.array_equal(made, expected)
    assert 0 < made.mean() < 1


def test_codes_are_positions_of_categories() -> None:
    table = TABLES["no text"]
    many = next(c for c in table.columns if c.kind == "category" and c.distinct > FEW).name
    usual, codes = (
        fitted(one, table, "binary").named_steps["columns"].named_transformers_["many"]
        for one in candidates(table, "binary")
        if one.name in ("LightGBM", "LightGBM, codes")
    )
    made = codes.transform(table.X[[many]])
    assert set(made.ravel()) <= set(range(table.X[many].nunique())) | {-1, -2}
    assert not np.allclose(made, usual.transform(table.X[[many]])[:, :1])


def test_the_logarithm_is_tried_of_skewed_targets_only() -> None:
    table = TABLES["text"]
    names = [one.name for one in candidates(table, "regression")]
    assert {"linear, log target", "LightGBM, log target"} <= set(names)
    even = portfolio("regression", table.columns, 200, np.linspace(1, 2, 200))[0]
    assert not any(one.parameters.get("log") for one in even)

    prices = np.exp(np.random.default_rng(0).normal(size=300))
    assert is_skewed(prices)
    assert not is_skewed(prices - 5)  # negative ones
    assert not is_skewed(np.ones(9))


def test_the_median_answers_absolute_errors_best() -> None:
    table = TABLES["no text"]
    y = table.targets["regression"][:TRAINED]
    for metric, expected in (("mae", np.median(y)), ("rmse", np.mean(y)), (None, np.mean(y))):
        constant = candidates(table, "regression", metric=metric)[0]
        assert fitted(constant, table, "regression").predict(table.X[:1])[0] == expected


def test_sizes_are_bounded_whatever_the_number_of_classes() -> None:
    for classes in (2, 3, 9, 30):
        y = np.arange(3000) % classes
        task = "binary" if classes == 2 else "multiclass"
        for one in portfolio(task, TABLES["no text"].columns, 50_000, y)[0]:
            given = one.parameters
            leaves = given.get(
                "num_leaves",
                given.get("max_leaf_nodes", 2 ** given.get("depth", given.get("max_depth", 0))),
            )
            trees = classes if classes > 2 else 1
            if one.rounds and given[one.rounds] > 60:
                assert given[one.rounds] * leaves * trees <= LEAVES, one.name


@pytest.mark.parametrize("task", TASKS)
def test_what_optuna_may_choose_can_be_fitted(task: str) -> None:
    table = TABLES["no text"]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    spaces = {one.family: one for one in candidates(table, task) if one.space}

    assert set(spaces) >= {"linear", "LightGBM", "histogram boosting", "extra trees"}
    for one in spaces.values():
        for _ in range(2):
            assert one.space is not None
            chosen = one.with_parameters(one.space(study.ask()))
            answers = fitted(chosen, table, task).predict(table.X)
            assert len(np.unique(answers)) > 1, chosen.parameters


def history(rows: int = 240) -> Made:
    """Days on which a number rises, and falls with another column beyond its middle."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d")})
    X["size"] = random.normal(size=rows)
    y = np.arange(rows) / 5 - 4 * (X["size"] > 0) + random.normal(size=rows) / 3
    columns = [column("day", "date", rows)._replace(format="%Y-%m-%d")]
    return Made(X, [*columns, column("size", "number", rows)], {"regression": np.asarray(y)})


def test_what_goes_on_with_a_trend_is_tried_of_histories_and_is_served(tmp_path: Path) -> None:
    table = history()
    plain = {one.name for one in candidates(table, "regression")}
    every = candidates(table, "regression", by_time=True)
    new = [one for one in every if one.name not in plain]

    assert [one.name for one in new] == [
        "linear, later rows weigh more", "latest trend", "linear, trees on the rest"
    ]  # fmt: skip
    assert not [one for one in candidates(TABLES["no text"], "binary", by_time=True)
                if one.family == "trend"]  # fmt: skip
    y = table.targets["regression"]
    tried = [*new, *(one for one in every if one.name in ("linear", "LightGBM"))]
    pipelines = {one.name: fitted(one, table, "regression") for one in tried}
    off = {
        name: np.abs(pipeline.predict(table.X[TRAINED:]) - y[TRAINED:]).mean()
        for name, pipeline in pipelines.items()
    }
    assert min(off, key=off.__getitem__) == "linear, trees on the rest", off
    assert off["LightGBM"] > 2 * off["latest trend"]
    model = weighted_mean([(pipelines[one.name], 1.0) for one in new], table.X, y, "regression")
    result = built(Source(model, table.X[TRAINED:], y[TRAINED:]), tmp_path)
    assert result.manifest["parity"]["differing_rows"] == 0


def test_later_rows_weigh_more_by_the_half_life_that_is_named() -> None:
    weights = fading(200, 0.1)
    assert weights.mean() == pytest.approx(1)
    assert weights[20:] == pytest.approx(2 * weights[:-20])
    assert (np.diff(weights) > 0).all()
