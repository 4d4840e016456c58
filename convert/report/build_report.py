"""The report of a build, where the true answers to its held-out rows are known."""

from __future__ import annotations

from collections.abc import Sequence

from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import Model

HINT = "Return (estimator, X_test, y_test), or name the column of --data with --target."


def check_reported(source: Source, sensitive: Sequence[str]) -> None:
    """Refuse a report that can't be written, before any work is done for it.

    WrongUse where the source has no true answers to compare with, or X_test no such column, whose
    groups would be compared.
    """
    if source.y_test is None:
        raise WrongUse("--report: expected true answers to the held-out rows, got none", HINT)
    columns = [str(name) for name in getattr(source.X_test, "columns", ())]
    for name in sensitive:
        if name not in columns:
            hint = f"There are {', '.join(columns[:20])}." if columns else "X_test has no names."
            raise WrongUse(f"--sensitive: there is no column '{name}' in X_test", hint)


def measured_build(source: Source, model: Model, sensitive: Sequence[str] = ()) -> Measured:
    """What is known of a model that is built: no version yet, no answers of its training rows."""
    return Measured(
        model.name, model, source.estimator, source.X_test, source.y_test,
        target=", ".join(source.targets) or None, X_train=source.X_train,
        descriptions=source.descriptions,
        sensitive={name: source.X_test[name].to_numpy() for name in sensitive},
    )  # fmt: skip
