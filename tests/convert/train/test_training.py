"""From a table to a model directory: what is served, what is written, and what the search sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from onnxlet.convert.errors import BreakingChange, Refusal
from onnxlet.convert.metrics.metrics import METRICS, Metric
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.convert.report import FILES as REPORT
from onnxlet.convert.report import TEST_ROWS
from onnxlet.convert.report.evaluation.evaluate import findings as report_findings
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.sections.plain import in_plain_words
from onnxlet.convert.train import measured as measuring
from onnxlet.convert.train import search as searching
from onnxlet.convert.train import training
from onnxlet.convert.train.ensemble import Combined, combine, out_of_fold, voting
from onnxlet.convert.train.portfolio import portfolio
from onnxlet.convert.train.preparing import Options
from onnxlet.convert.train.refit import ModelDestination, model_files
from onnxlet.convert.train.search import search
from onnxlet.convert.train.training import Trained, summary_lines, train
from onnxlet.convert.train.trials import Searched, TrainingData, Trial
from tests.convert.helpers import FILES, contents, quiet
from tests.convert.train.candidates import Here, linear, tree
from tests.convert.train.tables import column, made, never_seen

pytestmark = pytest.mark.training  # whole trainings: minutes, all together

NOWHERE_ELSE = "Wilhelmina"  # in one row only


def table(task: str, rows: int = 240) -> pd.DataFrame:
    """Columns of every kind, one that gives the target away, and one of groups."""
    all_kinds = made(rows)
    frame = all_kinds.X.copy()
    frame.loc[7, "note"] = f"{NOWHERE_ELSE} likes a quiet garden"
    frame["target"] = all_kinds.targets[task]
    frame["outcome"] = np.where(frame["target"] == "yes", "A1", "B2") if task == "binary" else 1
    frame["sex"] = np.random.default_rng(1).choice(["f", "m"], rows)
    return frame


def trained(
    folder: Path, frame: pd.DataFrame, said: list[str] | None = None, **options: Any
) -> Trained:
    folder.mkdir(exist_ok=True)
    data = folder / "rows.csv"
    frame.to_csv(data, index=False)
    # As it was measured: test_refit.py has what is fitted again, which takes as long once more.
    wanted = Options(**{"trials": 3, "refit": False, **options})
    report = quiet if said is None else said.append
    return train(str(data), "target", wanted, ModelDestination("m", folder / "models"), report)


@pytest.fixture(scope="module")
def quickly() -> Iterator[None]:
    """Refits for the report take a second, not ten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "Measured", partial(Measured, seconds=1.0))
        yield


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory, quickly: None) -> Trained:
    folder = tmp_path_factory.mktemp("binary")
    return trained(folder, table("binary"), metric="f1", sensitive=("sex",))


@pytest.fixture(scope="module")
def multiclass(tmp_path_factory: pytest.TempPathFactory, quickly: None) -> Trained:
    return trained(tmp_path_factory.mktemp("multiclass"), table("multiclass"))


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory, quickly: None) -> Trained:
    return trained(tmp_path_factory.mktemp("regression"), table("regression"), trials=4)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits in this process, and no figures: for tests of what comes before them."""
    monkeypatch.setattr(searching, "local_fits", Here)
    monkeypatch.setattr(training, "files_of", lambda measured: {})


@pytest.fixture
def asked(here: None, monkeypatch: pytest.MonkeyPatch) -> list[Measured]:
    """What the report's figures would have been made of."""
    found: list[Measured] = []

    def asking(measured: Measured) -> dict[str, bytes]:
        found.append(measured)
        return {}

    monkeypatch.setattr(training, "files_of", asking)
    return found


def simple(rows: int = 90, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 2)), columns=["a", "b"]).round(4)
    frame["target"] = np.where(frame["a"] + random.normal(size=rows) / 2 > 0, "yes", "no")
    return frame


