"""The sentence in plain words: what it says of ten is so of all rows, or it says how many."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.sections.errors import residuals, worst
from onnxlet.convert.report.sections.plain import TEN, in_plain_words
from tests.convert.report.samples import NOTHING, binary, multiclass, regression, score


def said(found: dict[str, Any]) -> str:
    text = in_plain_words(from_json(found))
    return text.replace("\u202f", "").replace("\u00a0", " ").replace("\u201c", '"').replace(
        "\u201d", '"'
    )  # fmt: skip


def churn(found: int, missed: int, alarms: int, others: int = 700, positive: str = "ja") -> str:
    """Of rows that are ja: found and missed ones; of those that are nein: alarms and others."""
    counts = [[found, missed], [alarms, others]]
    labels = ["ja", "nein"]
    if positive == "nein":
        counts, labels = [[others, alarms], [missed, found]], ["ja", "nein"]
    sample = {**binary(), "target": "churn", "positive": positive, "classes": labels}
    return said({**sample, "confusion": {"labels": labels, "counts": counts}})


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((70, 30, 47), 'Of ten rows whose "churn" is "ja" it finds seven; of ten that it names, '
         "six are (recall 0.700, precision 0.598)."),
        ((40, 0, 360), 'Of ten rows whose "churn" is "ja" it finds all ten; of ten that it names, '
         "one is (recall 1.00, precision 0.100)."),
        ((999, 1, 1), 'Of the 1000 test rows whose "churn" is "ja" it finds 999; of the 1000 that '
         "it names, 999 are (recall 0.999, precision 0.999)."),
        ((5, 2, 3), 'Of the 7 test rows whose "churn" is "ja" it finds 5; of the 8 that it names, '
         "5 are (recall 0.714, precision 0.625)."),
        ((1, 99, 0), 'Of the 100 test rows whose "churn" is "ja" it finds 1; of the 1 that it '
         "names, 1 is (recall 0.0100, precision 1)."),
        ((0, 50, 0), 'Of ten rows whose "churn" is "ja" it finds none: it names no row '
         "(recall 0)."),
        ((0, 1, 40), 'Of the one test row whose "churn" is "ja" it finds none; of ten that it '
         "names, none is (recall 0, precision 0)."),
        ((0, 0, 4), 'No test row is "ja", so nothing is known of how many it finds.'),
    ],
)  # fmt: skip
def test_of_two_classes(counts: tuple[int, int, int], expected: str) -> None:
    got = churn(*counts)
    assert re.sub(r"\b1\.00\b", "1", got) == re.sub(r"\b1\.00\b", "1", expected)
    assert churn(*counts, positive="nein") == got.replace('"ja"', '"nein"')


def test_what_is_said_of_ten_is_true_of_all() -> None:
    for hits in (*range(0, 400, 7), 1, 19, 20, 379, 380, 381, 399, 400):
        text = churn(hits, 400 - hits, 100)
        found = re.match(r"Of ten rows .* it finds (\w+(?: ten)?)[;:]", text)
        if found:
            assert abs(TEN.index(found[1]) - hits / 40) <= 0.5
            assert found[1] != "all ten" or hits == 400
            assert found[1] != "none" or hits == 0
        else:
            assert f'Of the 400 test rows whose "churn" is "ja" it finds {hits}' in text


def test_without_a_target_or_labels() -> None:
    sample = {**binary(), "target": None}
    assert said(sample).startswith('Of ten rows that are "Yes" it finds eight')
    assert said({**sample, "confusion": None}) == ""
    assert said({**sample, "outputs": 2}) == ""
    assert said(NOTHING) == ""


def test_of_more_classes() -> None:
    sample = multiclass()
    scores = [score("accuracy", 400, (0.81, 0.02), constant=(0.32, 0.01))]
    target = {"labels": ["A", "B", "C"], "counts": [100, 180, 120], "train_counts": [9, 3, 3]}
    found = {**sample, "target": "kind", "classes": ["A", "B", "C"], "scores": scores}
    found["data"] = {**found["data"], "target": target}
    assert said(found) == (
        'It names the right one of 3 classes of "kind" in eight of ten rows, against three of ten '
        'rows by always saying "A" (accuracy 0.810 against 0.320).'
    )
    found["scores"] = [score("accuracy", 20, (0.95, 0.02), constant=(0.3, 0.01))]
    assert "in 19 of 20 rows, against 6 of 20 rows by always" in said(found)
    found["scores"] = [score("accuracy", 400, (0.99, 0.02))]
    assert said(found).endswith("in 396 of 400 rows (accuracy 0.990).")


def test_of_numbers_in_their_unit() -> None:
    found = {**regression(), "target": "price", "unit": "EUR"}
    found["scores"] = [score("median_ae", 400, (22700.0, 20), constant=(45300.0, 20))]
    within = [{"share": 0.5, "error": 22700.0}, {"share": 0.95, "error": 81300.0}]
    found["residuals"] = {**found["residuals"], "within": within}
    assert said(found) == (
        'Typically 22700 EUR off in "price", against 45300 EUR by always answering the same '
        "(median absolute error); one answer in 20 is off by more than 81300 EUR."
    )
    made = from_json(found)
    assert "\u00a0EUR" in residuals(made)
    assert "\u00a0EUR, in " in worst(made)
    assert "EUR" not in said({**found, "unit": None})
    few = [{**found["scores"][0], "rows": 12}]
    assert "more than" not in said({**found, "scores": few})


def test_names_that_harm_are_harmless() -> None:
    found = {**binary(), "target": "a\u202eb\nc" + "x" * 500, "positive": "Yes"}
    text = said(found)
    assert "\u202e" not in text
    assert "\n" not in text
    assert len(text) < 400


def test_the_numbers_are_those_of_the_answers() -> None:
    random = np.random.default_rng(0)
    truth, answer = random.random(600) < 0.3, random.random(600) < 0.4
    hits, there, named = int((truth & answer).sum()), int(truth.sum()), int(answer.sum())
    text = churn(hits, there - hits, named - hits)
    recall, precision = re.findall(r"0\.\d+", text)
    assert float(recall) == pytest.approx(hits / there, abs=5e-4)
    assert float(precision) == pytest.approx(hits / named, abs=5e-4)
