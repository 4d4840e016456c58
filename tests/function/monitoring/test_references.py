"""Ours against the figures of other libraries, which `make references` has written."""

from __future__ import annotations

import json
from fractions import Fraction
from math import ceil
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.directory.conformal import conformal_table
from onnxlet.convert.reference.answers import Task
from onnxlet.function.monitoring.estimate import classification
from onnxlet.function.monitoring.two_samples import chi_square, ks, psi
from onnxlet.function.serving.options import region, score_at
from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "references"
NANNYML, MAPIE, EVIDENTLY = (
    json.loads((FOLDER / f"{name}.json").read_text()) for name in ("nannyml", "mapie", "evidently")
)
COVERAGES = MAPIE["coverages"]


# Two samples


def _pairs(*, empty: bool) -> list[Any]:
    return [
        pytest.param(pair, id=pair["title"])
        for pair in EVIDENTLY["pairs"]
        if empty or 0 not in pair["reference"] + pair["counts"]
    ]


@pytest.mark.parametrize("pair", _pairs(empty=False))
def test_psi_is_that_of_evidently(pair: dict[str, Any]) -> None:
    ours = psi(np.array(pair["reference"]), np.array(pair["counts"]))

    assert ours == pytest.approx(pair["evidently"]["psi"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("pair", _pairs(empty=True))
def test_evidently_gives_empty_bins_a_share_of_one_in_ten_thousand(pair: dict[str, Any]) -> None:
    """Ours are half a row: the one difference, so only pairs without them are compared."""
    reference, counts = np.array(pair["reference"]), np.array(pair["counts"])
    some = reference + counts > 0
    p, q = reference[some] / reference.sum(), counts[some] / counts.sum()
    p[p == 0], q[q == 0] = 0.0001, 0.0001

    theirs = float(((p - q) * np.log(p / q)).sum())

    assert theirs == pytest.approx(pair["evidently"]["psi"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("pair", _pairs(empty=True))
def test_chi_square_and_ks_are_those_of_scipy(pair: dict[str, Any]) -> None:
    reference, counts = np.array(pair["reference"]), np.array(pair["counts"])

    ours = [chi_square(reference, counts), ks(reference, counts)]

    theirs = [pair["scipy"]["chi_square"], pair["scipy"]["ks"]]
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


# Performance without labels


def _chunks(name: str) -> list[Any]:
    figures = NANNYML[name]
    return [
        pytest.param(figures["classes"], chunk, id=f"{name}-{index}")
        for index, chunk in enumerate(figures["chunks"])
    ]


def _bins(entry: dict[str, Any], scores: Any) -> Any:
    """`sum(score > edges)` for each score."""
    return (scores[:, None] > np.array(entry["edges"])).sum(axis=1)


def _counts(entries: list[Any], scores: Any, is_class: Any) -> list[Any]:
    return [
        np.array(
            [
                np.bincount(_bins(entry, scores[rows, k]), minlength=len(entry["calibrated"]))
                for rows in (~is_class[:, k], is_class[:, k])
            ]
        )
        for k, entry in enumerate(entries)
    ]


def _scores(chunk: dict[str, Any]) -> tuple[Any, Any]:
    """Raw scores, and whether each class is predicted, both of shape (rows, entries)."""
    predicted = np.array(chunk["predicted"])[:, None]
    if "score" in chunk:
        return np.array(chunk["score"])[:, None], predicted == 1
    return np.array(chunk["scores"]), predicted == np.arange(len(chunk["scores"][0]))


@pytest.mark.parametrize(("entries", "chunk"), _chunks("two_classes") + _chunks("of_sum_one"))
def test_estimates_from_counts_are_those_of_nannyml(
    entries: list[dict[str, Any]], chunk: dict[str, Any]
) -> None:
    counts = _counts(entries, *_scores(chunk))

    estimated = classification(counts, [entry["calibrated"] for entry in entries])

    assert estimated == pytest.approx(chunk["estimated"], rel=0, abs=1e-6)


@pytest.mark.parametrize(("entries", "chunk"), _chunks("divided"))
def test_nannyml_divides_calibrated_probabilities_by_their_sum(
    entries: list[dict[str, Any]], chunk: dict[str, Any]
) -> None:
    """Of more than two classes: one row is one bin here, since no two of them are alike."""
    scores, is_class = _scores(chunk)
    calibrated = np.column_stack(
        [np.array(e["calibrated"])[_bins(e, scores[:, k])] for k, e in enumerate(entries)]
    )
    calibrated /= calibrated.sum(axis=1, keepdims=True)
    order = scores.argsort(axis=0)
    rising = np.take_along_axis(calibrated, order, axis=0)
    predicted = np.take_along_axis(is_class, order, axis=0)

    estimated = classification([np.array([~p, p], dtype=int) for p in predicted.T], list(rising.T))

    assert estimated == pytest.approx(chunk["estimated"], rel=0, abs=1e-6)


# Intervals and sets


def _model(task: Task, answers: Any, truth: Any) -> Any:
    """What `coverage` reads of a model that was built with these held-out rows."""
    return SimpleNamespace(
        name="m",
        classes=task.classes,
        manifest={"conformal": conformal_table(task, answers, truth)},
    )


def _are_stored(model: Any, coverage: float) -> bool:
    """Whether the very score that the coverage needs is kept, not only one above it."""
    table = model.manifest["conformal"]
    return ceil((table["rows"] + 1) * Fraction(str(coverage))) in table["ranks"]


def _splits(name: str) -> list[Any]:
    return [
        pytest.param(split, coverage, id=f"{len(split['held_out']['truth'])}-{coverage}")
        for split in MAPIE[name]
        for coverage in COVERAGES
    ]


@pytest.mark.parametrize("kind", ["absolute", "normalised"])
@pytest.mark.parametrize(("split", "coverage"), _splits("regression"))
def test_intervals_are_those_of_mapie(split: dict[str, Any], coverage: float, kind: str) -> None:
    held_out, new = (
        {name: np.array(numbers) for name, numbers in split[part].items()}
        for part in ("held_out", "new")
    )
    names = {"prediction": "prediction"} | ({"std": "scale"} if kind == "normalised" else {})
    task = Task("regression", {name: name for name in names})
    held, asked = ({n: part[of] for n, of in names.items()} for part in (held_out, new))
    model = _model(task, held, held_out["truth"])

    name, ours = region(model, score_at(model, coverage), asked)

    theirs = np.array(split["intervals"][kind][str(coverage)])
    assert name == "interval"
    if _are_stored(model, coverage):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
        if kind == "normalised":  # by the estimator's deviation only MAPIE's lower bounds differ
            upper = np.array(split["intervals"]["std"][str(coverage)])[:, 1]
            np.testing.assert_allclose(ours[:, 1], upper, rtol=0, atol=1e-9)
    else:
        assert (ours[:, 0] <= theirs[:, 0]).all()
        assert (ours[:, 1] >= theirs[:, 1]).all()


@pytest.mark.parametrize(("split", "coverage"), _splits("classification"))
def test_sets_are_those_of_mapie(split: dict[str, Any], coverage: float) -> None:
    held_out = {"probabilities": np.array(split["held_out"]["probabilities"])}
    held_out["prediction"] = held_out["probabilities"].argmax(axis=1)
    classes = list(range(held_out["probabilities"].shape[1]))
    task = Task("classification", {"prediction": "", "probabilities": ""}, classes)
    model = _model(task, held_out, split["held_out"]["truth"])
    new = np.array(split["new"]["probabilities"])

    name, ours = region(model, score_at(model, coverage), {"probabilities": new})

    # MAPIE leaves empty sets empty.
    theirs = [
        labels or [int(row.argmax())]
        for labels, row in zip(split["sets"][str(coverage)], new, strict=True)
    ]
    assert name == "set"
    if _are_stored(model, coverage):
        assert ours.tolist() == theirs
    else:
        assert all(set(own) >= set(other) for own, other in zip(ours, theirs, strict=True))


def test_the_usual_coverages_are_among_the_kept_ones() -> None:
    """Of 300 rows all four are compared exactly."""
    split = next(each for each in MAPIE["regression"] if len(each["held_out"]["truth"]) == 300)
    answers = {"prediction": np.array(split["held_out"]["prediction"])}
    task = Task("regression", {"prediction": "predict"})
    model = _model(task, answers, split["held_out"]["truth"])

    assert all(_are_stored(model, coverage) for coverage in COVERAGES)
