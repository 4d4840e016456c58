"""What a report says, as plain JSON: every figure of a served model, and nobody's row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from sklearn.pipeline import Pipeline

from onnxlet.convert.describe import Descriptions
from onnxlet.convert.report import TEST_ROWS
from onnxlet.convert.report.evaluation.curves import calibration, precision_recall, roc, threshold
from onnxlet.convert.report.evaluation.data import data
from onnxlet.convert.report.evaluation.errors import confusion, over_time, residuals, worst
from onnxlet.convert.report.evaluation.evaluation import Evaluation, answer_test_rows
from onnxlet.convert.report.evaluation.fairness import fairness
from onnxlet.convert.report.evaluation.importance import dependence, importance
from onnxlet.convert.report.evaluation.learning import Refits, learning
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.evaluation.scores import scores
from onnxlet.convert.report.evaluation.serving import call, serving
from onnxlet.convert.report.form.figures import Metric
from onnxlet.convert.report.form.findings import FORMAT, Findings, MadeFrom, Parity
from onnxlet.convert.report.form.plain_json import as_json, read_as


def findings(measured: Measured, answered: Evaluation | None = None) -> dict[str, Any]:
    """Every figure of the report, as plain JSON: what can't be said is None.

    Its test rows may be answered already. The same data and seed give the same figures, except for
    the times below `serving`; and where refitting takes longer than `seconds`, for what is left out
    then. Raises Refusal where the model's answers can't be right or wrong, or y_test is not what it
    answers.
    """
    about = answered or answer_test_rows(measured)
    example = call(about)
    served = serving(about, example.row)  # first: a second process needs memory while it lasts
    found = scores(about)
    important = importance(about)
    refits = Refits(about)
    wrong, error = worst(about)
    places, said = measured.places, measured.descriptions or Descriptions()
    every = Findings(
        format=FORMAT,
        name=measured.name,
        task=about.task,
        outputs=about.outputs,
        target=measured.target,
        unit=said.target.unit,
        description=said.target.text,
        positive=about.positive,
        classes=about.model.classes if about.task != "regression" else None,
        origin=measured.origin,
        estimator=measured.described or one_line(measured.estimator),
        metric=Metric(
            name=about.metric.name,
            title=about.metric.in_full[about.task],
            greater_is_better=about.metric.greater_is_better,
        ),
        data=data(about),
        scores=found,
        confusion=confusion(about),
        residuals=residuals(about),
        over_time=over_time(about),
        roc=roc(about, found),
        precision_recall=precision_recall(about, found),
        calibration=calibration(about),
        threshold=threshold(about),
        importance=important,
        dependence=dependence(about, important.columns),
        learning=learning(about, refits),
        worst=wrong,
        worst_error=error,
        rows_file=TEST_ROWS if wrong else None,
        worst_unit=places and places.unit,
        worst_file=(places and PurePath(places.file).name) or None,
        search=measured.search,
        fairness=fairness(about, refits),
        made_from=made_from((measured.served or measured.model).manifest),
        parity=parity((measured.served or measured.model).manifest),
        serving=served,
        call=example,
        notes=about.notes,
    )
    plain: dict[str, Any] = as_json(every)
    return plain


def one_line(estimator: Any) -> str:
    """The names of an estimator and of the ones it is made of; no parameter, which may be data."""
    name = type(estimator).__name__
    if name == "FrozenEstimator":  # it keeps what it holds from being refitted
        return one_line(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return " → ".join(one_line(step) for _, step in estimator.steps)
    inner = getattr(estimator, "estimators", None)
    if isinstance(inner, list) and all(isinstance(e, tuple) and len(e) == 2 for e in inner):
        return f"{name} of {', '.join(_named(label, part) for label, part in inner)}"
    wrapped = getattr(estimator, "estimator", None)
    return f"{name} of {one_line(wrapped)}" if hasattr(wrapped, "get_params") else name


def _named(label: str, part: Any) -> str:
    part = getattr(part, "estimator", part)
    last = part.steps[-1][1] if isinstance(part, Pipeline) else part
    return one_line(last) if hasattr(last, "get_params") else label


def made_from(manifest: Mapping[str, Any]) -> MadeFrom | None:
    """What a manifest says of where the model comes from; None where it says nothing."""
    if "versions" not in manifest:
        return None
    made: MadeFrom = read_as(
        MadeFrom, {**manifest.get("origin", {}), "versions": manifest["versions"]}
    )
    return made


ROWS = ("held_out_rows", "hard_rows", "drawn_rows", "judging_rows")
COUNTED = (*ROWS, "differing_rows", "tied_rows", "tolerance", "reference", "recipe")


def parity(manifest: Mapping[str, Any]) -> Parity | None:
    """The parity certificate in short: on how many rows, and the largest differences."""
    if not (certificate := manifest.get("parity")):
        return None
    labels = {"prediction"} if manifest["task"] == "classification" else set()
    names = [name for name in certificate["outputs"] if name not in labels]
    measure = {n: "absolute" if n == "probabilities" else "relative" for n in names}
    off = {name: certificate["outputs"][name][f"largest_{measure[name]}"] for name in names}
    return Parity(
        rows=sum(certificate[key] for key in ROWS),
        **{key: certificate[key] for key in COUNTED},
        replayed=certificate.get("replayed", False),
        worst=off,
        measure=measure,
    )
