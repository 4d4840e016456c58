"""Rates by group and their differences by pandas; mitigations that make them smaller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from onnxlet.convert.report.evaluation.fairness import fairness
from onnxlet.convert.report.evaluation.learning import Refits
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.evaluation.mitigation import _weights
from onnxlet.convert.report.evaluation.statistics import grouped, resamples
from tests.convert.report.evaluation import figures
from tests.convert.report.evaluation.figures import plain


def unfair(rows: int = 1200) -> tuple[pd.DataFrame, Any, Any]:
    """Loans, seldom given to one group; a third is small."""
    random = np.random.default_rng(4)
    group = random.choice(["a", "b", "c"], rows, p=[0.6, 0.37, 0.03])
    income = random.normal(3, 1, rows) + (group == "a")
    X = pd.DataFrame({"income": income, "debt": random.random(rows)})
    y = np.where(X["income"] - X["debt"] + random.normal(0, 0.7, rows) > 3, "yes", "no")
    return X, y, group


def of_loans(**more: Any) -> Measured:
    X, y, group = unfair()
    known = {"sensitive": {"group": group[800:]}, "sensitive_train": {"group": group[:800]}}
    return figures.measured(LogisticRegression(), y, train=800, X=X, **{**known, **more})


def found_of(given: Measured) -> dict[str, Any]:
    about = figures.of(given)
    (found,) = fairness(about, Refits(about)) or []
    made: dict[str, Any] = plain(found)
    return made


def test_rates_by_group_are_counted() -> None:
    given = of_loans(sensitive_train={})
    found = found_of(given)
    said, yes = given.estimator.predict(given.X_test) == "yes", given.y_test == "yes"
    group = given.sensitive["group"]

    assert [each["group"] for each in found["groups"]] == ["a", "b", "c"]
    for each in found["groups"]:
        mine = group == each["group"]
        assert each == pytest.approx(
            {
                "group": each["group"],
                "rows": mine.sum(),
                "small": each["group"] == "c",
                "selection_rate": said[mine].mean(),
                "true_positive_rate": said[mine & yes].mean(),
                "false_positive_rate": said[mine & ~yes].mean(),
                "accuracy": (said == yes)[mine].mean(),
                "mean_error": None,
                "mean_absolute_error": None,
            }
        )


def test_differences_are_between_large_groups_with_intervals_of_resampled_rows() -> None:
    given = of_loans(sensitive_train={})
    found = {each["measure"]: each for each in found_of(given)["differences"]}
    frame = pd.DataFrame(
        {
            "said": given.estimator.predict(given.X_test) == "yes",
            "yes": given.y_test == "yes",
            "group": given.sensitive["group"],
        }
    )

    def rates(rows: pd.DataFrame) -> dict[str, float]:
        by = {g: rows[rows["group"] == g] for g in ("a", "b")}
        selected = {g: each["said"].mean() for g, each in by.items()}
        true = {g: each["said"][each["yes"]].mean() for g, each in by.items()}
        false = {g: each["said"][~each["yes"]].mean() for g, each in by.items()}
        return {
            "selection_rate_difference": selected["a"] - selected["b"],
            "selection_rate_ratio": selected["b"] / selected["a"],
            "true_positive_rate_difference": true["a"] - true["b"],
            "false_positive_rate_difference": false["a"] - false["b"],
        }

    expected = rates(frame)
    assert all(value > 0 for value in expected.values())
    drawn = pd.DataFrame(
        [
            rates(frame.iloc[np.repeat(np.arange(400), counts.astype(int))])
            for counts in np.concatenate(list(resamples(0, 400)))
        ]
    )
    for measure, value in expected.items():
        low, high = np.percentile(drawn[measure], (2.5, 97.5))
        assert {k: found[measure][k] for k in ("value", "low", "high")} == pytest.approx(
            {"value": value, "low": low, "high": high}
        )
        assert found[measure]["between"] == ["a", "b"]
    odds = max(expected[f"{kind}_positive_rate_difference"] for kind in ("true", "false"))
    assert found["equalized_odds_difference"]["value"] == pytest.approx(odds)
    assert len(found) == 6


def test_thresholds_by_group_make_the_difference_smaller_and_say_what_that_costs() -> None:
    given = of_loans()
    found = found_of(given)
    made = found["mitigation"]
    before = {each["measure"]: each["value"] for each in found["differences"]}
    after = {each["measure"]: each["value"] for each in made["differences"]}

    assert "ThresholdOptimizer" in made["how"]
    which = "selection_rate_difference"
    if "false positive" in made["how"]:
        which = "equalized_odds_difference"
    assert before[which] > 0.1
    assert after[which] < before[which] / 2
    assert made["metric"] == "accuracy"
    assert made["scores"]["before"]["value"] == pytest.approx(
        np.mean(given.estimator.predict(given.X_test) == given.y_test)
    )
    assert 0.5 < made["scores"]["after"]["value"] <= made["scores"]["before"]["value"] + 0.02
    assert found["notes"] == []


def test_thresholds_are_found_on_the_answers_that_are_given_of_unseen_rows() -> None:
    flat = np.full((800, 2), 0.5)  # says nothing: no threshold can select by it
    made = found_of(of_loans(out_of_fold=flat))["mitigation"]
    other = found_of(of_loans())["mitigation"]

    assert made["differences"] != other["differences"]


def test_rows_that_no_fold_validated_on_are_left_out_of_the_thresholds() -> None:
    given = of_loans()
    known = given.estimator.predict_proba(given.X_train)
    gaps = known.copy()
    gaps[:200] = np.nan
    fewer = replace(
        given,
        X_train=given.X_train[200:],
        y_train=given.y_train[200:],
        out_of_fold=known[200:],
        sensitive_train={"group": given.sensitive_train["group"][200:]},
    )

    made = found_of(replace(given, out_of_fold=gaps))["mitigation"]
    assert made is not None
    assert made == found_of(fewer)["mitigation"]


def test_numbers_have_errors_by_group_and_a_reweighed_refit() -> None:
    X = figures.table(900)
    y = figures.price(X) + 40 * (X["town"] == "Biel") * (X["size"] > 50)
    towns = {"town": X["town"].to_numpy()[600:]}
    given = figures.measured(
        figures.pipeline(LinearRegression()), np.asarray(y), 600, X, sensitive=towns
    )
    found = found_of(given)
    off = pd.Series(given.estimator.predict(given.X_test) - given.y_test)
    by = off.groupby(towns["town"])
    sizes = off.abs().groupby(towns["town"])
    expected = {"mean_error": by.mean(), "mean_absolute_error": sizes.mean()}

    for each in found["groups"]:
        assert each["mean_error"] == pytest.approx(expected["mean_error"][each["group"]])
        assert each["mean_absolute_error"] == pytest.approx(
            expected["mean_absolute_error"][each["group"]]
        )
        assert each["selection_rate"] is None
    values = {each["measure"]: each["value"] for each in found["differences"]}
    errors = expected["mean_absolute_error"]
    assert values == pytest.approx(
        {
            "mean_error_difference": np.ptp(expected["mean_error"]),
            "mean_absolute_error_difference": errors.max() - errors.min(),
            "mean_absolute_error_ratio": errors.min() / errors.max(),
        }
    )
    made = found["mitigation"]
    assert "drawn" in made["how"]
    assert made["metric"] == "rmse"
    assert made["scores"]["before"]["value"] == pytest.approx(np.sqrt((off**2).mean()))
    assert made["scores"]["after"]["value"] != made["scores"]["before"]["value"]


def test_weights_leave_no_answer_to_a_group() -> None:
    random = np.random.default_rng(0)
    groups = random.choice(["a", "b"], 500, p=[0.8, 0.2])
    answers = np.where(random.random(500) < np.where(groups == "a", 0.7, 0.2), "yes", "no")
    frame = pd.DataFrame({"g": groups, "y": answers, "w": _weights(groups, answers)})

    shares = frame.groupby(["g", "y"])["w"].sum().unstack()
    of_yes = shares["yes"] / shares.sum(axis=1)
    assert of_yes["a"] == pytest.approx(of_yes["b"])
    drawn = shares.sum(axis=1)  # groups and answers stay as frequent as they are
    assert drawn["a"] / drawn.sum() == pytest.approx(np.mean(groups == "a"))
    assert shares["yes"].sum() / drawn.sum() == pytest.approx(np.mean(answers == "yes"))
    alike = frame.assign(w=_weights(groups, None)).groupby("g")["w"].sum()
    assert alike["a"] == pytest.approx(alike["b"])


def test_what_is_not_known_or_too_small_is_said() -> None:
    group = unfair()[2]
    untrained = found_of(of_loans(sensitive_train={}))
    assert untrained["mitigation"] is None
    assert untrained["notes"] == [
        "no mitigation: the training rows, their answers or groups are unknown"
    ]
    one = found_of(of_loans(sensitive={"group": np.where(group[800:] == "c", "c", "a")}))
    assert (one["differences"], one["mitigation"]) == ([], None)
    assert one["notes"] == ["not compared: fewer than two groups have 30 test rows"]
    slow = found_of(of_loans(seconds=-1.0))
    assert slow["mitigation"] is None
    assert slow["notes"] == ["no mitigation: no time to refit the model for it"]


def test_a_group_without_a_row_that_counts_has_no_rate() -> None:
    given = of_loans(sensitive_train={})
    in_a = (given.y_test == "no") & (given.sensitive["group"] == "a")
    nobody = np.where(in_a, "a", "b")
    found = found_of(of_loans(sensitive={"group": nobody}, sensitive_train={}))
    rates = {each["group"]: each["true_positive_rate"] for each in found["groups"]}

    assert np.isnan(rates["a"])
    assert rates["b"] > 0


def test_numbers_are_cut_at_rounded_quarters_and_tiny_groups_are_one() -> None:
    ages = np.random.default_rng(0).integers(18, 90, 400)
    groups, others = grouped(ages, ages[:50])
    assert others is not None

    assert (others == groups[:50]).all()
    names = pd.Series(ages).groupby(groups).agg(["min", "max", "size"])
    first, *middle, last = names.sort_values("min").itertuples()
    assert first.Index == f"below {middle[0].min}"
    assert str(last.Index).endswith(" and more")
    assert len(names) == 4
    assert names["size"].between(80, 120).all()
    owners = of_loans(sensitive={"group": np.array(["a"] * 398 + ["b", "c"])})
    (most, rare) = found_of(owners)["groups"]
    assert (rare["group"], rare["rows"], rare["accuracy"]) == ("others", 2, None)
    assert most["accuracy"] > 0
    texts = np.array(["x"] * 20 + ["y"] * 4 + ["Ada L."] + [None] * 6, dtype=object)
    found, nothing = grouped(texts)
    assert nothing is None
    assert pd.Series(found).value_counts().to_dict() == {"x": 20, "missing": 6, "others": 5}
