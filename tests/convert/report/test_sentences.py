"""Each sentence says what its numbers say, computed here in another way."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.report.form.figures import Fairness
from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.form.wording import number, share
from onnxlet.convert.report.sections import (
    curves,
    data,
    errors,
    fairness,
    importance,
    scores,
    search,
    use,
)
from onnxlet.convert.report.sections.scores import verdict
from onnxlet.convert.report.sections.use import limits
from tests.convert.report.samples import NOTHING, SAMPLES, binary, multiclass, near, regression

WHOLE = {
    each.__name__: each
    for each in (
        scores.answer, data.data, data.target, scores.scores, errors.confusion, errors.residuals,
        errors.by_prediction, curves.roc, curves.precision_recall, curves.calibration,
        curves.threshold, importance.importance, curves.learning, errors.worst, search.search,
        use.parity, use.serving,
    )
}  # fmt: skip


def said(name: str, found: dict[str, Any]) -> str:
    """A sentence about findings as report.json has them."""
    return WHOLE[name](from_json(found))


def of_groups(each: dict[str, Any], sentence: Callable[[Fairness], str] = fairness.fairness) -> str:
    """A sentence about one sensitive column."""
    [one] = from_json({**NOTHING, "fairness": [each]}).fairness or []
    return sentence(one)


def plain(text: str) -> str:
    return text.replace("\u202f", "").replace("\u00a0", " ").replace("\u2212", "-")


def test_the_answer_says_how_good_against_what_and_how_sure() -> None:
    assert plain(said("answer", binary())) == (
        "On 1761 rows that it had not seen, its ROC AUC is 0.846 (95% interval 0.827 to 0.865): "
        "clearly better than a constant answer (0.500), but not clearly better than a linear model "
        "(0.841)."
    )
    assert plain(said("answer", regression())) == (
        "On 733 rows that it had not seen, its mean absolute error is 22700 (95% interval 20600 to "
        "24800): clearly better than a constant answer (56500), but not clearly better than a "
        "linear model (27100)."
    )
    assert plain(said("answer", multiclass())) == (
        "On 1600 rows that it had not seen, its accuracy is 0.871 (95% interval 0.854 to 0.888): "
        "clearly better than a constant answer (0.0550), but no better than a linear model (0.902)."
    )


def test_the_answer_from_few_rows_says_so() -> None:
    assert "with so few rows" in said("answer", regression(11))
    assert "with so few rows" not in said("answer", regression(100))


def standing(model: Any, baseline: Any, gain: Any = None, greater: bool = True) -> str:
    beside = {"name": "linear", **baseline, **({} if gain is None else {"gain": gain})}
    about = {"metric": "m", "title": "m", "greater_is_better": greater, "rows": 500}
    score = {**about, "model": model, "baselines": [beside]}
    [read] = from_json({**NOTHING, "scores": [score]}).scores or []
    return verdict(read, read.baselines[0])


@pytest.mark.parametrize("greater", [True, False])
@pytest.mark.parametrize(
    ("lead", "words"),
    [
        (0.3, "clearly better than"),
        (0.05, "not clearly better than"),
        (-0.05, "no better than"),
        (-0.3, "clearly worse than"),
    ],
)
def test_verdicts_whichever_way_the_metric_runs(greater: bool, lead: float, words: str) -> None:
    model = near(0.5 + (lead if greater else -lead), 0.1)

    assert standing(model, near(0.5, 0.1), greater=greater) == words


def test_the_interval_of_the_difference_decides_where_it_is_known() -> None:
    model, baseline = near(0.55, 0.1), near(0.5, 0.1)

    assert standing(model, baseline, near(0.05, 0.01)) == "clearly better than"
    assert standing(model, baseline, near(0.05, 0.06)) == "not clearly better than"
    assert standing(model, baseline, near(-0.05, 0.01)) == "clearly worse than"


def test_the_matrix() -> None:
    found = binary()
    counts = np.array(found["confusion"]["counts"])
    told = plain(said("confusion", found))

    assert told.startswith(f"{100 * np.trace(counts) / counts.sum():.1f}% of {counts.sum()} rows")
    assert told.endswith("the most frequent mistake is Yes for No, 264 times.")


def test_labels_that_are_lumped_are_not_called_right() -> None:
    found = multiclass()
    counts = np.array(found["confusion"]["counts"])
    right = np.trace(counts[:-1, :-1]) / counts.sum()

    assert said("confusion", found).startswith(share(right))


def test_the_chosen_threshold() -> None:
    found = binary()
    row = min(found["threshold"]["table"], key=lambda each: abs(each["threshold"] - 0.34))
    told = re.findall(r"([\d.]+)%", plain(said("threshold", found)))

    assert [float(each) for each in told] == pytest.approx(
        [100 * row[key] for key in ("selected", "precision", "recall")], abs=0.051
    )


def test_calibration_names_the_worst_bin_that_is_not_chance() -> None:
    found = binary()
    assert "furthest around 85.0%, where 80.4% of 55 rows came true" in plain(
        said("calibration", found)
    )
    for each in found["calibration"]["bins"]:
        each["observed_low"], each["observed_high"] = 0, 1
    assert said("calibration", found).endswith("no bin is off by more than chance would explain.")


def test_importance_counts_what_is_within_chance() -> None:
    found = binary()
    assert said("importance", found).endswith("1\u00a0column of 5 does not matter beyond chance.")
    for each in found["importance"]["columns"]:
        each |= near(0, 1)
    assert said("importance", found).startswith("No column matters")


@pytest.mark.parametrize(
    ("helps", "words"),
    [(True, "would probably help"), (False, "would hardly help"), (None, "too little")],
)
def test_the_learning_curve(helps: bool | None, words: str) -> None:
    found = binary()
    found["learning"]["more_data_helps"] = helps

    assert words in said("learning", found)


def test_fairness_names_the_largest_difference_beyond_chance() -> None:
    [each] = binary()["fairness"]
    assert plain(of_groups(each)) == (
        "Difference in selection rate: 0.184 (95% interval 0.134 to 0.234), 2 of 2 measures differ "
        "beyond chance. 1 group has few rows: its figures say little."
    )
    for difference in each["differences"]:
        difference |= near(0.1, 0.2)
    assert of_groups(each).startswith("No difference between groups is beyond chance.")


def test_a_ratio_is_alike_at_one() -> None:
    each = copy.deepcopy(binary()["fairness"][0])
    each["differences"] = [{"measure": "selection_rate_ratio", "title": "Ratio", **near(0.95, 0.1)}]
    assert "beyond chance" in of_groups(each)
    assert of_groups(each).startswith("No difference")
    each["differences"][0] |= near(0.6, 0.1)
    assert of_groups(each).startswith("Ratio: 0.600")


def test_the_mitigation_and_its_cost() -> None:
    [each] = binary()["fairness"]

    assert plain(of_groups(each, fairness.mitigation)).endswith(
        "What it costs: the balanced accuracy goes from 0.768 to 0.757 (95% "
        "interval 0.737 to 0.777)."
    )


def test_the_search_counts_its_candidates() -> None:
    found = binary()
    states = [each["state"] for each in found["search"]["trials"]]

    assert plain(said("search", found)) == (
        f"46 candidates were tried in 58.4 s, {states.count('stopped')} stopped early and "
        f"{states.count('failed')} failed; how it ended: the time was up."
    )


def test_speed_beside_the_estimators() -> None:
    assert plain(said("serving", binary())).endswith(
        f"scikit-learn takes {number(12_400 / 93, 2)} times the time for a row."
    )


@pytest.mark.long
def test_every_sentence_of_every_sample_ends() -> None:
    told = [said(each, found) for found in SAMPLES.values() for each in WHOLE]
    told += [line for found in SAMPLES.values() for line in limits(from_json(found))]

    assert {each[-1] for each in told if each} == {"."}
    assert not [each for each in told if "None" in each or "  " in each or " ," in each]


def test_nothing_is_said_of_what_is_not_there() -> None:
    told = {each: said(each, NOTHING) for each in WHOLE}

    assert {each for each, text in told.items() if text} == {"answer", "parity"}


def test_a_value_that_is_undefined_stops_no_sentence() -> None:
    found: dict[str, Any] = binary()
    for each in (found["scores"][0]["model"], found["fairness"][0]["differences"][0]):
        each |= {"value": None, "low": None, "high": None}

    assert all(isinstance(said(each, found), str) for each in WHOLE)
    assert of_groups(found["fairness"][0])
