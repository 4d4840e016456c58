"""A program for the Python of AutoGluon: it fits predictors, and answers rows by them.

`python -I fitting.py --list` names the predictors. `python -I fitting.py DATA FOLDER NAME …`
writes, for each of them, the predictor's folder as `NAME`, rows to build with as `NAME.csv`, other
rows as `NAME.rows.csv`, what it answers to these as `NAME.npz`, and `NAME.json`: how many seconds
the fit took, and the models that answer. DATA is the folder with the tables of the examples.
`python -I fitting.py --time FOLDER NAME …` prints the milliseconds that one row takes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

ROWS = 1600  # of a table at most
BUILT_WITH, ASKED = 200, 300  # rows that are held out
TIMES = 15  # that one row is asked

FEW: dict[str, Any] = {
    "GBM": {"num_boost_round": 60},
    "XGB": {"n_estimators": 60},
    "CAT": {"iterations": 60},
}
FORESTS: dict[str, Any] = {"RF": {"n_estimators": 40}, "XT": {"n_estimators": 40}}
ALL: dict[str, Any] = {**FEW, **FORESTS, "LR": {}, "KNN": {}}
BAGGED: dict[str, Any] = {
    "num_bag_folds": 3, "num_bag_sets": 1,
    "ag_args_ensemble": {"fold_fitting_strategy": "sequential_local"},
}  # fmt: skip
STACKED: dict[str, Any] = {**BAGGED, "num_stack_levels": 1}


def of_file(name: str, target: str, columns: Any = None) -> Any:
    """A table of the examples."""
    frame = pd.read_csv(Path(sys.argv[1]) / f"{name}.csv.gz")
    frame = frame[[*columns, target]] if columns else frame
    return frame.dropna(subset=[target]).rename(columns={target: "target"})


def of_sklearn(load: Any) -> Any:
    """A table of scikit-learn's, classes by their names."""
    data = load(as_frame=True)
    frame = data.frame.copy()
    if len(getattr(data, "target_names", ())) and not isinstance(data.target_names[0], np.integer):
        frame["target"] = [str(data.target_names[each]) for each in frame["target"]]
    return frame


def orders() -> Any:
    """Orders with dates as text in two forms, booleans, identifiers, and gaps."""
    draw = np.random.default_rng(5)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 700 * 24, ROWS), "h")
    sent = when + pd.to_timedelta(draw.integers(1, 90, ROWS), "h")
    frame = pd.DataFrame({
        "order": [f"A{number:05d}" for number in range(ROWS)],
        "placed": when.strftime("%m/%d/%Y %H:%M"),
        "sent": sent.strftime("%Y-%m-%dT%H:%M:%S").astype(object),
        "gift": draw.random(ROWS) < 0.3,
        "items": draw.poisson(3, ROWS) + 1,
        "town": draw.choice(["Bern", "Chur", "Genf", "Zug"], ROWS).astype(object),
        "weight": draw.lognormal(0, 1, ROWS).round(2),
    })  # fmt: skip
    frame.loc[draw.random(ROWS) < 0.1, ["sent", "weight"]] = None
    frame.loc[draw.random(ROWS) < 0.1, "town"] = None
    days = 2 + (when.dayofweek > 4) * 2 + when.month / 4 + frame["gift"] + frame["items"] / 5
    return frame.assign(target=(days + draw.normal(0, 0.4, ROWS)).round(2))


def snippets() -> Any:
    """Reviews of films, and whether they praise."""
    frame = of_file("movie_snippets", "score")
    return frame.assign(target=np.where(frame["target"] > 0, "praise", "blame"))


def late_orders() -> Any:
    """Whether an order takes long: true and false."""
    frame = orders()
    return frame.assign(target=frame["target"] > frame["target"].median())


def example(name: str, target: str, columns: Any = None) -> Any:
    """What makes a table of the examples."""
    return lambda: of_file(name, target, columns)


def sample(load: Any) -> Any:
    """What makes a table of scikit-learn's."""
    return lambda: of_sklearn(load)


