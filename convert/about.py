"""What a manifest says beside what serving needs: of the user's table, and how good answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from onnxlet.convert.autogluon.predictor import AutoGluonClassifier
from onnxlet.convert.describe import read_descriptions
from onnxlet.convert.directory.conformal import conformal_table
from onnxlet.convert.directory.expected_performance import expected_performance
from onnxlet.convert.directory.reference_statistics import reference_statistics
from onnxlet.convert.errors import Refusal
from onnxlet.convert.metrics.manifest import SCORED, score
from onnxlet.convert.metrics.positive import named as named_label
from onnxlet.convert.metrics.positive import positive_of
from onnxlet.convert.problems import listed
from onnxlet.convert.reference.answers import Answers, Task, last_of
from onnxlet.convert.reference.image_columns import takes_images
from onnxlet.convert.reference.inputs import Cells, InputColumn, Inputs, read_inputs
from onnxlet.convert.reference.row_forms import as_pandas, known_keys, no_table
from onnxlet.convert.sources.source import Source
from onnxlet.function.json_text import without_none
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.estimate import positive_index

TRAINED = "X_train"
HALF = 0.5  # the probability from which scikit-learn answers one of two labels
PROMISED = ("metrics", "reference", "estimate", "conformal")


class DescribedRows(NamedTuple):
    """The rows that statistics and backgrounds are made of."""

    columns: Sequence[InputColumn]
    rows: list[Cells]  # in signature order
    of: str  # X_train or X_test


def promised(before: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """What holds of answers to rows that no model has seen, as it was measured before the refit."""
    return {**{key: before[key] for key in PROMISED if key in before}, "refitted": {"rows": rows}}


def described(source: Source, describe: Path | None, unit: str | None) -> Source:
    """A source with what a file and `--unit` say of its target and columns, where they are given.

    WrongUse where they name what it has not.
    """
    if describe is None and unit is None:
        return source
    keys, images = known_keys(source.estimator, source.X_train), takes_images(source.estimator)
    inputs, _ = read_inputs(as_pandas(source.X_test), keys=keys, images=images)
    columns = [column.name for column in inputs.columns]
    target = ", ".join(source.targets)
    return replace(source, descriptions=read_descriptions(describe, unit, columns, target))


def with_ignored(manifest: dict[str, Any], source: Source, inputs: Inputs) -> dict[str, Any]:
    """A manifest that names what is predicted, and what else stands in the user's own table."""
    targets = source.targets
    target = targets[0] if len(targets) == 1 else None
    shapes = {each["name"]: each["shape"] for each in manifest["signature"]["outputs"]}
    scored = manifest["task"] in SCORED
    if scored and target is None and shapes["prediction"][1:] == [len(targets)]:
        manifest = {**manifest, "output_names": targets}
    known = {column.name for column in inputs.columns}
    named = [n for n in dict.fromkeys([*source.left_out, *targets]) if n not in known]
    if not inputs.frame or not named:
        return manifest
    signature = {**manifest["signature"], "ignored": named}
    return {
        **manifest,
        "signature": signature,
        **({"target": target} if target in named else {}),
        **({"decimal": source.decimal} if source.decimal else {}),
        **({"units": dict(source.units)} if source.units else {}),
    }


def positive_member(source: Source, task: Task) -> dict[str, Any]:
    """The manifest's `positive`: the label that rates are of, where two are there; and `threshold`.

    An estimator's own positive label is its second, which goes without saying. WrongUse where the
    source names one that the estimator does not answer.
    """
    classes = [] if task.classes is None or task.several else task.classes
    own = _threshold(source.estimator, classes)
    if source.positive is not None:
        return {"positive": named_label(source.positive, classes, "the estimator"), **own}
    if len(classes) != 2:
        return {}
    found, _ = positive_of(classes, (1, 1))
    return {**({"positive": found} if found != classes[1] else {}), **own}


def _threshold(estimator: Any, classes: Sequence[Any]) -> dict[str, Any]:
    """The manifest's `threshold`: the label that is answered from another probability than 0.5."""
    share: Any
    if isinstance(last := last_of(estimator), AutoGluonClassifier):
        share = last.description["threshold"]
        return {} if share in (None, HALF) else {"threshold": {"label": classes[1], "share": share}}
    if not isinstance(estimator, FixedThresholdClassifier | TunedThresholdClassifierCV):
        return {}
    share = getattr(estimator, "best_threshold_", getattr(estimator, "threshold", None))
    if isinstance(share, str) or share == HALF or estimator.response_method == "decision_function":
        return {}
    scorer = getattr(estimator, "_curve_scorer", None)
    label = scorer._get_pos_label() if scorer else estimator.pos_label
    label = classes[1] if label is None else named_label(label, classes, "the estimator")
    return {"threshold": {"label": label, "share": float(share)}}


def metrics_of(source: Source, task: Task, answers: Answers) -> dict[str, Any] | None:
    """The scores of answers to held-out rows; None where there is nothing to score them by.

    Refusal where y_test has not as many values as there are answers.
    """
    count = len(answers["prediction"])
    if source.y_test is not None and np.shape(source.y_test)[:1] != (count,):
        raise Refusal(
            f"y_test: expected {count} values, as many as X_test has rows, "
            f"got the shape {np.shape(source.y_test)}",
            "Give the answers of X_test's own rows, in their order.",
        )
    return score(task, answers, source.y_test)


def monitored(
    model: Model,
    described: DescribedRows,
    rows: Sequence[Cells],
    task: Task,
    answers: Answers,
    source: Source,
    metrics: dict[str, Any] | None,
) -> dict[str, Any]:
    """What a server measures drift and expected performance by, and makes intervals of."""
    y_test = source.y_test
    # Of a y_test that is not what the model could answer nothing is expected.
    positive = positive_index(model.manifest)
    estimate = None if metrics is None else expected_performance(task, answers, y_test, positive)
    steps = sum(2 * len(each["calibrated"]) for each in (estimate or {}).get("classes", ()))
    made = {
        "reference": reference_statistics(
            model, described.rows, described.of, rows, answers, steps
        ),
        "estimate": estimate,
        "conformal": conformal_table(task, answers, y_test, source.by_time),
    }
    return without_none(made)


def described_rows(source: Source, inputs: Inputs, rows: list[Cells]) -> DescribedRows:
    """The training rows where there are some, else the held-out ones."""
    if source.X_train is None:
        return DescribedRows(inputs.columns, rows, "X_test")
    keys = {column.name: column.type for column in inputs.columns}
    trained, X = read_inputs(source.X_train, TRAINED, keys, any(c.image for c in inputs.columns))
    if trained.form == "dictionaries" != inputs.form:
        raise no_table(source.X_train, TRAINED)
    names = [column.name for column in inputs.columns]
    if [column.name for column in trained.columns] != names:
        trained_names = [column.name for column in trained.columns]
        more = listed([name for name in trained_names if name not in names], 3)
        fewer = listed([name for name in names if name not in trained_names], 3)
        said = [f"has {more} besides"] * bool(more) + [f"lacks {fewer}"] * bool(fewer)
        copies = "; a step that adds a column needs X = X.copy() first" * bool(more)
        raise Refusal(
            "X_train has other columns than X_test: it "
            + (" and ".join(said) or "has them in another order"),
            f"Give both in the same form, with the same columns in the same order{copies}.",
        )
    return DescribedRows(trained.columns, trained.rows(X), TRAINED)
