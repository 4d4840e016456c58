"""Plots: what is drawn is where the numbers are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from onnxlet.convert.report.form.findings import Findings, from_json
from onnxlet.convert.report.form.plot import WIDTH, Plot
from onnxlet.convert.report.sections import (
    curves,
    data,
    errors,
    fairness,
    importance,
    scores,
    search,
)
from tests.convert.report.samples import NOTHING, SAMPLES, binary, hostile, near, regression

Draw = Callable[[Findings], Plot | None]


def drawn_by(draw: Draw, found: dict[str, Any]) -> Plot:
    plot = draw(from_json(found))
    assert plot is not None
    return plot


def dependences(found: dict[str, Any]) -> list[Plot | None]:
    every = from_json(found).dependence or []
    return [importance.dependence_plot(index, each) for index, each in enumerate(every)]


def path(svg: str, colour: str, least: int = 5) -> np.ndarray:
    """The points of the first line of a colour, in pixels."""
    for part in re.findall(
        rf'<path d="([^"]+)"[^>]*style="fill: none; stroke: var\(--{colour}\)', svg
    ):
        points = re.findall(r"[ML] ([\d.-]+) ([\d.-]+)", part)
        if len(points) >= least:
            return np.array(points, float)
    raise AssertionError(colour)


def test_the_roc_curve_goes_through_its_points() -> None:
    found = binary()
    drawn = path(drawn_by(curves.roc_plot, found).svg, "model")
    points = np.array(found["roc"]["points"])[:, :2]

    for axis in (0, 1):  # pixels are a straight line of the numbers
        slope, start = np.polyfit(points[:, axis], drawn[:, axis], 1)
        assert np.abs(slope * points[:, axis] + start - drawn[:, axis]).max() < 0.01
        assert np.sign(slope) == (1, -1)[axis]  # SVG counts from the top


def test_the_best_so_far_never_gets_worse_and_ends_at_the_best() -> None:
    found = binary()
    drawn = path(drawn_by(search.search_plot, found).svg, "other")
    done = [t["score"] for t in found["search"]["trials"] if t["state"] == "done"]

    assert (np.diff(drawn[:, 1]) <= 0).all()
    assert f"{max(done):.3f}" in drawn_by(search.search_plot, found).svg


def test_a_search_for_less_goes_down() -> None:
    found = binary()
    found["scores"][0]["greater_is_better"] = False
    for each in found["search"]["trials"]:
        each["score"] = None if each["score"] is None else 1 - each["score"]
    drawn = path(drawn_by(search.search_plot, found).svg, "other", 2)

    assert (np.diff(drawn[:, 1]) >= 0).all()


@pytest.mark.parametrize(
    "draw",
    [scores.scores_plot, data.target_plot, curves.roc_plot, curves.precision_recall_plot,
     curves.calibration_plot, curves.threshold_plot, errors.residuals_plot,
     errors.by_prediction_plot, importance.importance_plot, curves.learning_plot,
     search.search_plot],
)  # fmt: skip
def test_nothing_is_drawn_of_nothing(draw: Draw) -> None:
    assert draw(from_json(NOTHING)) is None


def test_the_description_has_the_numbers() -> None:
    svg = drawn_by(scores.scores_plot, binary()).svg

    assert "this model: 0.846 (0.827 to 0.865); a constant answer: 0.500; a linear model" in svg
    assert "1294" in drawn_by(data.target_plot, binary()).svg
    assert "240" in drawn_by(errors.residuals_plot, regression()).svg


def test_text_stays_within_the_plot() -> None:
    for found in SAMPLES.values():
        plots = [importance.importance_plot(from_json(found)), *dependences(found)]
        plots += [fairness.groups_plot(0, each) for each in from_json(found).fairness or []]
        for each in filter(None, plots):
            box = re.search(r'viewBox="0 0 ([\d.]+)', each.svg)
            assert box
            assert float(box[1]) == WIDTH
            longest = max(map(len, re.findall(r"<text[^>]*>([^<]*)</text>", each.svg)))
            assert longest <= 64


def test_what_a_user_has_set_changes_nothing() -> None:
    before = curves.roc_plot(from_json(binary()))
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert curves.roc_plot(from_json(binary())) == before
    assert mpl.rcParams["svg.fonttype"] == "path"  # matplotlib's own: it is put back


def test_dollars_are_no_mathematics() -> None:
    assert "$x_1$" in drawn_by(importance.importance_plot, hostile()).svg


def test_one_value_for_all_is_drawn() -> None:
    found = binary()
    for each in found["importance"]["columns"]:
        each |= near(0, 0)
    for point in found["dependence"][1]["points"]:
        point |= near(0.5, 0)

    assert importance.importance_plot(from_json(found))
    assert all(dependences(found))


def test_undefined_values_are_left_out() -> None:
    found = binary()
    found["scores"][0]["baselines"][0]["value"] = None
    found["learning"]["points"] = [{"rows": 5, "value": None, "low": None, "high": None}]

    assert "a constant answer" not in drawn_by(scores.scores_plot, found).svg
    assert curves.learning_plot(from_json(found)) is None
