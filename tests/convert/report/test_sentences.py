"""Each sentence says what its numbers say, computed here in another way."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.report import sentences
from onnxlet.convert.report.sections.common import verdict
from onnxlet.convert.report.sections.use import limits
from onnxlet.convert.report.wording import number, share
from tests.convert.report.samples import NOTHING, SAMPLES, binary, multiclass, near, regression

WHOLE = ("answer", "data", "target", "scores", "confusion", "residuals", "by_prediction", "roc",
         "precision_recall", "calibration", "threshold", "importance", "learning", "worst",
         "search", "parity", "serving")  # fmt: skip


def plain(text: str) -> str:
    return text.replace("\u202f", "").replace("\u00a0", " ").replace("\u2212", "-")


def test_the_answer_says_how_good_against_what_and_how_sure() -> None:
    assert plain(sentences.answer(binary())) == (
        "On 1761 rows that it had not seen, its ROC AUC is 0.846 (95% interval 0.827 to 0.865): "
        "clearly better than a constant answer (0.500), but not clearly better than a linear model "
        "(0.841)."
    )
    assert plain(sentences.answer(regression())) == (
        "On 733 rows that it had not seen, its mean absolute error is 22700 (95% interval 20600 to "
        "24800): clearly better than a constant answer (56500), but not clearly better than a "
        "linear model (27100)."
    )
    assert plain(sentences.answer(multiclass())) == (
        "On 1600 rows that it had not seen, its accuracy is 0.871 (95% interval 0.854 to 0.888): "
        "clearly better than a constant answer (0.0550), but no better than a linear model (0.902)."
    )


def test_the_answer_from_few_rows_says_so() -> None:
    assert "with so few rows" in sentences.answer(regression(11))
    assert "with so few rows" not in sentences.answer(regression(100))


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
    score = {"greater_is_better": greater, "model": model}

    assert verdict(score, {"name": "linear", **near(0.5, 0.1)}) == words


def test_the_interval_of_the_difference_decides_where_it_is_known() -> None:
    score = {"greater_is_better": True, "model": near(0.55, 0.1)}
    baseline = {"name": "linear", **near(0.5, 0.1)}

    assert verdict(score, {**baseline, "gain": near(0.05, 0.01)}) == "clearly better than"
    assert verdict(score, {**baseline, "gain": near(0.05, 0.06)}) == "not clearly better than"
    assert verdict(score, {**baseline, "gain": near(-0.05, 0.01)}) == "clearly worse than"


def test_the_matrix() -> None:
    found = binary()
    counts = np.array(found["confusion"]["counts"])
    said = plain(sentences.confusion(found))

    assert said.startswith(f"{100 * np.trace(counts) / counts.sum():.1f}% of {counts.sum()} rows")
    assert said.endswith("the most frequent mistake is Yes for No, 264 times.")


def test_labels_that_are_lumped_are_not_called_right() -> None:
    found = multiclass()
    counts = np.array(found["confusion"]["counts"])
    right = np.trace(counts[:-1, :-1]) / counts.sum()

    assert sentences.confusion(found).startswith(share(right))


def test_the_chosen_threshold() -> None:
    found = binary()
    row = min(found["threshold"]["table"], key=lambda each: abs(each["threshold"] - 0.34))
    told = re.findall(r"([\d.]+)%", plain(sentences.threshold(found)))

    assert [float(each) for each in told] == pytest.approx(
        [100 * row[key] for key in ("selected", "precision", "recall")], abs=0.051
    )


def test_calibration_names_the_worst_bin_that_is_not_chance() -> None:
    found = binary()
    assert "furthest around 85.0%, where 80.4% of 55 rows came true" in plain(
        sentences.calibration(found)
    )
    for each in found["calibration"]["bins"]:
        each["observed_low"], each["observed_high"] = 0, 1
    assert sentences.calibration(found).endswith("no bin is off by more than chance would explain.")


def test_importance_counts_what_is_within_chance() -> None:
    found = binary()
    assert sentences.importance(found).endswith("1\u00a0column of 5 does not matter beyond chance.")
    for each in found["importance"]["columns"]:
        each |= near(0, 1)
    assert sentences.importance(found).startswith("No column matters")


@pytest.mark.parametrize(
    ("helps", "words"),
    [(True, "would probably help"), (False, "would hardly help"), (None, "too little")],
)
def test_the_learning_curve(helps: bool | None, words: str) -> None:
    found = binary()
    found["learning"]["more_data_helps"] = helps

    assert words in sentences.learning(found)


def test_fairness_names_the_largest_difference_beyond_chance() -> None:
    [each] = binary()["fairness"]
    assert plain(sentences.fairness(each)) == (
        "Difference in selection rate: 0.184 (95% interval 0.134 to 0.234), 2 of 2 measures differ "
        "beyond chance. 1 group has few rows: its figures say little."
    )
    for difference in each["differences"]:
        difference |= near(0.1, 0.2)
    assert sentences.fairness(each).startswith("No difference between groups is beyond chance.")


def test_a_ratio_is_alike_at_one() -> None:
    each = copy.deepcopy(binary()["fairness"][0])
    each["differences"] = [{"measure": "selection_rate_ratio", "title": "Ratio", **near(0.95, 0.1)}]
    assert "beyond chance" in sentences.fairness(each)
    assert sentences.fairness(each).startswith("No difference")
    each["differences"][0] |= near(0.6, 0.1)
    assert sentences.fairness(each).startswith("Ratio: 0.600")


def test_the_mitigation_and_its_cost() -> None:
    [each] = binary()["fairness"]

    assert plain(sentences.mitigation(each)).endswith(
        "What it costs: the balanced accuracy goes from 0.768 to 0.757 (95% "
        "interval 0.737 to 0.777)."
    )


def test_the_search_counts_its_candidates() -> None:
    found = binary()
    states = [each["state"] for each in found["search"]["trials"]]

    assert plain(sentences.search(found)) == (
        f"46 candidates were tried in 58.4 s, {states.count('stopped')} stopped early and "
        f"{states.count('failed')} failed; how it ended: the time was up."
    )


def test_speed_beside_the_estimators() -> None:
    assert plain(sentences.serving(binary())).endswith(
        f"scikit-learn takes {number(12_400 / 93, 2)} times the time for a row."
    )


def test_every_sentence_of_every_sample_ends() -> None:
    said = [getattr(sentences, each)(found) for found in SAMPLES.values() for each in WHOLE]
    said += [line for found in SAMPLES.values() for line in limits(found)]

    assert {each[-1] for each in said if each} == {"."}
    assert not [each for each in said if "None" in each or "  " in each or " ," in each]


def test_nothing_is_said_of_what_is_not_there() -> None:
    said = {each: getattr(sentences, each)(NOTHING) for each in WHOLE}

    assert {each for each, text in said.items() if text} == {"answer", "parity"}


def test_a_value_that_is_undefined_stops_no_sentence() -> None:
    found: dict[str, Any] = binary()
    for each in (found["scores"][0]["model"], found["fairness"][0]["differences"][0]):
        each |= {"value": None, "low": None, "high": None}

    assert all(isinstance(getattr(sentences, each)(found), str) for each in WHOLE)
    assert sentences.fairness(found["fairness"][0])