def served(what: Trained) -> ProvenModel:
    built = what.built
    return ProvenModel(built.directory, "m", built.version, built.manifest)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """As clients send them: null where a value is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [
        {str(name): v.item() if isinstance(v, np.generic) else v for name, v in row.items()}
        for row in plain.to_dict("records")
    ]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_missing_and_unseen_values_are_answered_as_by_the_estimator(
    task: str, request: pytest.FixtureRequest
) -> None:
    what: Trained = request.getfixturevalue(task)
    X_test = what.prepared.test_part[0]
    odd = never_seen(X_test[[n for n in X_test if n != "sex"]]).assign(sex="of neither")
    # As in the training rows: to scikit-learn None and NaN are two different categories.
    odd = odd.where(odd.notna(), np.nan)
    for rows in (X_test, odd):
        answer = served(what).answer(rows_of(rows))
        if task == "regression":
            expected = what.served.combined.estimator.predict(rows)
            assert answer["prediction"] == pytest.approx(expected, rel=1e-5)
        else:
            expected = what.served.combined.estimator.predict_proba(rows)
            assert np.array(answer["probabilities"]) == pytest.approx(expected, abs=1e-5)
            assert answer["classes"] == list(what.served.combined.estimator.classes_)
            assert answer["prediction"] == list(what.served.combined.estimator.predict(rows))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_test_rows_make_the_table_of_intervals_and_sets(
    task: str, request: pytest.FixtureRequest
) -> None:
    what: Trained = request.getfixturevalue(task)
    rows = len(what.prepared.test_part[0])
    table = what.built.manifest["conformal"]
    assert (table["rows"], table["ranks"][-1]) == (rows, rows)


def test_the_report_is_beside_the_model_and_not_of_it(binary: Trained) -> None:
    directory = binary.built.directory
    assert {path.name for path in directory.iterdir()} == {*FILES, *REPORT}
    assert not set(REPORT) & set(binary.built.manifest["files"])
    assert not [p for p in directory.parent.parent.iterdir() if p.name.startswith(".building")]


def test_no_row_is_in_the_report_nor_in_the_manifest(binary: Trained) -> None:
    texts = {p.name: p.read_text("utf-8") for p in binary.built.directory.iterdir()
             if p.name in {*REPORT, "manifest.json"} - {TEST_ROWS}}  # fmt: skip
    notes = [note for note in binary.prepared.X["note"] if isinstance(note, str)]
    assert set(texts) == {*REPORT, "manifest.json"} - {TEST_ROWS}
    for name, text in texts.items():
        assert NOWHERE_ELSE not in text, name
        assert not [note for note in notes if note in text], name


def test_the_report_is_of_what_is_served(binary: Trained, regression: Trained) -> None:
    for what in (binary, regression):
        found = json.loads((what.built.directory / "report.json").read_text())
        X_test, y_test = what.prepared.test_part
        assert found["data"]["test_rows"] == len(y_test)
        predicted = served(what).predict(rows_of(X_test))
        score = (
            f1_score(y_test == "yes", predicted == "yes")
            if what is binary
            else np.sqrt(np.mean((predicted - y_test) ** 2))
        )
        assert found["scores"][0]["metric"] == what.prepared.metric.name
        assert found["scores"][0]["model"]["value"] == pytest.approx(score, rel=1e-5)
        names = [one["name"] for one in found["search"]["trials"]]
        assert names == [trial.candidate.name for trial in what.searched.trials]
    found = json.loads((binary.built.directory / "report.json").read_text())
    assert [one["column"] for one in found["fairness"]] == ["sex"]
    assert found["learning"] is not None  # refits of a model with a threshold, too


def test_the_threshold_is_the_best_on_rows_that_no_part_had_seen(binary: Trained) -> None:
    answers = out_of_fold(binary.chosen)
    y = binary.prepared.train_part[1]
    assert answers is not None
    assert binary.served.combined.threshold is not None
    best = max(f1_score(y == "yes", answers[:, 1] >= at) for at in np.unique(answers[:, 1]))
    at_chosen = f1_score(y == "yes", answers[:, 1] >= binary.served.combined.threshold)
    assert at_chosen == pytest.approx(best)
    estimator, X_test = binary.served.combined.estimator, binary.prepared.test_part[0]
    probabilities = estimator.predict_proba(X_test)[:, 1]
    expected = np.where(probabilities >= binary.served.combined.threshold, "yes", "no")
    assert list(served(binary).predict(rows_of(X_test))) == list(expected)


def test_the_linear_baseline_has_its_own_threshold(tmp_path: Path, asked: list[Measured]) -> None:
    frame = simple(200)
    frame["target"] = np.where(frame["a"] * frame["b"] > 0, "yes", "no")
    what = trained(tmp_path, frame, metric="f1", trials=3)

    trial = next(t for t in what.searched.trials if t.candidate.name == "linear")
    assert trial.out_of_fold is not None
    known, y = trial.out_of_fold[:, 1], what.prepared.train_part[1] == "yes"
    best = max(f1_score(y, known >= at) for at in np.unique(known))
    threshold = (asked[0].baselines or {})["linear"].threshold
    assert threshold is not None
    assert f1_score(y, known >= threshold) == best > f1_score(y, known >= 0.5)
    assert threshold != what.served.combined.threshold


@pytest.mark.parametrize("said", [None, "nein"])
def test_rates_and_threshold_are_of_the_positive_label(
    tmp_path: Path, asked: list[Measured], said: str | None
) -> None:
    frame = simple(200)
    frame["target"] = np.where(frame["a"] > 0.4, "ja", "nein")  # in order, the last is nein
    what = trained(tmp_path, frame, metric="f1", trials=3, positive=said)

    label = said or "ja"
    number = ["ja", "nein"].index(label)
    answers, threshold = out_of_fold(what.chosen), what.served.combined.threshold
    assert what.built.manifest["positive"] == label
    assert answers is not None
    assert threshold is not None
    y, of = what.prepared.train_part[1] == label, answers[:, number]
    best = max(f1_score(y, of >= at) for at in np.unique(of))
    assert f1_score(y, of >= threshold) == pytest.approx(best)
    X = what.prepared.test_part[0]
    probabilities = what.served.combined.estimator.predict_proba(X)[:, number]
    expected = np.where(probabilities >= threshold, label, "nein" if label == "ja" else "ja")
    assert list(served(what).predict(rows_of(X))) == list(expected)
    of_served = replace(asked[0], model=served(what)._loaded, served=None, seconds=0.0)
    found = report_findings(of_served)
    assert (found["positive"], found["metric"]["name"]) == (label, "f1")
    truth = what.prepared.test_part[1] == label
    assert found["scores"][0]["model"]["value"] == pytest.approx(
        f1_score(truth, expected == label), abs=1e-5
    )
    assert found["threshold"]["chosen"] == pytest.approx(threshold, abs=1e-4)
    assert in_plain_words(from_json(found)).startswith("Of ")
    places = asked[0].places
    assert places is not None
    lines = (tmp_path / "rows.csv").read_text().split("\n")
    for line, row in zip(places.numbers.tolist(), rows_of(X), strict=True):  # of the very file
        assert float(lines[line - 1].split(",")[1]) == row["b"]


def test_a_linear_model_that_is_about_as_good_is_served_and_said(
    tmp_path: Path, asked: list[Measured]
) -> None:
    said: list[str] = []
    what = trained(tmp_path, simple(400), said, trials=6)
    assert [trial.candidate.family for trial, _ in what.chosen] == ["linear"]
    why = what.searched.plainer
    assert why.startswith("linear is served, ROC AUC 0.")
    assert f"note: {why}" in said
    assert why in list(summary_lines(what))
    about = asked[0].search
    assert about is not None
    assert about.plainer == why


@pytest.mark.parametrize("straight", [True, False])
def test_a_linear_model_is_compared_with_the_constant_only(
    tmp_path: Path, asked: list[Measured], straight: bool
) -> None:
    frame = simple(200)
    if not straight:
        frame["target"] = np.where(frame["a"] * frame["b"] > 0, "yes", "no")
    what = trained(tmp_path, frame, trials=2 if straight else 3)
    assert ([t.candidate.name for t, _ in what.chosen] == ["linear"]) is straight
    assert asked[0].baselines is None if straight else list(asked[0].baselines or ()) == ["linear"]


def test_what_gives_the_target_away_is_left_out_and_said_at_the_end(binary: Trained) -> None:
    assert "outcome" not in binary.prepared.X.columns
    columns = served(binary)._loaded.signature.columns
    assert "outcome" not in {column.name for column in columns}
    said = [line for line in summary_lines(binary) if "give" in line]
    assert len(said) == 1
    assert "outcome" in said[0]
    assert said[0].startswith("1 column gives the target away")


def test_rows_of_the_table_are_answered_with_the_columns_that_are_left_out(
    binary: Trained,
) -> None:
    manifest = binary.built.manifest
    assert manifest["target"] == "target"
    assert {"outcome", "target"} <= set(manifest["signature"]["ignored"])
    rows = rows_of(table("binary").head(5))
    assert rows[0].keys() >= {"outcome", "target"}
    assert len(served(binary).predict(rows)) == 5


def test_the_last_lines_say_how_good_it_is_and_where_it_lies(regression: Trained) -> None:
    said = "\n".join(summary_lines(regression))
    assert "parity certificate of m version 1" in said
    assert f"On {len(regression.prepared.splits.test)} rows that it had not seen" in said
    assert str(regression.built.directory / "report.html") in said
    assert "constant" in said


@pytest.mark.usefixtures("here")
def test_the_same_seed_and_trials_give_the_same_bytes_and_no_new_version(tmp_path: Path) -> None:
    first = trained(tmp_path, table("binary", 120).drop(columns="note"), trials=4, seed=3)
    before = contents(tmp_path / "models")
    again = trained(tmp_path, table("binary", 120).drop(columns="note"), trials=4, seed=3)
    assert (first.built.new, again.built.new, again.built.version) == (True, False, 1)
    assert contents(tmp_path / "models") == before
    assert any("is the same, byte for byte, as" in line for line in summary_lines(again))


@pytest.mark.usefixtures("here")
def test_the_search_is_never_given_a_test_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TrainingData] = []

    class Spying(Here):
        def __init__(self, table: TrainingData, count: int) -> None:
            seen.append(table)
            super().__init__(table, count)

    monkeypatch.setattr(searching, "local_fits", Spying)
    fits: list[int] = []

    def counting(weighted: Any, X: Any, *rest: Any) -> Combined:
        fits.append(len(X))
        return combine(weighted, X, *rest)

    monkeypatch.setattr(training, "combine", counting)
    what = trained(tmp_path, simple().assign(a=np.arange(90) / 7))
    X_test = what.prepared.test_part[0]
    assert len(X_test) == 30
    assert not set(seen[0].X["a"]) & set(X_test["a"])
    assert len(seen[0].X) == fits[0] == 60
    positions = np.concatenate([np.concatenate(fold) for fold in seen[0].folds])
    assert positions.max() < 60


@pytest.mark.usefixtures("here")
def test_an_ensemble_that_is_refused_falls_back_on_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_two(*given: Any, **options: Any) -> Searched:
        found = search(*given, **options)
        two = [trial for trial in found.trials if trial.state == "done"][-2:]
        return Searched(found.trials, [(two[0], 0.3), (two[1], 0.7)], found.seconds, "")

    refused = list[Any]()

    def refusing_once(*given: Any) -> Any:
        if not refused:
            refused.append(given)
            raise Refusal("it can't be met", "")
        return model_files(*given)

    monkeypatch.setattr(training, "search", of_two)
    monkeypatch.setattr(training, "model_files", refusing_once)
    said: list[str] = []
    what = trained(tmp_path, simple(), said)
    assert [weight for _, weight in what.chosen] == [1.0]
    assert what.chosen[0][0].number == 2  # the heavier
    assert [line for line in said if "can't be served: it can't be met" in line]
    assert what.built.version == 1


@pytest.mark.usefixtures("here")
def test_a_weaker_model_is_no_way_out_where_clients_could_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def refusing(*given: Any) -> Any:
        built.append(given)
        raise BreakingChange("clients could not go on", "")

    monkeypatch.setattr(training, "write", refusing)
    monkeypatch.setattr(
        training, "_in_turn", lambda searched: [searched.weights, [*searched.weights]]
    )
    with pytest.raises(BreakingChange):
        trained(tmp_path, simple())
    assert len(built) == 1


@pytest.mark.usefixtures("here")
def test_where_all_are_refused_it_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*given: Any) -> Any:
        raise Refusal("it can't be met", "")

    monkeypatch.setattr(training, "model_files", refusing)
    with pytest.raises(Refusal, match="it can't be met"):
        trained(tmp_path, simple())
    assert not (tmp_path / "models").exists()


def test_a_linear_model_that_fails_is_no_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quickly: None
) -> None:
    monkeypatch.setattr(searching, "local_fits", Here)
    what = trained(tmp_path, simple().assign(a=[1e300, -1e300, 1.0] * 30), trials=2)
    assert [trial.state for trial in what.searched.trials] == ["done", "failed"]
    assert what.unreported is None
    found = json.loads((what.built.directory / "report.json").read_text())
    assert found["scores"][0]["baselines"][0]["name"] == "constant"


@pytest.mark.usefixtures("here")
def test_a_report_that_fails_does_not_lose_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(measured: Any) -> Any:
        raise ZeroDivisionError("a figure fails on purpose")

    monkeypatch.setattr(training, "files_of", failing)
    said: list[str] = []
    what = trained(tmp_path, simple(), said)
    assert {path.name for path in what.built.directory.iterdir()} == FILES
    assert what.unreported is not None
    assert what.unreported.startswith("ZeroDivisionError: a figure fails on purpose")
    assert [line for line in said if line.startswith("note: the report failed")]
    told = list(summary_lines(what))
    assert [line for line in told if line.startswith("no report was written")]
    assert not [line for line in told if line.startswith("report: ")]


@pytest.mark.usefixtures("here")
def test_held_out_rows_of_a_file_are_the_test_rows(tmp_path: Path) -> None:
    held_out = simple(40, seed=5)
    more = pd.concat([held_out.assign(more=1), held_out[:1].assign(target=" ")])
    more.to_csv(tmp_path / "test.csv", index=False)
    what = trained(tmp_path, simple(), test=str(tmp_path / "test.csv"))
    X_test, y_test = what.prepared.test_part
    assert X_test["a"].tolist() == held_out["a"].tolist()
    assert list(y_test) == held_out["target"].tolist()
    assert len(what.prepared.train_part[1]) == 90
    assert what.built.manifest["parity"]["held_out_rows"] == 40


def test_a_group_is_on_one_side_and_not_learnt_from(tmp_path: Path, asked: list[Measured]) -> None:
    frame = simple().assign(customer=[f"c{n % 15}" if n % 20 else np.nan for n in range(90)])
    what = trained(tmp_path, frame, group="customer")
    splits = what.prepared.splits
    own = [f"row {n}" for n in range(90)]  # who has no group is one
    customers = frame["customer"].fillna(pd.Series(own)).to_numpy()
    assert not set(customers[splits.train]) & set(customers[splits.test])
    assert asked[0].groups is not None  # by which intervals are made
    pairs = set(zip(asked[0].groups.tolist(), customers[splits.test], strict=True))
    assert len(pairs) == len(set(asked[0].groups)) == len(set(customers[splits.test]))
    for fitted, valid in splits.folds:
        assert not set(customers[splits.train][fitted]) & set(customers[splits.train][valid])
    assert "customer" not in what.prepared.X.columns


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%d %b %Y"])
def test_by_time_the_latest_rows_are_the_test_rows(tmp_path: Path, form: str) -> None:
    # Whoever reads 03.04. as in March has days of the future among those that are learnt from.
    days = pd.date_range("2024-01-01", periods=90).strftime(form).to_numpy()
    order = np.random.default_rng(0).permutation(90)
    what = trained(tmp_path, simple().assign(day=days[order]), time="day")
    splits = what.prepared.splits
    assert np.min(order[splits.test]) > np.max(order[splits.train])
    for fitted, valid in splits.folds:
        assert np.min(order[splits.train][valid]) > np.max(order[splits.train][fitted])


@pytest.mark.usefixtures("here")
def test_small_serves_one_candidate(tmp_path: Path) -> None:
    what = trained(tmp_path, simple(), small=True, trials=4)
    assert [weight for _, weight in what.chosen] == [1.0]
    done = [trial for trial in what.searched.trials if trial.state == "done"]
    best = max(done, key=lambda trial: trial.score or 0)
    near = [t for t in done if (t.score or 0) >= (best.score or 0) - (best.error or 0)]
    assert what.chosen[0][0].size == min(trial.size or 0 for trial in near)


def rare(rows: int, seed: int) -> tuple[pd.DataFrame, Any]:
    """Three classes, two of them rare, that overlap."""
    random = np.random.default_rng(seed)
    y = random.choice(np.array(["a", "b", "c"], object), rows, p=[0.9, 0.06, 0.04])
    X = np.searchsorted(["a", "b", "c"], y.astype(str))[:, None] + random.normal(size=(rows, 4))
    return pd.DataFrame(X, columns=list("abcd")), y


def test_rare_classes_weigh_as_much_where_the_metric_counts_all_alike() -> None:
    (X, y), (X_new, y_new) = rare(1500, 0), rare(1500, 1)
    numbers = [column(str(name), "number", 1500) for name in X]
    chosen = [(trial_of(portfolio("multiclass", numbers, 1500, y)[0][1]), 1.0)]

    def reached(metric: Metric) -> float:
        found = voting(chosen, X, y, "multiclass", metric, 0)
        return float(balanced_accuracy_score(y_new, found.predict(X_new)))

    assert reached(METRICS["balanced_accuracy"]) > reached(METRICS["accuracy"]) + 0.1


def trial_of(candidate: Any) -> Trial:
    return Trial(0, candidate, score=0.5, state="done")


@pytest.mark.usefixtures("here")
def test_the_search_weighs_rows_as_the_refit_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = rare(400, 2)
    given: list[Any] = []

    def spying(*arguments: Any, **options: Any) -> Searched:
        given.append(options["weights"])
        return search(*arguments, **options)

    monkeypatch.setattr(training, "search", spying)
    what = trained(tmp_path, X.assign(target=y), metric="balanced_accuracy")
    labels = what.prepared.train_part[1]
    sums = [given[0][labels == label].sum() for label in "abc"]
    assert sums == pytest.approx([len(labels) / 3] * 3)
    trained(tmp_path / "plain", X.assign(target=y), metric="accuracy")
    assert given[1] is None


def test_refitted_parts_vote_by_their_weights() -> None:
    X, y = rare(300, 3)
    parts = [(trial_of(linear()), 0.25), (trial_of(tree()), 0.75)]
    both = combine(parts, X, y, "multiclass", METRICS["log_loss"], 0)
    alone = [
        combine([(trial, 1.0)], X, y, "multiclass", METRICS["log_loss"], 0).estimator
        for trial, _ in parts
    ]
    expected = 0.25 * alone[0].predict_proba(X) + 0.75 * alone[1].predict_proba(X)
    assert both.estimator.predict_proba(X) == pytest.approx(expected)
    assert both.threshold is None