CHURN, CREDIT = example("wa_churn", "churn"), example("credit_data", "Status")
WINE, DIABETES = sample(load_wine), sample(load_diabetes)
QUANTILES: dict[str, Any] = {"problem_type": "quantile", "quantile_levels": [0.1, 0.5, 0.9]}
# By name: the table; what the predictor is given; its models; what else its fit is given.
PREDICTORS: dict[str, Any] = {
    "art": (
        example("tate_text", "year", ["artist", "title", "medium"]),
        {"problem_type": "regression"}, {"GBM", "XGB"}, {}),
    "ames-stacked": (example("ames", "Sale_Price"), {}, {*FEW, "LR"}, STACKED),
    "cancer-calibrated": (
        sample(load_breast_cancer), {"eval_metric": "log_loss"}, {*FEW, *FORESTS},
        {"calibrate": True}),
    "churn": (CHURN, {}, {*ALL}, {}),
    "churn-medium-quality": (CHURN, {}, (), {"presets": "medium_quality", "time_limit": 40}),
    "churn-stacked": (CHURN, {}, {*ALL}, STACKED),
    "credit-bagged": (CREDIT, {}, {*ALL}, BAGGED),
    "credit-threshold": (
        CREDIT, {"eval_metric": "f1"}, {*FEW}, {"calibrate_decision_threshold": True}),
    "diabetes": (DIABETES, {}, {*ALL}, {}),
    "diabetes-quantiles": (DIABETES, QUANTILES, {"GBM", "CAT"}, {}),
    "digits": (sample(load_digits), {}, {"GBM", "KNN", "LR"}, {}),
    "orders": (orders, {}, {*ALL}, {}),
    "orders-late-bagged": (late_orders, {}, {*FEW, *FORESTS}, BAGGED),
    "snippets": (snippets, {}, {*FEW, "LR"}, {}),
    "wine": (WINE, {}, {*ALL}, {}),
    "wine-stacked": (WINE, {}, {*FEW, *FORESTS}, STACKED),
}  # fmt: skip


def main(folder: Path, names: list[str]) -> None:
    """Fit, save and ask."""
    from autogluon.tabular import TabularPredictor

    for name in names:
        table, of_predictor, models, of_fit = PREDICTORS[name]
        if models:  # in one order
            of_fit = {**of_fit, "hyperparameters": {k: v for k, v in ALL.items() if k in models}}
        frame = table()
        frame = frame.sample(min(len(frame), ROWS), random_state=0).reset_index(drop=True)
        held = min(BUILT_WITH + ASKED, len(frame) // 3)
        begun = time.perf_counter()
        predictor = TabularPredictor("target", path=str(folder / name), verbosity=0, **of_predictor)
        predictor.fit(frame.iloc[held:], dynamic_stacking=False, **of_fit)
        seconds = time.perf_counter() - begun
        if (
            "num_stack_levels" in of_fit
        ):  # the ensemble of the last level, whether it is best or not
            predictor.set_model_best(predictor.model_names()[-1], save_trainer=True)
        build_with, asked = frame.iloc[: held * 2 // 5], frame.iloc[held * 2 // 5 : held]
        build_with.to_csv(folder / f"{name}.csv", index=False)
        asked.drop(columns="target").to_csv(folder / f"{name}.rows.csv", index=False)
        rows = pd.read_csv(folder / f"{name}.rows.csv", float_precision="round_trip")
        np.savez(folder / f"{name}.npz", **answers(predictor, rows))
        about = {"seconds": round(seconds, 1), "problem": predictor.problem_type,
                 "members": needed(predictor)}  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(about))


def needed(predictor: Any) -> list[str]:
    """The models that answer, in the order of their levels."""
    chosen = predictor._trainer.get_minimum_model_set(predictor.model_best)
    return [name for name in predictor.model_names() if name in chosen]


def answers(predictor: Any, rows: Any) -> Any:
    """What it answers, by the names of a function's outputs."""
    made = {"prediction": predictor.predict(rows).to_numpy()}
    if predictor.can_predict_proba:
        made["probabilities"] = predictor.predict_proba(rows).to_numpy()
    if made["prediction"].dtype == object:
        made["prediction"] = made["prediction"].astype(str)
    return made


def one_row(folder: Path, name: str) -> float:
    """Milliseconds that one row takes, once its models are in memory."""
    from autogluon.tabular import TabularPredictor

    rows = pd.read_csv(folder / f"{name}.rows.csv")
    predictor = TabularPredictor.load(str(folder / name), verbosity=0)
    predictor.persist(max_memory=None)
    ask = predictor.predict_proba if predictor.can_predict_proba else predictor.predict
    taken = []
    for number in range(TIMES):
        begun = time.perf_counter()
        ask(rows.iloc[[number]])
        taken.append(1000 * (time.perf_counter() - begun))
    return median(taken)


if __name__ == "__main__":
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable()  # that there is no PyTorch, for each model
    if sys.argv[1] == "--list":
        print(*PREDICTORS)
    elif sys.argv[1] == "--time":
        print(json.dumps([one_row(Path(sys.argv[2]), name) for name in sys.argv[3:]]))
    else:
        main(Path(sys.argv[2]), sys.argv[3:])
